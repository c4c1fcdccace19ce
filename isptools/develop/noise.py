"""How noisy a sensor frame is: variance = shot * signal + read, on the scale black 0, white 1."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from isptools.frame import Frame

F64 = NDArray[np.float64]
BLOCK = 8
LOW = 0.1  # the share of blocks of one brightness that is taken as free of texture


@dataclass(frozen=True, slots=True)
class Noise:
    """Parameters per CFA position, row by row from the top left visible pixel.

    The variance of a pixel of signal x (black 0, white 1) is shot * x + read, as in DNG's
    NoiseProfile.
    """

    shot: tuple[float, ...]
    read: tuple[float, ...]
    origin: Literal["noise_profile", "estimated"]


def noise_of(frame: Frame) -> Noise:
    """From the file's NoiseProfile where it states one, else estimated from the picture.

    `frame` stands at SENSOR and has a CFA. A profile of one pair holds for every position; one of
    three holds for R, G, B (DNG 1.7, NoiseProfile; plane order of CFAPlaneColor).
    """
    cfa, stated = frame.capture.cfa, frame.capture.noise_profile
    if not stated:
        return estimate(frame)
    pairs = [stated["RGB".index(letter)] if len(stated) >= 3 else stated[0] for letter in cfa]
    return Noise(tuple(s for s, _ in pairs), tuple(o for _, o in pairs), "noise_profile")


def estimate(frame: Frame) -> Noise:
    """Fit shot and read noise to the flattest blocks of each brightness, color by color.

    In 8x8 blocks of a CFA plane the second difference along rows or columns, whichever is smaller,
    measures noise plus texture; per brightness the low tenth of the blocks is taken, corrected by
    what that tenth shows on pure noise; a line is fitted with both terms >= 0. Blocks that touch
    black or white are left out. An all-textured or all-clipped picture gives too much, or zero.
    """
    capture = frame.capture
    side = math.isqrt(len(capture.cfa))
    fits: dict[str, tuple[float, float]] = {}
    for letter in sorted(set(capture.cfa)):
        spots = [i for i, other in enumerate(capture.cfa) if other == letter]
        points = [
            _blocks(frame.pixels[i // side :: side, i % side :: side], capture.black[i],
                    capture.white)
            for i in spots
        ]  # fmt: skip
        mean, variance = (np.concatenate(parts) for parts in zip(*points, strict=True))
        fits[letter] = _fit(mean, variance)
    shot = tuple(fits[letter][0] for letter in capture.cfa)
    return Noise(shot, tuple(fits[letter][1] for letter in capture.cfa), "estimated")


def _blocks(
    plane: NDArray[np.uint16] | NDArray[np.float32], black: float, white: int
) -> tuple[F64, F64]:
    """Mean and noise variance of every usable block of one CFA plane, normalized."""
    rows, columns = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    if not rows or not columns:
        return np.zeros(0), np.zeros(0)
    cut = plane[: rows * BLOCK, : columns * BLOCK].astype(np.float64)
    blocks = cut.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)
    inside = (blocks.max((1, 2)) < black + 0.98 * (white - black)) & (blocks.min((1, 2)) > 0)
    blocks = (blocks[inside] - black) / (white - black)
    return blocks.mean((1, 2)), _roughness(blocks)


def _roughness(blocks: F64) -> F64:
    """Variance from second differences: 6 times that of white noise, so divided by 6."""
    across = np.diff(blocks, 2, axis=2)
    along = np.diff(blocks, 2, axis=1)
    rough: F64 = np.minimum((across**2).mean((1, 2)), (along**2).mean((1, 2))) / 6
    return rough


@cache
def _low_on_pure_noise() -> float:
    """What `_roughness` shows at the low tenth where there is no texture and variance 1."""
    blocks = np.random.default_rng(0).standard_normal((20000, BLOCK, BLOCK))
    return float(np.quantile(_roughness(blocks), LOW))


def _fit(mean: F64, variance: F64) -> tuple[float, float]:
    if len(mean) < 2:
        return 0.0, 0.0
    groups = np.array_split(np.argsort(mean, kind="stable"), min(32, max(1, len(mean) // 16)))
    at = np.array([mean[group].mean() for group in groups])
    low = np.array([np.quantile(variance[group], LOW) for group in groups])
    low = low / _low_on_pure_noise()
    return _line(at, low)


def _line(at: F64, low: F64) -> tuple[float, float]:
    """Least absolute relative deviation with both terms >= 0, so that a few odd groups don't count.

    Odd groups: colors that saturate softly below the white level, or texture everywhere.
    """
    design = np.stack([np.maximum(at, 0), np.ones_like(at)], 1)
    fit = design[:, 0] * np.median(low / np.maximum(design[:, 0], 1e-6))
    terms = np.zeros(2)
    for _ in range(30):
        floor = max(float(fit.max()), 1e-15) * 1e-6
        fit = np.maximum(fit, floor)
        weight = 1 / np.sqrt(fit * np.maximum(np.abs(low - fit), 0.02 * fit))
        terms, _ = nnls(design * weight[:, None], low * weight)
        fit = design @ terms
    return float(terms[0]), float(terms[1])
