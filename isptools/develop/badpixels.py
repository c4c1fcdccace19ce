"""Hot and dead sites of a Bayer sensor: found on one file, confirmed over many, repaired."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

U16 = NDArray[np.uint16]
Sites = NDArray[np.int64]  # (N, 2) rows of y, x in the visible area, in reading order


def candidates(sensor: U16) -> Sites:
    """Sites that lie further from the 3x3 median of their own CFA plane than a threshold.

    `sensor` is (H, W), Bayer, black in. The threshold is max(largest value // 150, 20) DN, as in
    rawpy.enhance.find_bad_pixels; other than there, too dark counts by distance just as too bright.
    On one picture fine texture is found too: `confirm` over several.
    """
    threshold = max(int(sensor.max()) // 150, 20)
    found = np.zeros(sensor.shape, bool)
    for plane, mark in _planes(sensor, found):
        distance = np.abs(plane.astype(np.int32) - _median(plane))
        mark[...] = distance > threshold
    return np.argwhere(found)


def confirm(found: Sequence[Sites], ratio: float = 0.9) -> Sites:
    """Sites found in at least `ratio` of the pictures of one camera."""
    sites, counts = np.unique(np.vstack(list(found)), axis=0, return_counts=True)
    return sites[counts >= ratio * len(found)]


def repair(sensor: U16, sites: Sites) -> U16:
    """A copy with each site replaced by the 3x3 median of its CFA plane, border replicated.

    Equal to rawpy.enhance.repair_bad_pixels with OpenCV present.
    """
    bad = np.zeros(sensor.shape, bool)
    bad[sites[:, 0], sites[:, 1]] = True
    out = sensor.copy()
    for plane, mark in _planes(out, bad):
        if mark.any():
            plane[mark] = _median(plane)[mark]
    return out


def _median(plane: U16) -> U16:
    import cv2  # noqa: PLC0415 - 20 MB that a chain without this step need not load

    smooth: U16 = cv2.medianBlur(np.ascontiguousarray(plane), 3)  # type: ignore[assignment]  # OpenCV's stubs say any dtype
    return smooth


def _planes(sensor: U16, mark: NDArray[np.bool_]) -> list[tuple[U16, NDArray[np.bool_]]]:
    """The four CFA planes of both as views."""
    return [(sensor[y::2, x::2], mark[y::2, x::2]) for y in (0, 1) for x in (0, 1)]
