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

MARGIN = 2  # outermost cells that are left empty


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
    own, beside = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(top + MARGIN, bottom + MARGIN):
        for p in range(4):
            down, right = p // 2, p % 2
            at, start = 2 * y + down, right * width
            _copy(planes[p, y], colors[letters[p], at, start : start + width])
            one = colors[(letters[p] + 1) % 3, at, start : start + width]
            two = colors[(letters[p] + 2) % 3, at, start : start + width]
            for far in range(REACH + 1):
                row, above = (down + far) % 2 * 2, y + (down - far) // 2
                below = y + (down + far) // 2
                _sum(planes[row + right, above], planes[row + right, below], own)
                _sum(planes[row + 1 - right, above], planes[row + 1 - right, below], beside)
                if far == 0:
                    _clear(one)
                    _clear(two)
                _add(own, beside, right, weights[p, 0, far], weights[p, 1, far], one, two)


@kernel
def _copy(a, out):
    for x in range(len(out)):
        out[x] = a[x]


@kernel
def _clear(out):
    for x in range(len(out)):
        out[x] = 0


@kernel
def _sum(a, b, out):
    for x in range(len(out)):
        out[x] = a[x] + b[x]


@kernel
def _add(own, beside, right, w, v, one, two):
    """What a pair of rows adds to both missing colors.

    `own` holds the pixels of the place's columns, `beside` those of the columns between.
    """
    for x in range(MARGIN, len(own) - MARGIN):
        a, b = own[x], beside[x + right - 1] + beside[x + right]
        c, d = own[x - 1] + own[x + 1], beside[x + right - 2] + beside[x + right + 1]
        e = own[x - 2] + own[x + 2]
        one[x] += ((w[0] * a + w[1] * b) + (w[2] * c + w[3] * d)) + w[4] * e
        two[x] += ((v[0] * a + v[1] * b) + (v[2] * c + v[3] * d)) + v[4] * e
