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
        if physical.dtype.name == picture.dtype and picture.full_scale == 1:
            return physical, 0, 0
        physical = physical / np.float64(np.iinfo(physical.dtype).max)
    if not picture.largest:
        return physical.astype(np.float32), 0, 0
    stored = np.empty(physical.shape, picture.dtype)
    low, high = _encode(physical, float(picture.largest), picture.full_scale, stored)
    return stored, low, high


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
