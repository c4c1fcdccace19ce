"""Hot and dead sites of a Bayer sensor: found on one file, confirmed over many, repaired."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import kernel, over_rows

U16 = NDArray[np.uint16]
MOST = np.float32(8)  # ratio of two colors above which the other one tells nothing of a sample
LEVEL = np.float32(0.05)  # share of its light by which neighbours may differ in any picture
FARTHEST = 8  # pixels from which a bad sample without a pair of neighbours takes its value
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


def interpolated(
    samples: NDArray[np.float32], bad: NDArray[np.bool_], colors: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """A copy of (H, W) whose bad samples are interpolated from good ones of their own color.

    Black is out of `samples`; `colors` are color indices of one period. Along a row and along a
    column the two neighbours of its own color and those of the other color on that line, brought to
    its own by their ratio, give a value each, exact for light that bends evenly (Richardson's
    extrapolation: a third of 4 times the mean at 1 pixel less that at 2). The line along which
    neighbours differ less counts more; diagonals serve where neither can. Without any line the
    nearest good samples within 8 pixels give their mean, and without those a sample stays.
    """
    out = samples.copy()
    if bad.any():
        over_rows(_interpolated, len(samples), samples, bad, colors, out)
    return out


@kernel
def _interpolated(samples, bad, colors, out, top, bottom):
    for y in range(top, bottom):
        for x in range(samples.shape[1]):
            if bad[y, x]:
                out[y, x] = _replaced(samples, bad, colors, y, x)


@kernel
def _replaced(samples, bad, colors, y, x):
    for dy, dx, v, h in ((0, 1, 1, 0), (1, 1, 1, -1)):
        one, first = _along(samples, bad, colors, y, x, dy, dx)
        other, second = _along(samples, bad, colors, y, x, v, h)
        if first + second > 0:
            return (one * first + other * second) / (first + second)
    return _nearest(samples, bad, colors, y, x)


@kernel
def _along(samples, bad, colors, y, x, dy, dx):
    """A sample from its neighbours on one line, and the weight of that; 0: none there."""
    reach = 1 if _alike(samples, bad, colors, y, x, dy, dx, 1, 0) else 2
    if not _alike(samples, bad, colors, y, x, dy, dx, reach, 0):
        return np.float32(0), np.float32(0)
    a, b = samples[y - reach * dy, x - reach * dx], samples[y + reach * dy, x + reach * dx]
    mean, differs = np.float32(0.5) * (a + b), abs(a - b)
    weight = 1 / (differs + LEVEL * abs(mean) + np.float32(1e-6))
    if reach == 1:
        if _alike(samples, bad, colors, y, x, dy, dx, 3, 0):
            far = samples[y - 3 * dy, x - 3 * dx] + samples[y + 3 * dy, x + 3 * dx]
            mean += np.float32(0.0625) * (a + b - far)
        return mean, weight
    near = _alike(samples, bad, colors, y, x, dy, dx, 1, 1)
    if near and _alike(samples, bad, colors, y, x, dy, dx, 3, 1):
        c, d = samples[y - dy, x - dx], samples[y + dy, x + dx]
        far = samples[y - 3 * dy, x - 3 * dx] + samples[y + 3 * dy, x + 3 * dx]
        total = c + d + far
        if total > 0 and 0 < 2 * (a + b) < MOST * total:
            ratio = np.float32(2) * (a + b) / total
            mean = (np.float32(2) * ratio * (c + d) - mean) / np.float32(3)
            differs = np.float32(0.5) * (differs + ratio * abs(c - d))
            weight = 1 / (differs + LEVEL * abs(mean) + np.float32(1e-6))
    return mean, weight


@kernel
def _alike(samples, bad, colors, y, x, dy, dx, reach, shift):
    """Are both samples at that distance good, and of one color: that of the sample `shift` on?"""
    height, width = samples.shape
    side = colors.shape[0]
    v, h = y - reach * dy, x - reach * dx
    w, g = y + reach * dy, x + reach * dx
    if min(v, w) < 0 or max(v, w) >= height or min(h, g) < 0 or max(h, g) >= width:
        return False
    if bad[v, h] or bad[w, g]:
        return False
    wanted = colors[(y + shift * dy) % side, (x + shift * dx) % side]
    return colors[v % side, h % side] == wanted and colors[w % side, g % side] == wanted


@kernel
def _nearest(samples, bad, colors, y, x):
    height, width = samples.shape
    side = colors.shape[0]
    for reach in range(1, FARTHEST + 1):
        total, count = np.float32(0), 0
        for v in range(max(y - reach, 0), min(y + reach + 1, height)):
            for h in range(max(x - reach, 0), min(x + reach + 1, width)):
                alike = colors[v % side, h % side] == colors[y % side, x % side]
                if alike and not bad[v, h]:
                    total += samples[v, h]
                    count += 1
        if count:
            return total / np.float32(count)
    return samples[y, x]


def _median(plane: U16) -> U16:
    import cv2  # noqa: PLC0415 - 20 MB that a chain without this step need not load

    smooth: U16 = cv2.medianBlur(np.ascontiguousarray(plane), 3)  # type: ignore[assignment]  # OpenCV's stubs say any dtype
    return smooth


def _planes(sensor: U16, mark: NDArray[np.bool_]) -> list[tuple[U16, NDArray[np.bool_]]]:
    """The four CFA planes of both as views."""
    return [(sensor[y::2, x::2], mark[y::2, x::2]) for y in (0, 1) for x in (0, 1)]
