"""What a folder of shards holds, in numbers: counts, light, noise, truths, colors, splits."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from isptools import patches
from isptools.shards.balance import Compared, balance
from isptools.shards.histogram import Bin, bins
from isptools.shards.made import made_by
from isptools.shards.read import Shards, normalized
from isptools.shards.schema import InputRow, TruthRow
from isptools.shards.spread import Spread, spread
from isptools.shards.table import Table

PERCENT = (1, 5, 25, 50, 75, 95, 99)
CHANNELS = {"xyz": "XYZ", "xyz_linear": "XYZ", "xyz_encoded": "XYZ"}  # others are R, G, B
GRAY = 0.18  # of white: where noise is stated
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Count:
    """What one split has."""

    split: str
    shards: int
    inputs: int
    scenes: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Signal:
    """The inputs' pixels of one color, x = (DN - black) / (white - black)."""

    color: str
    mean: float
    below_black: float  # shares
    at_white: float


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of the truths of one station, in physical values."""

    channel: str
    mean: float
    quantiles: tuple[float, ...]  # at PERCENT
    at_zero: float  # shares of all pixels
    at_full: float


@dataclass(frozen=True, slots=True)
class Station:
    """All truths of one kind."""

    name: str  # "restoration" or "enhancement"
    space: str
    dtype: str
    full_scale: float
    truths: int
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True)
class Color:
    """How a measure of color is distributed, over scenes or inputs."""

    what: str
    count: int
    mean: float
    deviation: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Stats:
    """Everything that `isptools stats` tells."""

    data_set: str
    title: str
    licence: str
    redistribution: str
    sample: bool
    recipes: tuple[str, ...]
    counts: tuple[Count, ...]
    frames: tuple[Bin, ...]  # inputs by size and kind
    cameras: tuple[Bin, ...]
    iso: tuple[Bin, ...]
    exposure_s: tuple[Bin, ...]
    ratio: tuple[Bin, ...]
    noise: tuple[Bin, ...]  # standard deviation at 18 % of white
    noise_origins: tuple[Bin, ...]
    quality: tuple[Color, ...]  # of truths: noise that is left in them, dB
    quality_origins: tuple[Bin, ...]
    inputs: tuple[Signal, ...]
    truths: tuple[Station, ...]
    colors: tuple[Color, ...]
    balance: tuple[Compared, ...]

    @property
    def histograms(self) -> tuple[tuple[str, tuple[Bin, ...]], ...]:
        """Of the inputs, as they are shown: title and bins."""
        return (
            ("frames (height x width)", self.frames), ("cameras", self.cameras), ("ISO", self.iso),
            ("exposure time, s", self.exposure_s), ("exposure ratio truth / input", self.ratio),
            ("noise: standard deviation at 18 % of white (white is 1)", self.noise),
            ("noise comes from", self.noise_origins),
        )  # fmt: skip


@dataclass(slots=True)
class _Sum:
    pixels: int = 0
    light: float = 0.0
    below: int = 0
    above: int = 0


@dataclass(slots=True)
class _Walk:
    """What is gathered while the pixels pass by."""

    signals: dict[str, _Sum] = field(default_factory=dict)
    spreads: dict[str, list[Spread]] = field(default_factory=dict)
    truths: Counter[str] = field(default_factory=Counter)
    means: dict[str, dict[tuple[str, str], list[float]]] = field(default_factory=dict)
    # station -> (split, scene) -> mean of each channel


def stats(
    shards: Shards, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Stats:
    """Read every pixel once, a strip of tiles at a time.

    `progress` is called with the inputs done and all.
    """
    walk = _Walk()
    index = 0
    for table in shards.tables:
        seen: set[tuple[str, int]] = set()
        for row in table.rows:
            progress(index, len(shards))
            _input(walk, shards, index, table)
            for name in table.pictures:
                number = getattr(row, name)
                if number >= 0 and (name, number) not in seen:
                    seen.add((name, number))
                    _truth(walk, shards, index, table, name)
            index += 1
    progress(index, len(shards))
    return _told(shards, walk)


def _input(walk: _Walk, shards: Shards, index: int, table: Table) -> None:
    row = shards.facts(index)
    every = patches.period(row.cfa)
    for window in _strips(table, every):
        light = normalized(shards.raw(index, window), row, window[:2])
        planes = light if light.ndim == 3 else _positions(light, window[0], every)
        for letter, plane in zip(row.cfa, planes, strict=True):
            one = walk.signals.setdefault(letter, _Sum())
            one.pixels += plane.size
            one.light += float(plane.sum(dtype=np.float64))
            one.below += int((plane < 0).sum())
            one.above += int((plane >= 1).sum())


def _positions(
    light: np.ndarray[tuple[int, ...], np.dtype[np.float32]], top: int, every: int
) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """The pixels of each position of the CFA, row by row from the frame's top left pixel."""
    for y in range(every):
        for x in range(every):
            yield light[(y - top) % every :: every, x::every]


