"""From linear XYZ to sRGB for viewing: plainly, or with an open automatic tone curve."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isptools.develop.planes import join, split
from isptools.develop.rows import kernel, over_rows
from isptools.frame import empty
from isptools.raw.color import XYZ_FROM_SRGB

F32 = NDArray[np.float32]
U16 = NDArray[np.uint16]

# IEC 61966-2-1, XYZ (D65) to linear sRGB: the inverse of LibRaw's sRGB to XYZ
SRGB_FROM_XYZ = np.linalg.inv(XYZ_FROM_SRGB).astype(np.float32)
BINS = 65536


def encode_srgb(xyz: F32) -> U16:
    """(H, W, 3) XYZ to sRGB, 65535 = 1, clipped to [0, 1], encoded as IEC 61966-2-1 says."""
    return _shape(xyz, 0.0, 1.0, 1.0)


def auto_tone(xyz: F32, clip: float, middle: float) -> tuple[U16, tuple[float, float, float]]:
    """(H, W, 3) XYZ to sRGB with levels and contrast set from the picture's own luminance.

    Black and white are drawn to where `clip` of the pixels lie below and above; then one exponent,
    the same for R, G and B and kept within [1/2, 3/2], brings the median luminance as far as it
    may to `middle` on the display scale. Also returned: black, white (luminance) and the exponent.
    It stands in for the closed auto tool of the papers and does not try to equal it.
    """
    xyz = np.ascontiguousarray(xyz)
    counts = np.sum(over_rows(_luminance_histogram, len(xyz), xyz, np.zeros(0)), axis=0)
    black, median, white = (_quantile(counts, share) for share in (clip, 0.5, 1 - clip))
    white = max(white, black + 1 / BINS)
    level = min(max((median - black) / (white - black), 1e-4), 1 - 1e-4)
    wanted = _decoded(middle)
    exponent = min(max(math.log(wanted) / math.log(level), 0.5), 1.5)
    return _shape(xyz, black, white, exponent), (black, white, exponent)


def _quantile(counts: NDArray[np.int64], share: float) -> float:
    """The luminance below which `share` of the pixels lie; bins are squares in [0, 4]."""
    cumulative = np.cumsum(counts)
    place = int(np.searchsorted(cumulative, share * cumulative[-1]))
    return 4.0 * (place / (BINS - 1)) ** 2


@kernel
def _luminance_histogram(xyz, _, top, bottom):
    counts = np.zeros(BINS, np.int64)
    places = np.empty(xyz.shape[1], np.int32)
    for y in range(top, bottom):
        row = xyz[y].reshape(xyz[y].size)
        for x in range(len(places)):
            light = min(max(row[3 * x + 1], np.float32(0)), np.float32(4))
            places[x] = np.int32(np.sqrt(light / np.float32(4)) * np.float32(BINS - 1))
        for place in places:
            counts[place] += 1
    return counts


def _shape(xyz: F32, black: float, white: float, exponent: float) -> U16:
    xyz, out = np.ascontiguousarray(xyz), empty(xyz.shape, np.uint16)
    scale = SRGB_FROM_XYZ / np.float32(white - black)
    levels = np.array([black / (white - black)], np.float32)
    over_rows(_apply, len(xyz), xyz, scale, levels, _display(exponent), out)
    return out


@kernel
def _apply(xyz, m, black, table, out, top, bottom):
    width = xyz.shape[1]
    planes, shown = np.empty((3, width), np.float32), np.empty((3, width), np.uint16)
    low, part = np.empty(width, np.int32), np.empty(width, np.float32)
    for y in range(top, bottom):
        split(xyz[y].reshape(xyz[y].size), planes)
        for c in range(3):
            _places(planes, m[c], black[0], low, part)
            _between(table, low, part, shown[c])
        join(shown, out[y].reshape(out[y].size))


@kernel
def _places(planes, m, black, low, part):
    """Where in the table of square roots the light of a row lies."""
    x, light, z = planes[0], planes[1], planes[2]
    m_x, m_y, m_z = m[0], m[1], m[2]
    for i in range(len(low)):
        value = m_x * x[i] + m_y * light[i] + m_z * z[i] - black
        place = np.sqrt(min(max(value, np.float32(0)), np.float32(1))) * np.float32(65535)
        low[i] = min(np.int32(place), np.int32(65534))
        part[i] = place - np.float32(low[i])


@kernel
def _between(table, low, part, shown):
    for i in range(len(shown)):
        value = table[low[i]] * (np.float32(1) - part[i]) + table[low[i] + 1] * part[i]
        shown[i] = np.uint16(value + np.float32(0.5))


@lru_cache(64)
def _display(exponent: float) -> F32:
    """sRGB display value times 65535 of (square root of linear light)^2 to an exponent."""
    lights = ((i / 65535) ** 2 for i in range(65536))
    table = np.array([65535 * _encoded(light**exponent) for light in lights], np.float32)
    table.setflags(write=False)
    return table


def _encoded(light: float) -> float:
    """IEC 61966-2-1 opto-electronic transfer."""
    return 12.92 * light if light <= 0.0031308 else 1.055 * math.pow(light, 1 / 2.4) - 0.055


def _decoded(shown: float) -> float:
    return shown / 12.92 if shown <= 0.04045 else math.pow((shown + 0.055) / 1.055, 2.4)
