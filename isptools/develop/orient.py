"""Upright or as the sensor read it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def upright(picture: NDArray[Any], flip: int) -> NDArray[Any]:
    """Turn (H, W, ...) by LibRaw's code: bit 1 flips rows, bit 0 columns, then bit 2 transposes."""
    if flip & 2:
        picture = picture[::-1]
    if flip & 1:
        picture = picture[:, ::-1]
    if flip & 4:
        picture = picture.swapaxes(0, 1)
    return np.ascontiguousarray(picture)


def onto_sensor(picture: NDArray[Any], flip: int) -> NDArray[Any]:
    """The inverse of `upright`."""
    if flip & 4:
        picture = picture.swapaxes(0, 1)
    if flip & 1:
        picture = picture[:, ::-1]
    if flip & 2:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)
