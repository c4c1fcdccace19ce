"""Which windows of an aligned pair are good: adjusted by shift and turn, then correlated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import over_rows
from isptools.pair import adjust
from isptools.pair.light import Gray

Reason = Literal["kept", "flat", "beyond-search", "low-correlation"]
PROBE = 6  # pixels beyond the search that are looked at, so that a window from there is known
SLACK = 0.5  # pixels (and at the window's edge for turns) that a window may end beyond the search


@dataclass(frozen=True, slots=True)
class Search:
    """What decides: the reach of shifts and turns, and when a window is kept.

    Shifts are looked for every 2 pixels at half size up to `shift_px`, then to a fraction of a
    pixel together with the turn. With `shift_px` 0 nothing is adjusted, but a window that would
    have to move by more than half a pixel is still refused.

    A window is flat where correlation says nothing about its place: where a side's standard
    deviation is below `flat` (gray levels of 255 after stretching the picture's range), or below
    `weak` and the correlation is not above `least`, as in a sky's noise; where shifting it by a
    pixel in its weakest direction costs less correlation than `placed`; or where a place 10 pixels
    away and more correlates by more than `alone` and the best one is not clearly better, by what
    noise takes off it. Flat windows are refused, or kept as they are if `keep_flat`.
    """

    shift_px: int = 4
    turn_deg: float = 1.0
    least: float = 0.9
    flat: float = 2.0
    weak: float = 4.0
    placed: float = 5e-4
    alone: float = 0.985
    keep_flat: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """One window: where the moving side was taken, how well it fits, and what became of it."""

    top: int
    left: int
    dx: float  # pixels that the moving window was shifted, to the right
    dy: float
    turn_deg: float  # clockwise as seen, around its center
    correlation: float
    reason: Reason

    @property
    def kept(self) -> bool:
        """Whether the window is good enough to be stored."""
        return self.reason == "kept"


def accept(
    still: Gray, moving: Gray, tops_lefts: Sequence[tuple[int, int]], size: int, search: Search
) -> list[Verdict]:
    """Judge square windows of two aligned gray pictures of one size, (H, W) uint8.

    The moving side's window is adjusted to the still side's. Windows do not depend on each other,
    nor on how many threads work. ValueError where the sides differ in size.
    """
    if still.shape != moving.shape:
        raise ValueError(f"the sides differ in size: {still.shape} and {moving.shape}")
    import cv2  # noqa: PLC0415 - builds load this file for its words, and cv2 takes long

    places = np.array(tops_lefts, np.int64).reshape(-1, 2)
    found = np.empty((len(places), adjust.FIELDS))
    if not len(places):
        return []
    reach = search.shift_px + PROBE
    margin = max(reach + 4, 16) + 8 + size // 24
    padded = cv2.copyMakeBorder(moving, *(margin,) * 4, cv2.BORDER_REFLECT_101)
    tops, lefts = (np.ascontiguousarray(column) for column in places.T)
    over_rows(
        _strip, len(places), np.ascontiguousarray(still), padded, tops, lefts, size, margin, reach,
        search.weak, search.placed, search.alone, not search.shift_px, found,
    )  # fmt: skip
    return [_verdict(place, row, size, search) for place, row in zip(places, found, strict=True)]


def _strip(
    still: Gray, moving: Gray, tops: NDArray[np.int64], lefts: NDArray[np.int64], size: int,
    margin: int, reach: int, flat: float, placed: float, alone: float, off: bool,
    found: NDArray[np.float64], first: int, last: int,
) -> None:  # fmt: skip
    adjust.adjust(  # type: ignore[no-untyped-call]  # a kernel
        still,
        moving,
        tops,
        lefts,
        size,
        margin,
        reach,
        flat,
        placed,
        alone,
        off,
        found,
        first,
        last,
    )


def _verdict(
    place: NDArray[np.int64], row: NDArray[np.float64], size: int, search: Search
) -> Verdict:
    flat = _flat(row, search)
    stays = flat or search.shift_px == 0
    correlation = float(row[adjust.ASIS if stays else adjust.CORRELATION])
    reason = _reason(row, size, search, correlation)
    moved = row[[adjust.DX, adjust.DY, adjust.TURN]]
    if flat or (stays and reason == "kept"):
        moved = np.zeros(3)
    dx, dy, turn = (float(value) for value in moved)
    return Verdict(
        int(place[0]), int(place[1]), dx, dy, float(np.rad2deg(turn)), correlation, reason
    )


def _reason(row: NDArray[np.float64], size: int, search: Search, correlation: float) -> Reason:
    if _flat(row, search):
        return "kept" if search.keep_flat else "flat"
    limit = search.shift_px + SLACK
    arm = size / 2
    turned = abs(row[adjust.TURN]) * arm > np.deg2rad(search.turn_deg) * arm + SLACK
    if max(abs(row[adjust.DX]), abs(row[adjust.DY])) > limit or turned:
        return "beyond-search"
    return "kept" if correlation > search.least else "low-correlation"


def _flat(row: NDArray[np.float64], search: Search) -> bool:
    correlation = row[adjust.CORRELATION if search.shift_px else adjust.ASIS]
    weak = row[adjust.CONTRAST] < search.weak and correlation <= search.least
    undecided = adjust.undecided(row, search.placed, search.alone)  # type: ignore[no-untyped-call]  # a kernel
    return bool(undecided or weak or row[adjust.CONTRAST] < search.flat)
