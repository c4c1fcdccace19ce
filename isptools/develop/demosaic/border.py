"""The frame around the picture that a method's window does not reach."""

import numpy as np

from isptools.develop.demosaic.ends import prepared, put
from isptools.develop.rows import kernel, part


@part
def means(source, colors, ends, place, sums):
    """Red, green and blue at (y, x) into sums[0]: means of the samples of a 3x3 window.

    Integer division; its own sample as it is. `colors` holds 0, 1, 2 per 2x2 position, `sums` is
    (2, 3). LibRaw: border_interpolate.
    """
    y, x = place
    height, width = source.shape
    sums[:] = 0
    for v in range(max(y - 1, 0), min(y + 2, height)):
        for u in range(max(x - 1, 0), min(x + 2, width)):
            color = colors[v % 2, u % 2]
            value = prepared(source[v, u], ends.black[v % 2, u % 2], ends.factor[v % 2, u % 2])
            sums[0, color] += np.int64(value)
            sums[1, color] += 1
    for color in range(3):
        sums[0, color] //= max(sums[1, color], 1)
    own = prepared(source[y, x], ends.black[y % 2, x % 2], ends.factor[y % 2, x % 2])
    sums[0, colors[y % 2, x % 2]] = np.int64(own)


@kernel
def fill_sides(source, colors, ends, reach, rgb, top, bottom):
    """Of rows [top, bottom) what lies in the frame of width `reach`."""
    height, width = source.shape
    sums = np.zeros((2, 3), np.int64)
    for y in range(top, bottom):
        whole = y < reach or y >= height - reach or width <= 2 * reach
        for x in range(width if whole else 2 * reach):
            at = x if whole or x < reach else width - 2 * reach + x
            _fill(source, colors, ends, (y, at), sums, rgb)


@part
def _fill(source, colors, ends, place, sums, rgb):
    means(source, colors, ends, place, sums)
    r, g, b = np.float32(sums[0, 0]), np.float32(sums[0, 1]), np.float32(sums[0, 2])
    put(r, g, b, ends, place, rgb)
