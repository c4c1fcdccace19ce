"""Whether a frame shows what the reference shows: does it explain it better than chance?

Laid onto the reference by its offsets, a frame of the same scene has the same structure in its
tiles, at some level of the pyramid at least; how bright it is, and what moved, matters little.
A picture of something else is laid onto the reference as well as it can be, too, and by chance
its tiles have a part of the structure: how much depends on the scene, and is seen from the frame
turned upside down, aligned in the same way.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.burst.align import F32, Levels, align
from isptools.burst.planes import HOP, PAD, border
from isptools.develop.rows import kernel, over_rows
from isptools.vectors import Number, begins, folded, summed, vectors

SIDE = 16  # cells of a tile
STRONG = 8.0  # structure over noise from which a tile counts in full
FEW, ENOUGH = 2.0, 6.0  # so many tiles that count in full tell something, and tell it well
# Aligned as well as they can be, frames of other scenes share 0.2 of the structure in the mean, of
# single pairs up to 0.4 where a hundred tiles count, and more where few do; of one scene 0.9, less
# what moved.
CHANCE, SCATTER, SHARED, DARK = 0.5, 0.6, 0.6, 0.55
CLEAR = 0.8  # what no other scene shares
BETTER = 0.25  # part of what chance leaves unexplained that a frame explains, below that
DIM = 0.1  # share of tiles that must be below white for the others to be left out
MOST = 4096  # tiles of a level that are looked at
# of a gray cell's noise at the pyramid's levels: white, and 15 % of the deviation common to a row
LEFT = (0.158, 0.061, 0.0193, 0.0063, 0.0023)
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Laying:
    """A frame's pyramid on the reference's."""

    reference: Levels
    frame: Levels
    offsets: F32  # (tiles down, across, 2) in cells, as `align` gives them
    noise: F32  # (tiles down, across): variance of a gray cell before smoothing, of either frame
    white: float  # DN of gray from which a color may be clipped


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much of the tiles' structure a frame shares, noise taken out (1: all), from how many."""

    shared: float
    tiles: float

    @property
    def margin(self) -> float:
        """How much more than frames of other scenes do; noise scatters what few tiles share."""
        least = SHARED if self.tiles >= ENOUGH else DARK
        return self.shared - min(CHANCE + SCATTER / math.sqrt(self.tiles), least)


def belongs(laying: Laying) -> tuple[bool, float]:
    """Whether it does, and the share of the structure that it explains; 1 where there is none.

    Where no level has structure above the noise nothing can be told, and it does.
    """
    found = likeness(laying)
    if found is None:
        return True, 1.0
    if found.margin <= 0 or found.shared >= CLEAR:
        return found.margin > 0, found.shared
    upside_down = turned(laying.frame)
    offsets = align(laying.reference, upside_down, laying.noise).offsets
    chance = likeness(Laying(laying.reference, upside_down, offsets, laying.noise, laying.white))
    by_chance = max(chance.shared, 0.0) if chance else 0.0
    return found.shared > by_chance + BETTER * (1 - by_chance), found.shared


def likeness(laying: Laying) -> Likeness | None:
    """At the level that tells most; None where no level has enough structure above the noise."""
    middle, found = float(np.median(laying.noise)), []
    for level in range(len(laying.reference.pictures)):
        own, its, shared = _structure(laying, level).T
        noise = LEFT[level] * middle * SIDE**2
        weight = np.clip(np.maximum(own, its) / noise - 1, 0, STRONG)
        if weight.sum() < FEW * STRONG:
            continue
        both = (own + its) / 2
        alike = weight @ (shared / both)
        # so much of it is structure; noise that is stated too large must not make all of it noise
        true = weight @ np.maximum(1 - noise / both, 0.5)
        found.append(Likeness(float(alike / true), float(weight.sum() / STRONG)))
    told = [each for each in found if each.tiles >= ENOUGH] or found
    return max(told, key=lambda each: each.margin, default=None)


def turned(levels: Levels) -> Levels:
    """The pyramid of the picture turned by half a turn, as good as none other for comparison."""
    out = []
    for picture, height, width in levels.pictures:
        inside = picture[PAD : PAD + height, PAD : PAD + width]
        new = np.empty_like(picture)
        new[PAD : PAD + height, PAD : PAD + width] = inside[::-1, ::-1]
        border(new[None], height, width)
        out.append((new, height, width))
    return Levels(out)


def _structure(laying: Laying, level: int) -> F64:
    """(tiles, 3) of a level: energy about the mean in the reference, in the frame, and shared.

    Tiles that reach out of the frame are left out, and those near white unless nearly all are.
    """
    one, height, width = laying.reference.pictures[level]
    two = laying.frame.pictures[level][0]
    rows, columns = height // SIDE, width // SIDE
    step = max(1, int(np.ceil(np.sqrt(rows * columns / MOST))))
    out = np.full((rows, columns, 4), np.nan)
    over_rows(_energies, rows, one, two, laying.offsets, (height, width, step, 2**level), out)
    there = out[np.isfinite(out[..., 0])]
    dim = there[there[:, 3] < laying.white]
    told: F64 = dim if len(dim) > DIM * len(there) else there
    return told[:, :3]


@kernel
def _energies(one, two, offsets, size, out, top, bottom):
    height, width, step, scale = size
    for i in range(top, bottom):
        for j in range(out.shape[1]):
            if i % step or j % step:
                continue
            y, x = PAD + SIDE * i, PAD + SIDE * j
            # the tile of the finest level whose middle is nearest
            row = min(((2 * i + 1) * SIDE * scale // 2 + HOP // 2) // HOP, offsets.shape[0] - 1)
            column = min(((2 * j + 1) * SIDE * scale // 2 + HOP // 2) // HOP, offsets.shape[1] - 1)
            down, right = offsets[row, column, 0] / scale, offsets[row, column, 1] / scale
            whole_y, whole_x = int(np.floor(down)), int(np.floor(right))
            v, u = y + whole_y, x + whole_x
            if min(v, u) < PAD or v + SIDE >= PAD + height or u + SIDE >= PAD + width:
                continue
            f, g = np.float32(down - whole_y), np.float32(right - whole_x)
            at, to = y * one.shape[1] + x, v * two.shape[1] + u
            a, b, aa, bb, ab, most = _sums(one, at, one.shape[1], two, to, two.shape[1], f, g)
            count = np.float32(SIDE * SIDE)
            out[i, j, 0] = aa - a * a / count
            out[i, j, 1] = bb - b * b / count
            out[i, j, 2] = ab - a * b / count
            out[i, j, 3] = most


@vectors(6)
def _sums(one, at, step, two, to, other, f, g):
    """Of two tiles, less a value of each, which keeps sums small: the values, their squares and
    products; and the most light in either."""
    places, its = begins(one + at, step, SIDE), begins(two + to, other, SIDE + 1)
    lines = [row.load() + ((row + 1).load() - row.load()) * g for row in its]
    q = [low + (high - low) * f for low, high in itertools.pairwise(lines)]
    p = [row.load() for row in places]
    most = folded(Number.most, p + q).folded(Number.most)
    base, under = ((begin[8] + 8).load(1) for begin in (places, its))
    p, q = [each - base for each in p], [each - under for each in q]
    products = ([x * y for x, y in zip(*two, strict=True)] for two in ((p, p), (q, q), (p, q)))
    return [*map(summed, (p, q, *products)), most]
