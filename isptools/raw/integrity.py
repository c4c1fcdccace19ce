"""Is a raw file whole? LibRaw decodes some that are not, and leaves memory as it was."""

import math

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Capture, Pixels
from isptools.raw.tags import Tags

COMPRESSION = 259  # TIFF tag; 1: none
PERIODS = {"bayer": 2, "xtrans": 6}  # rows after which filters repeat
FEWEST_ROWS = 16  # fewer empty rows than this are taken for a defect of the sensor


def missing_bytes(tags: Tags, size: int) -> str:
    """What is wrong with the strips or tiles of the raw picture; "" where nothing is.

    A DNG must name as many strips or tiles as its size asks for, and all must lie inside the
    file. Other raws may name fewer, and may round the last length up by less than two rows.
    """
    raw = tags.raw
    tiled = 324 in raw
    offsets, lengths = raw.get(324 if tiled else 273), raw.get(325 if tiled else 279)
    if not offsets or not lengths or 256 not in raw or 257 not in raw:
        # an array of four billion entries is none: the file is shorter
        lost = tags.is_dng and bool(raw)
        return "the directory does not say where its pixels lie" if lost else ""
    name = "tiles" if tiled else "strips"
    needed = _pieces(raw, tiled)
    if not needed:
        return f"the directory does not say how large its {name} are"
    if tags.is_dng and (len(offsets) < needed or len(lengths) < needed):
        return f"only {min(len(offsets), len(lengths))} of {needed} {name} of pixels are there"
    slack = 0 if tags.is_dng else 4 * int(raw[256][0])
    end = max(int(o) + int(n) for o, n in zip(offsets, lengths, strict=False))
    if end > size + slack:
        return f"cut off: its pixels end at byte {end}, the file at {size}"
    return ""


def _pieces(raw: dict[int, tuple[int, ...]], tiled: bool) -> int:
    width, height = int(raw[256][0]), int(raw[257][0])
    across = int(raw.get(322, (0,))[0]) if tiled else width
    down = int(raw.get(323, (0,))[0] if tiled else raw.get(278, (height,))[0])
    return math.ceil(width / across) * math.ceil(height / down) if across and down else 0


def is_linearized(tags: Tags) -> bool:
    """Whether a DNG has a LinearizationTable (tag 50712)."""
    return bool(tags.raw.get(50712))


def missing_rows(pixels: Pixels, capture: Capture) -> str:
    """Rows without a signal at all; "" where there are none.

    Only where black is above 0: a sensor's own noise then keeps every row of a dark frame off
    zero, so zeros from edge to edge over many rows are pixels nobody decoded. A camera that
    clips at black may write such rows, and nothing is said about it.
    """
    if min(capture.black) <= 0 or capture.kind == "linear":
        return ""
    empty = (pixels[:, _some(pixels)] == 0).all(axis=1)
    for row in np.flatnonzero(empty):
        empty[row] = not pixels[row].any()
    if empty.sum() < FEWEST_ROWS or _longest(empty) < FEWEST_ROWS:
        return ""
    return (
        f"{int(empty.sum())} of {len(empty)} rows hold nothing but zeros although black is at "
        f"{min(capture.black):g}: pixels are missing"
    )


def broken_rows(pixels: Pixels, capture: Capture, tags: Tags | None) -> str:
    """Rows of compressed pixels that no sensor gives; "" where there are none.

    A decoder goes on behind data that are cut, zeroed or replaced, and repeats what it predicts:
    rows of one value, or equal to the row of the same filters before. Noise makes no two rows of a
    sensor equal, where they are neither black nor clipped. Uncompressed files may be drawn.
    """
    if capture.kind not in PERIODS or _is_plain(tags) or len(pixels) < 2 * FEWEST_ROWS:
        return ""
    period = PERIODS[capture.kind]
    for words, found in (
        ("repeat the row before", _equal(pixels, period)),
        ("hold one value for each filter", _flat(pixels, period)),
    ):
        for row in np.flatnonzero(found):  # few
            least, most = pixels[row].min(), pixels[row].max()
            found[row] = least > max(capture.black) and most < capture.white
        if _longest(found) >= FEWEST_ROWS:
            count = f"{int(found.sum())} of {len(pixels)} rows"
            return f"{count} {words}: the compressed pixels are damaged"
    return ""


def _equal(pixels: Pixels, period: int) -> NDArray[np.bool_]:
    """Rows that are equal to the one `period` before; a few columns decide about most."""
    equal = np.zeros(len(pixels), bool)
    some = pixels[:, _some(pixels)]
    equal[period:] = (some[period:] == some[:-period]).all(axis=1)
    for row in np.flatnonzero(equal):
        equal[row] = np.array_equal(pixels[row], pixels[row - period])
    return equal


def _some(pixels: Pixels) -> NDArray[np.int64]:
    """Eight columns each in eight places of a row: as many lines of memory."""
    starts = np.linspace(0, max(pixels.shape[1] - 8, 0), 8).astype(np.int64)
    return np.unique(np.minimum(starts[:, None] + np.arange(8), pixels.shape[1] - 1))


def _flat(pixels: Pixels, period: int) -> NDArray[np.bool_]:
    """Rows whose every filter has one value."""
    flat = (pixels[:, period : 9 * period] == pixels[:, : 8 * period]).all(axis=1)
    for row in np.flatnonzero(flat):
        flat[row] = np.array_equal(pixels[row, period:], pixels[row, :-period])
    return np.asarray(flat)


def _is_plain(tags: Tags | None) -> bool:
    """Whether the pixels are not compressed, as far as the directory says."""
    return tags is not None and int(tags.raw.get(COMPRESSION, (0,))[0]) == 1


def _longest(flags: np.ndarray) -> int:
    """Length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
