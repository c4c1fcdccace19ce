"""LINEAR: the mean of the nearest samples of each color."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.develop.demosaic.border import fill_sides
from isptools.develop.demosaic.ends import NO_ENDS, PAD, Ends, first_color, show, take
from isptools.develop.planes import halved, quartered
from isptools.develop.rows import kernel, over_mosaic, part
from isptools.frame import empty

RING = 4  # rows in memory, a power of two above the three that are read together


def linear(
    mosaic: NDArray[np.uint16], colors: NDArray[np.uint8], scratch: bool = False,
    ends: Ends = NO_ENDS,
) -> NDArray[np.uint16]:  # fmt: skip
    """(H, W) balanced mosaic to (H, W, 3); `colors` holds 0, 1, 2 per 2x2 position.

    LibRaw: lin_interpolate. Its weights come down to truncated means of 2 or 4 neighbors.
    With `scratch` the mosaic is used up.
    """
    rgb = empty((*mosaic.shape, 3), np.uint16)
    over_mosaic(_strip, scratch, mosaic, colors, ends, rgb)
    return rgb


def _strip(source: Any, colors: Any, ends: Ends, rgb: Any, top: int, bottom: int) -> None:
    _linear(source, colors, ends, rgb, max(top, 1), min(bottom, len(source) - 1))
    fill_sides(source, colors, ends, 1, rgb, top, bottom)


@kernel
def _linear(source, colors, ends, rgb, top, bottom):
    width = source.shape[1]
    half = (width + 1) // 2
    samples = np.zeros((RING, 2, half + 2 * PAD), np.float32)
    pair, shown = np.zeros((2, 3, half), np.float32), np.zeros((2, 3, half), np.uint16)
    for y in range(top - 1, bottom + 1):
        take(source, ends, y, 0, samples[y % RING])
        if y > top:
            _row(samples, colors, y - 1, pair)
            show(pair, shown, ends, y - 1, (0, width // 2, 0), rgb)


@part
def _row(samples, colors, y, pair):
    """All colors of row y: at its red or blue sites, `pair[o]`, and at its green ones."""
    o = first_color(colors, y)
    own = colors[y % 2, o]
    up, down = samples[(y - 1) % RING], samples[(y + 1) % RING]
    color, green = samples[y % RING, o], samples[y % RING, 1 - o]
    end = len(color) - PAD
    above, below = up[1 - o], down[1 - o]  # red or blue ones: it is the other half there
    pair[o, own] = color[PAD:end]
    _of_four(up[o, PAD:], down[o, PAD:], green[PAD - 1 + o :], green[PAD + o :], pair[o, 1])
    _of_four(above[PAD - 1 + o :], above[PAD + o :], below[PAD - 1 + o :], below[PAD + o :],
             pair[o, 2 - own])  # fmt: skip
    pair[1 - o, 1] = green[PAD:end]
    _of_two(color[PAD - o :], color[PAD + 1 - o :], pair[1 - o, own])
    _of_two(above[PAD:], below[PAD:], pair[1 - o, 2 - own])


@part
def _of_two(a, b, out):
    for x in range(len(out)):
        out[x] = halved(a[x] + b[x])


@part
def _of_four(a, b, c, d, out):
    for x in range(len(out)):
        out[x] = quartered((a[x] + b[x]) + (c[x] + d[x]))
