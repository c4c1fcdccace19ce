"""A luminance that two cameras share: 8 bit, behind a curve, stretched over the picture's range."""

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.frame import Array
from isptools.pair import area

Gray = NDArray[np.uint8]
LOW, HIGH = 0.05, 99.95  # percent of the pixels at and beyond the ends of the range
SAMPLE = 1 << 18  # pixels that the range is measured on
FINEST = 1.1  # scale below which two pictures count as equally fine


def gray(picture: Array) -> Gray:
    """Encoded RGB (H, W, 3) or gray (H, W), uint8 or uint16, as (H, W) uint8 luminance.

    Rec. 601 weights on the encoded values; the range between the 0.05th and 99.95th percentile is
    stretched to 0..255, so that a dark picture keeps its texture. A picture of one value is 0.
    """
    flat = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    low, high = span(flat)
    if high <= low:
        return np.zeros(flat.shape, np.uint8)
    levels = np.arange(np.iinfo(flat.dtype).max + 1, dtype=np.float64)
    table = np.clip(np.rint((levels - low) * (255.0 / (high - low))), 0, 255).astype(np.uint8)
    if flat.dtype == np.uint8:
        return np.asarray(cv2.LUT(flat, table), np.uint8)
    return np.asarray(table[flat], np.uint8)


def span(flat: Array) -> tuple[float, float]:
    """The range of values of a picture (H, W) that the stretch keeps."""
    every = max(1, round((flat.size / SAMPLE) ** 0.5))
    low, high = np.percentile(flat[::every, ::every], (LOW, HIGH))
    return float(low), float(high)


def equally_fine(picture: Gray, scale: float) -> Gray:
    """Blur a picture whose pixels are `scale` times finer than the other's, so that it can be
    sampled there without aliasing. Nothing moves."""
    if scale < FINEST:
        return picture
    sigma = 0.5 * (scale * scale - 1) ** 0.5
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def shrink(picture: Gray, pixels: float) -> tuple[Gray, NDArray[np.float64]]:
    """Reduce a picture to about so many pixels, and the matrix from its pixel centers to the
    reduced ones. A smaller picture stays as it is."""
    height, width = picture.shape
    factor = min(1.0, (pixels / (height * width)) ** 0.5)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if factor == 1.0:
        return picture, np.eye(3)
    return area.reduced(picture, size[1], size[0]), scaling(size[0] / width, size[1] / height)


def scaling(across: float, down: float) -> NDArray[np.float64]:
    """Pixel centers to pixel centers of a picture resized by these factors, 3x3."""
    return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1.0]])
