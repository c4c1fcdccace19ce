"""The real Fourier transform of tiles of 16 x 16, orthonormal, as plain butterflies.

Along one side of 16 samples the 16 coefficients are: at 0 the mean, at 1..7 the cosines of so many
periods a tile, at 8 the alternating term, at 9..15 the sines of 1..7 periods. So the pair that
makes up one frequency stands 8 apart. `forward` and `backward` work down the columns of a flat
tile; every sum is over whole rows, which the compiler turns into vectors.
"""

import math

import numpy as np

from isptools.develop.rows import kernel
from isptools.vectors import vectors

SIDE = 16
AREA = SIDE * SIDE
C1 = np.float32(math.cos(math.pi / 8))
C2 = np.float32(math.sqrt(0.5))
C3 = np.float32(math.sin(math.pi / 8))
ONE = np.float32(0.25)  # norm of the two terms without a sine
TWO = np.float32(math.sqrt(0.125))  # norm of the others


@kernel
def forward(t, out):
    """Down the columns of a flat tile: (256,) float32 to (256,) float32."""
    _forward(t, out)


@kernel
def backward(t, out):
    """The inverse of `forward`."""
    _backward(t, out)


@kernel
def turn(t, out):
    """Transpose a flat tile."""
    _turn(t, out)


@vectors()
def _forward(t, out):
    """16 rows to 16 others; may be the same."""
    a0, b0 = t[0] + t[8], t[0] - t[8]
    a1, b1 = t[1] + t[9], t[1] - t[9]
    a2, b2 = t[2] + t[10], t[2] - t[10]
    a3, b3 = t[3] + t[11], t[3] - t[11]
    a4, b4 = t[4] + t[12], t[4] - t[12]
    a5, b5 = t[5] + t[13], t[5] - t[13]
    a6, b6 = t[6] + t[14], t[6] - t[14]
    a7, b7 = t[7] + t[15], t[7] - t[15]
    c0, d0, c1, d1 = a0 + a4, a0 - a4, a1 + a5, a1 - a5
    c2, d2, c3, d3 = a2 + a6, a2 - a6, a3 + a7, a3 - a7
    even, odd = c0 + c2, c1 + c3
    out[0] = (even + odd) * ONE
    out[8] = (even - odd) * ONE
    out[4] = (c0 - c2) * TWO
    out[12] = (c1 - c3) * TWO
    w, z = C2 * (d1 - d3), C2 * (d1 + d3)
    out[2] = (d0 + w) * TWO
    out[6] = (d0 - w) * TWO
    out[10] = (z + d2) * TWO
    out[14] = (z - d2) * TWO
    e1, e2, e3 = b1 - b7, C2 * (b2 - b6), b3 - b5
    f1, f2, f3 = b1 + b7, C2 * (b2 + b6), b3 + b5
    u, v = C1 * e1 + C3 * e3, C3 * e1 - C1 * e3
    out[1] = (b0 + e2 + u) * TWO
    out[7] = (b0 + e2 - u) * TWO
    out[3] = (b0 - e2 + v) * TWO
    out[5] = (b0 - e2 - v) * TWO
    g, h = C3 * f1 + C1 * f3, C1 * f1 - C3 * f3
    out[9] = (g + (f2 + b4)) * TWO
    out[15] = (g - (f2 + b4)) * TWO
    out[11] = (h + (f2 - b4)) * TWO
    out[13] = (h - (f2 - b4)) * TWO


@vectors()
def _backward(t, out):
    p, m = t[1] + t[7], t[1] - t[7]
    p3, m3 = t[3] + t[5], t[3] - t[5]
    q, n = t[9] + t[15], t[9] - t[15]
    q3, n3 = t[11] + t[13], t[11] - t[13]
    b0, b4 = (p + p3) * TWO, (n - n3) * TWO
    e1, e2, e3 = (C1 * m + C3 * m3) * TWO, C2 * (p - p3) * TWO, (C3 * m - C1 * m3) * TWO
    f1, f2, f3 = (C3 * q + C1 * q3) * TWO, C2 * (n + n3) * TWO, (C1 * q - C3 * q3) * TWO
    b1, b7, b2, b6, b3, b5 = e1 + f1, f1 - e1, e2 + f2, f2 - e2, e3 + f3, f3 - e3
    even, odd = (t[0] + t[8]) * ONE, (t[0] - t[8]) * ONE
    k4, l4 = t[4] * TWO, t[12] * TWO
    c0, c2, c1, c3 = even + k4, even - k4, odd + l4, odd - l4
    d0, d2 = (t[2] + t[6]) * TWO, (t[10] - t[14]) * TWO
    w = C2 * (t[2] - t[6]) * TWO
    z = C2 * (t[10] + t[14]) * TWO
    d1, d3 = w + z, z - w
    out[0], out[8] = c0 + d0 + b0, c0 + d0 - b0
    out[1], out[9] = c1 + d1 + b1, c1 + d1 - b1
    out[2], out[10] = c2 + d2 + b2, c2 + d2 - b2
    out[3], out[11] = c3 + d3 + b3, c3 + d3 - b3
    out[4], out[12] = c0 - d0 + b4, c0 - d0 - b4
    out[5], out[13] = c1 - d1 + b5, c1 - d1 - b5
    out[6], out[14] = c2 - d2 + b6, c2 - d2 - b6
    out[7], out[15] = c3 - d3 + b7, c3 - d3 - b7


@vectors()
def _turn(t, out):
    """Blocks of 8 x 8 change places, then those of 4 x 4 within, and so on."""
    rows = [t[y] for y in range(SIDE)]
    lanes = range(SIDE)
    for size in (8, 4, 2, 1):
        low = [x if not x & size else SIDE + x - size for x in lanes]
        high = [x + size if not x & size else SIDE + x for x in lanes]
        for y in (y for y in lanes if not y & size):
            one, two = rows[y], rows[y + size]
            rows[y], rows[y + size] = one.shuffled(two, low), one.shuffled(two, high)
    for y in lanes:
        out[y] = rows[y]
