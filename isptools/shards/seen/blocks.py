"""A pair as means over square blocks: the input per CFA position, and what its truth expects.

Blocks average the noise down and leave level, color, black and light.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.measure.slope import WHITE
from isptools.shards import passes
from isptools.shards.passes import Balanced
from isptools.shards.seen.light import Backwards
from isptools.shards.sides import Input, Truth

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
STRIP = 32  # rows of blocks at a time
FEW = 0.03  # share of a block that may be clipped: noise of dark truths, cut at 0
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


def blocks_of(own: Input, truth: Truth, how: Backwards, shade: Shade | None = None) -> Blocks:
    """Both sides of a pair. What the truth expects has its shading as the sensor had it: divided by
    `shade`."""
    side, found = own.side, own.found
    if truth.values is None or shade is not None:
        shown = _in_strips(truth, how, side, shade)
    else:
        key = side, how.matrix.tobytes()
        if key not in truth.kept:
            truth.kept[key] = _looked_up(truth.planes, truth.values, how, side)
        shown = truth.kept[key]
    expected = shown.means * how.signal[:, None, None]
    return Blocks(side, found.means, expected, found.peak, shown.bright, shown.clipped)


def _looked_up(planes: NDArray[np.generic], values: F32, how: Backwards, side: int) -> Balanced:
    """Of integers, whose meaning `values` has."""
    light = values if how.curve is None else how.curve(values)
    return passes.balanced(planes, light, how.lost(values), how.matrix.astype(np.float32), side)


def _in_strips(truth: Truth, how: Backwards, side: int, shade: Shade | None) -> Balanced:
    """Of floats, or beside shading: a strip of the frame is in memory at a time."""
    step, height = STRIP * side, truth.planes.shape[1] // side * side
    parts = []
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        picture = truth.physical(rows)
        balanced = how.balanced(picture)
        seen = balanced if shade is None else balanced / shade(rows)
        parts.append(_strip(balanced, seen, how.clipped(picture), side))
    means, bright, lost = (np.concatenate([part[i] for part in parts], -2) for i in range(3))
    return Balanced(means, bright, lost)


def _strip(balanced: F32, seen: F32, ends: NDArray[np.bool_], side: int) -> tuple[F64, F64, F64]:
    rows, columns = (length // side for length in ends.shape)
    bright, seen = (
        picture[:, : rows * side, : columns * side].reshape(3, rows, side, columns, side)
        for picture in (balanced, seen)
    )
    lost = ends[: rows * side, : columns * side].reshape(rows, side, columns, side)
    means = seen.mean((2, 4), dtype=np.float64)
    return means, bright.max((0, 2, 4)).astype(np.float64), lost.mean((1, 3))
