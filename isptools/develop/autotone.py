"""From linear XYZ to sRGB for viewing: plainly, or with an open automatic tone curve."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

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
    for y in range(top, bottom):
        for x in range(xyz.shape[1]):
            light = min(max(xyz[y, x, 1], np.float32(0)), np.float32(4))
            counts[int(np.sqrt(light / np.float32(4)) * np.float32(BINS - 1))] += 1
    return counts


def _shape(xyz: F32, black: float, white: float, exponent: float) -> U16:
    out = empty(xyz.shape, np.uint16)
    scale = SRGB_FROM_XYZ / np.float32(white - black)
    levels = np.array([black / (white - black)], np.float32)
    over_rows(_apply, len(xyz), xyz, scale, levels, _display(exponent), out)
    return out


@kernel
def _apply(xyz, m, black, table, out, top, bottom):
    for y in range(top, bottom):
        for i in range(xyz.shape[1]):
            x, light, z = xyz[y, i, 0], xyz[y, i, 1], xyz[y, i, 2]
            for c in range(3):
                value = m[c, 0] * x + m[c, 1] * light + m[c, 2] * z - black[0]
                place = np.sqrt(min(max(value, np.float32(0)), np.float32(1))) * np.float32(65535)
                low = min(np.int32(place), np.int32(65534))
                part = place - np.float32(low)
                shown = table[low] * (np.float32(1) - part) + table[low + 1] * part
                out[y, i, c] = np.uint16(shown + np.float32(0.5))


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
