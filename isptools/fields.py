"""Fields of gains over a mosaic, as shards state them: what an input has to be multiplied by.

Plain records and NumPy alone, so that whoever reads shards has them.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from isptools import patches

F32 = NDArray[np.float32]
Window = tuple[int, int, int, int]  # top, left, height, width


class Grid(msgspec.Struct, frozen=True, tag="grid", tag_field="kind"):
    """Gains at points, bilinear between them; beyond the outermost points theirs go on.

    They hold for every `pitch`-th row and column of an area. All places are in pixels of the frame:
    the middle of pixel (y, x) is (y + 0.5, x + 0.5).
    """

    area: tuple[int, int, int, int]  # top, left, bottom, right
    pitch: tuple[int, int]  # rows, columns
    first: tuple[float, float]  # place of the first point
    step: tuple[float, float]  # from point to point
    gains: tuple[tuple[float, ...], ...]  # a row of points after the other
    color: str = ""  # the letter of the filters it holds for; "" for all


class Radial(msgspec.Struct, frozen=True, tag="radial", tag_field="kind"):
    """Gain 1 + k0 r^2 + k1 r^4 + ..., r being the distance from the center over the radius."""

    terms: tuple[float, ...]
    center: tuple[float, float]  # y, x in pixels
    radius: float


Field = Grid | Radial


def encoded(fields: Sequence[Field]) -> str:
    """As a shard stores them: JSON."""
    return msgspec.json.encode(list(fields), order="deterministic").decode()


def decoded(text: str | bytes) -> tuple[Field, ...]:
    """ValueError (msgspec.DecodeError) for what is none."""
    return msgspec.json.decode(text, type=tuple[Field, ...]) if text else ()


def gains(fields: Sequence[Field], window: Window, cfa: str, out: F32 | None = None) -> F32:
    """What each pixel of a window is to be multiplied by: (height, width) float32.

    `cfa` are the letters of the frame's filters, row by row from its top left pixel.
    """
    field = np.empty(window[2:], np.float32) if out is None else out
    field[...] = 1
    for one in fields:
        if isinstance(one, Radial):
            field *= _radial(one, window)
        elif one.color:
            every = patches.period(cfa)
            for i, letter in enumerate(cfa):
                if letter == one.color:
                    _multiply(field, one, window, (i // every, i % every), every)
        else:
            _multiply(field, one, window)
    return field


def _multiply(
    field: F32, grid: Grid, window: Window, phase: tuple[int, int] = (0, 0), every: int = 1
) -> None:
    """On the sites of one phase of the filters."""
    rows, columns = (_sites(grid, axis, window, phase[axis], every) for axis in (0, 1))
    if not (len(rows) and len(columns)):
        return
    points = np.array(grid.gains, np.float32)
    low, high, part = _between(rows + 0.5, grid.first[0], grid.step[0], len(points))
    across = points[low] * (1 - part)[:, None] + points[high] * part[:, None]
    low, high, part = _between(columns + 0.5, grid.first[1], grid.step[1], points.shape[1])
    gain = across[:, low] * (1 - part) + across[:, high] * part
    place: Any = np.ix_(rows - window[0], columns - window[1])
    if len(rows) > 1 and len(columns) > 1:
        place = _slice(rows - window[0]), _slice(columns - window[1])
    field[place] *= gain


def _sites(grid: Grid, axis: int, window: Window, phase: int, every: int) -> NDArray[np.int64]:
    """Rows (columns) of the frame that lie in the window, the grid and the phase."""
    start, step = grid.area[axis], grid.pitch[axis]
    first, last = window[axis], window[axis] + window[axis + 2]
    begin = start + -(-max(first - start, 0) // step) * step
    at = np.arange(begin, min(last, grid.area[axis + 2]), step)
    return at[at % every == phase] if every > 1 else at


def _slice(at: NDArray[np.int64]) -> slice:
    return slice(int(at[0]), int(at[-1]) + 1, int(at[1] - at[0]))


def _between(
    at: NDArray[Any], first: float, step: float, points: int
) -> tuple[NDArray[Any], NDArray[Any], F32]:
    """The two points around each place, and the weight of the second."""
    if points == 1 or step <= 0:
        none = np.zeros(len(at), np.int64)
        return none, none, np.zeros(len(at), np.float32)
    place = np.clip((at - first) / step, 0, points - 1)
    low = np.minimum(place.astype(np.int64), points - 2)
    return low, low + 1, (place - low).astype(np.float32)


def _radial(one: Radial, window: Window) -> F32:
    top, left, height, width = window
    y = (np.arange(top, top + height) + 0.5 - one.center[0]) / one.radius
    x = (np.arange(left, left + width) + 0.5 - one.center[1]) / one.radius
    square = (np.square(y)[:, None] + np.square(x)).astype(np.float32)
    gain: F32 = np.zeros_like(square)
    for term in reversed(one.terms):
        gain += np.float32(term)
        gain *= square
    gain += 1
    return gain
