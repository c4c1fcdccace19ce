"""The part of a frame that belongs to a tile of the reference, minus that tile."""

import numpy as np
from numpy.typing import NDArray

from isptools.burst.transform import SIDE
from isptools.develop.rows import kernel

TAPS = 8
FRACTIONS = 64
BEFORE = TAPS // 2 - 1  # taps before the sample
WIDE = SIDE + TAPS  # columns kept between the two passes


def sinc_taps() -> NDArray[np.float32]:
    """(FRACTIONS, TAPS): interpolation at k / FRACTIONS of a cell, rows that add up to 1.

    The ideal low pass under a Kaiser window: its gain is 1 within 1 % up to 0.6 of the highest
    frequency, so noise and detail pass together.
    """
    place = np.arange(TAPS) - BEFORE
    distance = place[None, :] - np.arange(FRACTIONS)[:, None] / FRACTIONS
    inside = np.clip(1 - (distance / (TAPS / 2)) ** 2, 0, None)
    taps = np.sinc(distance) * np.i0(3.0 * np.sqrt(inside))
    return np.asarray(taps / taps.sum(1, keepdims=True), np.float32)


def window() -> NDArray[np.float32]:
    """(256,) raised cosine of a tile; the four tiles over a cell add up to 1."""
    side = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(SIDE) + 0.5) / SIDE)
    return np.outer(side, side).astype(np.float32).ravel()


@kernel
def difference(one, two, y, x, down, right, taps, wide, out):
    """Frame minus reference for the tile at (y, x) of one padded plane, flat (256,) in `out`.

    `down` and `right` are the offset in parts of a cell, FRACTIONS to a cell.
    """
    v = min(max(y + down // FRACTIONS - BEFORE, 0), two.shape[0] - SIDE - TAPS)
    u = min(max(x + right // FRACTIONS - BEFORE, 0), two.shape[1] - SIDE - TAPS)
    f, g = taps[down % FRACTIONS], taps[right % FRACTIONS]
    f0, f1, f2, f3, f4, f5, f6, f7 = f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]
    g0, g1, g2, g3, g4, g5, g6, g7 = g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]
    for r in range(SIDE):
        a, b, c, d = two[v + r], two[v + r + 1], two[v + r + 2], two[v + r + 3]
        e, h, i, j = two[v + r + 4], two[v + r + 5], two[v + r + 6], two[v + r + 7]
        at = r * WIDE
        for k in range(WIDE):
            wide[at + k] = (
                f0 * a[u + k] + f1 * b[u + k] + f2 * c[u + k] + f3 * d[u + k]
                + f4 * e[u + k] + f5 * h[u + k] + f6 * i[u + k] + f7 * j[u + k]
            )  # fmt: skip
    for r in range(SIDE):
        at, own = r * WIDE, one[y + r]
        for k in range(SIDE):
            s = at + k
            out[r * SIDE + k] = (
                g0 * wide[s] + g1 * wide[s + 1] + g2 * wide[s + 2] + g3 * wide[s + 3]
                + g4 * wide[s + 4] + g5 * wide[s + 5] + g6 * wide[s + 6] + g7 * wide[s + 7]
            ) - own[x + k]  # fmt: skip


@kernel
def gather(tile, window, scale, total, y, x, first, last):
    """Add a windowed tile to rows [first, last) of a padded picture, from (y, x) on."""
    for r in range(max(first - y, 0), min(last - y, SIDE)):
        row = total[y + r]
        for k in range(SIDE):
            row[x + k] += scale * window[r * SIDE + k] * tile[r * SIDE + k]
