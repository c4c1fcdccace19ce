"""Half size: each 2x2 block becomes one pixel."""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import kernel, over_rows


def half(mosaic: NDArray[np.uint16], colors: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(H, W) to (ceil(H/2), ceil(W/2), 3): R, (G1 + G2) >> 1, B; `colors` with 3 for G2.

    A sample that an odd side cuts off counts as 0, as LibRaw has it (half_size).
    """
    height, width = (-(-side // 2) for side in mosaic.shape)
    rgb = np.empty((height, width, 3), np.uint16)
    over_rows(_half, height, mosaic, colors, rgb)
    return rgb


@kernel
def _half(mosaic, colors, rgb, top, bottom):
    for y in range(top, bottom):
        for x in range(rgb.shape[1]):
            site = np.zeros(4, np.uint32)
            for v in range(2 * y, min(2 * y + 2, mosaic.shape[0])):
                for u in range(2 * x, min(2 * x + 2, mosaic.shape[1])):
                    site[colors[v % 2, u % 2]] = mosaic[v, u]
            rgb[y, x, 0] = site[0]
            rgb[y, x, 1] = (site[1] + site[3]) >> np.uint32(1)
            rgb[y, x, 2] = site[2]
