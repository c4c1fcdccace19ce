"""All three colors of a frame at every pixel, so that a tile can be taken from between its pixels.

Shifting a single CFA plane by a broken number of cells smears whatever is finer than the plane's
own sampling, which on photographs is more than the noise. With the other colors' help (Malvar, He
and Cutler 2004, linear 5 x 5 kernels) less than half of that error remains, at the same noise; a
shift by whole cells still gives back the frame's own numbers.
"""

import numpy as np

from isptools.burst.planes import F32
from isptools.develop.rows import kernel, over_rows
from isptools.frame import Array, empty

MARGIN = 2  # outermost cells that are left empty


def interpolated(planes: F32, cfa: str, out: Array | None = None) -> F32:
    """(3, rows, columns) float32 from planes (4, rows / 2, columns / 2) of a Bayer mosaic.

    A row holds its even pixels first, then its odd ones, as each half is what a tile takes. Order
    R, G, B; same numbers as `planes`, nothing clipped.
    """
    _, rows, columns = planes.shape
    colors = empty((3, 2 * rows, 2 * columns), np.float32) if out is None else out
    letters = np.array(["RGB".index(letter) for letter in cfa], np.int64)
    over_rows(_interpolate, rows - 2 * MARGIN, planes, letters, colors)
    return colors


@kernel
def _interpolate(planes, letters, colors, top, bottom):
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
            if letters[p] == 1:
                _along(own, lies, across, around, right, first)
                _upright(own, beside, across, around, right,
                         colors[letters[p ^ 2], at, start : start + width])  # fmt: skip
            else:
                _green(own, lies, beside, around, right, first)
                _opposite(own, across, around, right,
                          colors[letters[p ^ 3], at, start : start + width])  # fmt: skip


@kernel
def _sum(a, b, out):
    for x in range(len(out)):
        out[x] = a[x] + b[x]


@kernel
def _copy(a, out):
    for x in range(len(out)):
        out[x] = a[x]


@kernel
def _green(own, lies, beside, around, right, out):
    """Green at red or blue."""
    for x in range(2, len(out) - 2):
        near = lies[x + right - 1] + lies[x + right] + beside[x]
        far = own[x - 1] + own[x + 1] + around[x]
        out[x] = np.float32(0.125) * (
            np.float32(4) * own[x] + np.float32(2) * near - far
        )  # fmt: skip


@kernel
def _opposite(own, across, around, right, out):
    """Blue at red, red at blue."""
    for x in range(2, len(out) - 2):
        near = across[x + right - 1] + across[x + right]
        far = own[x - 1] + own[x + 1] + around[x]
        out[x] = np.float32(0.125) * (
            np.float32(6) * own[x] + np.float32(2) * near - np.float32(1.5) * far
        )  # fmt: skip


@kernel
def _along(own, lies, across, around, right, out):
    """At green: the color of its row."""
    for x in range(2, len(out) - 2):
        near = lies[x + right - 1] + lies[x + right]
        far = own[x - 1] + own[x + 1] + across[x + right - 1] + across[x + right]
        out[x] = np.float32(0.125) * (
            np.float32(5) * own[x] + np.float32(4) * near - far + np.float32(0.5) * around[x]
        )  # fmt: skip


@kernel
def _upright(own, beside, across, around, right, out):
    """At green: the color of its column."""
    for x in range(2, len(out) - 2):
        far = around[x] + across[x + right - 1] + across[x + right]
        out[x] = np.float32(0.125) * (
            np.float32(5) * own[x] + np.float32(4) * beside[x] - far
            + np.float32(0.5) * (own[x - 1] + own[x + 1])
        )  # fmt: skip
