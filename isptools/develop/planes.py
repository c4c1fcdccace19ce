"""A row of pixels to three rows of colors and back: loops the compiler turns into vector code.

A kernel that works on whole rows, one output array a loop, in float32, runs several times as fast
as one that works pixel by pixel: numba's integers widen to 64 bit, and interleaved or overlapping
arrays keep the compiler from using vectors. All values here are integers below 2^24, which float32
holds exactly.
"""

import numpy as np

from isptools.develop.rows import kernel


@kernel
def split(flat, planes):
    """(3 W) of pixel after pixel to (3, W)."""
    r, g, b = planes[0], planes[1], planes[2]
    for x in range(len(r)):
        r[x] = flat[3 * x]
        g[x] = flat[3 * x + 1]
        b[x] = flat[3 * x + 2]


@kernel
def join(planes, flat):
    """(3, W) to (3 W), pixel after pixel, of the same type."""
    r, g, b = planes[0], planes[1], planes[2]
    for x in range(len(r)):
        flat[3 * x] = r[x]
        flat[3 * x + 1] = g[x]
        flat[3 * x + 2] = b[x]


@kernel
def join_floats(r, g, b, flat):
    """Three rows of float32 integers in [0, 65535] to (3 W) uint16, pixel after pixel."""
    for x in range(len(r)):
        flat[3 * x] = np.uint16(np.int32(r[x]))
        flat[3 * x + 1] = np.uint16(np.int32(g[x]))
        flat[3 * x + 2] = np.uint16(np.int32(b[x]))


@kernel
def to_float(row, out):
    """A row of uint16 to float32."""
    for x in range(len(row)):
        out[x] = np.float32(row[x])


@kernel
def difference(row, green, out):
    """Color minus green."""
    for x in range(len(row)):
        out[x] = row[x] - green[x]


@kernel
def clamped(value):
    """To [0, 65535]."""
    return max(np.float32(0), min(value, np.float32(65535)))


@kernel
def halved(value):
    """Integer shift right by one, of an integer in float32."""
    return np.floor(value * np.float32(0.5))


@kernel
def quartered(value):
    """Integer shift right by two, of an integer in float32."""
    return np.floor(value * np.float32(0.25))
