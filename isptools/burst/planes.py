"""A Bayer mosaic as four planes of light, and the gray picture that is aligned.

A cell is the 2 x 2 pixels of one CFA period, so planes and gray have half the mosaic's size and an
offset of one cell is two pixels: a shift by whole or broken cells never changes a filter's color.
Planes are padded by repeating their border, so that tiles may begin before and end behind them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import kernel, over_rows
from isptools.frame import Array, Frame, empty

F32 = NDArray[np.float32]
PAD = 24  # cells on every side
HOP = 8  # cells from tile to tile; a tile has 16


def cells(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of cells, the last one incomplete where a side is odd."""
    return (shape[0] + 1) // 2, (shape[1] + 1) // 2


def grid(height: int, width: int) -> tuple[int, int]:
    """Tiles down and across: tile i covers cells 8 i - 8 to 8 i + 7, every cell lies in two."""
    return -(-height // HOP) + 1, -(-width // HOP) + 1


def padded(height: int, width: int) -> tuple[int, int]:
    """Height and width of a plane with whole tiles and its border, of a picture's, pixels."""
    rows, columns = grid(height, width)
    return rows * HOP + 2 * PAD, columns * HOP + 2 * PAD


def split(frame: Frame, gain: float | Array = 1.0, out: Array | None = None) -> F32:
    """(4, padded rows, padded columns) float32: DN above black times `gain`, nothing clipped.

    Planes are the CFA's positions read row by row, and so is `gain` where it is (4,). `out` takes
    the result where given.
    """
    height, width = cells(frame.pixels.shape)
    planes = empty((4, *padded(height, width)), np.float32) if out is None else out
    black = np.asarray(frame.capture.black, np.float32)
    gains = np.full(4, gain, np.float32)
    over_rows(_split, height, frame.pixels, black, gains, planes)
    border(planes, height, width)
    return planes


@kernel
def _split(mosaic, black, gain, planes, top, bottom):
    rows, columns = mosaic.shape
    for y in range(top, bottom):
        for position in range(4):
            at, shift = 2 * y + position // 2, position % 2
            row = mosaic[at if at < rows else at - 2]  # an odd side repeats the filter before
            out, level, times = planes[position, PAD + y], black[position], gain[position]
            for x in range(columns // 2):
                out[PAD + x] = (np.float32(row[2 * x + shift]) - level) * times
            if columns % 2:
                last = columns - 1 - 2 * shift + shift
                out[PAD + columns // 2] = (np.float32(row[last]) - level) * times


def border(planes: Any, height: int, width: int) -> None:
    """Repeat the outermost cells outwards."""
    planes[:, PAD : PAD + height, :PAD] = planes[:, PAD : PAD + height, PAD : PAD + 1]
    edge = planes[:, PAD : PAD + height, PAD + width - 1 : PAD + width]
    planes[:, PAD : PAD + height, PAD + width :] = edge
    planes[:, :PAD] = planes[:, PAD : PAD + 1]
    planes[:, PAD + height :] = planes[:, PAD + height - 1 : PAD + height]


def gray(planes: F32) -> F32:
    """Mean of the four planes, smoothed by (1, 2, 1)/4 along both sides; padded as they are."""
    rows, columns = planes.shape[1:]
    out = empty((rows, columns), np.float32)
    over_rows(_gray, rows, planes, out)
    return out


@kernel
def _gray(planes, out, top, bottom):
    rows, columns = out.shape
    mean = np.empty(columns, np.float32)
    for y in range(top, bottom):
        up, down = max(y - 1, 0), min(y + 1, rows - 1)
        for x in range(columns):
            mean[x] = planes[0, y, x] + planes[1, y, x] + planes[2, y, x] + planes[3, y, x]
        for x in range(columns):
            mean[x] += np.float32(0.5) * (
                planes[0, up, x] + planes[1, up, x] + planes[2, up, x] + planes[3, up, x]
            )
        for x in range(columns):
            mean[x] += np.float32(0.5) * (
                planes[0, down, x] + planes[1, down, x] + planes[2, down, x] + planes[3, down, x]
            )
        row = out[y]
        for x in range(1, columns - 1):
            row[x] = np.float32(0.03125) * (mean[x - 1] + mean[x] + mean[x] + mean[x + 1])
        row[0], row[columns - 1] = np.float32(0.125) * mean[0], np.float32(0.125) * mean[-1]


def means(planes: F32, height: int, width: int) -> F32:
    """(planes, tiles down, across): mean of every tile, from blocks of half a tile's side."""
    rows, columns = grid(height, width)
    blocks = np.empty((len(planes), rows + 1, columns + 1), np.float32)
    over_rows(_blocks, rows + 1, planes, blocks)
    pairs = blocks[:, 1:] + blocks[:, :-1]
    return np.asarray((pairs[..., 1:] + pairs[..., :-1]) / 4, np.float32)


@kernel
def _blocks(planes, blocks, top, bottom):
    """Means of HOP x HOP cells; the first one lies HOP before the picture."""
    for p in range(len(planes)):
        for y in range(top, bottom):
            for x in range(blocks.shape[2]):
                at, total = PAD - HOP + HOP * x, np.float32(0)
                for r in range(PAD - HOP + HOP * y, PAD + HOP * y):
                    for c in range(at, at + HOP):
                        total += planes[p, r, c]
                blocks[p, y, x] = total / np.float32(HOP * HOP)


def pyramid(level: F32, height: int, width: int) -> list[tuple[F32, int, int]]:
    """Gray pictures from full to coarse with their size in cells, each padded.

    Halved by (1, 4, 6, 4, 1)/16 until a side would fall below 3 tiles; at most 5 levels.
    """
    levels = [(level, height, width)]
    while len(levels) < 5 and min(height, width) >= 6 * HOP:
        height, width = (height + 1) // 2, (width + 1) // 2
        small = empty(padded(height, width), np.float32)
        over_rows(_halve, height, levels[-1][0], small)
        border(small[None], height, width)
        levels.append((small, height, width))
    return levels


@kernel
def _halve(large, small, top, bottom):
    columns = large.shape[1]
    width = min((columns - 2 * PAD + 1) // 2, small.shape[1] - 2 * PAD)
    sums = np.empty(columns, np.float32)
    for y in range(top, bottom):
        at = PAD + 2 * y
        for x in range(columns):
            sums[x] = (
                large[at - 2, x] + large[at + 2, x]
                + np.float32(4) * (large[at - 1, x] + large[at + 1, x])
                + np.float32(6) * large[at, x]
            )  # fmt: skip
        for x in range(width):
            c = PAD + 2 * x
            small[PAD + y, PAD + x] = np.float32(1 / 256) * (
                sums[c - 2] + sums[c + 2] + np.float32(4) * (sums[c - 1] + sums[c + 1])
                + np.float32(6) * sums[c]
            )  # fmt: skip
