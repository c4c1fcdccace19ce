"""PSNR, SSIM, MS-SSIM and bits per pixel.

Pictures are (H, W) or (H, W, C) of any real dtype, in [0, `peak`]; nothing is clipped or cropped.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
F64 = NDArray[np.float64]
WINDOW = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
WINDOW /= WINDOW.sum()
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, table 1


def psnr(picture: Array, truth: Array, peak: float = 1.0) -> float:
    """10 log10(peak^2 / mean squared error), in dB; infinite for equal pictures."""
    ours, theirs = _pair(picture, truth)
    error = float(np.mean((ours - theirs) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def ssim(picture: Array, truth: Array, peak: float = 1.0) -> float:
    """Mean structural similarity, Wang et al. 2004: Gaussian 11 x 11 window of sigma 1.5.

    Only windows that lie inside the picture count; channels are averaged. ValueError under 11
    pixels a side.
    """
    ours, theirs = _pair(picture, truth)
    return float(np.mean(_similarity(ours, theirs, peak)[0]))


def ms_ssim(picture: Array, truth: Array, peak: float = 1.0) -> float:
    """Multi-scale structural similarity, Wang et al. 2003: five scales, each half the last.

    A negative contrast term counts as 0. ValueError under 176 pixels a side.
    """
    ours, theirs = _pair(picture, truth)
    if min(ours.shape[:2]) < 11 * 16:
        raise ValueError(f"MS-SSIM needs 176 pixels a side, not {ours.shape[:2]}")
    product = np.ones(ours.shape[2])
    for scale, weight in enumerate(SCALES):
        if scale:
            ours, theirs = _half(ours), _half(theirs)
        whole, contrast = (term.mean((0, 1)) for term in _similarity(ours, theirs, peak))
        last = scale == len(SCALES) - 1
        product *= np.maximum(whole if last else contrast, 0) ** weight
    return float(product.mean())


def bits_per_pixel(size: int, shape: tuple[int, ...]) -> float:
    """Bits of a file of `size` bytes per pixel of a picture (H, W, ...)."""
    return 8 * size / (shape[0] * shape[1])


def _pair(picture: Array, truth: Array) -> tuple[F64, F64]:
    if picture.shape != truth.shape:
        raise ValueError(f"pictures of different shape: {picture.shape} and {truth.shape}")
    if picture.ndim not in {2, 3} or not picture.size:
        raise ValueError(f"a picture is (H, W) or (H, W, C), not {picture.shape}")
    shape = (*picture.shape[:2], -1)
    return picture.astype(np.float64).reshape(shape), truth.astype(np.float64).reshape(shape)


def _similarity(ours: F64, theirs: F64, peak: float) -> tuple[F64, F64]:
    """SSIM and its contrast-structure term at every whole window."""
    if min(ours.shape[:2]) < len(WINDOW):
        raise ValueError(f"SSIM needs 11 pixels a side, not {ours.shape[:2]}")
    one, two = _smooth(ours), _smooth(theirs)
    spread = _smooth(ours**2) - one**2 + _smooth(theirs**2) - two**2
    both = _smooth(ours * theirs) - one * two
    low, high = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    contrast = (2 * both + high) / (spread + high)
    return contrast * (2 * one * two + low) / (one**2 + two**2 + low), contrast


def _smooth(plane: F64) -> F64:
    from scipy.ndimage import correlate1d  # noqa: PLC0415 - for who asks for it

    for axis in (0, 1):
        plane = correlate1d(plane, WINDOW, axis=axis)
    return plane[5:-5, 5:-5]


def _half(picture: F64) -> F64:
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    cut = picture[:height, :width]
    return (cut[::2, ::2] + cut[1::2, ::2] + cut[::2, 1::2] + cut[1::2, 1::2]) / 4
