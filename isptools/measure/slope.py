"""How much more light one mosaic has than another, measured: no file's word is taken for it.

Block means of both, black taken out, of blocks in which nothing is clipped, lie on a line if both
show one scene. Its slope is the ratio of the light; its offset, where black levels are wrong or the
dark current differs, does no harm to it. What moved is no part of the line (Tukey's biweight).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.measure.line import line

F64 = NDArray[np.float64]
PIXELS = 16  # side of a block; 8 in pictures of fewer than 500 of them, 6's multiples for X-Trans
SMALL = 500
WHITE = 0.95  # of white: from here on a pixel counts as clipped
SURE = 0.05  # relative error of the slope above which nothing was measured
ALIKE = 0.8  # share of the input's variation beyond noise that the truth must explain
MODEL = 0.02  # of the signal: what optics, flicker and dust do to a block


@dataclass(frozen=True, slots=True)
class Side:
    """One of two mosaics (H, W) of one color filter array."""

    pixels: NDArray[np.uint16] | NDArray[np.float32]
    black: tuple[float, ...]  # DN per CFA position
    white: float  # DN
    shot: tuple[float, ...] = (0.0,)  # variance of x is shot * x + read, x from 0 at black to 1
    read: tuple[float, ...] = (0.0,)


@dataclass(frozen=True, slots=True)
class Measured:
    """Light of the truth over light of the input."""

    ratio: float
    error: float  # standard deviation, relative


def measured_ratio(own: Side, truth: Side) -> Measured | None:
    """The ratio of a truth's light to an input's; None where the pictures can't tell.

    Those are flat, black or clipped ones, and two that show different scenes. ValueError for
    mosaics of different shapes.
    """
    if own.pixels.shape != truth.pixels.shape:
        raise ValueError(f"mosaics of {own.pixels.shape} and {truth.pixels.shape}")
    side = block_side((own.pixels.shape[0], own.pixels.shape[1]), len(own.black))
    ours, our_peak = _means(own, side)
    theirs, their_peak = _means(truth, side)
    keep = (our_peak < WHITE) & (their_peak < WHITE)
    x, y = theirs[keep], ours[keep]
    noise = (np.mean(own.shot) * np.maximum(y, 0) + np.mean(own.read)) / side**2
    found = line(x, y, noise + (MODEL * y) ** 2 + 1e-12)
    if found is None or found.slope <= 0 or found.explained < ALIKE:
        return None
    error = found.slope_error / found.slope
    return Measured(1 / found.slope, error) if error < SURE else None


def block_side(shape: tuple[int, int], positions: int) -> int:
    """Pixels: a multiple of the period of a CFA of so many positions."""
    side = PIXELS if shape[0] * shape[1] >= SMALL * PIXELS**2 else PIXELS // 2
    return side // 6 * 6 + 6 if positions == 36 else side


def _means(one: Side, side: int) -> tuple[F64, F64]:
    """Mean and largest value of each block, 0 at black and 1 at white."""
    every = {36: 6, 4: 2}.get(len(one.black), 1)
    rows, columns = (length // side for length in one.pixels.shape)
    level = np.tile(np.asarray(one.black, np.float64).reshape(every, every),
                    (side // every, side // every))  # fmt: skip
    cut = one.pixels[: rows * side, : columns * side].reshape(rows, side, columns, side)
    means = cut.mean((1, 3), dtype=np.float64) - level.mean()
    peak = cut.max((1, 3)).astype(np.float64) - level.mean()
    span = one.white - level.mean()
    return means.ravel() / span, peak.ravel() / span
