"""The scores of demosaicking that Klatzer et al. (ICCP 2016) and later papers take.

Pictures are (H, W, 3) linear camera RGB, floats in [0, 1]. Seven pixels on every side are left out,
pictures are clipped to [0, 255], and the peak is 255.
"""

import numpy as np
from numpy.typing import NDArray

from isptools.measure.fidelity import Array, psnr

F64 = NDArray[np.float64]
BORDER = 7
PEAK = 255.0
FULL = 65535.0
# from linear camera RGB to linear sRGB, a column an output: each sums to 1, so gray stays gray
MATRIX = np.array(
    [[1.585846, -0.093656, 0.05195], [-0.413732, 1.647805, -0.567052],
     [-0.172114, -0.554149, 1.515102]]
)  # fmt: skip
CURVE = (48.4867256075, 1.3398382033, -1.966657821)  # fitted to the data set's own tone curve
OFFSET = 15.0  # of 65535, a black level that is taken off at the end


def linear_psnr(picture: Array, truth: Array) -> float:
    """PSNR in dB of the picture rounded to 8 bits; the truth keeps its 16."""
    ours = np.clip(np.rint(_inner(picture) * PEAK), 0, PEAK)
    return psnr(ours, _inner(truth) * PEAK, PEAK)


def srgb_psnr(picture: Array, truth: Array) -> float:
    """PSNR in dB behind the data set's conversion to sRGB, both sides clipped."""
    ours, theirs = (
        np.clip(to_srgb(np.clip(_inner(each), 0, 1) * PEAK), 0, PEAK) for each in (picture, truth)
    )
    return psnr(ours, theirs, PEAK)


def to_srgb(light: Array) -> F64:
    """Linear camera RGB in [0, 255] to sRGB on the same scale, as the data set fixes it.

    What is not above 0 behind the matrix counts as 0. Nothing is clipped otherwise: black comes out
    a little below 0, white a little above 255.
    """
    linear = light.astype(np.float64) @ MATRIX
    scale, power, slope = CURVE
    t = FULL * np.maximum(linear, 0) / PEAK
    curved = PEAK * ((1 + scale) * t ** (1 / power) - scale + slope * t) / FULL
    out: F64 = np.where(linear > 0, curved, 0.0) - PEAK * OFFSET / FULL
    return out


def _inner(picture: Array) -> F64:
    if picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) <= 2 * BORDER:
        raise ValueError(f"expected (H, W, 3) with sides above {2 * BORDER}: {picture.shape}")
    inner: F64 = picture[BORDER:-BORDER, BORDER:-BORDER].astype(np.float64)
    return inner
