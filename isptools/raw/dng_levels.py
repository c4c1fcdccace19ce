"""Black and white as the tags of a DNG state them, held against LibRaw's (DNG 1.7, chapter 5)."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Capture, Pixels, empty
from isptools.raw.dng import TagError
from isptools.raw.tags import Tags

F64 = NDArray[np.float64]

PERIODS = {"bayer": 2, "xtrans": 6, "monochrome": 1, "linear": 1, "quad": 4, "nona": 6}
LARGEST = 65535
# Compression: lossy JPEG and JPEG XL, whose numbers LibRaw brings to 16 bits; levels are its own
ANOTHER_SCALE = frozenset({34892, 52546})
BITS, COMPRESSION, SAMPLES, FORMAT = 258, 259, 277, 339
REPEAT, BLACK, DELTA_H, DELTA_V, WHITE = 50713, 50714, 50715, 50716, 50717
ACTIVE_AREA, MASKED_AREAS = 50829, 50830
NAMES = {BLACK: "BlackLevel", DELTA_H: "BlackLevelDeltaH", DELTA_V: "BlackLevelDeltaV"}
FLOATS = 3  # SampleFormat


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Black, DN, of pixel (y, x) of the visible area: cells[y % R, x % C] + rows[y] + columns[x].

    `cells` is (R, C, channels), of one channel where a pixel has one number.
    """

    cells: F64
    rows: F64
    columns: F64

    def scaled(self, factor: float) -> "Field":
        """The same field times a factor."""
        return Field(self.cells * factor, self.rows * factor, self.columns * factor)

    def row(self, y: int) -> F64:
        """(W, channels)."""
        across = np.arange(len(self.columns)) % self.cells.shape[1]
        return np.asarray(
            self.cells[y % len(self.cells)][across] + (self.rows[y] + self.columns)[:, None]
        )

    def positions(self, period: int) -> tuple[F64, F64, F64]:
        """Lowest, highest and mean black of each CFA position, (period, period, channels)."""
        tall = min(math.lcm(len(self.cells), period), len(self.rows))
        wide = min(math.lcm(self.cells.shape[1], period), len(self.columns))
        cells = self.cells[np.arange(tall) % len(self.cells)]
        cells = cells[:, np.arange(wide) % self.cells.shape[1]]
        low, high, mean = (
            _by_position(cells + _sums(self.rows, self.columns, (tall, wide), how), period, how)
            for how in (np.min, np.max, np.mean)
        )
        return low, high, mean


def _sums(rows: F64, columns: F64, period: tuple[int, int], how: Any) -> F64:
    """How rows and columns of one remainder add up, (tall, wide, 1)."""
    down, across = (
        np.array([how(values[i::count]) for i in range(count)])
        for values, count in zip((rows, columns), period, strict=True)
    )
    return np.asarray(down[:, None, None] + across[None, :, None])


def _by_position(cells: F64, period: int, how: Any) -> F64:
    found = [[how(cells[i::period, j::period], axis=(0, 1)) for j in range(period)]
             for i in range(period)]  # fmt: skip
    return np.asarray(found, np.float64)


def offset(tags: Tags, capture: Capture) -> tuple[int, int]:
    """Where LibRaw's visible area begins inside the active area: it trims odd margins."""
    top, left = map(int, (*(tags.raw.get(ACTIVE_AREA) or ()), 0, 0)[:2])
    return capture.visible_origin[0] - top, capture.visible_origin[1] - left


def stated_black(tags: Tags, capture: Capture, shape: tuple[int, ...]) -> tuple[Field, str] | None:
    """The black of every visible pixel, and the tags that say so; None where none does.

    BlackLevel repeats from the corner of the active area, BlackLevelDeltaV and DeltaH add to its
    rows and columns; of several samples a pixel (dual pixel sensors) a mosaic has the first.
    TagError for levels that contradict their own counts, or are no numbers.
    """
    told = [tag for tag in NAMES if tags.find(tag)]
    if not told or _compression(tags) in ANOTHER_SCALE:
        return None
    down, right = offset(tags, capture)
    cells = _cells(tags, capture)
    cells = np.roll(cells, (-down, -right), (0, 1))
    rows = _deltas(tags, DELTA_V, down, shape[0])
    columns = _deltas(tags, DELTA_H, right, shape[1])
    return Field(cells, rows, columns), ", ".join(NAMES[tag] for tag in told)


def _compression(tags: Tags) -> int:
    return int((tags.raw.get(COMPRESSION) or (1,))[0])


