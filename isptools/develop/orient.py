"""Upright or as the sensor read it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.develop.planes import join, split
from isptools.develop.rows import kernel, over_rows, writable
from isptools.frame import empty


def upright(picture: NDArray[Any], flip: int, scratch: bool = False) -> NDArray[Any]:
    """Turn (H, W, ...) by LibRaw's code: bit 1 flips rows, bit 0 columns, then bit 2 transposes.

    With `scratch`, uint16 colors are mirrored in place where no row moves.
    """
    if flip == 0 or picture.ndim != 3 or picture.dtype != np.uint16:
        return np.ascontiguousarray(_view(picture, flip))
    source = np.ascontiguousarray(picture)
    if flip & 4:
        out = empty(_view(picture, flip).shape, np.uint16)
        over_rows(_transpose, len(out), source, flip, out)
        return out
    out = writable(source) if scratch and flip == 1 else empty(source.shape, np.uint16)
    over_rows(_flip, len(out), source, flip, out)
    return out


def onto_sensor(picture: NDArray[Any], flip: int) -> NDArray[Any]:
    """The inverse of `upright`, of (H, W, ...)."""
    back = (flip & 1) << 1 | (flip & 2) >> 1 | 4 if flip & 4 else flip
    return upright(picture, back)


def _view(picture: NDArray[Any], flip: int) -> NDArray[Any]:
    if flip & 2:
        picture = picture[::-1]
    if flip & 1:
        picture = picture[:, ::-1]
    return picture.swapaxes(0, 1) if flip & 4 else picture


@kernel
def _flip(picture, flip, out, top, bottom):
    height, width = out.shape[:2]
    planes = np.empty((3, width), np.uint16)
    turned = np.empty((3, width), np.uint16)
    for y in range(top, bottom):
        row = picture[height - 1 - y if flip & 2 else y]
        split(row.reshape(row.size), planes)
        for c in range(3):
            plane, mirrored = planes[c], turned[c]
            for x in range(width):
                mirrored[x] = plane[width - 1 - x]
        join(turned if flip & 1 else planes, out[y].reshape(out[y].size))


@kernel
def _transpose(picture, flip, out, top, bottom):
    height, width = picture.shape[:2]
    for block in range(0, out.shape[1], 64):  # short columns of the source stay in the cache
        for y in range(top, bottom):
            column = width - 1 - y if flip & 1 else y
            for x in range(block, min(block + 64, out.shape[1])):
                row = height - 1 - x if flip & 2 else x
                for c in range(3):
                    out[y, x, c] = picture[row, column, c]
