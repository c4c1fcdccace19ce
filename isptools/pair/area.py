"""Reduce a picture: the mean over the area that a pixel of the small one covers."""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import kernel, over_rows

F32 = NDArray[np.float32]


def reduced(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(H, W) uint8 to (height, width) uint8, neither larger, rounded to the nearest.

    As OpenCV's INTER_AREA, which sums along a row first and so by single pixels.
    """
    out = np.empty((height, width), np.uint8)
    tables = (*_shares(picture.shape[0], height), *_shares(picture.shape[1], width))
    over_rows(_reduced, height, picture, *tables, out)
    return out


def _shares(size: int, fewer: int) -> tuple[NDArray[np.int64], F32]:
    """For each of `fewer` pixels the first one that it covers, and of that and of those behind the
    part that lies in it; all parts of one add up to 1."""
    scale = size / fewer
    low, high = np.arange(fewer) * scale, (np.arange(fewer) + 1) * scale
    first = np.floor(low + 1e-9).astype(np.int64)
    place = first[:, None] + np.arange(int(np.ceil(scale)) + 1)
    inside = np.minimum(place + 1, high[:, None]) - np.maximum(place, low[:, None])
    inside = np.where(place < size, np.maximum(inside, 0), 0)
    return first, (inside / inside.sum(1, keepdims=True)).astype(np.float32)


@kernel
def _reduced(picture, tops, downs, lefts, acrosses, out, top, bottom):
    width, behind = out.shape[1], acrosses.shape[1]
    line, sums = np.zeros(picture.shape[1] + behind, np.float32), np.empty(width, np.float32)
    weights = np.ascontiguousarray(acrosses.T)
    for y in range(top, bottom):
        line[:] = 0
        for k in range(downs.shape[1]):
            if downs[y, k] > 0:
                _add(picture[tops[y] + k], downs[y, k], line)
        sums[:] = 0
        for k in range(behind):
            _add_from(line, lefts, k, weights[k], sums)
        _round(sums, out[y])


@kernel
def _add(row, share, line):
    for x in range(len(row)):
        line[x] += share * row[x]


@kernel
def _add_from(line, lefts, k, weights, sums):
    for x in range(len(sums)):
        sums[x] += weights[x] * line[lefts[x] + k]


@kernel
def _round(sums, out):
    for x in range(len(out)):
        out[x] = np.uint8(np.rint(sums[x]))