def _cells(tags: Tags, capture: Capture) -> F64:
    """(R, C, channels) from the active area's corner; 0 where only deltas are stated."""
    levels = tags.find(BLACK) or (0.0,)
    rows, columns = map(int, (tags.find(REPEAT) or (1, 1))[:2])
    samples = int((tags.raw.get(SAMPLES) or (1,))[0])
    if len(levels) == rows * columns and len(levels) != rows * columns * samples:
        levels = tuple(level for level in levels for _ in range(samples))  # one for all samples
    if len(levels) != rows * columns * samples:
        raise TagError(f"{len(levels)} black levels for {rows}x{columns} positions x {samples}")
    if not all(map(math.isfinite, levels)):
        raise TagError("a BlackLevel of it is no number (0/0)")
    channels = 3 if capture.kind == "linear" else 1
    return np.array(levels, np.float64).reshape(rows, columns, samples)[:, :, :channels]


def _deltas(tags: Tags, tag: int, start: int, count: int) -> F64:
    deltas = np.array(tags.find(tag) or np.zeros(count + max(start, 0)), np.float64)
    if len(deltas) < start + count or start < 0 or not np.isfinite(deltas).all():
        what = "rows" if tag == DELTA_V else "columns"
        raise TagError(f"{len(deltas)} numbers in {NAMES[tag]} do not fit {start + count} {what}")
    return deltas[start : start + count]


def measured_black(
    sensor: NDArray[Any], tags: Tags, origin: tuple[int, int], period: int
) -> F64 | None:
    """Mean of the masked pixels of each CFA position, (period, period), DN.

    `sensor` holds every pixel (H, W), margins too; `origin` is its first visible one. None where
    MaskedAreas name no area, or leave a position out.
    """
    areas = np.array(tags.find(MASKED_AREAS) or (), np.float64)
    if not areas.size or areas.size % 4 or not np.isfinite(areas).all() or sensor.ndim != 2:
        return None
    masked = np.zeros(sensor.shape, bool)
    for top, left, bottom, right in areas.reshape(-1, 4).astype(int).clip(0):
        masked[top:bottom, left:right] = True
    y, x = np.nonzero(masked)
    place = (y - origin[0]) % period * period + (x - origin[1]) % period
    counts = np.bincount(place, minlength=period * period)
    if not counts.all():
        return None
    sums = np.bincount(place, sensor[y, x].astype(np.float64), period * period)
    return np.asarray((sums / counts).reshape(period, period))


def libraw_black(tags: Tags, capture: Capture) -> tuple[int, ...]:
    """What LibRaw subtracts per position: of a pattern that is larger than its level per color
    rawpy states only the smallest. It cuts fractions off, and lays it from its visible corner.
    """
    if capture.kind == "linear" or not tags.find(BLACK):
        return capture.black_libraw
    cells, period = np.trunc(_cells(tags, capture))[:, :, :1], PERIODS[capture.kind]
    if capture.kind != "xtrans" and max(cells.shape[:2]) <= 2:
        return capture.black_libraw
    low, high, _ = Field(cells, np.zeros(period * 64), np.zeros(period * 64)).positions(period)
    if (low != high).any():
        return capture.black_libraw
    levels = low - low.min() + min(capture.black_libraw)
    return tuple(int(level) for level in levels.ravel())


def stated_white(tags: Tags) -> int | None:
    """WhiteLevel of the first sample, or what DNG takes where it is not stated: 2^bits - 1.

    None where LibRaw decodes to another scale.
    """
    if _compression(tags) in ANOTHER_SCALE or int((tags.raw.get(FORMAT) or (1,))[0]) == FLOATS:
        return None
    value = (tags.find(WHITE) or (0,))[0]
    if math.isfinite(value) and value > 0:
        return round(value)
    bits = int((tags.raw.get(BITS) or (0,))[0])
    return (1 << bits) - 1 if 0 < bits <= 16 else None


def evened(pixels: Pixels, field: Field, target: int) -> Pixels:
    """Pixels (H, W) or (H, W, channels) uint16 raised until all have one black, DN `target`.

    `target` is not below the largest black, rounded, so that nothing is cut off below, and white
    stays saturated; each pixel moves by whole DN, black is met within half of one.
    """
    out = empty(pixels.shape, np.uint16)
    for y in range(len(pixels)):
        raised = np.rint(target - field.row(y)).reshape(pixels.shape[1:]) + pixels[y]
        out[y] = np.clip(raised, 0, LARGEST)
    return out
