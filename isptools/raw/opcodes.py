"""The opcode lists of a DNG: bytes to records and back (DNG 1.7, chapter 7; always big-endian)."""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Capture, GainMap

NAMES = {
    1: "WarpRectilinear", 2: "WarpFisheye", 3: "FixVignetteRadial", 4: "FixBadPixelsConstant",
    5: "FixBadPixelsList", 6: "TrimBounds", 7: "MapTable", 8: "MapPolynomial", 9: "GainMap",
    10: "DeltaPerRow", 11: "DeltaPerColumn", 12: "ScalePerRow", 13: "ScalePerColumn",
    14: "WarpRectilinear2",
}  # fmt: skip
TRIM = 6
LINEARIZED = (
    "LinearizationTable, applied by LibRaw"  # of `origins`: OpcodeList1 means numbers before
)
OPTIONAL = 1  # bit of the flags: a reader that does not know the opcode may go on
Area = tuple[int, int, int, int]  # top, left, bottom, right
Window = tuple[int, int, int, int]  # top, left, height, width


class OpcodeError(ValueError):
    """An opcode list whose bytes contradict the specification."""


@dataclass(frozen=True, slots=True)
class Sites:
    """The samples that an opcode works on: every so many rows and columns of an area, planes."""

    area: Area
    plane: int
    planes: int
    row_pitch: int
    col_pitch: int


@dataclass(frozen=True, slots=True)
class BadConstant:
    """Samples of this value are bad."""

    value: int
    phase: (
        int  # of the CFA's top left pixel: 0 red, 1 green beside red, 2 green beside blue, 3 blue
    )


@dataclass(frozen=True, slots=True)
class BadList:
    """These samples are bad."""

    points: tuple[tuple[int, int], ...]  # row, column
    areas: tuple[Area, ...]
    phase: int


@dataclass(frozen=True, slots=True)
class Trim:
    """All that lies outside is cut off."""

    area: Area


@dataclass(frozen=True, slots=True)
class Table:
    """A number for each number; those behind the table's end take its last."""

    sites: Sites
    entries: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Polynomial:
    """c0 + c1 x + c2 x^2 + ..."""

    sites: Sites
    coefficients: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """A number for each row (axis 0) or column (axis 1), to be added or to multiply by."""

    sites: Sites
    axis: int
    scales: bool
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Vignette:
    """Gain 1 + k0 r^2 + ... + k4 r^10; r is 1 in the corner farthest from the center."""

    terms: tuple[float, ...]
    center: tuple[float, float]  # x, y as shares of width and height


@dataclass(frozen=True, slots=True)
class Warp:
    """Radial (kr0 to kr3) and tangential (kt0, kt1) terms, once or for each plane."""

    terms: tuple[tuple[float, ...], ...]
    center: tuple[float, float]  # x, y as shares of width and height


Parameters = BadConstant | BadList | Trim | Table | Polynomial | GainMap | Lines | Vignette | Warp


@dataclass(frozen=True, slots=True)
class Opcode:
    """One opcode of a list; `does` is None for one that this version does not know."""

    opcode_list: int  # 1, 2 or 3
    place: int  # in its list, from 0
    number: int
    flags: int
    version: int
    body: bytes
    does: Parameters | None

    @property
    def mandatory(self) -> bool:
        """Whether a reader that does not know it must refuse the file (DNG 1.7, chapter 7)."""
        return not self.flags & OPTIONAL

    @property
    def name(self) -> str:
        """Its number, its name where one is known, and its list, for people."""
        known = NAMES.get(self.number)
        number = f"opcode {self.number}" + (f" ({known})" if known else "")
        return f"{number} of OpcodeList{self.opcode_list}"


