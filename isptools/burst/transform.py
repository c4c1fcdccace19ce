"""The real Fourier transform of tiles of 16 x 16, orthonormal, as plain butterflies.

Along one side of 16 samples the 16 coefficients are: at 0 the mean, at 1..7 the cosines of so many
periods a tile, at 8 the alternating term, at 9..15 the sines of 1..7 periods. So the pair that
makes up one frequency stands 8 apart. `forward` and `backward` work down the columns of a flat
tile; every sum is over whole rows, which the compiler turns into vectors.
"""

import math

import numpy as np

from isptools.develop.rows import kernel

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
    for x in range(16):
        a0, b0 = t[x] + t[x + 128], t[x] - t[x + 128]
        a1, b1 = t[x + 16] + t[x + 144], t[x + 16] - t[x + 144]
        a2, b2 = t[x + 32] + t[x + 160], t[x + 32] - t[x + 160]
        a3, b3 = t[x + 48] + t[x + 176], t[x + 48] - t[x + 176]
        a4, b4 = t[x + 64] + t[x + 192], t[x + 64] - t[x + 192]
        a5, b5 = t[x + 80] + t[x + 208], t[x + 80] - t[x + 208]
        a6, b6 = t[x + 96] + t[x + 224], t[x + 96] - t[x + 224]
        a7, b7 = t[x + 112] + t[x + 240], t[x + 112] - t[x + 240]
        c0, d0, c1, d1 = a0 + a4, a0 - a4, a1 + a5, a1 - a5
        c2, d2, c3, d3 = a2 + a6, a2 - a6, a3 + a7, a3 - a7
        even, odd = c0 + c2, c1 + c3
        out[x] = (even + odd) * ONE
        out[x + 128] = (even - odd) * ONE
        out[x + 64] = (c0 - c2) * TWO
        out[x + 192] = (c1 - c3) * TWO
        w, z = C2 * (d1 - d3), C2 * (d1 + d3)
        out[x + 32] = (d0 + w) * TWO
        out[x + 96] = (d0 - w) * TWO
        out[x + 160] = (z + d2) * TWO
        out[x + 224] = (z - d2) * TWO
        e1, e2, e3 = b1 - b7, C2 * (b2 - b6), b3 - b5
        f1, f2, f3 = b1 + b7, C2 * (b2 + b6), b3 + b5
        u, v = C1 * e1 + C3 * e3, C3 * e1 - C1 * e3
        out[x + 16] = (b0 + e2 + u) * TWO
        out[x + 112] = (b0 + e2 - u) * TWO
        out[x + 48] = (b0 - e2 + v) * TWO
        out[x + 80] = (b0 - e2 - v) * TWO
        g, h = C3 * f1 + C1 * f3, C1 * f1 - C3 * f3
        out[x + 144] = (g + (f2 + b4)) * TWO
        out[x + 240] = (g - (f2 + b4)) * TWO
        out[x + 176] = (h + (f2 - b4)) * TWO
        out[x + 208] = (h - (f2 - b4)) * TWO


@kernel
def backward(t, out):
    """The inverse of `forward`."""
    for x in range(16):
        p, m = t[x + 16] + t[x + 112], t[x + 16] - t[x + 112]
        p3, m3 = t[x + 48] + t[x + 80], t[x + 48] - t[x + 80]
        q, n = t[x + 144] + t[x + 240], t[x + 144] - t[x + 240]
        q3, n3 = t[x + 176] + t[x + 208], t[x + 176] - t[x + 208]
        b0, b4 = (p + p3) * TWO, (n - n3) * TWO
        e1, e2, e3 = (C1 * m + C3 * m3) * TWO, C2 * (p - p3) * TWO, (C3 * m - C1 * m3) * TWO
        f1, f2, f3 = (C3 * q + C1 * q3) * TWO, C2 * (n + n3) * TWO, (C1 * q - C3 * q3) * TWO
        b1, b7, b2, b6, b3, b5 = e1 + f1, f1 - e1, e2 + f2, f2 - e2, e3 + f3, f3 - e3
        even, odd = (t[x] + t[x + 128]) * ONE, (t[x] - t[x + 128]) * ONE
        k4, l4 = t[x + 64] * TWO, t[x + 192] * TWO
        c0, c2, c1, c3 = even + k4, even - k4, odd + l4, odd - l4
        d0, d2 = (t[x + 32] + t[x + 96]) * TWO, (t[x + 160] - t[x + 224]) * TWO
        w = C2 * (t[x + 32] - t[x + 96]) * TWO
        z = C2 * (t[x + 160] + t[x + 224]) * TWO
        d1, d3 = w + z, z - w
        out[x], out[x + 128] = c0 + d0 + b0, c0 + d0 - b0
        out[x + 16], out[x + 144] = c1 + d1 + b1, c1 + d1 - b1
        out[x + 32], out[x + 160] = c2 + d2 + b2, c2 + d2 - b2
        out[x + 48], out[x + 176] = c3 + d3 + b3, c3 + d3 - b3
        out[x + 64], out[x + 192] = c0 - d0 + b4, c0 - d0 - b4
        out[x + 80], out[x + 208] = c1 - d1 + b5, c1 - d1 - b5
        out[x + 96], out[x + 224] = c2 - d2 + b6, c2 - d2 - b6
        out[x + 112], out[x + 240] = c3 - d3 + b7, c3 - d3 - b7


@kernel
def turn(t, out):
    """Transpose a flat tile."""
    for y in range(16):
        for x in range(16):
            out[x * 16 + y] = t[y * 16 + x]
