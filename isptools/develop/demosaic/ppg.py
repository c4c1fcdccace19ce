"""PPG: patterned pixel grouping (Chuan-kai Lin), as LibRaw computes it.

Row by row in float32 (see isptools.develop.planes): every quantity is computed at every site, and
the one that belongs there is chosen.
"""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.demosaic.border import fill, mean_of_window
from isptools.develop.demosaic.green import guess
from isptools.develop.planes import clamped, difference, halved, join_floats, quartered, to_float
from isptools.develop.rows import kernel, over_mosaic
from isptools.frame import empty

RING = 8  # rows of samples in memory: three above and below the row whose green is computed
THREE, TWO = np.float32(3), np.float32(2)


def ppg(
    mosaic: NDArray[np.uint16], colors: NDArray[np.uint8], scratch: bool = False
) -> NDArray[np.uint16]:
    """(H, W) balanced mosaic to (H, W, 3); `colors` holds 0, 1, 2 per 2x2 position.

    LibRaw: ppg_interpolate. Green first, in the direction of the smaller gradient; red and blue
    from it. Greens of the outer three pixels are means; the outermost pixel is all means.
    With `scratch` the mosaic is used up.
    """
    rgb = empty((*mosaic.shape, 3), np.uint16)
    over_mosaic(_ppg, scratch, mosaic, colors, rgb)
    return rgb


@kernel
def _ppg(mosaic, colors, rgb, top, bottom):
    height, width = mosaic.shape
    sample = np.zeros((RING, width), np.float32)
    green = np.zeros((RING, width), np.float32)
    delta = np.zeros((RING, width), np.float32)
    work = np.empty((4, width), np.float32)
    for y in range(max(top - 4, 0), min(top + 2, height)):
        to_float(mosaic[y], sample[y % RING])
    for y in range(max(top - 1, 0), min(bottom + 1, height)):
        if y + 3 < height:
            to_float(mosaic[y + 3], sample[(y + 3) % RING])
        if y + 2 < height:
            to_float(mosaic[y + 2], sample[(y + 2) % RING])
        _green_row(mosaic, colors, y, sample, work, green[y % RING])
        difference(sample[y % RING], green[y % RING], delta[y % RING])
        if y - 1 >= max(top, 1):
            row = rgb[y - 1].reshape(3 * width)
            _red_and_blue(colors, y - 1, sample, green, delta, work, row)
    for y in range(top, bottom):
        if y == 0 or y == height - 1 or width < 3:
            fill(mosaic, colors, y, 0, width, rgb)
        else:
            fill(mosaic, colors, y, 0, 1, rgb)
            fill(mosaic, colors, y, width - 1, width, rgb)


@kernel
def _green_row(mosaic, colors, y, sample, work, green):
    height, width = mosaic.shape
    inside = 3 <= y < height - 3 and width > 6
    if inside:
        far_up, up_2, up = sample[(y - 3) % RING], sample[(y - 2) % RING], sample[(y - 1) % RING]
        down, down_2, far = sample[(y + 1) % RING], sample[(y + 2) % RING], sample[(y + 3) % RING]
        row = sample[y % RING]
        guess_h, steep_h, guess_v, steep_v = work[0], work[1], work[2], work[3]
        guess(row[1:], row[2:], row[3:], row[4:], row[5:], guess_h[3 : width - 3])
        _steep(row[1:], row[2:], row[3:], row[4:], row[5:], steep_h[3 : width - 3])
        _steeper(row, row[2:], steep_h[3 : width - 3])
        _steeper(row[6:], row[4:], steep_h[3 : width - 3])
        guess(up_2, up, row, down, down_2, guess_v)
        _steep(up_2, up, row, down, down_2, steep_v)
        _steeper(far_up, up, steep_v)
        _steeper(far, down, steep_v)
        for x in range(width):
            green[x] = guess_v[x] if steep_h[x] > steep_v[x] else guess_h[x]
        for x in range(0 if colors[y % 2, 0] == 1 else 1, width, 2):
            green[x] = row[x]
    for x in range(width):
        if inside and x == 3:
            break
        green[x] = mean_of_window(mosaic, colors, y, x, 1)
    if inside:
        for x in range(width - 3, width):
            green[x] = mean_of_window(mosaic, colors, y, x, 1)


@kernel
def _steep(c2, g1, here, d1, e2, out):
    for x in range(len(out)):
        out[x] = THREE * (abs(c2[x] - here[x]) + abs(e2[x] - here[x]) + abs(g1[x] - d1[x]))


@kernel
def _steeper(far, near, out):
    for x in range(len(out)):
        out[x] += TWO * abs(far[x] - near[x])


@kernel
def _red_and_blue(colors, y, sample, green, delta, work, out):
    """Row y but its first and last pixel."""
    up, here, down = (y - 1) % RING, y % RING, (y + 1) % RING
    own, other = work[0], work[1]
    green_first = colors[y % 2, 0] == 1
    own_color = colors[y % 2, 1] if green_first else colors[y % 2, 0]
    first = 0 if green_first else 1  # column of the first green
    width = len(own)
    _across(green[here], delta[here], own)
    _along(green[here], delta[up], delta[down], other)
    _lean(sample[up], sample[down], green[up], green[down], green[here], work[2])
    _corners(green[here], delta[up], delta[down], work[2], work[3])
    for x in range(1 - first, width, 2):
        own[x] = sample[here, x]
        other[x] = work[3, x]
    if own_color == 0:
        join_floats(own, green[here], other, out)
    else:
        join_floats(other, green[here], own, out)


@kernel
def _across(green, delta, out):
    left, right = delta, delta[2:]
    for x in range(len(out) - 2):
        out[x + 1] = clamped(green[x + 1] + halved(left[x] + right[x]))
    out[0], out[-1] = np.float32(0), np.float32(0)


@kernel
def _along(green, above, below, out):
    for x in range(len(out)):
        out[x] = clamped(green[x] + halved(above[x] + below[x]))


@kernel
def _lean(up, down, green_up, green_down, green, out):
    """Gradient along the falling diagonal minus that along the rising one."""
    up_r, down_r, green_up_r, green_down_r = up[2:], down[2:], green_up[2:], green_down[2:]
    here = green[1:]
    for x in range(len(up) - 2):
        out[x + 1] = (
            abs(up[x] - down_r[x]) + abs(green_up[x] - here[x]) + abs(green_down_r[x] - here[x])
        )
    for x in range(len(up) - 2):
        out[x + 1] -= (
            abs(up_r[x] - down[x]) + abs(green_up_r[x] - here[x]) + abs(green_down[x] - here[x])
        )


@kernel
def _corners(green, above, below, lean, out):
    above_r, below_r, here, leans = above[2:], below[2:], green[1:], lean[1:]
    for x in range(len(out) - 2):
        falling, rising = above[x] + below_r[x], above_r[x] + below[x]
        one = falling if leans[x] < 0 else rising
        value = quartered(falling + rising) if leans[x] == 0 else halved(one)
        out[x + 1] = clamped(here[x] + value)
    out[0], out[-1] = np.float32(0), np.float32(0)
