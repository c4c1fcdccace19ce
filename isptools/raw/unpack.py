"""A second decoder beside LibRaw's, for what most DNGs hold: lossless JPEG and plain numbers.

It gives LibRaw's integers in a third of the time, or nothing: whatever is not as the standards
have it is LibRaw's to decide about. Facts stay LibRaw's, which sees the file without its pixels.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isptools.compiled import is_loaded
from isptools.frame import empty
from isptools.raw import ljpeg
from isptools.raw.capi import Info
from isptools.raw.tags import Tags

U16 = NDArray[np.uint16]
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES = 256, 257, 258, 259, 262, 277
PREDICTOR, FORMAT, LINEARIZATION, MASKED, VERSION = 317, 339, 50712, 50830, 50706
STRIPS, TILES, TILE = (273, 279), (324, 325), (322, 323)  # offsets, lengths; width, height
PLAIN, JPEG, MOSAIC = 1, 7, 32803
DECODERS = {JPEG: "lossless_dng_load_raw()", PLAIN: "packed_dng_load_raw()"}  # LibRaw's
FEWEST = 2_000_000  # pixels: a smaller picture is decoded sooner than the kernels are loaded
AHEAD = 40_000_000  # the same, where numba has to be loaded too
_asked = [0]  # pixels that this process was asked for: after AHEAD there will be more
OLDEST = (1, 1)  # before DNG 1.1 differences of 16 bits were written in another way


@dataclass(frozen=True, slots=True)
class Piece:
    """A strip or tile: its bytes, and the part of the sensor that it covers."""

    start: int
    size: int
    top: int
    left: int
    shape: tuple[int, int]  # as stored; what reaches over the sensor's edge is padding


def sensor(data: bytes, tags: Tags | None, info: Info, fewest: int | None = None) -> U16 | None:
    """Every number of the sensor (H, W), margins too, as LibRaw's raw_image.

    None for another layout, for less than `fewest` pixels (left out: as many as make it worth to
    load what decodes them), and for damage of any kind.
    """
    if tags is None or not _is_ours(tags, info) or not _is_whole(tags, len(data)):
        return None
    height, width = _number(tags, HEIGHT), _number(tags, WIDTH)
    _asked[0] += height * width
    if fewest is None:
        fewest = FEWEST if is_loaded() or _asked[0] > AHEAD else AHEAD
    if height * width < fewest:
        return None
    pixels = empty((height, width), np.uint16)
    bits = _number(tags, BITS)
    for piece in _pieces(tags, height, width):
        part = np.frombuffer(data, np.uint8, piece.size, piece.start)
        if _number(tags, COMPRESSION) == PLAIN:
            done = ljpeg.plain(part, bits, tags.order == "<", _rows(pixels, piece))
        else:
            done = _from_jpeg(part, piece, bits, pixels)
        if not done:
            return None
    return pixels


def without_pixels(data: bytes, tags: Tags) -> bytes:
    """The same file with nothing that LibRaw could decode, so that it states its facts at once.

    Lossless JPEG without its first marker ends its decoding; plain numbers are said to be such.
    """
    places, sizes = (
        tags.raw.get(tile) or tags.raw[strip] for tile, strip in zip(TILES, STRIPS, strict=True)
    )
    start, end = int(places[0]), max(map(sum, zip(places, sizes, strict=True)))
    order: Literal["little", "big"] = "little" if tags.order == "<" else "big"
    changed = {start: b"\0\0", tags.compression_at: JPEG.to_bytes(2, order)}
    size = len(data)
    if size - end < 2 and start == min(places) and tags.compression_at < start:
        size = start + 2  # nothing stands behind the pixels
    view, parts, at = memoryview(data), list[bytes | memoryview](), 0
    for place in sorted(changed):
        parts += view[at:place], changed[place]
        at = place + 2
    return b"".join([*parts, view[at:size]])


def _number(tags: Tags, tag: int, default: int = 0) -> int:
    return int((tags.raw.get(tag) or (default,))[0])


def _is_ours(tags: Tags, info: Info) -> bool:
    """A mosaic of integers in a DNG that LibRaw decodes with the function we know."""
    compression, bits = _number(tags, COMPRESSION, PLAIN), _number(tags, BITS)
    version = tuple(tags.main.get(VERSION) or ())
    return (
        info.dng
        and info.decodable
        and info.filters != 0
        and info.sensor == (_number(tags, HEIGHT), _number(tags, WIDTH))
        and info.decoder == DECODERS.get(compression)
        and tags.compression_at > 0
        and version >= OLDEST
        and 8 <= bits <= 16
        and _number(tags, PHOTOMETRIC) == MOSAIC
        and _number(tags, SAMPLES, 1) == 1
        and _number(tags, FORMAT, 1) == 1
        and _number(tags, PREDICTOR, 1) == 1
        and not tags.raw.get(LINEARIZATION)
        and not tags.find(MASKED)  # LibRaw measures black there while it decodes
    )


def _is_whole(tags: Tags, size: int) -> bool:
    """Sides that are told, one place for each piece, all of it inside the file."""
    height, width = _number(tags, HEIGHT), _number(tags, WIDTH)
    if not 0 < height <= 65535 or not 0 < width <= 65535:
        return False
    pieces = list(_pieces(tags, height, width))
    inside = all(one.start > 0 and 0 < one.size <= size - one.start for one in pieces)
    if _number(tags, COMPRESSION, PLAIN) == PLAIN:
        return bool(pieces) and inside and _in_a_row(tags, pieces)
    tiled = TILES[0] in tags.raw  # of JPEGs in strips LibRaw reads the first
    return inside and len(pieces) > 0 and (tiled or len(pieces) == 1)


def _in_a_row(tags: Tags, pieces: list[Piece]) -> bool:
    """Whether plain strips follow each other without a gap, which is how LibRaw reads them."""
    bits, width = _number(tags, BITS), _number(tags, WIDTH)
    if any(tag in tags.raw for tag in TILE) or width * bits % 8:
        return False
    at = pieces[0].start
    for one in pieces:
        if one.start != at or one.size != one.shape[0] * width * bits // 8:
            return False
        at += one.size
    return True


def _pieces(tags: Tags, height: int, width: int) -> Iterator[Piece]:
    tiled = TILES[0] in tags.raw
    starts, sizes = (tags.raw.get(tag) or () for tag in (TILES if tiled else STRIPS))
    across = _number(tags, TILE[0]) if tiled else width
    down = _number(tags, TILE[1]) if tiled else min(_number(tags, 278, height), height)
    if across <= 0 or down <= 0:
        return
    corners = [(y, x) for y in range(0, height, down) for x in range(0, width, across)]
    if not len(corners) == len(starts) == len(sizes):
        return
    for (top, left), start, size in zip(corners, starts, sizes, strict=True):
        tall = down if tiled else min(down, height - top)
        yield Piece(int(start), int(size), top, left, (tall, across))


def _rows(pixels: U16, piece: Piece) -> U16:
    return pixels[piece.top : piece.top + piece.shape[0]]


def _from_jpeg(part: NDArray[np.uint8], piece: Piece, bits: int, pixels: U16) -> bool:
    """One lossless JPEG, whose rows may be folded otherwise than those of its piece."""
    told = ljpeg.head(part)
    if told is None or told.precision > bits or math.prod(told.shape) != math.prod(piece.shape):
        return False
    rows, columns, count = told.shape
    target = _rows(pixels, piece)
    straight = piece.shape == target.shape
    folded = target if straight else np.empty(piece.shape, np.uint16)
    if not ljpeg.decode(part, told, folded.reshape(rows, columns * count)):
        return False
    if not straight:
        area = target[:, piece.left : piece.left + piece.shape[1]]
        area[...] = folded[: area.shape[0], : area.shape[1]]
    return True
