"""All three colors of a frame at every pixel, so that a tile can be taken from between its pixels.

Shifting a single CFA plane by a broken number of cells smears whatever is finer than the plane's
own sampling, which on photographs is more than the noise. With the other colors' help (the linear
kernels of `prior`, 9 x 9 pixels) less than half of that error remains, at less noise; a shift by
whole cells still gives back the frame's own numbers.
"""

import numpy as np
from numpy.typing import NDArray

from isptools.burst.planes import F32, PAD
from isptools.burst.prior import REACH, missing
from isptools.develop.rows import kernel, over_rows
from isptools.frame import Array, empty
from isptools.vectors import WIDTH, Number, vectors

MARGIN = 2  # outermost cells that are left empty
BLOCK = 2 * WIDTH  # cells that are made together


def interpolated(planes: F32, cfa: str, gains: F32, out: Array | None = None) -> F32:
    """(3, rows, columns) float32 from planes (4, rows / 2, columns / 2) of a Bayer mosaic.

    A row holds its even pixels first, then its odd ones, as each half is what a tile takes. Order
    R, G, B; same numbers as `planes`, nothing clipped. `gains` as `contrasts` finds them.
    """
    _, rows, columns = planes.shape
    colors = empty((3, 2 * rows, 2 * columns), np.float32) if out is None else out
    letters = np.array(["RGB".index(letter) for letter in cfa], np.int64)
    over_rows(_interpolate, rows - 2 * MARGIN, planes, letters, _weights(cfa, gains), colors)
    return colors


def _weights(cfa: str, gains: F32) -> F32:
    """(4, 2, REACH + 1, REACH + 1): of the colors behind a position's own, by distance.

    A row's own weight is halved, as it is added to itself. Balanced colors are what `missing` is
    made for, so a weight is times the gain of its pixel and over that of the color it makes.
    """
    letters = np.array(["RGB".index(letter) for letter in cfa])
    far = np.arange(REACH + 1)
    out = np.empty((4, 2, REACH + 1, REACH + 1), np.float32)
    for p in range(4):
        there = letters[(p // 2 + far[:, None]) % 2 * 2 + (p % 2 + far) % 2]
        for k in range(2):
            color = (letters[p] + 1 + k) % 3
            quarter = missing(cfa)[p, color, REACH:, REACH:]
            out[p, k] = quarter * gains[there] / gains[color]
    out[:, :, 0] /= 2
    return out


def contrasts(planes: F32, cfa: str, noise: NDArray[np.float64]) -> F32:
    """(3,) float32: what makes the detail of R, G, B equally strong, 1 for green.

    From the steps between means of 4 x 4 cells of each plane. `noise` (4,) is the variance of a
    pixel. The kernels take detail of one color to be detail of the others.
    """
    inside = planes[:, PAD:-PAD, PAD:-PAD]
    blocks = inside[:, : inside.shape[1] // 4 * 4, : inside.shape[2] // 4 * 4]
    means = blocks.reshape(4, blocks.shape[1] // 4, 4, -1, 4).mean((2, 4))
    energy = np.square(np.diff(means, axis=1)).mean((1, 2), dtype=np.float64)
    energy += np.square(np.diff(means, axis=2)).mean((1, 2), dtype=np.float64)
    energy = np.maximum(energy - 4 * noise / 16, 0)
    of_color = [np.mean([e for e, own in zip(energy, cfa, strict=True) if own == c]) for c in "RGB"]
    if min(of_color) <= 0:
        return np.ones(3, np.float32)
    return np.asarray(np.clip(np.sqrt(of_color[1] / np.array(of_color)), 0.2, 5), np.float32)


@kernel
def _interpolate(planes, letters, weights, colors, top, bottom):
    width = planes.shape[2]
    lines = np.empty((REACH + 1, 2, width), np.float32)
    for y in range(top + MARGIN, bottom + MARGIN):
        for p in range(4):
            down, right = p // 2, p % 2
            at, start = 2 * y + down, right * width
            if not right:  # the other position of its row takes the same lines, in turn
                for far in range(REACH + 1):
                    row, above = (down + far) % 2 * 2, y + (down - far) // 2
                    below = y + (down + far) // 2
                    _sum(planes[row, above], planes[row, below], lines[far, 0])
                    _sum(planes[row + 1, above], planes[row + 1, below], lines[far, 1])
            _copy(planes[p, y], colors[letters[p], at, start : start + width])
            one = colors[(letters[p] + 1) % 3, at, start : start + width]
            two = colors[(letters[p] + 2) % 3, at, start : start + width]
            for x in range(MARGIN, width - MARGIN, BLOCK):
                x = min(x, width - MARGIN - BLOCK)  # noqa: PLW2901 - the last ones once more
                own, beside = right * width + x, (1 - right) * width + x + right
                _add(lines, own, beside, 2 * width, weights[p], one, two, x)
            _empty_ends(one)
            _empty_ends(two)


@kernel
def _copy(a, out):
    for x in range(len(out)):
        out[x] = a[x]


@kernel
def _sum(a, b, out):
    for x in range(len(out)):
        out[x] = a[x] + b[x]


@kernel
def _empty_ends(out):
    for x in range(MARGIN):
        out[x] = out[-1 - x] = 0


@vectors()
def _add(lines, own, beside, step, weights, one, two, at):
    """Both missing colors at 32 places from the pairs of rows at each distance.

    `own` is where the pixels of the places' columns are, `beside` those of the columns between.
    """
    own, beside = lines + own, lines + beside
    sums: dict[tuple[int, int], Number] = {}  # by color and half
    for far in range(REACH + 1):
        for start in (0, WIDTH):
            near = _sides(own + start, beside + start)
            for number in (0, 1):
                part = _weighted(weights, number, far, near)
                before = sums.get((number, start))
                sums[number, start] = part if before is None else before + part
        own, beside = own + step, beside + step
    for (number, start), whole in sums.items():
        ((one, two)[number] + at + start).store(whole)


def _sides(own, beside):
    """The middle, and sums at each distance to the left and right."""
    near = (beside + -1).load() + beside.load()
    further = (beside + -2).load() + (beside + 1).load()
    sides = [(own + -k).load() + (own + k).load() for k in (1, 2)]
    return own.load(), near, sides[0], further, sides[1]


def _weighted(weights, number, far, values):
    start = (number * (REACH + 1) + far) * (REACH + 1)
    a, b, c, d, e = (each * (weights + (start + k)).load(1) for k, each in enumerate(values))
    return ((a + b) + (c + d)) + e
