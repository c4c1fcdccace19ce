"""Half size: each 2x2 block becomes one pixel."""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import kernel, over_rows
from isptools.frame import empty


def half(mosaic: NDArray[np.uint16], colors: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(H, W) to (ceil(H/2), ceil(W/2), 3): R, (G1 + G2) >> 1, B; `colors` with 3 for G2.

    A sample that an odd side cuts off counts as 0, as LibRaw has it (half_size).
    """
    height, width = (-(-side // 2) for side in mosaic.shape)
    rgb = empty((height, width, 3), np.uint16)
    over_rows(_half, height, mosaic, colors, rgb)
    return rgb


@kernel
def _half(mosaic, colors, rgb, top, bottom):
    height = mosaic.shape[0]
    sites = np.zeros((4, rgb.shape[1]), np.uint32)
    for y in range(top, bottom):
        for v in range(2):
            for u in range(2):
                site = sites[colors[v, u]]
                if 2 * y + v < height:
                    _every_second(mosaic[2 * y + v, u:], site)
                else:
                    site[:] = 0
        red, green, second, blue = sites[0], sites[1], sites[3], sites[2]
        for x in range(rgb.shape[1]):
            rgb[y, x, 0] = red[x]
            rgb[y, x, 1] = (green[x] + second[x]) >> np.uint32(1)
            rgb[y, x, 2] = blue[x]


@kernel
def _every_second(row, out):
    count = (len(row) + 1) // 2
    for x in range(count):
        out[x] = row[2 * x]
    out[count:] = 0
