"""Inputs and truths of a shard on the same side of every opcode.

What a truth's walk undoes in a mosaic (shading, lines, vignetting) either multiplies samples, and
then the shard states by how much its input is to be multiplied; or it does something else to them,
and then it is done to the input's numbers.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from isptools import fields
from isptools.develop import listed
from isptools.develop.chain import stations
from isptools.develop.opcodes import gain_field, multiplies
from isptools.develop.steps import Opcodes, Shading, Step, Vignetting
from isptools.frame import Capture, Frame, Taken, UnsupportedError
from isptools.raw.opcodes import TRIM, Opcode, Warp, Window
from isptools.raw.opcodes import listed as opcodes_of
from isptools.raw.places import placed, window_of

Placed = tuple[Opcode, Window]
HINTS = {
    1: "leave the file out",
    2: 'put { step = "opcodes" } behind `levels`, or name it there as left (leave = [%d])',
}


@dataclass(frozen=True, slots=True)
class Sides:
    """What a walk does about opcodes: the lists it goes through, and which opcodes it leaves."""

    left: Mapping[int, tuple[int, ...]]  # list -> numbers left; a list that is not here is not done
    vignetting: tuple[Vignetting, ...] = ()

    def does(self, one: Opcode) -> bool:
        """Whether the side does this opcode: its list is done, and the opcode is not left out."""
        return one.opcode_list in self.left and one.number not in self.left[one.opcode_list]


def sides_of(steps: Sequence[Step]) -> Sides:
    """Of a walk that begins at SENSOR; OpcodeList1 is always done."""
    left: dict[int, tuple[int, ...]] = {1: ()}
    for step, space in zip(steps, stations(steps), strict=False):
        if isinstance(step, Opcodes):
            left[listed.LISTS[space]] = step.leave
        if isinstance(step, Shading):
            left.setdefault(2, ())
    return Sides(left, tuple(step for step in steps if isinstance(step, Vignetting)))


def expect_done(capture: Capture, sides: Sides) -> None:
    """UnsupportedError for a mandatory opcode of a mosaic that the walk passes by in silence."""
    for number in (1, 2):
        for one in opcodes_of(capture, number):
            named = one.number in sides.left.get(number, ())
            if one.mandatory and not (sides.does(one) or named or one.number == TRIM):
                hint = HINTS[number].replace("%d", str(one.number))
                raise UnsupportedError(
                    f"{one.name} is mandatory and the recipe does not apply it: {hint}"
                )


def not_applied(capture: Capture, sides: Sides) -> str:
    """The opcodes of a file that stay undone, in one line; "" where there are none."""
    names = [
        one.name
        for number in (1, 2, 3)
        for one in opcodes_of(capture, number)
        if one.number != TRIM and not (sides.does(one) and one.does is not None)
    ]
    return f"{', '.join(dict.fromkeys(names))} not applied" if names else ""


def on_its_side(
    frame: Frame, truth: Capture, sides: Sides
) -> tuple[Frame, tuple[fields.Field, ...]]:
    """An input as its truth is: numbers mapped where that is needed, and its field of gains.

    The file's own list counts, and the truth's where it has none (frames of a burst whose merged
    raw states the shading). UnsupportedError for what can't be done to a mosaic.
    """
    second = _waiting(frame, truth, 2, sides)
    found: list[fields.Field] = []
    if all(multiplies(one) for one, _ in second):
        for one, window in second:
            found += gain_field(one, window)
    else:
        frame = _mapped(frame, truth, sides)
    for one, window in _waiting(frame, truth, 3, sides):
        if isinstance(one.does, Warp):
            raise UnsupportedError(f"{one.name} would move the truth away from its input")
        if not multiplies(one):
            raise UnsupportedError(f"{one.name} can't be done to a mosaic as to its truth")
        found += gain_field(one, window, "RGB")
    return frame, (*found, *_vignetting(sides, frame.pixels.shape))


def _stating(frame: Frame, truth: Capture, number: int) -> Capture:
    return frame.capture if opcodes_of(frame.capture, number) else truth


def _waiting(frame: Frame, truth: Capture, number: int, sides: Sides) -> list[Placed]:
    """The opcodes that the walk does to the truth and that still wait for being done here."""
    stating = _stating(frame, truth, number)
    window = window_of(stating, number, frame.pixels.shape)
    return [
        (one, where)
        for one, where in placed(opcodes_of(stating, number), window)
        if sides.does(one) and one.does is not None
    ]


def _mapped(frame: Frame, truth: Capture, sides: Sides) -> Frame:
    leave = sides.left[2]
    pixels, found = listed.in_numbers(frame, _stating(frame, truth, 2), leave)
    taken = Taken(Opcodes(leave), tuple(found.items()))
    return replace(frame, pixels=pixels, history=(*frame.history, taken))


def _vignetting(sides: Sides, shape: tuple[int, ...]) -> Iterator[fields.Radial]:
    """What the recipe's own steps undo in the truth."""
    for step in sides.vignetting:
        y, x = step.center[1] * shape[0], step.center[0] * shape[1]
        radius = math.hypot(max(y, shape[0] - y), max(x, shape[1] - x))
        yield fields.Radial(step.terms, (y, x), radius)
