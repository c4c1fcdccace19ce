"""Pictures as the integers that a shard stores: one pass over a plane, compiled."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.compiled import kernel
from isptools.shards.schema import Picture


def encode(plane: NDArray[Any], picture: Picture) -> tuple[NDArray[Any], int, int]:
    """One plane of a picture as it is stored, and how many values were clipped low and high.

    `plane` is (H, W), float32 or float64 in physical values or an integer station where its largest
    integer stands for 1. Values must be finite. Stored is value * largest / full_scale in float64,
    rounded half to even, clipped.
    """
    physical = np.asarray(plane)
    if physical.dtype.kind == "u":
        return _looked_up(physical, picture)
    if not picture.largest:
        return physical.astype(np.float32), 0, 0
    stored = np.empty(physical.shape, picture.dtype)
    low, high = _encode(physical, float(picture.largest), picture.full_scale, stored)
    return stored, low, high


def _looked_up(plane: NDArray[Any], picture: Picture) -> tuple[NDArray[Any], int, int]:
    """Of integers: what each of them becomes is computed once."""
    if plane.dtype.name == picture.dtype and picture.full_scale == 1:
        return plane, 0, 0
    most = np.iinfo(plane.dtype).max
    physical = np.arange(most + 1) / np.float64(most)
    if not picture.largest:
        return physical.astype(np.float32)[plane], 0, 0
    table = np.empty((1, most + 1), picture.dtype)
    _encode(physical[None], float(picture.largest), picture.full_scale, table)
    lost = int(np.searchsorted(np.rint(physical * picture.largest / picture.full_scale),
                               picture.largest, "right"))  # fmt: skip
    stored = np.empty(plane.shape, picture.dtype)
    return stored, 0, _look_up(plane, table[0], lost, stored)


@kernel
def _look_up(plane: NDArray[Any], table: NDArray[Any], lost: int, stored: NDArray[Any]) -> int:
    """Fill `stored`; how many values are `lost` or more."""
    high = 0
    rows, columns = plane.shape
    for y in range(rows):
        for x in range(columns):
            value = plane[y, x]
            stored[y, x] = table[value]
            high += value >= lost
    return high


@kernel
def _encode(
    physical: NDArray[Any], largest: float, full_scale: float, stored: NDArray[Any]
) -> tuple[int, int]:
    """Fill `stored`; how many values fell below 0 and above `largest`."""
    low, high = 0, 0
    rows, columns = physical.shape
    for y in range(rows):
        for x in range(columns):
            value = np.rint(np.float64(physical[y, x]) * largest / full_scale)
            low += value < 0
            high += value > largest
            stored[y, x] = min(max(value, 0.0), largest)
    return low, high
