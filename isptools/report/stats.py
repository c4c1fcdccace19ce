"""Plots of what a folder of shards holds: a page, or one SVG to put into a paper."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isptools.report.facts import Fact, Top
from isptools.report.plots import Tick
from isptools.report.template import drawn, rendered
from isptools.shards.histogram import Bin
from isptools.shards.stats import PERCENT, Color, Station, Stats

WIDTH, ROW, TITLE = 640, 24, 30  # pixels of a figure; its height grows by ROW
NAMES, END = 210, 84  # left of the bars, and right of the longest
LETTERS = 30  # of a name that are shown
SIZES = {"WIDTH": WIDTH, "NAMES": NAMES}
Row = tuple[str, float, float, float, float, float]  # lowest, highest, both ends of the box, mark


@dataclass(frozen=True, slots=True)
class Bar:
    """So many have this; pixels."""

    y: float
    label: str
    width: float
    text: str
    of: str = ""  # a color's letter, where bars are of colors


@dataclass(frozen=True, slots=True)
class Span:
    """Where the values of one row lie: a line, a box on it, a mark in the box; pixels."""

    y: float
    label: str
    line: tuple[float, float]
    box: tuple[float, float]
    mark: float
    text: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """Rows below each other under one title."""

    title: str
    bars: tuple[Bar, ...] = ()
    spans: tuple[Span, ...] = ()
    ticks: tuple[Tick, ...] = ()
    top: float = 0.0  # where it stands in one SVG

    @property
    def height(self) -> float:
        """Of it in the SVG, pixels."""
        return TITLE + ROW * max(len(self.bars), len(self.spans)) + (20 if self.ticks else 6)


def html(found: Stats) -> bytes:
    """One page that needs no other."""
    inputs, scenes = (sum(getattr(one, name) for one in found.counts) for name in
                      ("inputs", "scenes"))  # fmt: skip
    size = sum(one.bytes for one in found.counts) / 1e6
    facts = (
        Fact("inputs", str(inputs), "", f"{len(found.counts)} splits", "of all splits"),
        Fact("scenes", str(scenes), "", "", "a scene stands in one split"),
        Fact("size", f"{size:.1f}", "MB", "", "of the shards on the disk"),
    )
    differ = [f"{one.measure} ({one.split})" for one in found.balance if one.verdict == "differs"]
    sentence = (f"Splits differ in {', '.join(differ)}." if differ
                else "No difference between the splits can be told.")  # fmt: skip
    top = Top(f"{found.title}: statistics", "look" if differ else "ship", sentence, facts,
              found.sample)  # fmt: skip
    words = {"figures": figures(found), "balance": found.balance, "made": found, **SIZES}
    return rendered("stats.html.j2", top, {}, words)


def svg(found: Stats) -> bytes:
    """All figures below each other in one picture."""
    placed, top = [], 0.0
    for each in figures(found):
        placed.append(Figure(each.title, each.bars, each.spans, each.ticks, top))
        top += each.height + 12
    return drawn("stats.svg.j2", {"figures": placed, "height": top, "title": found.title, **SIZES})


def figures(found: Stats) -> list[Figure]:
    """Everything that `isptools stats` prints and that is worth drawing, in its order."""
    return [each for each in _figures(found) if each.bars or each.spans]


def _figures(found: Stats) -> Iterator[Figure]:
    counts = [Bin(one.split, one.inputs) for one in found.counts]
    yield bars("inputs by split", counts)
    for title, histogram in found.histograms:
        yield bars(title, histogram)
    yield _ranges("truth quality, dB: deviation, lowest to highest", found.quality)
    shares = [
        (f"{one.color}, {what}", share, one.color)
        for one in found.inputs
        for what, share in (("below black", one.below_black), ("at white", one.at_white))
    ]
    yield _shares("inputs' pixels out of range", shares)
    for station in found.truths:
        yield _station(station)
    gains = [one for one in found.colors if one.what.startswith("as-shot")]
    means = [one for one in found.colors if one not in gains]
    yield _ranges("mean colors of scenes: deviation, lowest to highest", means)
    yield _ranges("as-shot gains: deviation, lowest to highest", gains)


def bars(title: str, counted: Sequence[Bin]) -> Figure:
    """As long as their counts."""
    most = max((one.count for one in counted), default=0) or 1
    rows = [Bar(_down(i), _short(one.label), _long(one.count / most), str(one.count))
            for i, one in enumerate(counted)]  # fmt: skip
    return Figure(title, bars=tuple(rows))


def _shares(title: str, shares: Sequence[tuple[str, float, str]]) -> Figure:
    most = max((share for _, share, _ in shares), default=0.0) or 1.0
    rows = [Bar(_down(i), label, _long(share / most), f"{share:.3%}", of)
            for i, (label, share, of) in enumerate(shares)]  # fmt: skip
    return Figure(title, bars=tuple(rows))


def _station(one: Station) -> Figure:
    """Quantiles of each channel: 1 to 99 %, the middle half, the median."""
    rows: list[Row] = []
    for each in one.channels:
        at = dict(zip(PERCENT, each.quantiles, strict=True))
        rows.append((each.channel, at[1], at[99], at[25], at[75], at[50]))
    title = f"{one.name} ({one.space}): 1 to 99 %, the middle half, the median of all pixels"
    return _spans(title, rows, colors=True)


def _ranges(title: str, found: Sequence[Color]) -> Figure:
    rows: list[Row] = []
    for one in found:
        box = max(one.lowest, one.mean - one.deviation), min(one.highest, one.mean + one.deviation)
        label = one.what.removesuffix(" of the scenes' mean colors")
        rows.append((label, one.lowest, one.highest, *box, one.mean))
    return _spans(title, rows)


def _spans(title: str, rows: Sequence[Row], colors: bool = False) -> Figure:
    """All on one axis; that of colors begins at 0."""
    rows = [row for row in rows if np.isfinite(row[1:]).all()]
    if not rows:
        return Figure(title)
    values = [0.0] * colors + [value for row in rows for value in row[1:3]]
    low, high = min(values), max(values)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)

    def across(value: float) -> float:
        return round(float(NAMES + (value - low) / (high - low) * (WIDTH - NAMES - END)), 1)

    spans = tuple(
        Span(_down(i), _short(label), (across(least), across(most)), (across(one), across(other)),
             across(mark), f"{mark:.4g}", label if colors else "")
        for i, (label, least, most, one, other, mark) in enumerate(rows)
    )  # fmt: skip
    ticks = tuple(Tick(across(value), f"{value:.3g}") for value in np.linspace(low, high, 5))
    return Figure(title, spans=spans, ticks=ticks)


def _down(row: int) -> float:
    return TITLE + ROW * row


def _long(share: float) -> float:
    return round(share * (WIDTH - NAMES - END), 1)


def _short(label: str) -> str:
    return label if len(label) <= LETTERS else f"{label[: LETTERS - 1]}…"


def written(found: Stats, suffix: str) -> bytes:
    """The file of that suffix, `.html` or `.svg`."""
    make: Any = {".html": html, ".svg": svg}[suffix]
    return bytes(make(found))
