"""A pair as means over square blocks: the input per CFA position, and what its truth expects.

Blocks average the noise down and leave level, color, black and light; a strip of the frame is in
memory at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools import patches
from isptools.measure.slope import WHITE, block_side
from isptools.shards.read import normalized
from isptools.shards.schema import InputRow
from isptools.shards.seen.light import Backwards

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
STRIP = 32  # rows of blocks at a time
FEW = 0.03  # share of a block that may be clipped: noise of dark truths, cut at 0
Picture = Callable[[slice], F32]  # rows -> (3, rows, W) in physical values
Shade = Callable[[slice], F32]  # rows -> (3, rows, W): R, G, B gains that the truth has and not we


@dataclass(frozen=True, slots=True)
class Blocks:
    """R x C blocks of one pair."""

    side: int  # pixels
    own: F64  # (P, R, C) mean of the input at each CFA position
    expected: F64  # (3, R, C) mean of the camera signal that the truth stands for
    peak: F64  # (R, C) largest value of the input
    bright: F64  # (R, C) largest balanced camera value of the truth
    clipped: F64  # (R, C) share of the truth's pixels that lie at an end of what is stored

    @property
    def usable(self) -> NDArray[np.bool_]:
        """(R, C): neither side is clipped, at white or at black."""
        return (self.peak < WHITE) & (self.bright < WHITE) & (self.clipped < FEW)


def blocks_of(
    own: NDArray[np.uint16], row: InputRow, truth: Picture, how: Backwards,
    shade: Shade | None = None,
) -> Blocks:  # fmt: skip
    """Both sides of a pair; `own` are the input's integers (H, W).

    What the truth expects has its shading as the sensor had it: divided by `shade`.
    """
    side = block_side((own.shape[0], own.shape[1]), len(row.cfa))
    every, step = patches.period(row.cfa), STRIP * side
    parts = []
    for top in range(0, own.shape[0] // side * side, step):
        rows = slice(top, min(top + step, own.shape[0] // side * side))
        light = normalized(own[rows], row)
        picture = truth(rows)
        balanced = how.balanced(picture)
        seen = balanced if shade is None else balanced / shade(rows)
        parts.append(_strip(light, (balanced, seen), how.clipped(picture), side, every))
    joined = [np.concatenate([part[i] for part in parts], -2) for i in range(5)]
    positions, expected, peak, bright, cut = joined
    return Blocks(side, positions, expected * how.signal[:, None, None], peak, bright, cut)


def _strip(
    light: F32, truth: tuple[F32, F32], ends: NDArray[np.bool_], side: int, every: int
) -> tuple[F64, F64, F64, F64, F64]:
    rows, columns = (length // side for length in light.shape)
    cut = light[: rows * side, : columns * side]
    inner = side // every
    cells = cut.reshape(rows, inner, every, columns, inner, every).mean((1, 4), dtype=np.float64)
    positions = cells.transpose(1, 3, 0, 2).reshape(every * every, rows, columns)
    balanced, seen = (
        picture[:, : rows * side, : columns * side].reshape(3, rows, side, columns, side)
        for picture in truth
    )
    peak = cut.reshape(rows, side, columns, side).max((1, 3)).astype(np.float64)
    means = seen.mean((2, 4), dtype=np.float64)
    bright = balanced.max((0, 2, 4)).astype(np.float64)
    lost = ends[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return positions, means, peak, bright, lost.mean((1, 3))
