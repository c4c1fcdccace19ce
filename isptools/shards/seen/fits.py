"""The input's blocks against what the truth expects: a robust line for each plane of the CFA."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.measure.line import Line, line
from isptools.shards.schema import InputRow
from isptools.shards.seen.blocks import Blocks

F64 = NDArray[np.float64]
MODEL = 0.01  # of the signal: what demosaicking and optics do to a block
ALIKE = 0.8  # share of a plane's variation that the truth must explain
SURE = 0.05  # relative error of a slope above which it says nothing


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of the input and its line."""

    color: int  # 0, 1, 2 for R, G, B
    name: str  # "R", "G1", "G2", "B"; "R", "G", "B" for X-Trans
    own: F64  # (N,) usable blocks of the input
    expected: F64  # (N,)
    variance: F64  # (N,) of `own`, as noise and MODEL say
    line: Line

    @property
    def sure(self) -> bool:
        """Whether its slope can be taken for the light's."""
        found = self.line
        steep = found.slope > 0 and found.slope_error < SURE * found.slope
        return steep and found.explained > ALIKE


def planes_of(blocks: Blocks, row: InputRow) -> list[Plane]:
    """Those of the input's planes that have a line at all."""
    keep = blocks.usable
    made = []
    for name, spots in _groups(row.cfa):
        color = "RGB".index(name[0])
        own = blocks.own[spots].mean(0)[keep]
        expected = blocks.expected[color][keep]
        count = blocks.side**2 * len(spots) / len(row.cfa)
        shot, read = (float(np.mean([of[i] for i in spots])) for of in (row.shot, row.read))
        noise = (shot * np.maximum(own, 0) + read) / count
        variance = noise + (MODEL * own) ** 2 + 1e-14
        found = line(expected, own, variance)
        if found is not None:
            made.append(Plane(color, name, own, expected, variance, found))
    return made


def _groups(cfa: str) -> list[tuple[str, list[int]]]:
    """Positions that are looked at together: each of a Bayer cell, each color of X-Trans."""
    if len(cfa) != 4:
        return [(letter, [i for i, other in enumerate(cfa) if other == letter]) for letter in "RGB"]
    greens = iter(("G1", "G2"))
    return [(next(greens) if letter == "G" else letter, [i]) for i, letter in enumerate(cfa)]


def slope_of(planes: list[Plane], color: int) -> tuple[float, float] | None:
    """The slope of a color and its relative error; None where it isn't sure."""
    sure = [plane.line for plane in planes if plane.color == color and plane.sure]
    if not sure:
        return None
    slope = float(np.mean([one.slope for one in sure]))
    error = float(np.sqrt(np.mean([one.slope_error**2 for one in sure])))
    return slope, error / slope
