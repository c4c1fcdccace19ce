"""The part of a frame that belongs to a tile of the reference."""

import numpy as np
from numpy.typing import NDArray

from isptools.burst.prior import between
from isptools.burst.transform import AREA, SIDE
from isptools.develop.rows import kernel

TAPS = 6
FRACTIONS = 32  # parts of a pixel
BEFORE = TAPS // 2 - 1  # taps before the sample
HIGH = 2 * SIDE - 2 + TAPS  # rows of pixels a tile is interpolated from
HALF = SIDE + TAPS // 2 - 1 + 2  # of its columns the even ones or the odd ones, and two to spare
WIDE = 2 * HALF
EDGE = 2 * 2  # pixels at the border of `colors.interpolated` that hold nothing


def taps_between() -> NDArray[np.float32]:
    """(FRACTIONS, TAPS): interpolation at k / FRACTIONS of a pixel, rows that add up to 1."""
    return between(TAPS, FRACTIONS).astype(np.float32)


def window() -> NDArray[np.float32]:
    """(256,) raised cosine of a tile; the four tiles over a cell add up to 1."""
    side = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(SIDE) + 0.5) / SIDE)
    return np.outer(side, side).astype(np.float32).ravel()


@kernel
def sampled(two, y, x, down, right, taps, block, wide, out):
    """A frame's part for the tile at cell (y, x) of a padded plane, flat (256,) in `out`.

    `two` is the frame's color of that plane at all pixels. `down` and `right` say where the tile's
    first pixel lies: the plane's place in the cell plus the offset, in parts of a pixel. `block`
    and `wide` are scratch: with flat arrays and fixed steps the compiler sees that nothing
    overlaps.
    """
    width = two.shape[1] // 2
    v = min(max(2 * y + down // FRACTIONS - BEFORE, EDGE), two.shape[0] - HIGH - EDGE)
    u = min(max(2 * x + right // FRACTIONS - BEFORE, EDGE), 2 * width - WIDE - EDGE)
    odd = u % 2
    even, other = odd * width + u // 2, (1 - odd) * width + u // 2 + odd
    for r in range(HIGH):
        row, next_row = two[v + r, even : even + HALF], two[v + r, other : other + HALF]
        for k in range(HALF):
            block[r * WIDE + k] = row[k]
        for k in range(HALF):
            block[r * WIDE + HALF + k] = next_row[k]
    _down(block, taps[down % FRACTIONS], wide)
    _across(wide, taps[right % FRACTIONS], out)


@kernel
def less(one, y, x, out):
    """Take the tile at cell (y, x) of a padded plane out of a flat tile."""
    for r in range(SIDE):
        own = one[y + r, x : x + SIDE]
        for k in range(SIDE):
            out[r * SIDE + k] -= own[k]


@kernel
def _down(block, taps, out):
    a, b, c, d, e, f = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    for r in range(SIDE):
        at = 2 * r * WIDE
        for k in range(WIDE):
            s = at + k
            out[r * WIDE + k] = (
                (a * block[s] + b * block[s + WIDE])
                + (c * block[s + 2 * WIDE] + d * block[s + 3 * WIDE])
            ) + (e * block[s + 4 * WIDE] + f * block[s + 5 * WIDE])


@kernel
def _across(block, taps, out):
    a, b, c, d, e, f = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    for r in range(SIDE):
        for k in range(SIDE):
            s, o = r * WIDE + k, r * WIDE + HALF + k
            out[r * SIDE + k] = (
                (a * block[s] + b * block[o]) + (c * block[s + 1] + d * block[o + 1])
            ) + (e * block[s + 2] + f * block[o + 2])


@kernel
def gather(tile, window, scale, total, y, x, first, last):
    """Add a tile times window and scale to rows [first, last) of a padded picture, from (y, x) on.

    The tile is left multiplied.
    """
    for k in range(AREA):
        tile[k] *= scale * window[k]
    for r in range(max(first - y, 0), min(last - y, SIDE)):
        row = total[y + r, x : x + SIDE]
        for k in range(SIDE):
            row[k] += tile[r * SIDE + k]


@kernel
def gather_flat(value, window, total, y, x, first, last):
    """As `gather`, for a tile of one value."""
    for r in range(max(first - y, 0), min(last - y, SIDE)):
        row = total[y + r, x : x + SIDE]
        for k in range(SIDE):
            row[k] += value * window[r * SIDE + k]
