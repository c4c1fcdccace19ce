"""What `check` wants of every pixel of a pair, in one pass over an input and one over a truth.

Compiled; integers are looked up in tables of what they mean, so that a curve is computed once for
each of them and not for each pixel. What is measured from it stands in `agree` and `seen`.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools import patches
from isptools.compiled import kernel
from isptools.shards.schema import InputRow

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
NONE = np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What was found of an input (H, W) with a CFA of P positions."""

    counts: NDArray[np.int64]  # (65536,) pixels of each integer
    cells: F64  # (H / period, W / period) their weighted sums, shading undone
    means: F64  # (P, R, C) by blocks of a side, as the sensor had it
    peak: F64  # (R, C) the largest value of each block


def own(
    pixels: NDArray[np.uint16], row: InputRow, weights: F64, side: int, gains: F32 | None = None
) -> Own:
    """Of an input's integers, normalized: 0 at black, 1 at white, not clipped.

    `weights` (P,) are those of a cell's positions; by `gains` (H, W) cells are multiplied; `side`
    is that of blocks in pixels, a multiple of the CFA's period.
    """
    every = patches.period(row.cfa)
    rows, columns = pixels.shape
    black = np.asarray(row.black, np.float64)
    levels = np.stack([black, row.white - black]).reshape(2, every, every)
    means = np.zeros((every, every, rows // side, columns // side))
    peak = np.full((rows // side, columns // side), -np.inf)
    cells = np.zeros((rows // every, columns // every))
    _blocks(pixels, levels, side, means, peak)
    grown = NONE if gains is None else gains
    _luminance(pixels, levels, weights.reshape(every, every), grown, cells)
    means = means.reshape(-1, *peak.shape) / (side // every) ** 2
    return Own(counts(pixels, np.iinfo(pixels.dtype).max), cells, means, peak)


def counts(pixels: NDArray[Any], largest: int) -> NDArray[np.int64]:
    """How many pixels (H, W) have each integer from 0 to `largest`."""
    out = np.zeros((4, largest + 1), np.int64)
    _counted(pixels, out)
    return np.asarray(out.sum(0))


@kernel
def _counted(pixels: Any, counts: Any) -> None:
    """Into four counts, so that equal neighbors do not wait for each other."""
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            counts[x & 3, pixels[y, x]] += 1


@kernel
def _normalized(line: Any, levels: Any, y: int, light: Any) -> None:
    """Row `y` of a mosaic, as float32; `levels` are black and white above it by position."""
    every = levels.shape[1]
    for q in range(every):
        low, wide = levels[0, y % every, q], levels[1, y % every, q]
        for x in range(q, line.shape[0], every):
            light[x] = np.float32((line[x] - low) / wide)


@kernel
def _folded(sums: Any, side: int, out: Any) -> None:
    """Add columns of sums to blocks of `side` columns; sums begin anew."""
    for c in range(out.shape[0]):
        total = 0.0
        for x in range(c * side, c * side + side):
            total += sums[x]
        out[c] += total
    sums[:] = 0


@kernel
def _blocks(pixels: Any, levels: Any, side: int, means: Any, peak: Any) -> None:
    """Fill sums by position, and the largest values. Columns are summed first: that runs wide."""
    every, columns = levels.shape[1], pixels.shape[1]
    light, most = np.empty(columns, np.float32), np.empty(columns, np.float32)
    sums = np.zeros((every, columns))
    for y in range(peak.shape[0] * side):
        b = y // side
        _normalized(pixels[y], levels, y, light)
        if y % side == 0:
            most[:] = light
        total = sums[y % every]
        for x in range(columns):
            total[x] += light[x]
            most[x] = max(most[x], light[x])
        if y % side < side - 1:
            continue
        for c in range(peak.shape[1]):
            top = most[c * side]
            for x in range(c * side + 1, c * side + side):
                top = max(top, most[x])
            peak[b, c] = top
            for p in range(every):
                for q in range(every):
                    total_of = 0.0
                    for x in range(c * side + q, c * side + side, every):
                        total_of += sums[p, x]
                    means[p, q, b, c] = total_of
        sums[:] = 0


@kernel
def _luminance(pixels: Any, levels: Any, weights: Any, gains: Any, cells: Any) -> None:
    """Fill weighted sums of the positions of each cell."""
    every, light = levels.shape[1], np.empty(pixels.shape[1], np.float32)
    for y in range(cells.shape[0] * every):
        _normalized(pixels[y], levels, y, light)
        if gains.shape[0]:
            for x in range(light.shape[0]):
                light[x] *= gains[y, x]
        cell = cells[y // every]
        for q in range(every):
            weight = weights[y % every, q]
            for c in range(cell.shape[0]):
                cell[c] += light[c * every + q] * weight


def cells(planes: NDArray[Any], light: F32, every: int) -> F64:
    """Means over cells of `every` pixels of what `light` (K, largest + 1) says of the integers of
    `planes` (K, H, W), summed over K, clipped at 1."""
    _, rows, columns = planes.shape
    out = np.empty((rows // every, columns // every))
    _cells(planes, light, every, out)
    return out


@kernel
def _cells(planes: Any, light: Any, every: int, out: Any) -> None:
    sums = np.zeros(planes.shape[2])
    value = np.empty(planes.shape[2], np.float32)
    out[:] = 0
    for y in range(out.shape[0] * every):
        line, meant = planes[0, y], light[0]
        for x in range(value.shape[0]):
            value[x] = meant[line[x]]
        for k in range(1, planes.shape[0]):
            line, meant = planes[k, y], light[k]
            for x in range(value.shape[0]):
                value[x] += meant[line[x]]
        for x in range(value.shape[0]):
            sums[x] += value[x]
        if y % every == every - 1:
            _folded(sums, every, out[y // every])
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            out[r, c] = min(out[r, c] / (every * every), 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Balanced:
    """R x C blocks of a truth as balanced camera RGB."""

    means: F64  # (3, R, C)
    bright: F64  # (R, C) the largest value
    clipped: F64  # (R, C) share of pixels that have lost their value


def balanced(
    planes: NDArray[Any], light: F32, lost: NDArray[np.bool_], matrix: F32, side: int
) -> Balanced:
    """Of a truth's integers (3, H, W), by blocks of `side` pixels.

    `light` and `lost` (largest + 1,) say what an integer is as linear light, and whether it lies at
    an end of what can be stored; `matrix` (3, 3) leads to balanced camera RGB.
    """
    out = np.zeros((5, planes.shape[1] // side, planes.shape[2] // side))
    _balanced(planes, light, lost, matrix, side, out)
    return Balanced(out[:3] / side**2, out[3], out[4] / side**2)


@kernel
def _balanced(planes: Any, light: Any, lost: Any, matrix: Any, side: int, out: Any) -> None:
    """Fill sums of three channels, largest values, and how many are lost."""
    columns, bright = planes.shape[2], out[3]
    sums, gone = np.zeros((3, columns)), np.zeros(columns)
    linear, most = np.empty((3, columns), np.float32), np.empty(columns, np.float32)
    for y in range(bright.shape[0] * side):
        if y % side == 0:
            most[:] = -np.inf
        for k in range(3):
            line, into = planes[k, y], linear[k]
            for x in range(columns):
                into[x] = light[line[x]]
        first, second, third = planes[0, y], planes[1, y], planes[2, y]
        for x in range(columns):
            gone[x] += lost[first[x]] | lost[second[x]] | lost[third[x]]
        for k in range(3):
            a, b, c = matrix[k, 0], matrix[k, 1], matrix[k, 2]
            total = sums[k]
            for x in range(columns):
                value = a * linear[0, x] + b * linear[1, x] + c * linear[2, x]
                total[x] += value
                most[x] = max(most[x], value)
        if y % side < side - 1:
            continue
        for k in range(3):
            _folded(sums[k], side, out[k, y // side])
        _folded(gone, side, out[4, y // side])
        for c in range(bright.shape[1]):
            top = most[c * side]
            for x in range(c * side + 1, c * side + side):
                top = max(top, most[x])
            bright[y // side, c] = top


def means(cells: F64, side: int) -> F64:
    """Of square blocks of `side` cells."""
    out = np.zeros((cells.shape[0] // side, cells.shape[1] // side))
    _means(np.ascontiguousarray(cells), side, out)
    return out


@kernel
def _means(cells: Any, side: int, out: Any) -> None:
    sums = np.zeros(cells.shape[1])
    for y in range(out.shape[0] * side):
        for x in range(sums.shape[0]):
            sums[x] += cells[y, x]
        if y % side == side - 1:
            _folded(sums, side, out[y // side])
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            out[r, c] /= side * side


def halves(cells: F64, scale: float, top: float, side: int) -> tuple[F64, F64]:
    """Block means of the black and of the white cells of a checkerboard; `side` is even. Cells are
    multiplied by `scale` and clipped at `top`."""
    shape = cells.shape[0] // side, cells.shape[1] // side
    out = np.zeros((2, *shape))
    _halves(np.ascontiguousarray(cells), float(scale), float(top), side, out)
    return out[0], out[1]


@kernel
def _halves(cells: Any, scale: float, top: float, side: int, out: Any) -> None:
    sums = np.zeros((2, cells.shape[1]))  # of even and odd rows
    for y in range(out.shape[1] * side):
        line, total = cells[y], sums[y & 1]
        for x in range(line.shape[0]):
            total[x] += min(line[x] * scale, top)
        if y % side < side - 1:
            continue
        for c in range(out.shape[2]):
            black, white = 0.0, 0.0
            for x in range(c * side, c * side + side, 2):
                black += sums[0, x] + sums[1, x + 1]
                white += sums[0, x + 1] + sums[1, x]
            out[0, y // side, c] = black / (side * side / 2)
            out[1, y // side, c] = white / (side * side / 2)
        sums[:] = 0


def box(plane: NDArray[Any], side: int) -> NDArray[Any]:
    """Means over `side` x `side` pixels around each, mirrored at the borders, summed in float64."""
    return np.asarray(cv2.blur(plane, (side, side), borderType=cv2.BORDER_REFLECT))


def median(values: F64) -> float:
    """As NumPy's, of many finite numbers: those around the middle are found by counting first."""
    flat = np.ascontiguousarray(values).reshape(-1)
    keys = np.zeros(1 << 16, np.int64)
    _keyed(flat.view(np.int64), keys)
    ends = np.cumsum(keys)
    low, high = (int(np.searchsorted(ends, rank, "right")) for rank in _middle(flat.size))
    kept = np.empty(int(keys[low] + (keys[high] if high != low else 0)))
    _kept(flat.view(np.int64), low, high, kept.view(np.int64))
    kept.sort()
    before = int(ends[low] - keys[low])
    # the two may lie in bins apart, with none between
    first, second = _middle(flat.size)
    return float((kept[first - before] + kept[second - before]) / 2)


def _middle(size: int) -> tuple[int, int]:
    return (size - 1) // 2, size // 2


@kernel
def _key(bits: Any) -> Any:
    """The first 16 bits of a number, in its order."""
    return (bits >> 48) ^ 0x7FFF if bits < 0 else bits >> 48


@kernel
def _keyed(bits: Any, counts: Any) -> None:
    for i in range(bits.shape[0]):
        counts[_key(bits[i]) + 0x8000] += 1


@kernel
def _kept(bits: Any, low: int, high: int, kept: Any) -> None:
    """Those whose key is `low` or `high`."""
    at = 0
    for i in range(bits.shape[0]):
        key = _key(bits[i]) + 0x8000
        if key in (low, high):
            kept[at] = bits[i]
            at += 1


def compile_loops() -> None:
    """Have the machine code on disk for what `check` reads: mosaics of 16 bits, truths of both."""
    mosaic, levels, cells = np.zeros((8, 8), np.uint16), np.ones((2, 2, 2)), np.zeros((4, 4))
    _blocks(mosaic, levels, 4, np.zeros((2, 2, 2, 2)), np.zeros((2, 2)))
    _luminance(mosaic, levels, levels[0], NONE, cells)
    counts(mosaic, 1)
    for dtype in ("uint8", "uint16"):
        planes = np.zeros((3, 8, 8), dtype)
        _cells(planes, np.zeros((3, 1), np.float32), 2, cells)
        counts(planes[1], 1)
        light, lost = np.zeros(1, np.float32), np.zeros(1, bool)
        balanced(planes, light, lost, np.eye(3, dtype=np.float32), 4)
    means(cells, 2)
    halves(cells, 1, 1, 2)
    median(cells)
