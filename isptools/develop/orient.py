"""Upright or as the sensor read it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.develop.planes import join, split
from isptools.develop.rows import kernel, over_rows, writable


def upright(picture: NDArray[Any], flip: int, scratch: bool = False) -> NDArray[Any]:
    """Turn (H, W, ...) by LibRaw's code: bit 1 flips rows, bit 0 columns, then bit 2 transposes.

    With `scratch`, columns are mirrored in place.
    """
    if scratch and flip == 1 and picture.ndim == 3 and picture.dtype == np.uint16:
        over_rows(_mirror, len(picture), picture, writable(picture))
        return picture
    if flip & 2:
        picture = picture[::-1]
    if flip & 1:
        picture = picture[:, ::-1]
    if flip & 4:
        picture = picture.swapaxes(0, 1)
    return _packed(picture)


def onto_sensor(picture: NDArray[Any], flip: int) -> NDArray[Any]:
    """The inverse of `upright`."""
    if flip & 4:
        picture = picture.swapaxes(0, 1)
    if flip & 1:
        picture = picture[:, ::-1]
    if flip & 2:
        picture = picture[::-1]
    return _packed(picture)


def _packed(view: NDArray[Any]) -> NDArray[Any]:
    """A contiguous copy, or the array itself where it is contiguous."""
    if view.flags.c_contiguous:
        return view
    if view.ndim != 3 or view.dtype != np.uint16:
        return np.ascontiguousarray(view)
    out = np.empty(view.shape, view.dtype)
    if view.strides[1] == -6:  # mirrored rows
        over_rows(_mirror, len(view), view[:, ::-1], out)
    else:
        over_rows(_copy, len(view), view, out)
    return out


@kernel
def _mirror(picture, out, top, bottom):
    width = picture.shape[1]
    planes = np.empty((3, width), np.uint16)
    turned = np.empty((3, width), np.uint16)
    for y in range(top, bottom):
        split(picture[y].reshape(picture[y].size), planes)
        for c in range(3):
            row, mirrored = planes[c], turned[c]
            for x in range(width):
                mirrored[x] = row[width - 1 - x]
        join(turned, out[y].reshape(out[y].size))


@kernel
def _copy(view, out, top, bottom):
    for block in range(0, out.shape[1], 64):  # a transposed view is read in short columns
        for y in range(top, bottom):
            for x in range(block, min(block + 64, out.shape[1])):
                for c in range(out.shape[2]):
                    out[y, x, c] = view[y, x, c]
