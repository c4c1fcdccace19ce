"""Opcode lists written by hand, as the DNG specification (chapter 7) lays them out."""

import struct

OPTIONAL, PREVIEW = 1, 2
TAGS = {1: 51008, 2: 51009, 3: 51022}


def listing(*opcodes: tuple[int, int, bytes]) -> bytes:
    """(number, flags, body) of each."""
    parts = [
        struct.pack(">4I", number, 0x01030000, flags, len(body)) + body
        for number, flags, body in opcodes
    ]
    return struct.pack(">I", len(opcodes)) + b"".join(parts)


def tag(opcode_list: int, *opcodes: tuple[int, int, bytes]) -> tuple:
    code = listing(*opcodes)
    return (TAGS[opcode_list], 7, len(code), code, True)


def sites(area: tuple[int, ...], plane: int = 0, planes: int = 1, pitch=(1, 1)) -> bytes:
    return struct.pack(">8I", *area, plane, planes, *pitch)


def polynomial(where: bytes, *coefficients: float) -> bytes:
    degree = len(coefficients) - 1
    return where + struct.pack(f">I{degree + 1}d", degree, *coefficients)


def table(where: bytes, entries) -> bytes:
    return where + struct.pack(f">I{len(entries)}H", len(entries), *entries)


def lines(where: bytes, values) -> bytes:
    return where + struct.pack(f">I{len(values)}f", len(values), *values)


def gain_map(where: bytes, points, spacing, origin, planes: int, gains) -> bytes:
    head = struct.pack(">2I4dI", *points, *spacing, *origin, planes)
    return where + head + struct.pack(f">{len(gains)}f", *gains)


def bad_list(points=(), areas=(), phase: int = 0) -> bytes:
    flat = [value for each in (*points, *areas) for value in each]
    return struct.pack(f">3I{len(flat)}I", phase, len(points), len(areas), *flat)
