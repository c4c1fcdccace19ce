"""Where on the visible pixels an opcode works, and what it is on a cut of them."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from isptools.frame import Capture, GainMap
from isptools.raw.opcodes import (
    Area,
    BadConstant,
    BadList,
    Lines,
    Opcode,
    Polynomial,
    Table,
    Trim,
    Window,
    encoded_map,
)

# -- where opcodes mean their places -------------------------------------------------------------


def active_window(
    visible_origin: tuple[int, int], active_area: Area | None, shape: tuple[int, ...]
) -> Window:
    """The active area (top, left, bottom, right on the sensor) in pixels of the visible mosaic."""
    if active_area is None:
        return (0, 0, shape[0], shape[1])
    top, left, bottom, right = active_area
    return (top - visible_origin[0], left - visible_origin[1], bottom - top, right - left)


def window_of(capture: Capture, opcode_list: int, shape: tuple[int, ...]) -> Window:
    """The picture whose places a list means, in pixels of the visible one.

    OpcodeList1 means the whole sensor, masked borders too; its size is not among the facts where it
    has such borders: height and width are 0 then. The others mean the active area.
    """
    if opcode_list != 1:
        return active_window(capture.visible_origin, capture.active_area, shape)
    down, right = capture.visible_origin
    area = capture.active_area or (down, right, down + shape[0], right + shape[1])
    borders = (down, right) != (0, 0) or area != (0, 0, *shape[:2])
    height, width = (0, 0) if borders else shape[:2]
    return -down, -right, height, width


def placed(opcodes: Sequence[Opcode], window: Window) -> Iterator[tuple[Opcode, Window]]:
    """Opcodes with the picture that their places mean; behind a TrimBounds it is what is left."""
    for one in opcodes:
        if isinstance(one.does, Trim):
            top, left, bottom, right = one.does.area
            window = window[0] + top, window[1] + left, bottom - top, right - left
        else:
            yield one, window


# -- another origin ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shift:
    """From a picture to a cut of it: where that begins, and height and width of both."""

    down: int
    right: int
    old: tuple[int, int]
    new: tuple[int, int]

    @property
    def nothing(self) -> bool:
        """Whether neither the place nor the pattern changes."""
        return not (self.down or self.right) and self.old == self.new


def moved(one: Opcode, shift: Shift) -> Opcode | None:
    """The opcode for a cut of its picture; None where it can't be stated there."""
    does = one.does
    if shift.nothing:
        return one
    if isinstance(does, GainMap):
        known = all(shift.old)  # of a sensor with masked borders the size is not
        return replace(one, body=encoded_map(_moved_map(does, shift))) if known else None
    if isinstance(does, BadList):
        return replace(one, body=_moved_list(does, shift))
    if isinstance(does, Table | Polynomial | Lines):
        return replace(one, body=_moved_sites(one.body, does, shift))
    return one if isinstance(does, BadConstant) else None


def moved_area(area: Area, pitch: tuple[int, int], shift: Shift) -> Area:
    """An area of every so many rows and columns, as the cut sees it; its first line stays one."""
    by = shift.down, shift.right
    starts = [
        start - less if start >= less else (start - less) % step
        for start, less, step in zip(area[:2], by, pitch, strict=True)
    ]
    ends = [max(end - less, 0) for end, less in zip(area[2:], by, strict=True)]
    return starts[0], starts[1], ends[0], ends[1]


def _moved_map(does: GainMap, shift: Shift) -> GainMap:
    (high, wide), (height, width) = shift.old, shift.new
    pitch = max(does.row_pitch, 1), max(does.col_pitch, 1)
    return replace(
        does,
        area=moved_area(does.area, pitch, shift),
        spacing_v=does.spacing_v * high / height,
        spacing_h=does.spacing_h * wide / width,
        origin_v=(does.origin_v * high - shift.down) / height,
        origin_h=(does.origin_h * wide - shift.right) / width,
    )


def _moved_list(does: BadList, shift: Shift) -> bytes:
    points = [(y - shift.down, x - shift.right) for y, x in does.points]
    points = [point for point in points if min(point) >= 0]
    areas = [moved_area(area, (1, 1), shift) for area in does.areas]
    areas = [area for area in areas if area[0] < area[2] and area[1] < area[3]]
    flat = [value for each in (*points, *areas) for value in each]
    return struct.pack(f">{3 + len(flat)}I", does.phase, len(points), len(areas), *flat)


def _moved_sites(body: bytes, does: Table | Polynomial | Lines, shift: Shift) -> bytes:
    sites = does.sites
    pitch = sites.row_pitch, sites.col_pitch
    area = moved_area(sites.area, pitch, shift)
    head = struct.pack(">4I", *area) + body[16:32]
    if not isinstance(does, Lines):
        return head + body[32:]
    axis = does.axis
    gone = -(-max((shift.down, shift.right)[axis] - sites.area[axis], 0) // pitch[axis])
    left = does.values[gone:].astype(">f4")
    return head + struct.pack(">I", len(left)) + left.tobytes()
