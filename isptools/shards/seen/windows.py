"""Windows of a pair at full resolution, for what block means can't show."""

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from isptools import patches
from isptools.measure.slope import WHITE
from isptools.shards import passes
from isptools.shards.read import normalized
from isptools.shards.schema import InputRow
from isptools.shards.seen.blocks import Shade
from isptools.shards.seen.light import Backwards
from isptools.shards.sides import Input, Truth

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
SIDE = 252  # a multiple of every CFA's period
MOST = 3  # windows down and across


@dataclass(frozen=True, slots=True)
class Window:
    """A square of a pair; what is clipped in either is marked."""

    own: F32  # (H, W) the input's signal
    expected: F32  # (H, W) what the truth expects of each of its pixels, ratio 1
    green: F32  # (H, W) what it expects of green everywhere
    greens: NDArray[np.bool_]  # (H, W) pixels under green filters
    clipped: NDArray[np.bool_]  # (H, W) in either, at black or white
    bright: NDArray[np.bool_]  # (H, W) in either, at white
    variance: F32  # (H, W) stated, at the input's own smoothed signal
    cfa: str
    corner: tuple[int, int]  # row, column in the frame


def windows_of(
    own: Input, truth: Truth, how: Backwards, shade: Shade | None = None
) -> list[Window]:
    """Up to 3 x 3 windows, spread over the frame; `shade` as `blocks_of` has it."""
    made, row = [], own.row
    for top in _starts(own.pixels.shape[0], row.cfa):
        rows = slice(top, min(top + SIDE, own.pixels.shape[0]))
        shading = None if shade is None else shade(rows)
        for left in _starts(own.pixels.shape[1], row.cfa):
            columns = slice(left, min(left + SIDE, own.pixels.shape[1]))
            if (top, left) not in own.kept:
                own.kept[top, left] = _side(own.pixels[rows, columns], row)
            physical = truth.physical(rows, columns)
            picture = how.balanced(physical)
            signal = picture if shading is None else picture / shading[:, :, columns]
            signal = signal * how.signal.astype(np.float32)[:, None, None]
            ends = how.clipped(physical), picture.max(0) >= WHITE
            made.append(_window(own.kept[top, left], signal, ends, row.cfa, (top, left)))
    return made


def _starts(length: int, cfa: str) -> list[int]:
    every = patches.period(cfa)
    if length <= SIDE:
        return [0]
    number = min(MOST, length // SIDE)
    room = length - SIDE
    return [room * i // max(number - 1, 1) // every * every for i in range(number)]


def _side(pixels: NDArray[np.uint16], row: InputRow) -> tuple[F32, F32]:
    """The signal of a window (H, W) of an input, and its stated variance."""
    light = normalized(pixels, row)
    smooth = np.maximum(_masked(light, row.cfa), 0)
    shape = light.shape[0], light.shape[1]
    shot, read = (mosaic(tuple(values), shape) for values in (row.shot, row.read))
    return light, shot * smooth + read


def _window(
    own: tuple[F32, F32], signal: F32, ends: tuple[NDArray[np.bool_], NDArray[np.bool_]], cfa: str,
    corner: tuple[int, int],
) -> Window:  # fmt: skip
    light, variance = own
    lost, white = ends
    letters = _letters(cfa, (light.shape[0], light.shape[1]))
    high = light >= WHITE
    return Window(
        own=light,
        expected=np.take_along_axis(signal, letters[None], 0)[0],
        green=signal[1],
        greens=letters == 1,
        clipped=lost | high | white,
        bright=high | white,
        variance=variance,
        cfa=cfa,
        corner=corner,
    )


def mosaic(values: tuple[float, ...], shape: tuple[int, int]) -> F32:
    """A number for each position of a CFA, laid over (H, W)."""
    every = isqrt(len(values))
    repeat = tuple(-(-side // every) for side in shape)
    whole = np.tile(np.array(values, np.float32).reshape(every, every), repeat)
    return whole[: shape[0], : shape[1]]


@lru_cache(8)
def _letters(cfa: str, shape: tuple[int, int]) -> NDArray[np.intp]:
    """0, 1, 2 for R, G, B at each pixel."""
    return mosaic(tuple(float("RGB".index(letter)) for letter in cfa), shape).astype(np.intp)


@lru_cache(8)
def _shares(cfa: str, shape: tuple[int, int]) -> tuple[F32, ...]:
    """Of each color, which part of the 7 x 7 pixels around has it."""
    letters = _letters(cfa, shape)
    masks = ((letters == color).astype(np.float32) for color in range(3))
    return tuple(np.maximum(passes.box(mask, 7), 1e-6) for mask in masks)


def _masked(light: F32, cfa: str) -> F32:
    """Each pixel's mean over its own color in 7 x 7 pixels."""
    out, shape = np.zeros_like(light), (light.shape[0], light.shape[1])
    letters = _letters(cfa, shape)
    for color, share in enumerate(_shares(cfa, shape)):
        mask = letters == color
        out[mask] = (passes.box(np.where(mask, light, 0), 7) / share)[mask]
    return out
