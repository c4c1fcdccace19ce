"""The opcode lists of a file, done to its frame: list 1 at SENSOR, 2 at MOSAIC, 3 at CAMERA."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.develop import opcodes
from isptools.develop.balance import three_colors
from isptools.develop.rows import along_rows
from isptools.develop.shading import apply_gain_map
from isptools.frame import Capture, Frame, GainMap, Space, UnsupportedError
from isptools.raw.opcodes import (
    LINEARIZED,
    TRIM,
    BadConstant,
    BadList,
    Opcode,
    Vignette,
    Warp,
    Window,
    encode,
    listed,
    parse,
)
from isptools.raw.places import placed, window_of

F32 = NDArray[np.float32]
U16 = NDArray[np.uint16]
LISTS = {Space.SENSOR: 1, Space.MOSAIC: 2, Space.BALANCED: 2, Space.CAMERA: 3}
Found = Mapping[str, tuple[float, ...]]


def pending(frame: Frame, opcode_list: int) -> tuple[Opcode, ...]:
    """The opcodes of a list; none where a step has gone through the list already."""
    done = any(name == key(opcode_list) for taken in frame.history for name, _ in taken.found)
    return () if done else listed(frame.capture, opcode_list)


def key(opcode_list: int) -> str:
    """Under this name a step notes the places, in their list, of the opcodes it applied."""
    return f"opcode_list_{opcode_list}"


def applied(frame: Frame, leave: Sequence[int] = ()) -> tuple[Any, float, Found]:
    """Pixels, white and what was done, behind the list of the frame's station.

    At MOSAIC numbers grow by the largest factor that fits into 16 bits, and white with them, so
    that gains lose no fraction. UnsupportedError where a mandatory opcode can't be applied.
    """
    number = LISTS[frame.space]
    waiting = pending(frame, number)
    if not waiting:
        return frame.pixels, frame.white, {}
    grows = frame.space == Space.MOSAIC
    full = frame.white if grows else 65535.0
    samples = np.asarray(frame.pixels, np.float32)
    samples /= np.float32(full)
    window = window_of(frame.capture, number, frame.pixels.shape)
    found = _run(samples, [*placed(waiting, window)], frame.capture, leave)
    if not found[key(number)]:
        return frame.pixels, frame.white, found
    white = full * max(65535 // int(full), 1)
    return _stored(samples, white), white if grows else frame.white, found


def _run(
    samples: F32, waiting: Sequence[tuple[Opcode, Window]], capture: Capture, leave: Sequence[int]
) -> dict[str, tuple[float, ...]]:
    places, not_applied = [], []
    number = waiting[0][0].opcode_list
    colors = three_colors(capture.cfa) if capture.cfa else np.zeros((1, 1), np.uint8)
    side = colors.shape[0]
    black = np.zeros((side, side), np.float32)
    if number == 1:
        black += np.reshape(capture.black, (side, side)) / np.float32(65535)
    for one, window in waiting:
        try:
            _expect_possible(one, window, capture)
            if one.number in leave:
                not_applied.append(float(one.number))
                continue
            opcodes.apply(samples, one, window, colors, black)
            places.append(float(one.place))
        except UnsupportedError as error:
            if one.mandatory and one.number not in leave:
                raise UnsupportedError(f"{error}, and it is mandatory") from None
            not_applied.append(float(one.number))
    return {key(number): tuple(places), "not_applied": tuple(not_applied)}


def _expect_possible(one: Opcode, window: Window, capture: Capture) -> None:
    if isinstance(one.does, GainMap | Vignette | Warp) and not window[2]:
        raise UnsupportedError(
            f"{one.name} means shares of a sensor with masked borders, whose size is not known"
        )
    linearized = one.opcode_list == 1 and ("pixels", LINEARIZED) in capture.origins
    if linearized and not isinstance(one.does, BadList):
        raise UnsupportedError(f"{one.name} comes before the LinearizationTable")


def _stored(samples: F32, white: float) -> U16:
    samples *= np.float32(white)
    np.rint(samples, out=samples)
    return samples.astype(np.uint16)


# -- the same behind white balance ---------------------------------------------------------------


def applied_balanced(frame: Frame) -> tuple[Any, Found]:
    """Pixels and what was done, behind OpcodeList2 at BALANCED, as far as that comes to the same.

    UnsupportedError where it does not, or where what is to be undone stands in OpcodeList3.
    """
    _expect_none_behind(frame)
    waiting = pending(frame, 2)
    maps = [one for one in waiting if isinstance(one.does, GainMap)]
    if len(maps) == len(waiting):
        return _mapped(frame, maps), {"gain_maps": (len(maps),), key(2): _places(maps)}
    if len(set(frame.gains)) > 1:
        _expect_commuting(waiting)
    pixels, _, found = applied(frame)
    return pixels, {"gain_maps": (len(maps),), **found}


def _mapped(frame: Frame, maps: Sequence[Opcode]) -> Any:
    pixels: Any = frame.pixels
    for one, window in placed(maps, window_of(frame.capture, 2, pixels.shape)):
        if isinstance(one.does, GainMap) and one.does.plane == 0:
            pixels = apply_gain_map(pixels, one.does, window)
    return pixels


def _places(found: Sequence[Opcode]) -> tuple[float, ...]:
    return tuple(float(one.place) for one in found)


def _expect_commuting(waiting: Sequence[Opcode]) -> None:
    for one in waiting:
        if one.does is not None and not opcodes.commutes(one):
            raise UnsupportedError(
                f'{one.name} acts before white balance: put {{ step = "opcodes" }} behind '
                "`levels` in place of `shading`"
            )


def _expect_none_behind(frame: Frame) -> None:
    for one in pending(frame, 3):
        if one.mandatory and opcodes.multiplies(one):
            raise UnsupportedError(
                f"{one.name} is mandatory and acts behind demosaicking: put "
                '{ step = "opcodes" } behind `levels` and behind `demosaic` in place of `shading`'
            )


# -- an input's own numbers ----------------------------------------------------------------------


def in_numbers(frame: Frame, stating: Capture, leave: Sequence[int]) -> tuple[U16, Found]:
    """A SENSOR frame's numbers behind the OpcodeList2 of `stating`, black still in.

    What lies below black or above white is moved as black and white are.
    """
    facts = frame.capture
    side = int(len(facts.black) ** 0.5)
    black = np.reshape(np.asarray(facts.black, np.float32), (side, side))
    rows = along_rows(black, frame.pixels.shape[1])
    level = np.tile(rows, (-(-len(frame.pixels) // side), 1))[: len(frame.pixels)]
    span = np.float32(facts.white) - level
    before = np.clip((frame.pixels - level) / span, 0, 1)
    samples = before.copy()
    waiting = placed(listed(stating, 2), window_of(stating, 2, frame.pixels.shape))
    found = _run(samples, [*waiting], facts, leave)
    moved = np.rint(frame.pixels + (samples - before) * span)
    return np.clip(moved, 0, 65535).astype(np.uint16), found


# -- merged frames -------------------------------------------------------------------------------


def without_bad_sites(frame: Frame) -> Frame:
    """A SENSOR frame with the samples repaired that OpcodeList2 names: a merge spreads bad ones."""
    waiting = [one for one in pending(frame, 2) if isinstance(one.does, BadList)]
    if not waiting:
        return frame
    samples = np.asarray(frame.pixels, np.float32) / np.float32(65535)
    window = window_of(frame.capture, 2, frame.pixels.shape)
    found = [each for each in placed(pending(frame, 2), window) if each[0] in waiting]
    _run(samples, found, frame.capture, ())
    return replace(frame, pixels=_stored(samples, 65535.0))


def of_merged(capture: Capture) -> Capture:
    """The facts of a merged frame: without opcodes that its frames went through one by one.

    Nor do those stay that are not known: whether they mean the merged frame can't be told.
    """
    stays = [one for one in parse(capture.opcode_list_2, 2) if _holds(one)]
    whole = len(stays) == len(parse(capture.opcode_list_2, 2))
    second = capture.opcode_list_2 if whole else encode(stays)
    return replace(capture, opcode_list_1=b"", opcode_list_2=second)


def _holds(one: Opcode) -> bool:
    return one.does is not None and not isinstance(one.does, BadList | BadConstant)


# -- what a file still asks for ------------------------------------------------------------------


def unapplied(frame: Frame) -> Iterator[Opcode]:
    """The opcodes of all three lists that no step of the frame's history has applied."""
    done = {name: set(places) for taken in frame.history for name, places in taken.found}
    for number in (1, 2, 3):
        for one in listed(frame.capture, number):
            if one.place not in done.get(key(number), set()) and one.number != TRIM:
                yield one
