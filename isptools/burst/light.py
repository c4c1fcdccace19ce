"""How bright a frame is against the reference, color by color, measured where both show the same.

What a file states of its exposure is not what fell on the sensor: lamps flicker, fade and change
their color, apertures and shutters are off by some percent. Laid onto the reference, the light of
a frame's tiles is compared with the reference's tile by tile: sums over many pixels, which noise
hardly sways, and a robust ratio, which moving things and shadows do not.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.burst.planes import F32, HOP, PAD
from isptools.develop.rows import kernel, over_rows
from isptools.frame import Array
from isptools.vectors import Number, begins, folded, summed, vectors

SIDE = 2 * HOP  # cells of a tile
MOST = 4096  # tiles that are measured; so many tell more than enough
FEW = 4  # tiles below which a color is not measured
CUT = 4.685  # Tukey's: residuals over their scale from which a tile does not count
SURE = 3.0  # standard errors from which a difference is one
LEAST = 3e-4  # logarithm of a brightness below which it is the same
VAGUE = 0.2  # standard error of a gain's logarithm from which nothing was measured
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame on the reference, both as planes of light in the reference's DN."""

    reference: F32
    frame: F32
    offsets: F32  # (tiles down, across, 2) in cells, as `align` gives them
    noise: F32  # (4, down, across): variance of a pixel's difference in each tile
    floor: Array  # (2, 4): DN at and below which the reference and the frame are cut off ...
    white: Array  # (4,): ... and from which either may be saturated


def gains(seen: Seen, cfa: str) -> F64 | None:
    """(3,): what R, G and B of the frame are to be multiplied by to be as bright as the reference.

    1 where no difference is sure; one gain for all where they are not surely different. None where
    there is too little light to measure.
    """
    own, its, noise = _tiles(seen)
    found = []
    for letter in "RGB":
        spots = [i for i, other in enumerate(cfa) if other == letter]
        found.append(_ratio(*(each[spots].ravel() for each in (own, its, noise))))
    value, error = np.array(found).T
    known = error < VAGUE
    if not known.any():
        return None
    sure = np.where(known, 1 / np.maximum(error, 1e-6) ** 2, 0)
    common, spread = (sure @ np.where(known, value, 0)) / sure.sum(), sure.sum() ** -0.5
    common = common if abs(common) > max(SURE * spread, LEAST) else 0.0
    differs = known & (np.abs(value - common) > np.maximum(SURE * error, LEAST))
    return np.asarray(np.exp(np.where(differs, value, common)))


def _ratio(own: F64, its: F64, noise: F64) -> tuple[float, float]:
    """Logarithm of the robust ratio of two lights, and its standard error.

    Sums over sums, so that noise in either does not bias it; tiles that differ otherwise than most
    count less (Tukey's biweight).
    """
    there = np.isfinite(own + its)
    own, its, noise = own[there], its[there], noise[there]
    lit = its + own > 6 * np.sqrt(noise)
    if lit.sum() < FEW or np.median(its[lit]) <= 0:
        return 0.0, np.inf
    ratio = float(np.median(own[lit] / np.maximum(its[lit], 1e-6)))
    weight = np.ones(len(own))
    for _ in range(20):
        off = own - ratio * its
        strange = np.abs(off) / np.sqrt(noise)
        scale = max(_middle(strange, own) / 0.6745, 1.0)
        weight = (1 - np.minimum(strange / (CUT * scale), 1) ** 2) ** 2
        light = float(weight @ its)
        if light <= 0:
            return 0.0, np.inf
        before, ratio = ratio, float(weight @ own) / light
        if abs(ratio - before) < 1e-6 * ratio or ratio <= 0:
            break
    if ratio <= 0:
        return 0.0, np.inf
    # a few tiles may agree better than their noise allows
    error = max(float(weight**2 @ (own - ratio * its) ** 2), float(weight**2 @ noise))
    return float(np.log(ratio)), error**0.5 / (light * ratio)


def _middle(values: F64, light: F64) -> float:
    """The median, each counting by its light: dark tiles show noise, not how well tiles fit."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(np.maximum(light[order], 0))
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _tiles(seen: Seen) -> tuple[F64, F64, F64]:
    """(4, tiles) each: light of reference and frame in tiles side by side, and the noise of their
    difference; NaN where a tile is cut off, saturated, or reaches out of the picture."""
    rows, columns = seen.offsets.shape[:2]
    step = 2 * max(1, int(np.ceil(np.sqrt(rows * columns / 4 / MOST))))
    # the last two may reach beyond the picture
    numbers, across = np.arange(1, rows - 2, step), np.arange(1, columns - 2, step)
    out = np.full((len(numbers), len(across), 4, 2), np.nan, np.float32)
    over_rows(_sums, len(numbers), seen.reference, seen.frame, seen.offsets, step,
              np.asarray(seen.floor, np.float32), np.asarray(seen.white, np.float32),
              out)  # fmt: skip
    light = np.moveaxis(out.astype(np.float64) / SIDE**2, 2, 0).reshape(4, -1, 2)
    noise = seen.noise[:, numbers][..., across].astype(np.float64) / SIDE**2
    return light[..., 0], light[..., 1], noise.reshape(4, -1)


@kernel
def _sums(reference, frame, offsets, step, floor, white, out, top, bottom):
    inner_y = PAD + HOP * (offsets.shape[0] - 2)
    inner_x, width = PAD + HOP * (offsets.shape[1] - 2), frame.shape[2]
    for i in range(top, bottom):
        for j in range(out.shape[1]):
            row, column = 1 + step * i, 1 + step * j
            y, x = PAD + HOP * row - HOP, PAD + HOP * column - HOP
            down, right = offsets[row, column, 0], offsets[row, column, 1]
            whole_y, whole_x = int(np.floor(down)), int(np.floor(right))
            v, u = y + whole_y, x + whole_x
            if min(v, u) < PAD or v + SIDE >= inner_y or u + SIDE >= inner_x:
                continue
            f, g = np.float32(down - whole_y), np.float32(right - whole_x)
            for p in range(4):
                its, low, high = _its(frame[p], v * width + u, width, f, g)
                own, dark, bright = _own(reference[p], y * width + x, width)
                good = low > floor[1, p] and dark > floor[0, p]
                if good and max(high, bright) < white[p]:
                    out[i, j, p, 0], out[i, j, p, 1] = own, its


@vectors(3)
def _its(frame, at, step, f, g):
    """The sum of a tile that begins (f, g) behind a pixel, and the least and most light in it."""
    places = begins(frame + at, step, SIDE + 1)
    pairs = [(place.load(), (place + 1).load()) for place in places]
    first, *inner, last = [left + (right - left) * g for left, right in pairs]
    return [summed([first + (last - first) * f, *inner]), *_ends(itertools.chain(*pairs))]


@vectors(3)
def _own(reference, at, step):
    """Of a tile of whole pixels."""
    lines = [place.load() for place in begins(reference + at, step, SIDE)]
    return [summed(lines), *_ends(lines)]


def _ends(numbers):
    numbers = list(numbers)
    return [folded(two, numbers).folded(two) for two in (Number.least, Number.most)]
