"""PPG: patterned pixel grouping (Chuan-kai Lin), as LibRaw computes it.

Row by row in float32 (see isptools.develop.planes), each half row by itself: red or blue sites and
green ones (see isptools.develop.demosaic.ends).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.develop.demosaic.border import fill_sides, means
from isptools.develop.demosaic.ends import NO_ENDS, PAD, Ends, first_color, show, take
from isptools.develop.demosaic.green import guess
from isptools.develop.planes import clamped, difference, halved, quartered
from isptools.develop.rows import kernel, over_mosaic, part
from isptools.frame import empty

REACH = 3  # greens of the outer pixels are means
RING = 8  # rows of samples in memory: three above and below the row whose green is computed
THREE, TWO = np.float32(3), np.float32(2)


def ppg(
    mosaic: NDArray[np.uint16], colors: NDArray[np.uint8], scratch: bool = False,
    ends: Ends = NO_ENDS,
) -> NDArray[np.uint16]:  # fmt: skip
    """(H, W) balanced mosaic to (H, W, 3); `colors` holds 0, 1, 2 per 2x2 position.

    LibRaw: ppg_interpolate. Green first, in the direction of the smaller gradient; red and blue
    from it. Greens of the outer three pixels are means; the outermost pixel is all means.
    With `scratch` the mosaic is used up.
    """
    rgb = empty((*mosaic.shape, 3), np.uint16)
    over_mosaic(_strip, scratch, mosaic, colors, ends, rgb)
    return rgb


def _strip(source: Any, colors: Any, ends: Ends, rgb: Any, top: int, bottom: int) -> None:
    _ppg(source, colors, ends, rgb, max(top, 1), min(bottom, len(source) - 1))
    fill_sides(source, colors, ends, 1, rgb, top, bottom)


@kernel
def _ppg(source, colors, ends, rgb, top, bottom):
    height, width = source.shape
    half = (width + 1) // 2
    samples = np.zeros((RING, 2, half + 2 * PAD), np.float32)
    green, delta = np.zeros((2, RING, half + 2 * PAD), np.float32)  # at red and blue sites
    work = np.zeros((5, half), np.float32)
    pair, shown = np.zeros((2, 3, half), np.float32), np.zeros((2, 3, half), np.uint16)
    made, taken = max(top - 1, 0), max(top - 1 - REACH, 0)
    for y in range(top, bottom):
        while made < min(y + 2, height):
            while taken < min(made + REACH + 1, height):
                take(source, ends, taken, 0, samples[taken % RING])
                taken += 1
            here = made % RING
            _green_row(samples, colors, made, height, work, green[here])
            _green_sides(source, colors, ends, made, green[here])
            o = first_color(colors, made)
            difference(samples[here, o], green[here], delta[here])
            made += 1
        _row(samples, colors, y, (green, delta), work, pair)
        show(pair, shown, ends, y, (0, width // 2, 0), rgb)


@part
def _green_row(samples, colors, y, height, work, green):
    """Greens of the red or blue sites of row y, in the direction of the smaller gradient."""
    if not REACH <= y < height - REACH:
        return
    o = first_color(colors, y)
    color, row = samples[y % RING, o], samples[y % RING, 1 - o]
    left, right = row[PAD - 1 + o :], row[PAD + o :]
    far_left, far_right = row[PAD - 2 + o :], row[PAD + 1 + o :]
    guess_h, steep_h, guess_v, steep_v = work[0], work[1], work[2], work[3]
    here, before, behind = color[PAD:], color[PAD - 1 :], color[PAD + 1 :]
    guess(before, left, here, right, behind, guess_h)
    _steep(before, left, here, right, behind, steep_h)
    _steeper(far_left, left, far_right, right, steep_h)
    up, down = samples[(y - 1) % RING, o, PAD:], samples[(y + 1) % RING, o, PAD:]
    up_2, down_2 = samples[(y - 2) % RING, o, PAD:], samples[(y + 2) % RING, o, PAD:]
    far_up, far_down = samples[(y - 3) % RING, o, PAD:], samples[(y + 3) % RING, o, PAD:]
    guess(up_2, up, here, down, down_2, guess_v)
    _steep(up_2, up, here, down, down_2, steep_v)
    _steeper(far_up, up, far_down, down, steep_v)
    _flatter(guess_h, guess_v, steep_h, steep_v, green[PAD:])


@part
def _flatter(h, v, steep_h, steep_v, out):
    for x in range(len(h)):
        out[x] = v[x] if steep_h[x] > steep_v[x] else h[x]


@part
def _green_sides(source, colors, ends, y, green):
    """Means at the red or blue sites of row y that lie in the frame of width REACH."""
    height, width = source.shape
    sums = np.zeros((2, 3), np.int64)
    o = first_color(colors, y)
    whole = not REACH <= y < height - REACH or width <= 2 * REACH
    for x in range(o, width, 2):
        if whole or x < REACH or x >= width - REACH:
            means(source, colors, ends, (y, x), sums)
            green[PAD + x // 2] = np.float32(sums[0, 1])


@part
def _steep(c2, g1, here, d1, e2, out):
    for x in range(len(out)):
        out[x] = THREE * (abs(c2[x] - here[x]) + abs(e2[x] - here[x]) + abs(g1[x] - d1[x]))


@part
def _steeper(far, near, far_2, near_2, out):
    for x in range(len(out)):
        out[x] += TWO * (abs(far[x] - near[x]) + abs(far_2[x] - near_2[x]))


@part
def _row(samples, colors, y, made, work, pair):
    """All colors of row y but its first and last pixel."""
    green, delta = made
    up, here, down = (y - 1) % RING, y % RING, (y + 1) % RING
    o = first_color(colors, y)
    own = colors[y % 2, o]
    end = green.shape[1] - PAD
    pair[o, own] = samples[here, o, PAD:end]
    pair[o, 1] = green[here, PAD:end]
    lean, start = work[4], PAD - 1 + o  # of the neighbor at the upper or lower left
    _lean(samples[up, 1 - o, start:], samples[down, 1 - o, start:], green[up, start:],
          green[down, start:], green[here, PAD:], lean)  # fmt: skip
    _corners(green[here, PAD:], delta[up, start:], delta[down, start:], lean, pair[o, 2 - own])
    known = samples[here, 1 - o, PAD:end]
    pair[1 - o, 1] = known
    _between(known, delta[here, PAD - o :], delta[here, PAD + 1 - o :], pair[1 - o, own])
    _between(known, delta[up, PAD:], delta[down, PAD:], pair[1 - o, 2 - own])


@part
def _between(green, one, other, out):
    for x in range(len(out)):
        out[x] = clamped(green[x] + halved(one[x] + other[x]))


@part
def _lean(up, down, green_up, green_down, here, out):
    """Gradient along the falling diagonal minus that along the rising one."""
    up_r, down_r, green_up_r, green_down_r = up[1:], down[1:], green_up[1:], green_down[1:]
    for x in range(len(out)):
        out[x] = (
            abs(up[x] - down_r[x]) + abs(green_up[x] - here[x]) + abs(green_down_r[x] - here[x])
        )
    for x in range(len(out)):
        out[x] -= (
            abs(up_r[x] - down[x]) + abs(green_up_r[x] - here[x]) + abs(green_down[x] - here[x])
        )


@part
def _corners(green, above, below, lean, out):
    above_r, below_r = above[1:], below[1:]
    for x in range(len(out)):
        falling, rising = above[x] + below_r[x], above_r[x] + below[x]
        one = falling if lean[x] < 0 else rising
        value = quartered(falling + rising) if lean[x] == 0 else halved(one)
        out[x] = clamped(green[x] + value)
