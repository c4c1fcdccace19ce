"""The integer CIELAB that AHD compares colors in."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Matrix
from isptools.raw.color import XYZ_FROM_SRGB

D65_WHITE = (0.95047, 1.0, 1.08883)

# LibRaw fills its table with the C library's single precision powf. Where that is not the nearest
# float32 to the power in double precision, it is one unit in the last place above or below: at
# these entries (measured against glibc 2.36, x86-64). Without them one value in a million differs.
ONE_ABOVE = (
    643,
    6055,
    7856,
    8390,
    9235,
    10098,
    10433,
    11585,
    13425,
    13725,
    16885,
    18082,
    19456,
    22509,
    24099,
    26825,
    34720,
    34909,
    37340,
    38492,
    38512,
    39713,
    40622,
    40701,
    42043,
    44979,
    45477,
    46361,
    47974,
    48084,
    48491,
    49393,
    52528,
    54846,
    54957,
    58332,
    58356,
    58691,
    58903,
    60042,
    62409,
    64288,
    64319,
    64731,
)
ONE_BELOW = (
    23960,
    29136,
    35329,
    45799,
)


@cache
def cube_roots() -> NDArray[np.float32]:
    """CIELAB's f(i / 65535) for i = 0..65535, as LibRaw's cielab tabulates it."""
    ratio = np.arange(65536, dtype=np.float32) / np.float32(65535)
    third = float(np.float32(1) / np.float32(3))
    root = np.array([math.pow(value, third) for value in ratio.tolist()], np.float32)
    root[list(ONE_ABOVE)] = np.nextafter(root[list(ONE_ABOVE)], np.float32(2))
    root[list(ONE_BELOW)] = np.nextafter(root[list(ONE_BELOW)], np.float32(0))
    toe = np.float32(7.787) * ratio + np.float32(16) / np.float32(116)
    table = np.where(ratio > np.float32(0.008856), root, toe).astype(np.float32)
    table.setflags(write=False)
    return table


def xyz_from_camera(camera_to_srgb: Matrix | None) -> NDArray[np.float32]:
    """Balanced camera RGB to XYZ over the D65 white, 3x3, summed as LibRaw does (cielab)."""
    camera = np.eye(3) if camera_to_srgb is None else np.asarray(camera_to_srgb, np.float32)
    white = np.asarray(D65_WHITE, np.float32).astype(np.float64)
    out = np.zeros((3, 3), np.float32)
    for k in range(3):
        products = XYZ_FROM_SRGB[:, k, None] * camera[None, k, :].astype(np.float64)
        out += (products / white[:, None]).astype(np.float32)
    return out
