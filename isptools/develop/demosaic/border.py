"""The frame around the picture that a method's window does not reach."""

import numpy as np

from isptools.develop.rows import kernel


@kernel
def mean_of_window(mosaic, colors, y, x, color):
    """Mean of the samples of one color in the 3x3 window, integer division; own sample as it is.

    `colors` holds 0, 1, 2 per CFA position. LibRaw: border_interpolate.
    """
    side = colors.shape[0]
    if colors[y % side, x % side] == color:
        return mosaic[y, x]
    total, count = np.uint32(0), np.uint32(0)
    for v in range(max(y - 1, 0), min(y + 2, mosaic.shape[0])):
        for u in range(max(x - 1, 0), min(x + 2, mosaic.shape[1])):
            if colors[v % side, u % side] == color:
                total += np.uint32(mosaic[v, u])
                count += np.uint32(1)
    return np.uint16(total // max(count, np.uint32(1)))


@kernel
def fill(mosaic, colors, y, left, right, rgb):
    """All three colors of pixels [left, right) of row y."""
    for x in range(left, right):
        for color in range(3):
            rgb[y, x, color] = mean_of_window(mosaic, colors, y, x, color)


@kernel
def fill_sides(mosaic, colors, y, reach, rgb):
    """Row y where it lies in the frame of width `reach`; True where the whole row does."""
    height, width = mosaic.shape
    if y < reach or y >= height - reach or width <= 2 * reach:
        fill(mosaic, colors, y, 0, width, rgb)
        return True
    fill(mosaic, colors, y, 0, reach, rgb)
    fill(mosaic, colors, y, width - reach, width, rgb)
    return False
