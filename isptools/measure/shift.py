"""How far one picture lies from another, by phase correlation (Kuglin and Hines 1975)."""

import cv2
import numpy as np
from numpy.typing import NDArray


def shift(
    one: NDArray[np.float32], other: NDArray[np.float32]
) -> tuple[tuple[float, float], float]:
    """How far (right, down), in pixels, `other` lies from `one`, both (H, W); and the peak, to 1.

    The right and lower border is left out where OpenCV would pad to an odd size: its result is half
    a pixel too large there.
    """
    height, width = (_even(side) for side in one.shape)
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    parts = [np.ascontiguousarray(each[:height, :width], np.float32) for each in (one, other)]
    found, peak = cv2.phaseCorrelate(parts[0], parts[1], window)
    return (float(found[0]), float(found[1])), float(peak)


def _even(side: int) -> int:
    """The largest length up to `side` that is transformed at an even length."""
    while cv2.getOptimalDFTSize(side) % 2:
        side -= 1
    return side
