"""Which numbers make sense: one validator for what files state, recipes ask, shards hold.

`build` refuses a file whose facts are not sound, the writer of shards takes no such row, readers
and `check` take no such shard: what is built is accepted, and what is refused can't be written.
Each function gives a line for each thing that is wrong. The ranges are wide: what lies beyond is no
odd camera but no number of a camera at all.
"""

import math
from collections.abc import Iterator, Sequence

DN = 1 << 20  # digital numbers: sensors have up to 16 bits, linear DNGs up to 20 in use
VARIANCE = 1e6  # of x, which is 1 at white
SECONDS = 1e7
ISO = 1e8
APERTURE = 1e4
RATIO = 1e9
FACTOR = 1e6  # gains, elements of color matrices, physical values at full scale
FLAT = 1e-9  # determinant of a matrix that can't be inverted, beside the product of its rows


Rows = Sequence[Sequence[float]]


def text(name: str, value: str) -> Iterator[str]:
    """That it can be stored, and read as it was: UTF-8 without NUL."""
    if "\0" in value:
        yield f"{name} holds a NUL"
    if any("\ud800" <= character <= "\udfff" for character in value):
        yield f"{name} is not Unicode"


def within(name: str, value: float | None, most: float, least: float = 0.0) -> Iterator[str]:
    """A number above `least` and up to `most`; None is nothing that anybody stated."""
    if value is not None and not least < value <= most:
        yield f"{name} {value:g} is not above {least:g} and up to {most:g}"


def levels(black: Sequence[float] | None, white: float | None) -> Iterator[str]:
    """Black levels in DN for each position, and the white level, black still in."""
    if black is None or white is None or not _finite([*black, white]):
        yield "black or white levels are not finite"
    elif not black or min(black) < -DN or white > DN:
        yield f"black {min(black, default=0):g} to white {white:g} is beyond {DN} DN"
    elif not white > max(black):
        yield f"white {white:g} is not above black {max(black):g}"


def noise(shot: Sequence[float] | None, read: Sequence[float] | None) -> Iterator[str]:
    """Variance = shot * x + read for each position."""
    if shot is None or read is None or not _finite([*shot, *read]):
        yield "noise parameters are not finite"
    elif min(*shot, *read) < 0:
        yield "a noise parameter is negative"
    elif max(*shot, *read) > VARIANCE:
        yield f"a noise parameter is beyond {VARIANCE:g}"


def gains(name: str, values: Sequence[float] | None) -> Iterator[str]:
    """Gains of white balance as LibRaw states them: 0 or -1 where it found none."""
    if values is None or not _finite(values) or max(map(abs, values)) > FACTOR:
        yield f"{name} gains are not finite numbers of up to {FACTOR:g}"


def matrix(name: str, rows: Rows | None) -> Iterator[str]:
    """A color matrix that can be inverted; None where nobody stated one."""
    if rows is None:
        return
    flat = [value for row in rows for value in row]
    if not _finite(flat) or max(map(abs, flat)) > FACTOR:
        yield f"{name} does not hold finite numbers of up to {FACTOR:g}"
    elif len(rows) == 3 and _is_flat(rows):
        yield f"{name} can't be inverted"


def exposure(seconds: float | None, iso: float | None, aperture: float | None) -> Iterator[str]:
    """What a file or a list states of an exposure; 0 says nothing, but is written now and then."""
    stated = (
        ("exposure time", seconds, SECONDS),
        ("ISO", iso, ISO),
        ("aperture", aperture, APERTURE),
    )
    for name, value, most in stated:
        if value is not None and not 0 <= value <= most:
            yield f"{name} {value:g} is not from 0 to {most:g}"


def filters(cfa: str) -> Iterator[str]:
    """Letters of the color filters: each color is there."""
    if set(cfa) != set("RGB"):
        yield f"color filters {cfa[:40]!r} are not red, green and blue"


def turns(orientation: int, flip: int) -> Iterator[str]:
    """EXIF's code and LibRaw's."""
    if not (0 <= orientation <= 8 and 0 <= flip <= 7):
        yield f"orientation {orientation} or flip {flip} is none"


def _is_flat(rows: Rows) -> bool:
    (a, b, c), (d, e, f), (g, h, i) = rows
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    size = math.prod(math.hypot(*row) for row in rows)
    return not abs(determinant) > FLAT * size


def _finite(values: Sequence[float]) -> bool:
    return all(map(math.isfinite, values))
