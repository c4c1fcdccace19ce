"""Each sample of a folder as the page shows it: a thumbnail, its numbers, its histogram."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools import patches
from isptools.datasets.alike import bits_of
from isptools.develop.orient import upright
from isptools.report.lines import lines
from isptools.report.pictures import Bytes, fit, layers
from isptools.report.plots import root, squared
from isptools.shards.read import Sample, Shards
from isptools.shards.schema import InputRow, TruthRow
from isptools.shards.seen import Seen
from isptools.shards.table import Table

THUMB, TALL = 96, 144  # pixels that a thumbnail is wide and high at most
QUALITIES = (40, 20, 10, 5)  # of WebP, until one has no more than so many bytes
LIGHT = 1500
LARGE = 640
SPAN = (-0.02, 1.06)  # of x = (DN - black) / (white - black) that histograms cover
BINS = 108
# even in the root of x, so that dark inputs are seen
EDGES = squared(np.linspace(root(SPAN[0]), root(SPAN[1]), BINS + 1))
LINES = 8  # that stand out are named of one input
EVERY = 4  # CFA cells: a sixteenth of them is counted
Counts = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of a pair against its limit."""

    kind: str
    name: str  # the truth it was compared with
    value: float
    limit: float
    unit: str
    told: str  # "" where it is right


@dataclass(slots=True)
class Shown:
    """One sample."""

    index: int  # in the folder
    key: str
    scene: str
    split: str
    shard: str
    row: InputRow
    truth: TruthRow
    measured: tuple[Measured, ...] = ()
    problems: list[str] = field(default_factory=list)
    thumbnail: bytes = b""  # WebP
    bits: int | None = None  # of its picture, to find near-duplicates
    histogram: dict[str, Counts] = field(default_factory=dict)  # color -> counts of BINS
    correlation: float | None = None
    residual_px: float | None = None
    lines: tuple[tuple[str, int, float], ...] = ()  # rows and columns that stand out

    @property
    def worst(self) -> float:
        """The largest share of what is allowed; above 1 something is wrong."""
        shares = [one.value / one.limit for one in self.measured if one.limit > 0]
        return max(shares, default=0.0) + 100 * len(self.problems)


def gathered(
    shards: Shards, seen: Iterable[Seen], progress: Callable[[int, int], None]
) -> list[Shown]:
    """Every sample, worst first; reads all pixels, one sample at a time.

    `seen` is what `check` measured of them.
    """
    numbers = _numbers(shards, seen)
    tables = {table.path: table for table in shards.tables}
    found = []
    for index in range(len(shards)):
        progress(index, len(shards))
        measured = tuple(numbers.get(shards.facts(index).key, ()))
        found.append(_shown(shards, index, tables[shards.path(index)], measured))
    progress(len(shards), len(shards))
    return sorted(found, key=lambda one: (-one.worst, one.index))


def large(shards: Shards, one: Shown) -> Iterator[tuple[str, bytes]]:
    """The layers of one sample by name, upright, as JPEG."""
    space = space_of(next(table for table in shards.tables if table.path.name == one.shard))
    for name, picture in layers(shards[one.index], space).items():
        wide = fit(picture, min(LARGE, shards.shape(one.index)[1]))
        yield name, _encoded(upright(wide, one.row.flip), ".jpg")


def space_of(table: Table) -> str:
    """The station of a shard's restorations, "" where it has none."""
    return table.pictures["restoration"].space if "restoration" in table.pictures else ""


def _numbers(shards: Shards, seen: Iterable[Seen]) -> dict[str, list[Measured]]:
    """What `check` measured, by key. Pairs of two cameras have tables of their own."""
    paired = {table.path.name for table in shards.tables if table.pairs}
    out: dict[str, list[Measured]] = {}
    for one in seen:
        if one.where not in paired:
            out.setdefault(one.key, []).extend(_measured(one))
    return out


def _measured(one: Seen) -> Iterator[Measured]:
    for number in one.numbers:
        told = number.told if number in one.wrong else ""
        yield Measured(number.kind, one.name, number.value, number.limit, number.unit, told)


def _shown(shards: Shards, index: int, table: Table, measured: tuple[Measured, ...]) -> Shown:
    sample, pair = shards[index], shards.pair(index)
    pictures = layers(sample, space_of(table))
    best = pictures.get("enhancement", pictures.get("restoration", pictures["input"]))
    one = Shown(
        index, sample.key, sample.facts.scene, sample.split, table.path.name, sample.facts,
        shards.truth_facts(index), measured,
        thumbnail=_thumbnail(upright(best, sample.facts.flip)),
        bits=bits_of(best), histogram=_histogram(sample),
    )  # fmt: skip
    truth = sample.restoration if sample.restoration is not None else sample.enhancement
    if truth is not None and sample.input.ndim == 2:
        one.lines = tuple(lines(sample.input, truth))[:LINES]
    if pair:
        one.correlation, one.residual_px = pair.correlation, pair.residual_px
    return one


def _histogram(sample: Sample) -> dict[str, Counts]:
    """Counts of the input's values by color, from every fourth cell down and across."""
    light, cfa = sample.input, sample.facts.cfa
    if light.ndim == 3:
        thin = light[:, ::EVERY, ::EVERY]
        planes = {color: [plane] for color, plane in zip("RGB", thin, strict=True)}
    else:
        side = patches.period(cfa)
        planes = {}
        for place, color in enumerate(cfa):
            step = slice(place // side, None, side * EVERY), slice(place % side, None, side * EVERY)
            planes.setdefault(color, []).append(light[step])
    return {
        color: np.sum(
            [np.histogram(np.clip(part, *SPAN), EDGES)[0] for part in parts], 0, np.uint32
        )
        for color, parts in planes.items()
    }


def _thumbnail(picture: Bytes) -> bytes:
    height, width = picture.shape[:2]
    small = fit(picture, max(1, min(THUMB, TALL * width // height)))
    data = b""
    for quality in QUALITIES:
        data = _encoded(small, ".webp", cv2.IMWRITE_WEBP_QUALITY, quality)
        if len(data) <= LIGHT:
            break
    return data


def _encoded(picture: Bytes, kind: str, *quality: int) -> bytes:
    done, data = cv2.imencode(kind, picture[..., ::-1], quality or (cv2.IMWRITE_JPEG_QUALITY, 84))
    if not done:
        raise ValueError("a picture of the report could not be made")
    return data.tobytes()
