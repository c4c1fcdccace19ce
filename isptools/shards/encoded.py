"""Pictures as the integers that a shard stores: one pass over a picture, compiled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.compiled import kernel
from isptools.shards.schema import Picture


def encode(picture: NDArray[Any], how: Picture) -> tuple[NDArray[Any], int, int]:
    """The planes of a picture as they are stored, and how many values were clipped low and high.

    `picture` is (H, W, C), or one plane (H, W), float32 or float64 in physical values or an integer
    station where its largest integer stands for 1; given back are (C, H, W), or (H, W). Values must
    be finite. Stored is value * largest / full_scale in float64, rounded half to even, clipped.
    """
    if picture.ndim == 2:
        planes, low, high = encode(picture[..., None], how)
        return planes[0], low, high
    physical = np.ascontiguousarray(picture)
    if physical.dtype.kind == "u":
        return _looked_up(physical, how)
    if not how.largest:
        return np.moveaxis(physical, 2, 0).astype(np.float32), 0, 0
    stored = np.empty((physical.shape[2], *physical.shape[:2]), how.dtype)
    low, high = _encode(physical, float(how.largest), how.full_scale, stored)
    return stored, low, high


def _looked_up(physical: NDArray[Any], how: Picture) -> tuple[NDArray[Any], int, int]:
    """Of integers: what each of them becomes is computed once."""
    if physical.dtype.name == how.dtype and how.full_scale == 1:
        return np.moveaxis(physical, 2, 0), 0, 0
    most = np.iinfo(physical.dtype).max
    values = np.arange(most + 1) / np.float64(most)
    if not how.largest:
        return values.astype(np.float32)[np.moveaxis(physical, 2, 0)], 0, 0
    table = np.empty((1, 1, most + 1), how.dtype)
    _encode(values[None, :, None], float(how.largest), how.full_scale, table)
    lost = int(np.searchsorted(np.rint(values * how.largest / how.full_scale), how.largest,
                               "right"))  # fmt: skip
    stored = np.empty((physical.shape[2], *physical.shape[:2]), how.dtype)
    return stored, 0, _look_up(physical, table[0, 0], lost, stored)


@kernel
def _look_up(physical: NDArray[Any], table: NDArray[Any], lost: int, stored: NDArray[Any]) -> int:
    """Fill `stored`; how many values are `lost` or more."""
    high = 0
    rows, columns, channels = physical.shape
    for y in range(rows):
        row = physical[y].reshape(columns * channels)
        for i in range(len(row)):
            high += row[i] >= lost
        for c in range(channels):
            out = stored[c, y]
            for x in range(columns):
                out[x] = table[row[x * channels + c]]
    return high


@kernel
def _encode(
    physical: NDArray[Any], largest: float, full_scale: float, stored: NDArray[Any]
) -> tuple[int, int]:
    """Fill `stored`; how many values fell below 0 and above `largest`."""
    low, high = 0, 0
    rows, columns, channels = physical.shape
    line = np.empty(columns * channels)
    for y in range(rows):
        row = physical[y].reshape(columns * channels)
        for i in range(len(line)):
            line[i] = np.rint(np.float64(row[i]) * largest / full_scale)
        for i in range(len(line)):
            low += line[i] < 0
            high += line[i] > largest
        for i in range(len(line)):
            line[i] = min(max(line[i], 0.0), largest)
        for c in range(channels):
            out = stored[c, y]
            for x in range(columns):
                out[x] = line[x * channels + c]
    return low, high
