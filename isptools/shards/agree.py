"""Does an input show what its truth shows? Found from the pixels, not from names.

Both pictures become luminance per CFA cell. The input is brought to the truth's exposure, by the
stated ratio and by the ratio of medians (a stated one may be wrong), and clipped at white as the
truth is. Then come means over square blocks, less the mean of the 3x3 blocks around: vignetting and
a bright sky are alike in all pictures and would make any two agree. The input's blocks are also
computed from either half of their cells (a checkerboard); how well the halves agree tells how much
of what the input shows is picture and how much noise. `agreement` is the correlation of input and
truth divided by the root of that reliability: 1 for a true pair whatever the noise (Spearman's
correction for attenuation, 1904). Block sizes too noisy or too few to say anything are left out;
the best of the others counts, so that a shift of some pixels is no wrong pair. The limits were
chosen by the numbers in docs/shard-format.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from isptools import patches
from isptools.shards import passes
from isptools.shards.schema import InputRow

F64 = NDArray[np.float64]
SIZES = 4  # of blocks, each twice as wide as the one before
RELIABLE = 0.6  # share of the input's block variance that is picture
BLOCKS = 500  # fewer say little: two pictures with the same layout agree by chance
WRONG = 0.8  # agreement below this is a wrong pair
LUMINANCE = np.array([0.2126729, 0.7151522, 0.0721750])  # Y of linear sRGB (D65)
LUMINANCE32 = LUMINANCE.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Blocks:
    """The block means of one input at one size, ready to be compared with any truth."""

    side: int  # cells
    means: F64
    reliability: float


class Sight:
    """What an input says, computed once for all truths that it is compared with.

    `cells` are from `input_cells`.
    """

    def __init__(self, cells: F64, row: InputRow) -> None:
        self.cells, self.row = cells, row
        self.middle = passes.median(cells)
        side = smallest(row.cfa)
        # a picture so small that larger blocks are too few, as of 132 x 220
        self.side = 2 if side > 2 and cells.size < BLOCKS * side**2 else side
        self.found: dict[float, list[Blocks]] = {}  # by exposure

    def blocks(self, middle: float) -> list[Blocks]:
        """At each size and either exposure, beside a truth whose cells have that median; nothing if
        it is too dark or too noisy."""
        own = self.middle
        scales = {self.row.ratio or 1.0, middle / own if own > 0 else 1.0}
        for scale in scales - self.found.keys():
            self.found[scale] = _reliable(self.cells, self.side, scale, 1.0)
        return [block for scale in sorted(scales) for block in self.found[scale]]


class Shown:
    """What a truth shows, `cells` from `truth_cells`, computed once for all of its inputs."""

    def __init__(self, cells: F64) -> None:
        self.cells, self.middle = cells, passes.median(cells)
        self._details: dict[int, F64] = {}

    def detail(self, side: int) -> F64:
        """Fine detail of blocks of side x side cells, (rows, columns), computed once."""
        if side not in self._details:
            self._details[side] = detail(block_means(self.cells, side))
        return self._details[side]


def agreement(blocks: list[Blocks], truth: Shown) -> float:
    """The best over sizes and exposures, about 1 for a true pair."""
    return max(
        correlation(each.means, truth.detail(each.side)) / sqrt(each.reliability) for each in blocks
    )


def _reliable(cells: F64, side: int, scale: float = 1.0, top: float = inf) -> list[Blocks]:
    """Of cells times `scale`, clipped at `top`: the sizes at which they are mostly picture."""
    found = []
    one, other = passes.halves(cells, scale, top, side)
    for _ in range(SIZES):
        if one.size < BLOCKS:
            break
        fine = detail(one), detail(other)
        between = correlation(*fine)
        reliability = 2 * between / (1 + between) if between > 0 else 0.0  # Spearman-Brown
        if reliability >= RELIABLE:
            found.append(Blocks(side, (fine[0] + fine[1]) / 2, reliability))
        one, other, side = block_means(one, 2), block_means(other, 2), 2 * side
    return found


def input_cells(pixels: NDArray[np.float32], row: InputRow) -> F64:
    """White balanced luminance per CFA cell; `pixels` (H, W) are normalized, not clipped."""
    every = patches.period(row.cfa)
    by_place = weights(row).reshape(every, every)
    cells: F64 = np.einsum("apbq,pq->ab", _cells(pixels, every), by_place)
    return cells


def weights(row: InputRow) -> F64:
    """(P,) of the positions of a CFA cell, whose sum so weighted is its luminance."""
    gains, luminance = _gains(row), _luminance(row)
    colors = ["RGB".index(letter) for letter in row.cfa]
    return np.array([
        gains[color] * luminance[color] / row.cfa.count(letter)
        for color, letter in zip(colors, row.cfa, strict=True)
    ])  # fmt: skip


def truth_cells(luminance: NDArray[np.float32], cfa: str) -> F64:
    """Luminance (H, W) of a truth as means over CFA cells, clipped at white."""
    cells: F64 = _cells(luminance, patches.period(cfa)).mean((1, 3), dtype=np.float64)
    return np.minimum(cells, 1.0)


def luminance(picture: Callable[[int], NDArray[np.float32]], space: str) -> NDArray[np.float32]:
    """Linear luminance (H, W) of a truth, as well as its station tells.

    `picture` gives one plane (H, W) in physical values.
    """
    if space.startswith("xyz"):
        return linear(picture(1), space)
    red, green, blue = (LUMINANCE32[i] * linear(picture(i), space) for i in range(3))
    return np.asarray(red + green + blue, np.float32)


def shares(space: str) -> dict[int, np.float32]:
    """Of which channels a truth's luminance consists, and with which weights."""
    return {1: np.float32(1)} if space.startswith("xyz") else dict(enumerate(LUMINANCE32))


def linear(plane: NDArray[np.float32], space: str) -> NDArray[np.float32]:
    """Values of a station as linear light."""
    if space in {"xyz", "camera"} or space.endswith("_linear"):
        return plane
    steep = ((np.maximum(plane, 0) + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(plane <= np.float32(0.04045), plane / np.float32(12.92), steep)


def smallest(cfa: str) -> int:
    """Side of the smallest blocks in CFA cells: 8 pixels for Bayer, 12 for X-Trans.

    Pictures of less than 500 such blocks are looked at in blocks of 4 pixels first.
    """
    return 4 if patches.period(cfa) == 2 else 2


def detail(means: F64) -> F64:
    """What a block shows beside its neighbourhood."""
    around: F64 = passes.box(means, 3)
    return means - around


def block_means(cells: F64, side: int) -> F64:
    """Means of side x side cells of a 2-D array; what is left over at its ends is left out."""
    return passes.means(cells, side)


def correlation(one: F64, other: F64) -> float:
    """Pearson's; 0 where one of the two is flat."""
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0


def _cells(plane: NDArray[np.float32], every: int) -> NDArray[np.float32]:
    rows, columns = (length // every for length in plane.shape)
    return plane[: rows * every, : columns * every].reshape(rows, every, columns, every)


def _gains(row: InputRow) -> F64:
    """R, G, B gains with green 1: as shot, else daylight, else none."""
    for stated in (row.as_shot, row.daylight):
        if min(stated[:3]) > 0:
            return np.array(stated[:3]) / stated[1]
    return np.ones(3)


def _luminance(row: InputRow) -> F64:
    """Weights of balanced camera R, G, B."""
    if row.camera_to_srgb is None:
        return LUMINANCE
    weights: F64 = LUMINANCE @ np.array(row.camera_to_srgb)
    return weights
