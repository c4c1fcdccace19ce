"""The noise that a picture has, measured on itself where nothing states it."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
BLOCK = 8
LOW = 0.1  # the share of blocks of one brightness that is taken as free of texture
GROUPS = 16
FEWEST = 64  # blocks


def noise_variance(plane: NDArray[np.float32] | NDArray[np.float64]) -> float | None:
    """Mean noise variance of a plane (H, W) whose white is 1; None where nothing can be measured.

    Second differences of 8 x 8 blocks, along rows or columns, whichever is smoother; of the blocks
    of each brightness the lowest tenth, over what that tenth shows on pure noise. Blocks that touch
    0 or 1 are left out. Texture everywhere gives too much.
    """
    rows, columns = (length // BLOCK for length in plane.shape)
    cut = np.asarray(plane[: rows * BLOCK, : columns * BLOCK], np.float64)
    blocks = cut.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)
    blocks = blocks[(blocks.max((1, 2)) < 0.98) & (blocks.min((1, 2)) > 0)]
    if len(blocks) < FEWEST:
        return None
    rough, mean = _roughness(blocks), blocks.mean((1, 2))
    groups = np.array_split(np.argsort(mean, kind="stable"), min(GROUPS, len(blocks) // 16))
    low = [float(np.quantile(rough[group], LOW)) for group in groups]
    return float(np.mean(low)) / _low_on_pure_noise()


def _roughness(blocks: F64) -> F64:
    """Variance from second differences: 6 times that of white noise, so divided by 6."""
    across, along = np.diff(blocks, 2, axis=2), np.diff(blocks, 2, axis=1)
    rough: F64 = np.minimum((across**2).mean((1, 2)), (along**2).mean((1, 2))) / 6
    return rough


@cache
def _low_on_pure_noise() -> float:
    """What `_roughness` shows at the low tenth where there is no texture and variance 1."""
    blocks = np.random.default_rng(0).standard_normal((20000, BLOCK, BLOCK))
    return float(np.quantile(_roughness(blocks), LOW))
