"""DNGs byte by byte, for layouts that tifffile does not write: samples, bits, predictors."""

import struct
from collections.abc import Sequence
from typing import Any

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8}
LETTERS = {1: "B", 3: "H", 4: "I", 5: "I", 10: "i", 11: "f", 12: "d"}
Tag = tuple[int, int, Sequence[Any]]  # number, type, values; rationals are (above, below)
BAYER = (0, 1, 1, 2)
MATRIX = (0.7, -0.2, -0.05, -0.4, 1.2, 0.2, -0.05, 0.15, 0.6)


def fractions(values: Sequence[float]) -> list[tuple[int, int]]:
    return [(round(value * 1_000_000), 1_000_000) for value in values]


def dng(
    shape: tuple[int, int], pieces: Sequence[bytes], *tags: Tag, bits: int = 16, samples: int = 1,
    order: str = "<",
) -> bytes:  # fmt: skip
    """A mosaic; `tags` stand before those of the same number here, and one of no values leaves it
    out. Strips are `pieces` of equal rows unless tags 322 and 323 say tiles."""
    height, width = shape
    known: dict[int, Tag] = {
        tag[0]: tag
        for tag in (
            (254, 4, [0]), (256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * samples),
            (259, 3, [1]), (262, 3, [32803]), (277, 3, [samples]),
            (278, 4, [-(-height // len(pieces))]), (284, 3, [1]), (271, 2, b"Maker\0"),
            (272, 2, b"Model\0"), (33421, 3, [2, 2]), (33422, 1, BAYER), (50706, 1, [1, 4, 0, 0]),
            (50708, 2, b"Maker Model\0"), (50717, 4, [4095]),
            (50721, 10, fractions(MATRIX)), (50778, 3, [21]),
            (50728, 5, fractions([0.5, 1, 0.6])),
            *tags,
        )
    }  # fmt: skip
    places = (324, 325) if 322 in known else (273, 279)
    known[places[1]] = (places[1], 4, [len(piece) for piece in pieces])
    start = 8 + len(_directory([*known.values(), (places[0], 4, [0] * len(pieces))], order))
    offsets = [start + sum(map(len, pieces[:i])) for i in range(len(pieces))]
    directory = _directory([*known.values(), (places[0], 4, offsets)], order)
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(order + "HI", 42, 8) + directory + b"".join(pieces)


def _directory(tags: Sequence[Tag], order: str) -> bytes:
    tags = sorted((tag for tag in tags if len(tag[2])), key=lambda tag: tag[0])
    at, entries, beyond = 8 + 2 + 12 * len(tags) + 4, b"", b""
    for number, kind, values in tags:
        data = _packed(kind, values, order)
        entries += struct.pack(order + "HHI", number, kind, len(data) // SIZES[kind])
        if len(data) > 4:
            entries += struct.pack(order + "I", at + len(beyond))
            beyond += data + b"\0" * (len(data) % 2)
        else:
            entries += data.ljust(4, b"\0")
    whole = struct.pack(order + "H", len(tags)) + entries + b"\0\0\0\0" + beyond
    return whole + b"\0" * (-len(whole) % 4)


def _packed(kind: int, values: Sequence[Any], order: str) -> bytes:
    if isinstance(values, bytes):
        return values
    flat = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return struct.pack(f"{order}{len(flat)}{LETTERS[kind]}", *flat)
