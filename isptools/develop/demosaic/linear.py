"""LINEAR: the mean of the nearest samples of each color."""

import numpy as np
from numpy.typing import NDArray

from isptools.develop.demosaic.border import fill_sides
from isptools.develop.rows import kernel, over_mosaic
from isptools.frame import empty


def linear(
    mosaic: NDArray[np.uint16], colors: NDArray[np.uint8], scratch: bool = False
) -> NDArray[np.uint16]:
    """(H, W) balanced mosaic to (H, W, 3); `colors` holds 0, 1, 2 per 2x2 position.

    LibRaw: lin_interpolate. Its weights come down to truncated means of 2 or 4 neighbors.
    With `scratch` the mosaic is used up.
    """
    rgb = empty((*mosaic.shape, 3), np.uint16)
    over_mosaic(_linear, scratch, mosaic, colors, rgb)
    return rgb


@kernel
def _linear(mosaic, colors, rgb, top, bottom):
    width = mosaic.shape[1]
    for y in range(top, bottom):
        if fill_sides(mosaic, colors, y, 1, rgb):
            continue
        up, row, down, out = mosaic[y - 1], mosaic[y], mosaic[y + 1], rgb[y]
        first = 1 if colors[y % 2, 1] == 1 else 2  # first green site of the row, from column 1
        own = colors[y % 2, 1 - first % 2]  # the other color of this row
        for x in range(first, width - 1, 2):
            out[x, 1] = row[x]
            out[x, own] = (np.uint32(row[x - 1]) + row[x + 1]) >> np.uint32(1)
            out[x, 2 - own] = (np.uint32(up[x]) + down[x]) >> np.uint32(1)
        for x in range(3 - first, width - 1, 2):
            out[x, own] = row[x]
            cross = np.uint32(row[x - 1]) + row[x + 1] + up[x] + down[x]
            corners = np.uint32(up[x - 1]) + up[x + 1] + down[x - 1] + down[x + 1]
            out[x, 1] = cross >> np.uint32(2)
            out[x, 2 - own] = corners >> np.uint32(2)