def _truth(walk: _Walk, shards: Shards, index: int, table: Table, name: str) -> None:
    picture, row = table.pictures[name], shards.facts(index)
    spreads = walk.spreads.setdefault(name, [spread(picture) for _ in range(3)])
    sums = np.zeros(3)
    for window in _strips(table, 1):
        stored, scale = shards.stored(index, name, window)
        for channel in range(3):
            spreads[channel].add(stored[channel])
        sums += stored.sum((1, 2), dtype=np.float64) * scale
    walk.truths[name] += 1
    mean = [float(value) for value in sums / (table.shape[0] * table.shape[1])]
    walk.means.setdefault(name, {})[(table.split, row.scene)] = mean


def _strips(table: Table, every: int) -> Iterator[patches.Window]:
    """Windows as wide as the frame and as high as a tile."""
    height, width = table.shape
    tile = made_by(table.attrs).tile or height
    step = -(-tile // every) * every
    for top in range(0, height, step):
        yield top, 0, min(step, height - top), width


def _told(shards: Shards, walk: _Walk) -> Stats:
    rows = [row for table in shards.tables for row in table.rows]
    attrs = shards.tables[0].attrs
    frames = Counter(_frame(table) for table in shards.tables for _ in table.rows)
    return Stats(
        data_set=attrs["data_set"], title=attrs["title"], licence=attrs["licence"],
        redistribution=attrs["redistribution"], sample=bool(attrs["sample"]),
        recipes=tuple(sorted({made_by(t.attrs).name for t in shards.tables})),
        counts=tuple(_counts(shards)),
        frames=_named(frames), cameras=_named(Counter(map(_camera, rows))),
        iso=bins([row.iso for row in rows], 100),
        exposure_s=bins([row.exposure_s for row in rows]),
        ratio=bins([row.ratio for row in rows]),
        noise=bins([_noise(row) for row in rows], 1, most=0),
        noise_origins=_named(Counter(row.noise_origin or "not stated" for row in rows)),
        quality=tuple(_color("truths are good to, dB", _qualities(shards))),
        quality_origins=_named(Counter(t.quality_origin or "not stored" for t in _truths(shards))),
        inputs=tuple(_signals(walk)), truths=tuple(_stations(shards, walk)),
        colors=tuple(_colors(rows, shards, walk)),
        balance=balance(_scenes(shards, walk), _order(shards)),
    )  # fmt: skip


def _truths(shards: Shards) -> list[TruthRow]:
    return [truth for table in shards.tables for truth in table.truths]


def _qualities(shards: Shards) -> list[float]:
    return [truth.quality_db for truth in _truths(shards) if truth.quality_db is not None]


def _frame(table: Table) -> str:
    return f"{table.shape[0]} x {table.shape[1]} {table.attrs['kind']}"


def _camera(row: InputRow) -> str:
    return f"{row.make} {row.model}".strip() or "not stated"


def _named(counted: Counter[str]) -> tuple[Bin, ...]:
    return tuple(Bin(label, number) for label, number in sorted(counted.items()))


def _order(shards: Shards) -> list[str]:
    here = {table.split for table in shards.tables}
    return [*(split for split in SPLITS if split in here), *sorted(here - set(SPLITS))]


def _counts(shards: Shards) -> Iterator[Count]:
    for split in _order(shards):
        tables = [table for table in shards.tables if table.split == split]
        scenes = {truth.scene for table in tables for truth in table.truths}
        size = sum(table.path.stat().st_size for table in tables)
        yield Count(split, len(tables), sum(len(t.rows) for t in tables), len(scenes), size)


def _noise(row: InputRow) -> float | None:
    """Standard deviation at 18 % of white, the mean over the positions of the CFA."""
    if not row.noise_origin:
        return None
    pairs = zip(row.shot, row.read, strict=True)
    return float(np.mean([np.sqrt(shot * GRAY + read) for shot, read in pairs]))


def _signals(walk: _Walk) -> Iterator[Signal]:
    for color in "RGB":
        if one := walk.signals.get(color):
            shares = one.below / one.pixels, one.above / one.pixels
            yield Signal(color, one.light / one.pixels, *shares)


def _stations(shards: Shards, walk: _Walk) -> Iterator[Station]:
    for name, spreads in sorted(walk.spreads.items(), reverse=True):  # restoration first
        picture = next(t.pictures[name] for t in shards.tables if name in t.pictures)
        channels = tuple(
            Channel(letter, one.mean, tuple(one.quantile(p / 100) for p in PERCENT), *one.clipped)
            for letter, one in zip(CHANNELS.get(picture.space, "RGB"), spreads, strict=True)
        )
        yield Station(
            name, picture.space, picture.dtype, picture.full_scale, walk.truths[name], channels
        )


def _colors(rows: Sequence[InputRow], shards: Shards, walk: _Walk) -> Iterator[Color]:
    for name, scenes in sorted(walk.means.items(), reverse=True):
        space = next(t.pictures[name].space for t in shards.tables if name in t.pictures)
        letters = CHANNELS.get(space, "RGB").lower()
        lit = [np.array(mean) / sum(mean) for mean in scenes.values() if sum(mean) > 0]
        for channel in (0, 1):
            values = [float(shares[channel]) for shares in lit]
            yield from _color(f"{name} {letters[channel]} of the scenes' mean colors", values)
    gains = [row.as_shot for row in rows if min(row.as_shot[:3]) > 0]
    gains = [gain for gain in gains if len(set(gain[:3])) > 1]  # 1, 1, 1: nothing stated
    for place, letter in ((0, "R"), (2, "B")):
        yield from _color(f"as-shot gain {letter}/G", [gain[place] / gain[1] for gain in gains])


def _color(what: str, values: Sequence[float]) -> Iterator[Color]:
    if values:
        spread_of = float(np.mean(values)), float(np.std(values)), min(values), max(values)
        yield Color(what, len(values), *spread_of)


def _scenes(shards: Shards, walk: _Walk) -> dict[str, dict[str, list[float]]]:
    """Measure -> split -> one value a scene, so that ten frames of a scene don't count as ten."""
    found: dict[str, dict[tuple[str, str], list[float]]] = {"ISO": {}, "exposure s": {}}
    for table in shards.tables:
        for row in table.rows:
            for measure, value in (("ISO", row.iso), ("exposure s", row.exposure_s)):
                if value is not None:
                    found[measure].setdefault((table.split, row.scene), []).append(value)
    name = "restoration" if "restoration" in walk.means else "enhancement"
    found["brightness"] = {key: [mean[1]] for key, mean in walk.means.get(name, {}).items()}
    out: dict[str, dict[str, list[float]]] = {}
    for measure, scenes in found.items():
        for (split, _), values in scenes.items():
            out.setdefault(measure, {}).setdefault(split, []).append(float(np.median(values)))
    return out
