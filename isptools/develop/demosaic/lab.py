"""The integer CIELAB that AHD compares colors in."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isptools.develop.planes import clamped
from isptools.develop.rows import part
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


@part
def lab_row(rgb, eye, work, light, chroma):
    """CIELAB times 64 as integers, truncated as LibRaw truncates (cielab): lightness, a and b.

    `eye`: the matrix and the table of roots; `work` is room for three rows.
    """
    f_x, f_y, f_z = work[0], work[1], work[2]
    for k in range(3):
        _root(rgb, eye[0][k], eye[1], work[k])
    a, b = chroma[0], chroma[1]
    for x in range(len(light)):
        light[x] = np.trunc(np.float32(64) * (np.float32(116) * f_y[x] - np.float32(16)))
    for x in range(len(light)):
        a[x] = np.int32(np.float32(32000) * (f_x[x] - f_y[x]))
    for x in range(len(light)):
        b[x] = np.int32(np.float32(12800) * (f_y[x] - f_z[x]))


@part
def _root(rgb, m, roots, out):
    r, g, b = rgb[0], rgb[1], rgb[2]
    m_r, m_g, m_b = m[0], m[1], m[2]
    for x in range(len(out)):
        value = ((np.float32(0.5) + m_r * r[x]) + m_g * g[x]) + m_b * b[x]
        out[x] = clamped(value)
    for x in range(len(out)):
        out[x] = roots[np.uint32(np.int32(out[x]))]
