"""The part of a frame that belongs to a tile of the reference."""

import numpy as np
from numpy.typing import NDArray

from isptools.burst.prior import between
from isptools.burst.transform import SIDE
from isptools.develop.rows import kernel
from isptools.vectors import vectors

TAPS = 6
FRACTIONS = 32  # parts of a pixel
BEFORE = TAPS // 2 - 1  # taps before the sample
HIGH = 2 * SIDE - 2 + TAPS  # rows of pixels a tile is interpolated from
HALF = SIDE + TAPS // 2 - 1 + 2  # of its columns the even ones or the odd ones, and two to spare
WIDE = 2 * HALF
AHEAD = 40  # of its columns that are brought nearer: a tile or two later
EDGE = 2 * 2  # pixels at the border of `colors.interpolated` that hold nothing


def taps_between() -> NDArray[np.float32]:
    """(FRACTIONS, TAPS): interpolation at k / FRACTIONS of a pixel, rows that add up to 1."""
    return between(TAPS, FRACTIONS).astype(np.float32)


def window() -> NDArray[np.float32]:
    """(256,) raised cosine of a tile; the four tiles over a cell add up to 1."""
    side = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(SIDE) + 0.5) / SIDE)
    return np.outer(side, side).astype(np.float32).ravel()


@kernel
def sampled(two, y, x, down, right, taps, out):
    """A frame's part for the tile at cell (y, x) of a padded plane, flat (256,) in `out`.

    `two` is the frame's color of that plane at all pixels. `down` and `right` say where the tile's
    first pixel lies: the plane's place in the cell plus the offset, in parts of a pixel.
    """
    rows, columns = two.shape
    v = min(max(2 * y + down // FRACTIONS - BEFORE, EDGE), rows - HIGH - EDGE)
    u = min(max(2 * x + right // FRACTIONS - BEFORE, EDGE), columns - WIDE - EDGE)
    odd, half = u % 2, columns // 2
    even, other = odd * half + u // 2, (1 - odd) * half + u // 2 + odd
    down, right = down % FRACTIONS * TAPS, right % FRACTIONS * TAPS
    top = v * columns
    _between(two, top + even, top + other, columns, taps, down, right, out)


@vectors()
def _between(two, even, other, columns, taps, down, right, out):
    """Between 6 rows first, then between columns, which lie alternately in two places: 16 of each
    and a few behind."""
    places, lines = (two + even, two + other), []
    of_rows = [(taps + down + k).load(1).spread() for k in range(TAPS)]
    of_columns = [(taps + right + k).load(1).spread() for k in range(TAPS)]
    for row in range(HIGH):
        own, its = places
        behind = (own + SIDE).load(4).joined((its + SIDE).load(4))
        lines.append((own.load(), its.load(), behind.joined(behind)))
        (own + AHEAD).fetch()
        (its + AHEAD).fetch()
        places = own + columns, its + columns
        if row % 2 and row >= TAPS - 1:
            own, its, behind = (_weighted(of_rows, part) for part in zip(*lines, strict=True))
            lines = lines[2:]
            out[(row + 1 - TAPS) // 2] = _weighted(of_columns, _shifted(own, its, behind))


def _shifted(own, its, behind):
    """16 even columns, 16 odd ones; those one further on, ..."""
    for shift in range(TAPS // 2):
        places = range(shift, SIDE + shift)
        yield own.shuffled(behind, places)
        yield its.shuffled(behind, [x if x < SIDE else x + 4 for x in places])


def _weighted(weights, values):
    a, b, c, d, e, f = (value * weight for value, weight in zip(values, weights, strict=True))
    return ((a + b) + (c + d)) + (e + f)


@kernel
def less(one, y, x, out):
    """Take the tile at cell (y, x) of a padded plane out of a flat tile."""
    _less(one, y * one.shape[1] + x, one.shape[1], out)


@vectors()
def _less(one, at, step, out):
    own = one + at
    for r in range(SIDE):
        out[r] = out[r] - own.load()
        (own + AHEAD).fetch()
        own = own + step


@kernel
def gather(tile, window, scale, total, y, x, first, last):
    """Add a tile times window and scale to rows [first, last) of a padded picture, from (y, x)
    on."""
    for r in range(max(first - y, 0), min(last - y, SIDE)):
        _gather(tile, window, scale, r * SIDE, total, (y + r) * total.shape[1] + x)


@vectors()
def _gather(tile, window, scale, at, total, to):
    part = (tile + at).load() * ((window + at).load() * scale)
    (total + to).store((total + to).load() + part)
    (total + to + AHEAD).fetch()


@kernel
def gather_flat(value, window, total, y, x, first, last):
    """As `gather`, for a tile of one value."""
    for r in range(max(first - y, 0), min(last - y, SIDE)):
        _gather_flat(value, window, r * SIDE, total, (y + r) * total.shape[1] + x)


@vectors()
def _gather_flat(value, window, at, total, to):
    (total + to).store((total + to).load() + (window + at).load() * value)
    (total + to + AHEAD).fetch()
