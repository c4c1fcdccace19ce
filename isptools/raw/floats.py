"""Floating point pixels of a DNG, decoded here: LibRaw scales them by the picture's own maximum.

DNG 1.7, chapter 3: 16, 24 or 32 bits, uncompressed or deflated, with the predictors for floats.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.raw.dng import TagError
from isptools.raw.dng_levels import LARGEST
from isptools.raw.tags import Tags

F32 = NDArray[np.float32]

FORMAT, FLOATS = 339, 3
WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES, PLANAR, PREDICTOR = 256, 257, 258, 259, 277, 284, 317
STRIPS = (273, 279, 278)  # offsets, lengths, rows
TILES = (324, 325, 323)
TILE_WIDTH = 322
DEFLATED = frozenset({8, 32946})
PREDICTORS = {1: 0, 3: 1, 34894: 2, 34895: 4}  # pixels to the left that a byte is counted from
BYTES = {16: 2, 24: 3, 32: 4}
# LibRaw's own rule for what full scale becomes, but taken of the stated white alone
KEPT, FULL = (4096.0, 32767.0), 16383.0


def is_floating_point(tags: Tags) -> bool:
    """Whether SampleFormat says that a DNG's numbers are floats."""
    return int((tags.raw.get(FORMAT) or (1,))[0]) == FLOATS


def white_of(tags: Tags) -> float:
    """WhiteLevel, or 1.0, which DNG takes for floats where it is not stated."""
    value = float((tags.find(50717) or (0.0,))[0])
    return value if np.isfinite(value) and value > 0 else 1.0


def scale_of(white: float) -> tuple[float, int]:
    """What numbers are multiplied by to be stored as integers, and what white then is.

    White from 4096 to 32767 stays; any other becomes 16383, so that numbers of up to four times
    white can be kept.
    """
    if KEPT[0] <= white <= KEPT[1]:
        return 1.0, round(white)
    return float(np.float32(FULL) / np.float32(white)), int(FULL)


def integers(numbers: F32, white: float) -> NDArray[np.uint16]:
    """Numbers as integers of `scale_of`, cut (as LibRaw cuts them), those below 0 as 0.

    TagError for values that are no numbers, or so far above white that 16 bits can't hold them.
    """
    factor, full = scale_of(white)
    wrong = int(numbers.size - np.isfinite(numbers).sum())
    if wrong:
        raise TagError(f"{wrong} of its values are no numbers (NaN or infinite)")
    most = float(numbers.max(initial=0))
    if most * factor >= LARGEST + 1:
        what = f"its values reach {most:.4g}, {most / white:.3g} times its white level {white:g}"
        raise TagError(f"{what}; {LARGEST / full:.3g} times can be kept")
    return np.asarray(np.maximum(numbers * np.float32(factor), 0), np.uint16)


def decoded(data: bytes, tags: Tags) -> F32:
    """(H, W, samples) float32, every pixel of the raw picture, margins too.

    TagError for a layout or a compression that DNG does not have for floats.
    """
    raw = tags.raw
    height, width, samples = (int(raw[tag][0]) for tag in (HEIGHT, WIDTH, SAMPLES))
    bits, code = int(raw[BITS][0]), int((raw.get(COMPRESSION) or (1,))[0])
    predictor = int((raw.get(PREDICTOR) or (1,))[0]) if code in DEFLATED else 1
    known = code in {1, *DEFLATED} and bits in BYTES and predictor in PREDICTORS
    if not known or int((raw.get(PLANAR) or (1,))[0]) != 1:
        what = f"{bits} bits, compression {code}, predictor {predictor}"
        raise TagError(f"its floating point numbers ({what}) are laid out as no DNG has them")
    out = np.zeros((height, width, samples), np.float32)
    for top, left, shape, piece in _pieces(data, tags, code):
        count = shape[0] * shape[1] * samples * BYTES[bits]
        if len(piece) < count:
            raise TagError(f"a strip or tile of its pixels holds {len(piece)} of {count} bytes")
        octets = np.frombuffer(piece, np.uint8, count).reshape(shape[0], -1)
        values = _numbers(octets, bits, tags.order, PREDICTORS[predictor] * samples)
        part = out[top : top + shape[0], left : left + shape[1]]
        part[...] = values.reshape(*shape, samples)[: part.shape[0], : part.shape[1]]
    return out


def _pieces(
    data: bytes, tags: Tags, code: int
) -> Iterator[tuple[int, int, tuple[int, int], bytes]]:
    """Top, left and shape of each strip or tile, and its bytes."""
    raw, tiled = tags.raw, TILES[0] in tags.raw
    width, height = int(raw[WIDTH][0]), int(raw[HEIGHT][0])
    at, lengths, rows = TILES if tiled else STRIPS
    down = int((raw.get(rows) or (height,))[0])
    down, across = (
        (down if tiled else min(down, height)),
        int(raw[TILE_WIDTH][0] if tiled else width),
    )
    beside = -(-width // across)
    for index, (start, length) in enumerate(zip(raw[at], raw[lengths], strict=True)):
        top, left = index // beside * down, index % beside * across
        tall = down if tiled else min(down, height - top)
        piece = data[int(start) : int(start) + int(length)]
        yield top, left, (tall, across), _inflated(piece) if code in DEFLATED else piece


def _inflated(piece: bytes) -> bytes:
    try:
        return zlib.decompress(piece)
    except zlib.error as error:
        raise TagError(f"a strip or tile of its pixels is damaged ({error})") from None


def _numbers(octets: NDArray[np.uint8], bits: int, order: str, back: int) -> F32:
    """Rows of bytes to rows of numbers.

    With a predictor (`back` > 0) each byte is the difference to the one `back` before it, and a row
    holds first the most significant byte of every number, then the next (Adobe's Photoshop TIFF
    technical note 3).
    """
    size = BYTES[bits]
    if back:
        octets = _summed(octets, back)
        octets = octets.reshape(len(octets), size, -1).swapaxes(1, 2).reshape(len(octets), -1)
        order = ">"
    if bits == 24:
        return _of_24_bits(octets.reshape(len(octets), -1, 3), order)
    flat: Any = np.ascontiguousarray(octets).view(f"{order}f{size}")
    return np.asarray(flat, np.float32)


def _summed(octets: NDArray[np.uint8], back: int) -> NDArray[np.uint8]:
    """Running sums modulo 256 over every `back`-th byte of a row."""
    out = np.array(octets)
    for first in range(min(back, out.shape[1])):
        out[:, first::back] = np.cumsum(out[:, first::back], axis=1, dtype=np.uint8)
    return out


def _of_24_bits(octets: NDArray[np.uint8], order: str) -> F32:
    """DNG's 24-bit float: sign, 7 bits of exponent (excess 63), 16 of fraction."""
    parts = octets if order == ">" else octets[..., ::-1]
    high, middle, low = (parts[..., i].astype(np.int64) for i in range(3))
    fraction, exponent = middle * 256 + low, high & 127
    normal = np.ldexp(1 + fraction / 65536, exponent - 63)
    small = np.ldexp(fraction / 65536, -62)
    size = np.where(exponent == 0, small, normal)
    size = np.where(exponent == 127, np.where(fraction == 0, np.inf, np.nan), size)
    return np.where(high & 128, -size, size).astype(np.float32)