def parse(code: bytes, opcode_list: int) -> tuple[Opcode, ...]:
    """The opcodes of one list in their order; OpcodeError where bytes are missing or wrong."""
    if not code:
        return ()
    found, place = [], 4
    try:
        (count,) = struct.unpack_from(">I", code)
        for index in range(count):
            number, version, flags, size = struct.unpack_from(">4I", code, place)
            body, place = code[place + 16 : place + 16 + size], place + 16 + size
            if place > len(code):
                raise OpcodeError(f"its opcode {number} is cut off")
            does = _parsed(number, body, opcode_list)
            found.append(Opcode(opcode_list, index, number, flags, version, body, does))
    except (struct.error, OpcodeError) as error:
        why = f": {error}" if isinstance(error, OpcodeError) else ""
        raise OpcodeError(f"OpcodeList{opcode_list} of {len(code)} bytes is damaged{why}") from None
    return tuple(found)


def encode(opcodes: Sequence[Opcode]) -> bytes:
    """The bytes of a list of these opcodes; none for none."""
    if not opcodes:
        return b""
    parts = [struct.pack(">I", len(opcodes))]
    for one in opcodes:
        parts += [struct.pack(">4I", one.number, one.version, one.flags, len(one.body)), one.body]
    return b"".join(parts)


def listed(capture: Capture, opcode_list: int) -> tuple[Opcode, ...]:
    """The opcodes of one list of a file.

    GainMaps are those of `capture.gain_maps`, which may come from beside the file.
    """
    codes = {1: capture.opcode_list_1, 2: capture.opcode_list_2, 3: capture.opcode_list_3}
    stated = parse(codes[opcode_list], opcode_list)
    maps = [one for one in capture.gain_maps if one.opcode_list == opcode_list]
    if [one.does for one in stated if isinstance(one.does, GainMap)] == maps:
        return stated
    others = [one for one in stated if not isinstance(one.does, GainMap)]
    added = [Opcode(opcode_list, 0, 9, OPTIONAL, 0x01030000, encoded_map(one), one) for one in maps]
    return tuple(replace(one, place=i) for i, one in enumerate([*others, *added]))


# -- one opcode ----------------------------------------------------------------------------------


def _parsed(number: int, body: bytes, opcode_list: int) -> Parameters | None:
    read = READERS.get(number)
    try:
        return read(body, opcode_list) if read else None
    except struct.error:
        raise OpcodeError(f"its {NAMES[number]} is cut off") from None


def _sites(body: bytes) -> Sites:
    *area, plane, planes, row_pitch, col_pitch = struct.unpack_from(">8I", body)
    top, left, bottom, right = area
    return Sites((top, left, bottom, right), plane, planes, max(row_pitch, 1), max(col_pitch, 1))


def _array(body: bytes, code: str, count: int, place: int) -> NDArray[np.generic]:
    if count * np.dtype(code).itemsize > len(body) - place:
        raise struct.error
    return np.frombuffer(body, code, count, place)


def _finite(values: Sequence[float], name: str) -> tuple[float, ...]:
    if not all(map(math.isfinite, values)):
        raise OpcodeError(f"its {name} holds values that are no numbers")
    return tuple(values)


def _bad_constant(body: bytes, _: int) -> BadConstant:
    return BadConstant(*struct.unpack_from(">2I", body))


def _bad_list(body: bytes, _: int) -> BadList:
    phase, points, areas = struct.unpack_from(">3I", body)
    numbers = _array(body, ">u4", 2 * points + 4 * areas, 12).tolist()
    pairs = [(numbers[i], numbers[i + 1]) for i in range(0, 2 * points, 2)]
    fours = [
        (numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3])
        for i in range(2 * points, len(numbers), 4)
    ]
    return BadList(tuple(pairs), tuple(fours), phase)


def _trim(body: bytes, _: int) -> Trim:
    top, left, bottom, right = struct.unpack_from(">4I", body)
    if top >= bottom or left >= right:
        raise OpcodeError(f"its TrimBounds leaves nothing ({top}, {left}, {bottom}, {right})")
    return Trim((top, left, bottom, right))


def _table(body: bytes, _: int) -> Table:
    (count,) = struct.unpack_from(">I", body, 32)
    if not 0 < count <= 65536:
        raise OpcodeError(f"its MapTable has {count} entries; 1 to 65536 are allowed")
    return Table(_sites(body), _array(body, ">u2", count, 36).astype(np.uint16))


