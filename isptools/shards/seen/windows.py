"""Windows of a pair at full resolution, for what block means can't show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from isptools import patches
from isptools.measure.slope import WHITE
from isptools.shards.read import normalized
from isptools.shards.schema import InputRow
from isptools.shards.seen.blocks import Picture, Shade
from isptools.shards.seen.light import Backwards

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
    own: NDArray[np.uint16], row: InputRow, truth: Picture, how: Backwards,
    shade: Shade | None = None,
) -> list[Window]:  # fmt: skip
    """Up to 3 x 3 windows, spread over the frame; `shade` as `blocks_of` has it."""
    made = []
    for top in _starts(own.shape[0], row.cfa):
        rows = slice(top, min(top + SIDE, own.shape[0]))
        picture = how.balanced(truth(rows))
        signal = picture if shade is None else picture / shade(rows)
        signal = signal * how.signal.astype(np.float32)[:, None, None]
        ends = how.clipped(truth(rows))
        light = normalized(own[rows], row)
        for left in _starts(own.shape[1], row.cfa):
            columns = slice(left, min(left + SIDE, own.shape[1]))
            lost = ends[:, columns] | (light[:, columns] >= WHITE)
            made.append(
                _window(
                    light[:, columns],
                    signal[:, :, columns],
                    (lost, picture[:, :, columns].max(0) >= WHITE),
                    row,
                    (top, left),
                )
            )
    return made


def _starts(length: int, cfa: str) -> list[int]:
    every = patches.period(cfa)
    if length <= SIDE:
        return [0]
    number = min(MOST, length // SIDE)
    room = length - SIDE
    return [room * i // max(number - 1, 1) // every * every for i in range(number)]


def _window(
    light: F32, signal: F32, ends: tuple[NDArray[np.bool_], NDArray[np.bool_]], row: InputRow,
    corner: tuple[int, int],
) -> Window:  # fmt: skip
    lost, white = ends
    every = patches.period(row.cfa)
    repeat = tuple(-(-side // every) for side in light.shape)

    def mosaic(values: list[float]) -> F32:
        whole = np.tile(np.array(values, np.float32).reshape(every, every), repeat)
        return whole[: light.shape[0], : light.shape[1]]

    letters = mosaic([float("RGB".index(letter)) for letter in row.cfa]).astype(np.intp)
    expected = np.take_along_axis(signal, letters[None], 0)[0]
    smooth = np.maximum(_masked(light, letters), 0)
    return Window(
        own=light,
        expected=expected,
        green=signal[1],
        greens=letters == 1,
        clipped=lost | white,
        bright=(light >= WHITE) | white,
        variance=mosaic(list(row.shot)) * smooth + mosaic(list(row.read)),
        cfa=row.cfa,
        corner=corner,
    )


def _masked(light: F32, letters: NDArray[np.intp]) -> F32:
    """Each pixel's mean over its own color in 7 x 7 pixels."""
    out = np.zeros_like(light)
    for color in range(3):
        mask = letters == color
        total = uniform_filter(np.where(mask, light, 0), 7)
        count = uniform_filter(mask.astype(np.float32), 7)
        out[mask] = (total / np.maximum(count, 1e-6))[mask]
    return out
