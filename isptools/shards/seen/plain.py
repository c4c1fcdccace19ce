"""Pairs whose truth's curve is not known, a camera's or a person's picture: way round and place."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from isptools import patches
from isptools.shards import agree
from isptools.shards.read import normalized
from isptools.shards.schema import InputRow
from isptools.shards.seen import fine
from isptools.shards.seen.filters import detail, like, turned
from isptools.shards.seen.number import Number
from isptools.shards.table import Table

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
SRGB = "srgb"
BLOCK = 8  # pixels; 12 for X-Trans
FEWEST = 100  # blocks
FLAT = 0.004  # deviation of what blocks show beside their neighbourhood
LIKE = 0.35  # 300 released patches of two cameras have 0.65 and more, strangers up to 0.55
CLEAR = 0.4  # correlation of fine detail at its peak, below which it tells no place
FAR = 2.5  # pixels: published pictures may lie off by one, and their distortion is another


def plain(
    own: NDArray[np.generic], row: InputRow, truth: F32, table: Table, name: str
) -> list[Number]:
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
    if any(each.wrong for each in found):
        return found
    found += pairing(maps[0], maps[1]) if table.pairs else []
    return found + place(ours, theirs, every)


def pairing(ours: F64, theirs: F64) -> list[Number]:
    """How little two luminances by blocks (R, C) have in common; of flat ones nothing is told."""
    if ours.size < FEWEST or min(float(detail(each).std()) for each in (ours, theirs)) < FLAT:
        return []
    common = like(ours, theirs)
    told = f"a wrong pair: its picture and its truth's agree by {common:.2f}"
    return [Number("pairing", 1 - common, 1 - LIKE, told)]


def place(ours: F64, theirs: F64, every: int) -> list[Number]:
    """How far the truth lies from the input, in pixels, where fine detail shows it clearly."""
    details = [np.asarray(_detail(each), np.float32) for each in (ours, theirs)]
    if min(ours.shape) <= 2 * fine.REACH:
        return []
    surface = fine.correlation(details[0], details[1])
    found = fine.peak(surface) if surface.max() > CLEAR else None
    if found is None:
        return []
    down, right = (every * float(value) for value in found)
    told = f"its truth lies {fine.way(down, 'down', 'up')} and {fine.way(right, 'right', 'left')}"
    return [Number("place", float(np.hypot(down, right)), FAR + every / 2, told + " of it", "px")]


def _detail(cells: F64) -> F64:
    top = max(float(np.quantile(cells, 0.99)), 1e-9)
    shown = np.sqrt(np.clip(cells / top, 0, 1))
    return np.asarray(shown - uniform_filter(shown, 7))
