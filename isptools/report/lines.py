"""Rows and columns of an input that stand out, although its truth shows nothing there."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
SHARE = 0.85  # of a line's pixels; a third of noise's pixels lie above both neighbors
TRUTH = 0.6  # what the truth shows at the same place is no fault
LEAST = 32  # pixels of a side


def lines(light: F32, truth: F32) -> Iterator[tuple[str, int, float]]:
    """("row" or "column", its number, share of its pixels) of bright and dark lines.

    A pixel counts if it lies above (below: the share is negative) both neighbors of its CFA phase,
    two away across the line. `light` is (H, W), `truth` (3, H, W).
    """
    if light.ndim != 2 or truth.shape[1:] != light.shape or min(light.shape) < LEAST:
        return
    shown = truth.mean(0)
    for name, own, its in (("row", light, shown), ("column", light.T, shown.T)):
        for sign in (1, -1):
            off, there = _above(sign * own), _above(sign * its)
            for at in np.flatnonzero((off > SHARE) & (there < TRUTH)):
                yield name, int(at) + 2, sign * float(off[at])


def _above(picture: F32) -> NDArray[np.float64]:
    """The share of each row's pixels that lie above both rows two away; two fewer at either end."""
    higher = picture[2:-2] > np.maximum(picture[:-4], picture[4:])
    return np.asarray(higher.mean(1), np.float64)
