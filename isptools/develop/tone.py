"""Linear light to display values."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import kernel, over_rows, writable
from isptools.frame import empty

U16 = NDArray[np.uint16]
FULL = 0x2000  # the white point of 13-bit brightness without auto-bright
CURVES = {"linear": (1.0, 1.0), "libraw": (2.222, 4.5), "srgb": (2.4, 12.92)}  # power, toe slope


def white_point(linear: U16, clipped: float) -> int:
    """Brightness (of 8192) above which `clipped` of the pixels lie in the brightest channel.

    LibRaw: auto-bright (copy_mem_image), a histogram of value >> 3 a channel; at least 32.
    """
    height, width = linear.shape[:2]
    allowed = int(np.float32(width * height) * np.float32(clipped))
    parts = over_rows(_histogram, height, linear, np.zeros(0))
    return brightest(np.sum(parts, axis=0), allowed)


def brightest(counts: NDArray[np.int64], allowed: int) -> int:
    """The white point of a histogram a channel, (3, 8192), that so many pixels may exceed."""
    best = 0
    for channel in counts:
        above = np.cumsum(channel[::-1])[::-1]  # pixels at or above each value
        over = np.flatnonzero(above[33:] > allowed)
        best = max(best, 33 + int(over[-1]) if len(over) else 32)
    return best


@kernel
def _histogram(linear, _, top, bottom):
    counts = np.zeros((3, 8192), np.int64)
    for y in range(top, bottom):
        for x in range(linear.shape[1]):
            for c in range(3):
                counts[c, linear[y, x, c] >> 3] += 1
    return counts


def full_scale(white: int, bright: float) -> int:
    """The 16-bit value that becomes white. LibRaw: (t_white << 3) / bright."""
    return int((white << 3) / bright)


@lru_cache(8)
def curve(power: float, slope: float, full: int) -> U16:
    """Table of 65536 display values: a straight toe that runs into a power function at its tangent.

    Inputs from `full` on give 65535. LibRaw: gamma_curve.
    """
    exponent = 1 / power
    start, lift = _join(exponent, slope)
    table = np.full(65536, 65535, np.uint16)
    for i in range(min(full, 65536)):
        light = i / full
        shown = light * slope if light < start else math.pow(light, exponent) * (1 + lift) - lift
        table[i] = min(int(65536 * shown), 65535)
    table.setflags(write=False)
    return table


def _join(exponent: float, slope: float) -> tuple[float, float]:
    """Where toe and power function meet with one slope (linear light), and the lift behind it."""
    low, high = 0.0, 1.0
    for _ in range(48):
        knee = (low + high) / 2
        if (math.pow(knee / slope, -exponent) - 1) / exponent - 1 / knee > -1:
            high = knee
        else:
            low = knee
    return knee / slope, knee * (1 / exponent - 1)


def encode(linear: U16, table: U16, scratch: bool = False) -> U16:
    """(H, W, 3) looked up in a table of 65536; with `scratch` in place."""
    out = writable(linear) if scratch else empty(linear.shape, np.uint16)
    over_rows(_encode, len(linear), linear, table, out)
    return out


@kernel
def _encode(linear, table, out, top, bottom):
    for y in range(top, bottom):
        row, shown = linear[y].reshape(linear[y].size), out[y].reshape(out[y].size)
        for i in range(len(row)):
            shown[i] = table[row[i]]
