"""Between a camera's color matrix and LibRaw's rgb_cam (LibRaw cam_xyz_coeff)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Matrix
from isptools.raw.decimal import shortest

F64 = NDArray[np.float64]

# CIE XYZ (D65) of linear sRGB's primaries, column by column, as LibRaw carries it (xyz_rgb)
XYZ_FROM_SRGB = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def camera_to_srgb_of(xyz_to_camera: Matrix) -> Matrix | None:
    """Balanced camera RGB to linear sRGB: rows of `xyz_to_camera @ XYZ_FROM_SRGB` brought to sum 1,
    then inverted, as float32. None for a matrix that has no such inverse.
    """
    camera_from_srgb = np.array(xyz_to_camera, dtype=np.float64) @ XYZ_FROM_SRGB
    sums = camera_from_srgb.sum(axis=1, keepdims=True)
    if np.any(sums == 0):
        return None
    inverse = _inverse(camera_from_srgb / sums)
    return None if inverse is None else as_matrix(inverse.astype(np.float32))


def xyz_to_camera_of(camera_to_srgb: Matrix, daylight: tuple[float, ...]) -> Matrix | None:
    """The matrix under D65 from which LibRaw makes this `camera_to_srgb` and these daylight gains.

    For cameras whose rgb_cam LibRaw carries without a color matrix (Kodak DC50 and DC120): each
    float32 there stands for a short decimal, and only as decimals do its rows sum to 1. None for a
    matrix that has no such inverse.
    """
    if min(daylight[:3]) <= 0:
        return None
    decimals = [[shortest(value) for value in row] for row in camera_to_srgb]
    camera_from_srgb = _inverse(np.array(decimals))
    if camera_from_srgb is None:
        return None
    gains = np.array(daylight[:3], dtype=np.float64)[:, None]
    return as_matrix(camera_from_srgb / gains @ np.linalg.inv(XYZ_FROM_SRGB))


def _inverse(values: F64) -> F64 | None:
    try:
        inverse: F64 = np.linalg.inv(values).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    return inverse


def as_matrix(values: NDArray[np.floating[Any]]) -> Matrix:
    """A 2-D array as nested tuples of floats."""
    return tuple(tuple(float(value) for value in row) for row in values)
