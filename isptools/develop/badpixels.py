"""Hot and dead sites of a Bayer sensor: found on one file, confirmed over many, repaired."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import kernel, over_rows

U16 = NDArray[np.uint16]
F32 = NDArray[np.float32]
SPREAD = np.float32(0.08)  # share of an outlier that sites beside it show at most
SURE = np.float32(8)  # deviations of the noise by which a defect lies outside its neighbours
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


def outliers(light: F32, noise: NDArray[np.float32], colors: NDArray[np.uint8]) -> Sites:
    """Sites of one picture that no light can have made: none near them shows any of it.

    `light` is (H, W), black 0 and white 1; `noise` (2, side, side) holds shot and read variance per
    position, `colors` color indices of one period. A site counts where it lies outside of all
    eight nearest of its own color by 8 deviations of the noise, and by half of what it differs from
    the value its neighbours of all colors give it, and the four sites beside it, of other colors,
    show next to nothing of it: a lens spreads even a star over more sites.
    """
    found = np.zeros(light.shape, np.bool_)
    over_rows(_outliers, len(light), light, noise, colors, np.zeros_like(found), found)
    return np.argwhere(found)


@kernel
def _outliers(light, noise, colors, none, found, top, bottom):
    side = colors.shape[0]
    for y in range(top, bottom):
        for x in range(light.shape[1]):
            own = light[y, x]
            low, high = _range(light, y, x, side)
            outside = max(own - high, low - own)
            if outside <= 0:
                continue
            level = max(high if own > high else low, np.float32(0))
            shot, read = noise[0, y % side, x % side], noise[1, y % side, x % side]
            if outside <= SURE * np.sqrt(shot * level + read):
                continue
            expected = _replaced(light, none, colors, y, x)
            alone = _beside(light, y, x, own > high) < SPREAD * outside
            found[y, x] = alone and outside > np.float32(0.5) * abs(own - expected)


@kernel
def _beside(light, y, x, bright):
    """By how much the four sites beside stand out in the same direction, in the mean."""
    height, width = light.shape
    total, count = np.float32(0), 0
    for k in range(4):
        dy, dx = (0, 0, 1, -1)[k], (1, -1, 0, 0)[k]
        v, h = y + 3 * dy, x + 3 * dx
        if 0 <= v < height and 0 <= h < width:
            step = light[y + dy, x + dx] - light[v, h]
            total += max(step if bright else -step, np.float32(0))
            count += 1
    return total / np.float32(max(count, 1))


@kernel
def _range(light, y, x, side):
    """Least and largest of the eight neighbours a period away; no further where x lies between."""
    height, width = light.shape
    own, low, high = light[y, x], np.float32(np.inf), np.float32(-np.inf)
    for k in range(8):
        v = y + side * (0, 0, -1, 1, -1, -1, 1, 1)[k]
        h = x + side * (-1, 1, 0, 0, -1, 1, -1, 1)[k]
        if 0 <= v < height and 0 <= h < width:
            low, high = min(low, light[v, h]), max(high, light[v, h])
            if low <= own <= high:
                return low, high
    return low, high


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