def _polynomial(body: bytes, _: int) -> Polynomial:
    (degree,) = struct.unpack_from(">I", body, 32)
    if degree > 8:
        raise OpcodeError(f"its MapPolynomial has degree {degree}; 8 is the most")
    values = struct.unpack_from(f">{degree + 1}d", body, 36)
    return Polynomial(_sites(body), _finite(values, "MapPolynomial"))


def _gain_map(body: bytes, opcode_list: int) -> GainMap:
    top, left, bottom, right, plane, planes, *pitch = struct.unpack_from(">8I", body)
    points_v, points_h = struct.unpack_from(">2I", body, 32)
    place = _finite(struct.unpack_from(">4d", body, 40), "GainMap")
    (map_planes,) = struct.unpack_from(">I", body, 72)
    gains = _array(body, ">f4", points_v * points_h * map_planes, 76)
    if not gains.size:
        raise OpcodeError("its GainMap has no points")
    spacing_v, spacing_h, origin_v, origin_h = place
    return GainMap(
        opcode_list=opcode_list,
        area=(top, left, bottom, right),
        plane=plane,
        planes=planes,
        row_pitch=pitch[0],
        col_pitch=pitch[1],
        points_v=points_v,
        points_h=points_h,
        spacing_v=spacing_v,
        spacing_h=spacing_h,
        origin_v=origin_v,
        origin_h=origin_h,
        map_planes=map_planes,
        gains=_finite(gains.astype(np.float64).tolist(), "GainMap"),
    )


def encoded_map(one: GainMap) -> bytes:
    """The body of a GainMap; `_gain_map` backwards."""
    area = struct.pack(">8I", *(value % 2**32 for value in one.area), one.plane, one.planes,
                       one.row_pitch, one.col_pitch)  # fmt: skip
    points = struct.pack(">2I", one.points_v, one.points_h)
    place = struct.pack(">4d", one.spacing_v, one.spacing_h, one.origin_v, one.origin_h)
    gains = np.array(one.gains, ">f4").tobytes()
    return area + points + place + struct.pack(">I", one.map_planes) + gains


def _lines(axis: int, scales: bool, name: str) -> Callable[[bytes, int], Lines]:
    def read(body: bytes, _: int) -> Lines:
        sites = _sites(body)
        (count,) = struct.unpack_from(">I", body, 32)
        values = _array(body, ">f4", count, 36).astype(np.float32)
        length = sites.area[axis + 2] - sites.area[axis]
        needed = max(-(-length // (sites.row_pitch, sites.col_pitch)[axis]), 0)
        if count != needed:
            raise OpcodeError(f"its {name} has {count} numbers for {needed} lines")
        _finite(values.tolist(), name)
        return Lines(sites, axis, scales, values)

    return read


def _vignette(body: bytes, _: int) -> Vignette:
    *terms, x, y = _finite(struct.unpack_from(">7d", body), "FixVignetteRadial")
    return Vignette(tuple(terms), (x, y))


def _warp(body: bytes, _: int) -> Warp:
    (planes,) = struct.unpack_from(">I", body)
    if not 0 < planes <= 4:
        raise OpcodeError(f"its WarpRectilinear is for {planes} planes")
    values = _finite(struct.unpack_from(f">{6 * planes + 2}d", body, 4), "WarpRectilinear")
    terms = tuple(values[6 * i : 6 * i + 6] for i in range(planes))
    return Warp(terms, (values[-2], values[-1]))


READERS: dict[int, Callable[[bytes, int], Parameters]] = {
    1: _warp, 3: _vignette, 4: _bad_constant, 5: _bad_list, 6: _trim, 7: _table, 8: _polynomial,
    9: _gain_map, 10: _lines(0, False, NAMES[10]), 11: _lines(1, False, NAMES[11]),
    12: _lines(0, True, NAMES[12]), 13: _lines(1, True, NAMES[13]),
}  # fmt: skip
