"""Mean and noise of 8x8 blocks of every CFA plane, in one pass over a picture, compiled.

Or, for one picture of a process that has compiled nothing, over arrays: the same numbers.
"""

import numpy as np
from numpy.typing import NDArray

from isptools.compiled import is_loaded
from isptools.develop.rows import kernel

BLOCK = 8
F64 = NDArray[np.float64]
MOST = 16_000_000  # pixels that are done over arrays sooner than numba is loaded


def blocks(
    pixels: NDArray[np.uint16] | NDArray[np.float32], black: tuple[float, ...], white: float
) -> list[tuple[F64, F64]]:
    """Mean and noise variance of the usable 8x8 blocks of each CFA position, on the scale black 0,
    white 1.

    `black` is as in Capture: its length says how many positions there are. The variance is that
    of second differences along rows or columns, whichever is smaller, divided by 6: white noise
    has 6 times its variance there. A block that touches 0 or white is left out. All sums run in
    the order of NumPy's `mean` over an array of blocks: the same to the last bit.
    """
    side = round(len(black) ** 0.5)
    if pixels.size < MOST and not is_loaded():
        planes = [pixels[i // side :: side, i % side :: side] for i in range(len(black))]
        return [in_plane(*one, white) for one in zip(planes, black, strict=True)]
    most = (-(-pixels.shape[0] // side) // BLOCK) * (-(-pixels.shape[1] // side) // BLOCK)
    mean, variance = np.empty((2, len(black), most))
    counts = np.zeros(len(black), np.int64)
    view = pixels.view()
    view.setflags(write=False)  # compiled once, for read-only arrays
    _blocks(view, np.array(black, np.float64), side, float(white), mean, variance, counts)
    return [(mean[i, :count], variance[i, :count]) for i, count in enumerate(counts)]


def in_plane(plane: NDArray[np.generic], black: float, white: float) -> tuple[F64, F64]:
    """Mean and noise variance of the usable blocks of one plane (H, W), as `blocks` has them."""
    rows, columns = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    cut = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    found = cut.swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)
    low, high = found.min((1, 2)), found.max((1, 2))
    inside = (low > 0) & (high < black + 0.98 * (white - black))
    light = (found[inside].astype(np.float64) - black) / (white - black)
    bends = [(np.diff(light, 2, axis=axis) ** 2).mean((1, 2)) for axis in (1, 2)]
    return light.mean((1, 2)), np.minimum(*bends) / 6


@kernel
def _blocks(pixels, black, side, white, mean, variance, counts):
    """Fill `mean` and `variance`, and how many blocks of each position are usable.

    Pieces of rows of all columns' positions at once: short enough to stay in the nearest cache.
    """
    height, width = pixels.shape
    reach = BLOCK * side
    piece = reach * max(1, 256 // reach)
    light, bends = np.empty((BLOCK, piece)), np.empty((BLOCK, piece))
    total, along = np.empty(piece), np.empty(piece)
    levels, span = np.empty(piece), np.empty(piece)
    low, high = np.empty(piece, pixels.dtype), np.empty(piece, pixels.dtype)
    for phase in range(side):
        for x in range(piece):
            levels[x] = black[phase * side + x % side]
            span[x] = white - levels[x]
        for top in range(phase, height - (BLOCK - 1) * side, reach):
            for left in range(0, width - (BLOCK - 1) * side, piece):
                size = min(piece, width - left)
                _read(pixels, top, left, side, size, levels, span, light, low, high)
                _measure(light, size, side, total, along, bends)
                for at in range(0, size, reach):
                    for x in range(at, min(at + side, size - (BLOCK - 1) * side)):
                        i = phase * side + x - at
                        limit = black[i] + 0.98 * (white - black[i])
                        if _inside(low, high, x, side, limit):
                            rough = min(_joined(bends, x, side), _eight(along, x, side))
                            mean[i, counts[i]] = _eight(total, x, side) / (BLOCK * BLOCK)
                            variance[i, counts[i]] = rough / (BLOCK * (BLOCK - 2)) / 6
                            counts[i] += 1


@kernel
def _read(pixels, top, left, side, size, levels, span, light, low, high):
    """Eight rows of a plane, normalized, and the least and largest value of every column."""
    for y in range(BLOCK):
        row, out = pixels[top + y * side, left : left + size], light[y]
        for x in range(size):
            out[x] = (np.float64(row[x]) - levels[x]) / span[x]
        if y == 0:
            low[:size] = row
            high[:size] = row
        for x in range(size):
            value = row[x]
            low[x] = value if value < low[x] else low[x]
            high[x] = value if value > high[x] else high[x]


@kernel
def _inside(low, high, x, side, limit):
    least, most = low[x], high[x]
    for k in range(1, BLOCK):
        least, most = min(least, low[x + k * side]), max(most, high[x + k * side])
    return least > 0 and most < limit


@kernel
def _measure(light, size, side, total, along, bends):
    """Of every column: its sum, that of its squared second differences, and those along rows."""
    for x in range(size):
        a, b, c, d = light[0, x], light[1, x], light[2, x], light[3, x]
        e, f, g, h = light[4, x], light[5, x], light[6, x], light[7, x]
        total[x] = a + b + c + d + e + f + g + h
        ab, bc, cd, de, ef, fg, gh = b - a, c - b, d - c, e - d, f - e, g - f, h - g
        early = (bc - ab) * (bc - ab) + (cd - bc) * (cd - bc) + (de - cd) * (de - cd)
        late = early + (ef - de) * (ef - de) + (fg - ef) * (fg - ef)
        along[x] = late + (gh - fg) * (gh - fg)
    for y in range(BLOCK):
        row, out = light[y], bends[y]
        here, there = row[side:], row[2 * side :]
        for x in range(size - 2 * side):
            bend = (there[x] - here[x]) - (here[x] - row[x])
            out[x] = bend * bend


@kernel
def _eight(sums, x, side):
    """Eight columns of one plane as NumPy joins its running sums."""
    left = (sums[x] + sums[x + side]) + (sums[x + 2 * side] + sums[x + 3 * side])
    x += 4 * side
    return left + ((sums[x] + sums[x + side]) + (sums[x + 2 * side] + sums[x + 3 * side]))


@kernel
def _joined(bends, x, side):
    """The sum of 8 rows of 6 as NumPy's eight running sums take it: 4 rows are 3 turns of 8."""
    s, t = side, 2 * side
    a = b = c = d = e = f = g = h = 0.0
    for y in (0, 4):
        one, two, three, four = bends[y], bends[y + 1], bends[y + 2], bends[y + 3]
        a += one[x]
        b += one[x + s]
        c += one[x + t]
        d += one[x + s + t]
        e += one[x + 2 * t]
        f += one[x + 2 * t + s]
        g += two[x]
        h += two[x + s]
        a += two[x + t]
        b += two[x + s + t]
        c += two[x + 2 * t]
        d += two[x + 2 * t + s]
        e += three[x]
        f += three[x + s]
        g += three[x + t]
        h += three[x + s + t]
        a += three[x + 2 * t]
        b += three[x + 2 * t + s]
        c += four[x]
        d += four[x + s]
        e += four[x + t]
        f += four[x + s + t]
        g += four[x + 2 * t]
        h += four[x + 2 * t + s]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))
