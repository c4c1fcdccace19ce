"""Pairs whose truth's curve is not known, a camera's or a person's picture: way round and place."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from isptools import patches
from isptools.shards import agree
from isptools.shards.read import Table, normalized
from isptools.shards.schema import InputRow
from isptools.shards.seen import fine
from isptools.shards.seen.filters import turned
from isptools.shards.seen.number import Number

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
SRGB = "srgb"
BLOCK = 8  # pixels; 12 for X-Trans
FAR = 2.5  # pixels: published pictures may lie off by one, and their distortion is another


def plain(own: NDArray[np.generic], row: InputRow, truth: F32, table: Table, name: str) -> list[Number]:
    """Of an input as stored and its truth (3, H, W) in physical values."""
    every = patches.period(row.cfa)
    light = normalized(np.asarray(own), row)
    if every == 1:
        ours = np.asarray(agree.luminance(lambda channel: light[channel], SRGB), np.float64)
    else:
        ours = agree.input_cells(light, row)
    space = table.pictures[name].space
    theirs = agree.truth_cells(agree.luminance(lambda channel: truth[channel], space), row.cfa)
    side = max(BLOCK // every, 2)
    maps = [agree.block_means(np.asarray(each, np.float64), side) for each in (ours, theirs)]
    found = turned(maps[0], maps[1])
    return found if any(each.wrong for each in found) else found + place(ours, theirs, every)


def place(ours: F64, theirs: F64, every: int) -> list[Number]:
    """How far the truth lies from the input, in pixels, where fine detail shows it clearly."""
    details = [np.asarray(_detail(each), np.float32) for each in (ours, theirs)]
    if min(ours.shape) <= 2 * fine.REACH:
        return []
    found = fine.peak(fine.correlation(details[0], details[1]))
    if found is None:
        return []
    down, right = (every * float(value) for value in found)
    told = f"its truth lies {fine.way(down, 'down', 'up')} and {fine.way(right, 'right', 'left')}"
    return [Number("place", float(np.hypot(down, right)), FAR + every / 2, told + " of it", "px")]


def _detail(cells: F64) -> F64:
    top = max(float(np.quantile(cells, 0.99)), 1e-9)
    shown = np.sqrt(np.clip(cells / top, 0, 1))
    return np.asarray(shown - uniform_filter(shown, 7))
