"""A finished picture of another RGB space to sRGB: by its ICC profile, or by ROMM's definition."""

import struct
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isptools.develop.autotone import encode_srgb
from isptools.develop.rows import kernel, over_rows
from isptools.frame import UnsupportedError, empty
from isptools.raw.color import XYZ_FROM_SRGB

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U16 = NDArray[np.uint16]

D50 = np.array([0.9642, 1.0, 0.8249])  # white of ICC's connection space
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
ROMM = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))  # x, y of red, green, blue
TOE = 16.0 ** (1.8 / (1 - 1.8))  # linear light below which ROMM is a straight line of slope 16
STORED = np.arange(65536) / 65535
ALIKE = 0.002  # curves and matrices closer than this to sRGB's are sRGB's


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """An RGB space: linear light of each stored number, and what each color adds to XYZ."""

    curves: F64  # (3, 65536): 0 to 1 for stored 0 to 65535
    to_xyz: F64  # 3x3, linear RGB to XYZ with white D50

    def is_srgb(self) -> bool:
        """Whether its curves and colors are those of sRGB, but for rounding."""
        srgb = np.linalg.inv(d50_to_d65()) @ XYZ_FROM_SRGB
        light = np.where(STORED <= 0.04045, STORED / 12.92, ((STORED + 0.055) / 1.055) ** 2.4)
        near = np.abs(self.curves - light).max() < ALIKE
        return bool(near and np.abs(self.to_xyz - srgb).max() < ALIKE)


def to_srgb(picture: NDArray[np.uint8] | U16, profile: Profile) -> U16:
    """(H, W, 3) encoded in a profile's space to sRGB (IEC 61966-2-1) in 16 bit.

    D50 to D65 by Bradford's transform (ICC.1:2022, annex E); what lies outside of sRGB is clipped
    channel by channel. No black point is moved, no tone changed.
    """
    stored = picture if picture.dtype == np.uint16 else picture.astype(np.uint16) * np.uint16(257)
    matrix = (d50_to_d65() @ profile.to_xyz).astype(np.float32)
    xyz = empty(picture.shape, np.float32)
    over_rows(_to_xyz, len(stored), stored, profile.curves.astype(np.float32), matrix, xyz)
    return encode_srgb(xyz)


@kernel
def _to_xyz(picture, curves, m, out, top, bottom):
    for y in range(top, bottom):
        for x in range(picture.shape[1]):
            r, g, b = picture[y, x, 0], picture[y, x, 1], picture[y, x, 2]
            red, green, blue = curves[0, r], curves[1, g], curves[2, b]
            for c in range(3):
                out[y, x, c] = m[c, 0] * red + m[c, 1] * green + m[c, 2] * blue


def d50_to_d65() -> F64:
    """3x3 on XYZ: ICC's D50 white becomes the white of sRGB."""
    cones = (BRADFORD @ XYZ_FROM_SRGB.sum(axis=1)) / (BRADFORD @ D50)
    adapted: F64 = np.linalg.inv(BRADFORD) @ (cones[:, None] * BRADFORD)
    return adapted


@cache
def prophoto() -> Profile:
    """ROMM RGB, called ProPhoto: gamma 1.8 with a linear toe, D50 (ISO 22028-2)."""
    light = np.where(STORED < 16 * TOE, STORED / 16, STORED**1.8)
    return Profile(np.stack([light] * 3), from_primaries(ROMM))


def from_primaries(primaries: tuple[tuple[float, float], ...]) -> F64:
    """3x3 from linear RGB to XYZ for which RGB (1, 1, 1) is D50."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    matrix: F64 = columns * np.linalg.solve(columns, D50)
    return matrix


def parse(data: bytes) -> Profile:
    """An ICC profile made of three curves and a matrix (ICC.1:2022, 8.3.3, 10.6, 10.18).

    UnsupportedError for another kind (tables, gray, CMYK) and for bytes that are no profile.
    """
    try:
        (count,) = struct.unpack_from(">I", data, 128)
        rows = [struct.unpack_from(">4sII", data, 132 + 12 * i) for i in range(min(count, 200))]
        tags = {name: data[start : start + size] for name, start, size in rows}
        if data[16:20] != b"RGB " or data[20:24] != b"XYZ ":
            raise UnsupportedError("its ICC profile is none of RGB by XYZ")
        colorants = [_fixed(tags[b"%cXYZ" % letter], 8, 3) for letter in b"rgb"]
        curves = [_curve(tags[b"%cTRC" % letter]) for letter in b"rgb"]
    except (struct.error, KeyError, IndexError):
        raise UnsupportedError("its ICC profile has no matrix and curves, or is damaged") from None
    return Profile(np.stack(curves), np.array(colorants).T)


def _fixed(tag: bytes, start: int, count: int) -> F64:
    return np.array(struct.unpack_from(f">{count}i", tag, start)) / 65536


def _curve(tag: bytes) -> F64:
    """Linear light of the 65536 stored numbers."""
    (count,) = struct.unpack_from(">I", tag, 8)
    if tag[:4] == b"para":
        return _parametric(tag)
    if tag[:4] != b"curv":
        raise KeyError(tag[:4])
    if count < 2:
        gamma = struct.unpack_from(">H", tag, 12)[0] / 256 if count else 1.0
        return np.asarray(STORED**gamma)
    points = np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65535
    return np.interp(STORED, np.linspace(0, 1, count), points)


def _parametric(tag: bytes) -> F64:
    """Y = (a x + b)^g + e from x = d on, below it c x + f; simpler types leave some out."""
    (kind,) = struct.unpack_from(">H", tag, 8)
    g, *rest = (float(value) for value in _fixed(tag, 12, (1, 3, 4, 5, 7)[kind]))
    a, b, c, d, e, f = [*rest, *(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)[len(rest) :]]
    if kind in {1, 2}:
        d, e, f, c = -b / a, c, c, 0.0
    steep = np.maximum(a * STORED + b, 0) ** g + e
    return np.asarray(np.where(d <= STORED, steep, c * STORED + f), np.float64)
