"""Facts that no file states, from cameras.toml: the last in the order of trust."""

import functools
from dataclasses import replace
from pathlib import Path

import msgspec

from isptools.frame import Capture

SENSOR = "sensor"


class Levels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Black and white of one camera in digital numbers, as one source gives them."""

    make: str  # as LibRaw spells it
    model: str
    convention: str  # "sensor": measured levels; else the data set whose authors use them
    source: str
    black: float | None = None
    white: int | None = None


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    levels: tuple[Levels, ...]


@functools.cache
def table() -> tuple[Levels, ...]:
    """What is known of cameras, from cameras.toml beside this module."""
    text = Path(__file__).with_name("cameras.toml").read_bytes()
    return msgspec.toml.decode(text, type=_Table).levels


def levels(make: str, model: str, convention: str = SENSOR) -> Levels | None:
    """The entry of a camera, or None; upper and lower case do not matter."""
    wanted = (make.casefold(), model.casefold(), convention)
    for entry in table():
        if (entry.make.casefold(), entry.model.casefold(), entry.convention) == wanted:
            return entry
    return None


def fill_in(capture: Capture) -> Capture:
    """Black from the table where neither the file nor LibRaw knows one (both say 0).

    `black_libraw` and `white` stay LibRaw's, whatever the table says.
    """
    known = levels(capture.make, capture.model)
    if known is None or not known.black or any(capture.black) or any(capture.black_libraw):
        return capture
    if any(fact == "black" for fact, _ in capture.origins):
        return capture
    origins = (*capture.origins, ("black", f"cameras.toml: {known.source}"))
    return replace(capture, black=(known.black,) * len(capture.black), origins=origins)


def compared(capture: Capture) -> Capture:
    """Note where the table's black is 1 DN or more off LibRaw's, which stands before it."""
    known = levels(capture.make, capture.model)
    if known is None or known.black is None or not any(capture.black):
        return capture
    if any(fact == "black" for fact, _ in capture.origins):
        return capture
    if max(abs(level - known.black) for level in capture.black) < 1:
        return capture
    told = ("black", f"LibRaw; cameras.toml has {known.black:g} ({known.source})")
    return replace(capture, origins=(*capture.origins, told))
