"""PPG: patterned pixel grouping (Chuan-kai Lin), as LibRaw computes it."""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.demosaic.border import fill, mean_of_window
from isptools.develop.rows import kernel, over_rows


def ppg(mosaic: NDArray[np.uint16], colors: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(H, W) balanced mosaic to (H, W, 3); `colors` holds 0, 1, 2 per 2x2 position.

    LibRaw: ppg_interpolate. Green first, in the direction of the smaller gradient; red and blue
    from it. Greens of the outer three pixels are means; the outermost pixel is all means.
    """
    rgb = np.empty((*mosaic.shape, 3), np.uint16)
    over_rows(_ppg, len(mosaic), mosaic, colors, rgb)
    return rgb


@kernel
def _ppg(mosaic, colors, rgb, top, bottom):
    height, width = mosaic.shape
    green = np.empty((3, width), np.int32)
    for y in range(max(top - 1, 0), top + 1):
        _green_row(mosaic, colors, y, green[y % 3])
    for y in range(top, bottom):
        if y + 1 < height:
            _green_row(mosaic, colors, y + 1, green[(y + 1) % 3])
        if y == 0 or y == height - 1 or width < 3:
            fill(mosaic, colors, y, 0, width, rgb)
            continue
        fill(mosaic, colors, y, 0, 1, rgb)
        fill(mosaic, colors, y, width - 1, width, rgb)
        above, here, below = green[(y - 1) % 3], green[y % 3], green[(y + 1) % 3]
        _red_and_blue(mosaic, colors, y, above, here, below, rgb[y])


@kernel
def _green_row(mosaic, colors, y, green):
    height, width = mosaic.shape
    inside = 3 <= y < height - 3 and width > 6
    edge = 3 if inside else width
    for x in range(min(edge, width)):
        green[x] = mean_of_window(mosaic, colors, y, x, 1)
    if not inside:
        return
    for x in range(width - 3, width):
        green[x] = mean_of_window(mosaic, colors, y, x, 1)
    first = 3 if colors[y % 2, 1] == 1 else 4
    for x in range(first, width - 3, 2):
        green[x] = mosaic[y, x]
    for x in range(7 - first, width - 3, 2):
        here = np.int32(mosaic[y, x])
        guess_h, diff_h = _guess(
            np.int32(mosaic[y, x - 3]), np.int32(mosaic[y, x - 2]), np.int32(mosaic[y, x - 1]),
            here, np.int32(mosaic[y, x + 1]), np.int32(mosaic[y, x + 2]),
            np.int32(mosaic[y, x + 3]),
        )  # fmt: skip
        guess_v, diff_v = _guess(
            np.int32(mosaic[y - 3, x]), np.int32(mosaic[y - 2, x]), np.int32(mosaic[y - 1, x]),
            here, np.int32(mosaic[y + 1, x]), np.int32(mosaic[y + 2, x]),
            np.int32(mosaic[y + 3, x]),
        )  # fmt: skip
        green[x] = guess_v if diff_h > diff_v else guess_h


@kernel
def _guess(g3, c2, g1, c, d1, e2, d3):
    """Green in one direction from seven samples in a row, clamped, and the gradient there."""
    guess = (2 * (g1 + c + d1) - c2 - e2) >> 2
    diff = 3 * (abs(c2 - c) + abs(e2 - c) + abs(g1 - d1)) + 2 * (abs(d3 - d1) + abs(g3 - g1))
    return max(min(g1, d1), min(guess, max(g1, d1))), diff


@kernel
def _red_and_blue(mosaic, colors, y, above, here, below, out):
    width = mosaic.shape[1]
    up, row, down = mosaic[y - 1], mosaic[y], mosaic[y + 1]
    first = 1 if colors[y % 2, 1] == 1 else 2
    own = colors[y % 2, 1 - first % 2]
    for x in range(first, width - 1, 2):
        twice = 2 * here[x]
        across = np.int32(row[x - 1]) + np.int32(row[x + 1]) + twice - here[x - 1] - here[x + 1]
        along = np.int32(up[x]) + np.int32(down[x]) + twice - above[x] - below[x]
        out[x, 1] = here[x]
        out[x, own] = max(0, min(across >> 1, 65535))
        out[x, 2 - own] = max(0, min(along >> 1, 65535))
    for x in range(3 - first, width - 1, 2):
        twice = 2 * here[x]
        a, b = np.int32(up[x - 1]), np.int32(down[x + 1])
        c, d = np.int32(up[x + 1]), np.int32(down[x - 1])
        guess_1 = a + b + twice - above[x - 1] - below[x + 1]
        guess_2 = c + d + twice - above[x + 1] - below[x - 1]
        diff_1 = abs(a - b) + abs(above[x - 1] - here[x]) + abs(below[x + 1] - here[x])
        diff_2 = abs(c - d) + abs(above[x + 1] - here[x]) + abs(below[x - 1] - here[x])
        if diff_1 == diff_2:
            value = (guess_1 + guess_2) >> 2
        elif diff_1 < diff_2:
            value = guess_1 >> 1
        else:
            value = guess_2 >> 1
        out[x, own] = row[x]
        out[x, 1] = here[x]
        out[x, 2 - own] = max(0, min(value, 65535))
