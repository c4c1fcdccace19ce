"""Where a number that a file, a manifest or a recipe states is judged: in one place, for all.

What is refused here can't be written into a shard, and `check` refuses it in one.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

LARGEST = 65535  # of a digital number
KINDS = {3: "rgb", 4: "bayer", 36: "xtrans"}  # positions of a CFA -> kind of input
GREATEST = 1e9  # of a time in seconds, an ISO, an aperture, a ratio: no camera has more


class FactsError(ValueError):
    """Facts that contradict each other or are no numbers: one line."""


class Facts(Protocol):
    """What an input states: a row of a shard's table, or the capture of a frame."""

    @property
    def cfa(self) -> str: ...
    @property
    def black(self) -> tuple[float, ...]: ...
    @property
    def white(self) -> float: ...


def expect(wrong: Iterator[str]) -> None:
    """FactsError with the first thing that is wrong."""
    for text in wrong:
        raise FactsError(text)


def of_input(row: Any, kind: str) -> Iterator[str]:
    """What is wrong with the facts of an input (`shards.schema.InputRow`)."""
    yield from filters(row, kind)
    yield from levels(row.black, row.white)
    yield from noise(row.shot, row.read)
    yield from of_shot(row)
    if row.ratio is not None and not 0 < row.ratio <= GREATEST:
        yield f"exposure ratio {row.ratio:g}"
    for name in ("as_shot", "daylight"):
        if not _finite(getattr(row, name) or ()):
            yield f"gains that are no finite numbers ({name})"
    for name in ("camera_to_srgb", "xyz_to_camera"):
        yield from matrix(name, getattr(row, name))


def of_truth(row: Any) -> Iterator[str]:
    """What is wrong with the facts of a truth (`shards.schema.TruthRow`)."""
    yield from of_shot(row)
    if not (math.isfinite(row.white) and row.white > 0):
        yield f"full scale {row.white:g} above black"
    if row.gains is not None and not _finite(row.gains):
        yield "gains that are no finite numbers"


def of_capture(capture: Any) -> Iterator[str]:
    """What is wrong with the facts of a frame that was just read (`isptools.frame.Capture`)."""
    if capture.kind in KINDS.values():
        yield from filters(capture, capture.kind)
    yield from levels(capture.black, capture.white)
    pairs = capture.noise_profile or ()
    yield from noise([shot for shot, _ in pairs], [read for _, read in pairs])
    for name in ("camera_to_srgb", "xyz_to_camera", "color_matrix_1", "color_matrix_2"):
        yield from matrix(name, getattr(capture, name))


def levels(black: Sequence[float] | None, white: float | None) -> Iterator[str]:
    """Digital numbers: black from 0, white above it, both within 16 bits."""
    if not black or white is None or not _finite((*black, white)):
        yield "levels are not finite"
    elif not white > max(black):
        yield f"white {white:g} is not above black {max(black):g}"
    elif min(black) < 0 or white > LARGEST:
        yield f"levels from {min(black):g} to {white:g} are no 16-bit numbers"


def noise(shot: Sequence[float] | None, read: Sequence[float] | None) -> Iterator[str]:
    """Variance = shot * x + read."""
    if shot is None or read is None or not _finite((*shot, *read)):
        yield "noise is not finite"
    elif any(value < 0 for value in (*shot, *read)):
        yield "a noise parameter is negative"


def filters(facts: Facts, kind: str) -> Iterator[str]:
    """Letters of a CFA: as many as its kind has, and every color."""
    cfa = facts.cfa
    if KINDS.get(len(cfa)) != kind or set(cfa) != set("RGB"):
        yield f"color filters {cfa!r} in a file of kind {kind}"
    elif facts.black and len(facts.black) != len(cfa):
        yield f"{len(facts.black)} black levels for {len(cfa)} filters"


def matrix(name: str, values: Sequence[Sequence[float]] | None) -> Iterator[str]:
    """3 x 3 finite numbers, no row of zeros alone."""
    if values is None:
        return
    if not all(_finite(row) for row in values):
        yield f"{name} holds values that are no finite numbers"
    elif not all(any(row) for row in values):
        yield f"{name} has a row of zeros"


def of_shot(row: Any) -> Iterator[str]:
    for name in ("exposure_s", "iso", "aperture"):
        value = getattr(row, name)
        if value is not None and not 0 < value <= GREATEST:
            yield f"{name} {value:g}"
    for name in ("key", "scene", "source", "make", "model"):
        yield from text(name, getattr(row, name))


def text(name: str, value: str) -> Iterator[str]:
    """That it can be stored, and read as it was: UTF-8 without NUL."""
    if "\0" in value:
        yield f"{name} holds a NUL"
    try:
        value.encode()
    except UnicodeEncodeError:
        yield f"{name} is not Unicode"


def _finite(values: Sequence[float]) -> bool:
    return all(math.isfinite(value) for value in values)
