"""Where each tile of the reference lies in another frame: coarse to fine, then sub-pixel.

Hasinoff et al. 2016, section 4, with other last steps: tiles of 16 x 16 cells, every 8 cells, are
searched from the coarsest level of a Gaussian pyramid down (squared differences at coarse levels,
absolute ones at the finest); each tile tries the offsets of the four tiles above it. Broken cells
come from Lucas and Kanade's iteration. Where a tile has little texture, the motion of the whole
hand (an affine map fitted to all tiles) decides; a tile that moves by itself keeps its own offset.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.burst.hand import SMOOTHED, Known, hand
from isptools.burst.planes import HOP, PAD, grid, pyramid
from isptools.develop.rows import kernel, over_rows
from isptools.vectors import begins, summed, vectors

F32 = NDArray[np.float32]
REACH = 4  # cells searched around at the coarsest level
FRACTIONS = 64  # offsets are kept in so many parts of a cell
# noise energy that the central difference of the smoothed gray keeps, of a cell's own
GRADIENT_NOISE = (10 / 64) * (6 / 16)
SMOOTH_NOISE = (6 / 16) ** 2  # the same for the smoothed gray itself
SLACK = 1.3  # gradient energy over what noise explains that still counts as noise
DOUBT = 1.6  # the same for the difference of two tiles
LEAST_SPREAD = 0.02  # cells: how far tiles stray from the hand's motion at least
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Levels:
    """The gray pyramid of one frame: pictures, and their sizes in cells without padding."""

    pictures: list[tuple[F32, int, int]]

    @classmethod
    def of(cls, gray: F32, height: int, width: int) -> "Levels":
        """The pyramid of a padded gray picture (float32, [0, 1]) of height x width pixels."""
        return cls(pyramid(gray, height, width))


@dataclass(frozen=True, slots=True)
class Flow:
    """Offsets of all tiles in cells, (tiles down, across, 2) float32 as (down, right): what lies
    at place p of the reference lies at p + offset of the frame; and how textured each tile is."""

    offsets: F32
    texture: F32  # (down, across): smaller eigenvalue of the gradients' energy over noise

    def median(self) -> tuple[float, float]:
        """Median offset of the more textured half of the tiles, in pixels of the mosaic."""
        half = self.texture >= np.median(self.texture)
        down, right = 2 * np.median(self.offsets[half], axis=0)
        return float(down), float(right)


def align(reference: Levels, other: Levels, noise: F32) -> Flow:
    """`noise` (down, across) is the variance of a gray cell before smoothing, of either frame."""
    start = _search(reference, other)
    one, two = reference.pictures[0][0], other.pictures[0][0]
    own = _track(one, two, start, start, 0.0, noise)
    energy = SLACK * GRADIENT_NOISE * 256 * noise
    known = Known.of(own[..., 3] - energy, own[..., 4], own[..., 5] - energy, own[..., 2])
    prior, spread = hand(own[..., :2], known)
    calm = DOUBT * SMOOTH_NOISE * 256 * 2 * noise
    joined = _track(one, two, own[..., :2], prior, 1 / max(spread, LEAST_SPREAD) ** 2, calm)
    offsets = np.rint(joined[..., :2] * FRACTIONS) / np.float32(FRACTIONS)
    return Flow(np.ascontiguousarray(offsets, np.float32), known.least)


def _search(reference: Levels, other: Levels) -> F32:
    """Whole cells, (down, across, 2)."""
    offsets = np.zeros((1, 1, 2), np.float32)
    count = len(reference.pictures)
    for level in range(count - 1, -1, -1):
        one, height, width = reference.pictures[level]
        two = other.pictures[level][0]
        rows, columns = grid(height, width)
        found = np.empty((rows, columns, 2), np.float32)
        reach = REACH if level == count - 1 else 1
        over_rows(_best, rows, one, two, offsets, reach, level == 0, found)
        offsets = found
    return offsets


@kernel
def _best(one, two, above, reach, finest, found, top, bottom):
    rows, columns = above.shape[:2]
    for i in range(top, bottom):
        for j in range(found.shape[1]):
            y, x = PAD + HOP * i - HOP, PAD + HOP * j - HOP
            best, best_y, best_x = np.float32(np.inf), 0, 0
            for k in range(4):
                row, column = min((i + k // 2) // 2, rows - 1), min((j + k % 2) // 2, columns - 1)
                down = int(2 * above[row, column, 0])
                right = int(2 * above[row, column, 1])
                if k and down == best_y and right == best_x:
                    continue
                cost = _distance(one, two, y, x, down, right, finest)
                if cost < best:
                    best, best_y, best_x = cost, down, right
            middle_y, middle_x = best_y, best_x
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    if dy or dx:
                        down, right = middle_y + dy, middle_x + dx
                        cost = _distance(one, two, y, x, down, right, finest)
                        if cost < best:
                            best, best_y, best_x = cost, down, right
            found[i, j, 0], found[i, j, 1] = best_y, best_x


@kernel
def _distance(one, two, y, x, down, right, finest):
    """Sum of absolute (finest level) or squared differences of two tiles."""
    v = min(max(y + down, 0), two.shape[0] - 16)
    u = min(max(x + right, 0), two.shape[1] - 16)
    step, other = one.shape[1], two.shape[1]
    if finest:
        return _absolute(one, y * step + x, step, two, v * other + u, other)
    return _squared(one, y * step + x, step, two, v * other + u, other)


@vectors(1)
def _absolute(one, at, step, two, to, other):
    pairs = zip(begins(one + at, step, 16), begins(two + to, other, 16), strict=True)
    return [summed([(a.load() - b.load()).absolute() for a, b in pairs])]


@vectors(1)
def _squared(one, at, step, two, to, other):
    pairs = zip(begins(one + at, step, 16), begins(two + to, other, 16), strict=True)
    off = [a.load() - b.load() for a, b in pairs]
    return [summed([each * each for each in off])]


def _track(one: F32, two: F32, start: Any, prior: Any, strength: float, calm: F32) -> F32:
    """Per tile: offset (2), variance of what is left, gradient energy yy, yx, xx.

    `strength` is 1 / variance of the tiles around `prior`; 0 asks the tile alone. `calm`
    (down, across) is the squared difference up to which a tile agrees with the prior.
    """
    found = np.empty((*start.shape[:2], 6), np.float32)
    begin, prior = (np.ascontiguousarray(each, np.float32) for each in (start, prior))
    over_rows(_iterate, len(begin), one, two, begin, prior, np.float32(strength),
              np.asarray(calm, np.float32), found)  # fmt: skip
    return found


@kernel
def _iterate(one, two, start, prior, strength, calm, found, top, bottom):
    gy, gx = np.empty(256, np.float32), np.empty(256, np.float32)
    for i in range(top, bottom):
        for j in range(start.shape[1]):
            y, x = PAD + HOP * i - HOP, PAD + HOP * j - HOP
            yy, yx, xx = _gradients(one, y, x, gy, gx)
            down, right = start[i, j, 0], start[i, j, 1]
            hold = strength
            ry, rx, left = _residual(one, two, y, x, down, right, gy, gx)
            if strength > 0:
                p, q = prior[i, j, 0], prior[i, j, 1]
                py, px, other = _residual(one, two, y, x, p, q, gy, gx)
                if other < max(calm[i, j], left * np.float32(1.1)):
                    down, right, ry, rx, left = p, q, py, px, other
                else:
                    hold = np.float32(0)  # it moves by itself
            for step in range(ROUNDS):
                if step:
                    ry, rx, left = _residual(one, two, y, x, down, right, gy, gx)
                pull = hold * SMOOTHED * left / np.float32(256)
                ry += pull * (prior[i, j, 0] - down)
                rx += pull * (prior[i, j, 1] - right)
                a, c = yy + pull, xx + pull
                whole = a * c - yx * yx
                if whole <= np.float32(1e-6) * a * c or a * c <= 0:
                    break
                step_y, step_x = (ry * c - rx * yx) / whole, (rx * a - ry * yx) / whole
                down += min(max(step_y, np.float32(-1)), np.float32(1))
                right += min(max(step_x, np.float32(-1)), np.float32(1))
            stray = max(abs(down - start[i, j, 0]), abs(right - start[i, j, 1]))
            if strength <= 0 and not stray < 3:
                down, right = start[i, j, 0], start[i, j, 1]
            out = found[i, j]
            out[0], out[1], out[2] = down, right, left / np.float32(256)
            out[3], out[4], out[5] = yy, yx, xx


@kernel
def _gradients(one, y, x, gy, gx):
    """Halved central differences of a tile, flat; and the sums of their products: yy, yx, xx."""
    step = one.shape[1]
    return _slopes(one, (y - 1) * step + x, step, gy, gx)


@vectors(3)
def _slopes(one, at, step, gy, gx):
    lines = begins(one + at, step, 18)
    for r in range(16):
        gy[r] = (lines[r + 2].load() - lines[r].load()) * 0.5
        gx[r] = ((lines[r + 1] + 1).load() - (lines[r + 1] + -1).load()) * 0.5
    pairs = ((gy, gy), (gy, gx), (gx, gx))
    return [summed([a[r] * b[r] for r in range(16)]) for a, b in pairs]


@kernel
def _residual(one, two, y, x, down, right, gy, gx):
    """Gradient times difference, summed, and the sum of squared differences; bilinear between."""
    whole_y, whole_x = int(np.floor(down)), int(np.floor(right))
    f, g = np.float32(down - whole_y), np.float32(right - whole_x)
    v = min(max(y + whole_y, 0), two.shape[0] - 17)
    u = min(max(x + whole_x, 0), two.shape[1] - 17)
    step, other = one.shape[1], two.shape[1]
    return _left(one, y * step + x, step, two, v * other + u, other, f, g, gy, gx)


@vectors(3)
def _left(one, at, step, two, to, other, f, g, gy, gx):
    own, its = begins(one + at, step, 16), begins(two + to, other, 17)
    lines = [row.load() + ((row + 1).load() - row.load()) * g for row in its]
    off = [own[r].load() - (lines[r] + (lines[r + 1] - lines[r]) * f) for r in range(16)]
    products = ([gy[r] * off[r] for r in range(16)], [gx[r] * off[r] for r in range(16)],
                [each * each for each in off])  # fmt: skip
    return [summed(each) for each in products]
