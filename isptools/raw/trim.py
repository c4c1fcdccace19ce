"""TrimBounds: the opcode that says which part of a raw picture is one (DNG 1.7, opcode 6).

It is done where a file is read, in OpcodeList1 and 2, so that header, inputs and truths have one
size; what other opcodes mean by their places stays where it was on the sensor.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from isptools.frame import Capture, Frame
from isptools.raw.opcodes import Opcode, OpcodeError, Trim, Window, parse
from isptools.raw.places import placed, window_of

PERIODS = {4: 2, 36: 6}  # CFA positions -> a side of the pattern
T = TypeVar("T", bound=Sequence[Any])


def kept(capture: Capture, shape: tuple[int, ...]) -> Window:
    """What is left of the visible pixels: top, left, height, width. OpcodeError where nothing is.

    `capture` needs its lists 1 and 2 and where its areas lie.
    """
    top, left, bottom, right = 0, 0, shape[0], shape[1]
    for number, code in ((1, capture.opcode_list_1), (2, capture.opcode_list_2)):
        for area in _trims(parse(code, number), window_of(capture, number, shape)):
            top, left = max(top, area[0]), max(left, area[1])
            bottom = min(bottom, area[0] + area[2])
            right = min(right, area[1] + area[3])
    if top >= bottom or left >= right:
        raise OpcodeError("its TrimBounds leaves nothing of the visible pixels")
    return top, left, bottom - top, right - left


def _trims(opcodes: Sequence[Opcode], window: Window) -> list[Window]:
    """The picture that is left behind each TrimBounds of a list, in visible pixels."""
    found = []
    for number, one in enumerate(opcodes):
        if isinstance(one.does, Trim):
            behind = replace(one, does=None)  # stands for whatever comes next
            found += [where for _, where in placed([*opcodes[: number + 1], behind], window)][-1:]
    return found


def trimmed(frame: Frame) -> Frame:
    """The frame with what is left, and the facts that go by position."""
    window = kept(frame.capture, frame.pixels.shape)
    if window == (0, 0, *frame.pixels.shape[:2]):
        return frame
    top, left, height, width = window
    pixels = frame.pixels[top : top + height, left : left + width].copy()
    facts = frame.capture
    down, right = facts.visible_origin
    capture = replace(
        facts,
        cfa="".join(rolled(tuple(facts.cfa), top, left)),
        black=tuple(rolled(facts.black, top, left)),
        black_libraw=tuple(rolled(facts.black_libraw, top, left)),
        visible_origin=(down + top, right + left),
        active_area=facts.active_area or (down, right, down + frame.pixels.shape[0],
                                          right + frame.pixels.shape[1]),
        origins=(*facts.origins, ("visible_origin", "opcode TrimBounds")),
    )  # fmt: skip
    return replace(frame, pixels=pixels, capture=capture)


def rolled(values: T, top: int, left: int) -> T | tuple[Any, ...]:
    """Values per CFA position, as a cut that begins at (top, left) has them."""
    side = PERIODS.get(len(values), 0)
    if not side:
        return values
    places = [((y + top) % side) * side + (x + left) % side
              for y in range(side) for x in range(side)]  # fmt: skip
    return tuple(values[place] for place in places)
