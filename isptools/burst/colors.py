"""All three colors of a frame at every pixel, so that a tile can be taken from between its pixels.

Shifting a single CFA plane by a broken number of cells smears whatever is finer than the plane's
own sampling, which on photographs is more than the noise. With the other colors' help (Malvar, He
and Cutler 2004, linear 5 x 5 kernels) less than half of that error remains, at the same noise; a
shift by whole cells still gives back the frame's own numbers.
"""

import numpy as np
from numpy.typing import NDArray

from isptools.burst.planes import F32, PAD
from isptools.develop.rows import kernel, over_rows
from isptools.frame import Array, empty

MARGIN = 2  # outermost cells that are left empty


def interpolated(planes: F32, cfa: str, gains: F32, out: Array | None = None) -> F32:
    """(3, rows, columns) float32 from planes (4, rows / 2, columns / 2) of a Bayer mosaic.

    A row holds its even pixels first, then its odd ones, as each half is what a tile takes. Order
    R, G, B; same numbers as `planes`, nothing clipped. `gains` as `contrasts` finds them.
    """
    _, rows, columns = planes.shape
    colors = empty((3, 2 * rows, 2 * columns), np.float32) if out is None else out
    letters = np.array(["RGB".index(letter) for letter in cfa], np.int64)
    over_rows(_interpolate, rows - 2 * MARGIN, planes, letters, gains, colors)
    return colors


def contrasts(planes: F32, cfa: str, noise: NDArray[np.float64]) -> F32:
    """(3,) float32: what makes the detail of R, G, B equally strong, 1 for green.

    From the steps between means of 4 x 4 cells of each plane. `noise` (4,) is the variance of a
    pixel. Malvar's kernels take detail of one color to be detail of the others.
    """
    inside = planes[:, PAD:-PAD, PAD:-PAD]
    blocks = inside[:, : inside.shape[1] // 4 * 4, : inside.shape[2] // 4 * 4]
    means = blocks.reshape(4, blocks.shape[1] // 4, 4, -1, 4).mean((2, 4))
    energy = np.square(np.diff(means, axis=1)).mean((1, 2), dtype=np.float64)
    energy += np.square(np.diff(means, axis=2)).mean((1, 2), dtype=np.float64)
    energy = np.maximum(energy - 4 * noise / 16, 0)
    of_color = [np.mean([e for e, own in zip(energy, cfa, strict=True) if own == c]) for c in "RGB"]
    if min(of_color) <= 0:
        return np.ones(3, np.float32)
    return np.asarray(np.clip(np.sqrt(of_color[1] / np.array(of_color)), 0.2, 5), np.float32)


@kernel
def _interpolate(planes, letters, gains, colors, top, bottom):
    width = planes.shape[2]
    around, beside = np.empty(width, np.float32), np.empty(width, np.float32)
    across = np.empty(width, np.float32)
    for y in range(top + MARGIN, bottom + MARGIN):
        for p in range(4):
            down, right = p // 2, p % 2
            own, lies = planes[p, y], planes[p ^ 1, y]
            _sum(planes[p, y - 1], planes[p, y + 1], around)
            _sum(planes[p ^ 2, y + down - 1], planes[p ^ 2, y + down], beside)
            _sum(planes[p ^ 3, y + down - 1], planes[p ^ 3, y + down], across)
            at, start = 2 * y + down, right * width
            _copy(own, colors[letters[p], at, start : start + width])
            first = colors[letters[p ^ 1], at, start : start + width]
            other = letters[p ^ 2] if letters[p] == 1 else letters[p ^ 3]
            second = colors[other, at, start : start + width]
            one, two = gains[letters[p]] / gains[letters[p ^ 1]], gains[letters[p]] / gains[other]
            if letters[p] == 1:
                _along(own, lies, across, around, right, one, first)
                _upright(own, beside, across, around, right, two, second)
            else:
                _green(own, lies, beside, around, right, one, first)
                _opposite(own, across, around, right, two, second)


@kernel
def _sum(a, b, out):
    for x in range(len(out)):
        out[x] = a[x] + b[x]


@kernel
def _copy(a, out):
    for x in range(len(out)):
        out[x] = a[x]


@kernel
def _green(own, lies, beside, around, right, gain, out):
    """Green at red or blue."""
    for x in range(2, len(out) - 2):
        near = lies[x + right - 1] + lies[x + right] + beside[x]
        far = own[x - 1] + own[x + 1] + around[x]
        out[x] = np.float32(0.125) * (
            np.float32(2) * near + gain * (np.float32(4) * own[x] - far)
        )  # fmt: skip


@kernel
def _opposite(own, across, around, right, gain, out):
    """Blue at red, red at blue."""
    for x in range(2, len(out) - 2):
        near = across[x + right - 1] + across[x + right]
        far = own[x - 1] + own[x + 1] + around[x]
        out[x] = np.float32(0.125) * (
            np.float32(2) * near + gain * (np.float32(6) * own[x] - np.float32(1.5) * far)
        )  # fmt: skip


@kernel
def _along(own, lies, across, around, right, gain, out):
    """At green: the color of its row."""
    for x in range(2, len(out) - 2):
        near = lies[x + right - 1] + lies[x + right]
        far = own[x - 1] + own[x + 1] + across[x + right - 1] + across[x + right]
        out[x] = np.float32(0.125) * (
            np.float32(4) * near
            + gain * (np.float32(5) * own[x] - far + np.float32(0.5) * around[x])
        )  # fmt: skip


@kernel
def _upright(own, beside, across, around, right, gain, out):
    """At green: the color of its column."""
    for x in range(2, len(out) - 2):
        far = around[x] + across[x + right - 1] + across[x + right]
        out[x] = np.float32(0.125) * (
            np.float32(4) * beside[x]
            + gain
            * (np.float32(5) * own[x] - far + np.float32(0.5) * (own[x - 1] + own[x + 1]))
        )  # fmt: skip
