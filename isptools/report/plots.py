"""Plots as inline SVG: they print, scale and need nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 8, 34  # margins
QUIET = 0.1  # of what is allowed: plots below it stay folded
LINKED = 300  # dots of a plot that open their sample
CELL = 2  # pixels of what stands for the others
ARROWS = 400  # of a picture that are drawn
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dot:
    """One sample on a plot."""

    sample: int  # its place in the gallery
    value: float  # of what is allowed: 1 is the limit
    label: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis."""

    at: float  # pixels
    text: str


@dataclass(frozen=True, slots=True)
class Strip:
    """Every pair's number of one kind, in the order of the gallery, against its limit."""

    kind: str
    dots: tuple[tuple[float, float, Dot], ...]  # across, down, pixels; of the worst
    others: str  # SVG path of squares where one or more are that are no dot
    count: int
    limit: float  # down, pixels
    ticks: tuple[Tick, ...]
    wrong: int  # of all
    most: float  # of what is allowed


@dataclass(frozen=True, slots=True)
class Curves:
    """Histograms of one color each."""

    lines: tuple[tuple[str, str], ...]  # color, SVG path
    ticks: tuple[Tick, ...]


def strip(kind: str, dots: Sequence[Dot]) -> Strip:
    """Values over 4 decades, those beyond at the border."""
    lowest = -2.0
    highest = max(1.0, float(np.log10(max([10.0, *(dot.value for dot in dots)]))))

    def down(value: float) -> float:
        place = (np.log10(max(value, 1e-9)) - lowest) / (highest - lowest)
        return round(float(TOP + (1 - np.clip(place, 0, 1)) * (HEIGHT - TOP - BOTTOM)), 1)

    across = np.linspace(LEFT + 6, WIDTH - RIGHT - 6, max(len(dots), 1))
    placed = tuple(
        (round(float(x), 1), down(dot.value), dot) for x, dot in zip(across, dots, strict=False)
    )
    ticks = tuple(Tick(down(10.0**k), f"{10.0**k:g}") for k in range(-2, int(highest) + 1))
    worst = sorted(placed, key=lambda each: -each[2].value)[:LINKED]
    least = min((dot.value for _, _, dot in worst), default=0.0)
    others = cells((x, y) for x, y, dot in placed if dot.value < least)
    wrong = sum(dot.value > 1 for dot in dots)
    most = max((dot.value for dot in dots), default=0.0)
    return Strip(kind, tuple(worst), others, len(dots), down(1.0), ticks, wrong, most)


def cells(points: Iterable[tuple[float, float]]) -> str:
    """An SVG path of squares of CELL pixels, each drawn once however many points lie in it."""
    found = {(round(x / CELL), round(y / CELL)) for x, y in points}
    return "".join(f"M{x * CELL} {y * CELL}h{CELL}" for x, y in sorted(found))


def root(x: Any) -> Any:
    """The square root, of negative numbers the negative one."""
    return np.sign(x) * np.sqrt(np.abs(x))


def squared(x: Any) -> Any:
    """`root` undone."""
    return np.sign(x) * np.square(x)


def histogram(counts: Mapping[str, F64], edges: F64) -> Curves:
    """Logarithm of the counts over the root of x, where 0 is black and 1 is white."""
    top = max((float(np.log10(1 + each.max())) for each in counts.values()), default=1.0) or 1.0
    roots = root(edges)

    def across(place: float) -> float:
        share = (place - roots[0]) / (roots[-1] - roots[0])
        return float(LEFT + share * (WIDTH - LEFT - RIGHT))

    lines = []
    for color in sorted(counts, reverse=True):
        height = np.log10(1 + counts[color]) / top * (HEIGHT - TOP - BOTTOM)
        points = " ".join(
            f"{across(x):.1f},{HEIGHT - BOTTOM - float(y):.1f}"
            for x, y in zip((roots[1:] + roots[:-1]) / 2, height, strict=True)
        )
        lines.append((color, points))
    marks = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1)
    ticks = tuple(Tick(round(across(float(root(x))), 1), f"{x:g}") for x in marks)
    return Curves(tuple(lines), ticks)


Arrow = tuple[float, float, float, float]  # x, y in pixels of the picture; its shift, pixels


@dataclass(frozen=True, slots=True)
class Scatter:
    """Pairs by correlation (across) and the shift that is left (down, pixels)."""

    dots: tuple[tuple[float, float, Dot], ...]  # of the worst
    others: str  # as of a strip
    count: int
    across: tuple[Tick, ...]
    down: tuple[Tick, ...]
    unknown: int  # whose shift could not be told: they stand on the axis


@dataclass(frozen=True, slots=True)
class Arrows:
    """Shifts drawn on a frame, and one whose length is stated."""

    name: str
    view: tuple[float, float, float, float]  # viewBox
    lines: tuple[tuple[float, float, float, float], ...]
    bar: float
    bar_px: float
    width: float  # of a line


def scatter(dots: Sequence[Dot], left: Sequence[float | None]) -> Scatter:
    """From the lowest correlation to 1, from no shift to the largest; the worst are the dots."""
    low = min(0.9, *(dot.value for dot in dots))
    most = max([1.0, *(value for value in left if value is not None)])

    def x(value: float) -> float:
        return round(LEFT + (value - low) / (1 - low) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM), 1)

    placed = [(x(dot.value), y(value or 0.0), dot) for dot, value in zip(dots, left, strict=True)]
    placed.sort(key=lambda each: each[2].value)
    worst, others = placed[:LINKED], cells((x, y) for x, y, _ in placed[LINKED:])
    across = tuple(Tick(x(v), f"{v:.3g}") for v in np.linspace(low, 1, 5))
    down = tuple(Tick(y(v), f"{v:.3g}") for v in np.linspace(0, most, 5))
    unknown = sum(value is None for value in left)
    return Scatter(tuple(worst), others, len(placed), across, down, unknown)


def arrows(name: str, found: Sequence[Arrow]) -> Arrows:
    """The usual arrow is a twentieth of the frame long."""
    table = np.array(found, np.float64)
    right, bottom = float(table[:, 0].max()) * 1.1, float(table[:, 1].max()) * 1.15
    usual = max(float(np.percentile(np.hypot(table[:, 2], table[:, 3]), 95)), 1e-3)
    times = 0.05 * max(right, bottom) / usual
    few = table[:: -(-len(table) // ARROWS)]
    ends = np.hstack([few[:, :2], few[:, :2] + few[:, 2:] * times]).round(1)
    bar = nice(0.2 * right / times)
    lines = tuple((a, b, c, d) for a, b, c, d in ends.tolist())
    thick = round(max(right, bottom) / 400, 2)
    return Arrows(name, (0, 0, round(right, 1), round(bottom, 1)), lines,
                  round(bar * times, 1), bar, thick)  # fmt: skip


def nice(most: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `most`."""
    ten = 10.0 ** np.floor(np.log10(most))
    return float(max(step * ten for step in (1, 2, 5) if step * ten <= most))


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over one axis."""

    title: str
    lines: tuple[tuple[str, str], ...]  # name, SVG points
    across: tuple[Tick, ...]
    down: tuple[Tick, ...]


def lines(title: str, curves: Mapping[str, Sequence[tuple[float, float]]]) -> Plot:
    """Each curve's points over a common range; numbers that are none are left out."""
    known = {name: [p for p in points if np.isfinite(p).all()] for name, points in curves.items()}
    every = [point for points in known.values() for point in points] or [(0.0, 0.0)]
    xs, ys = (_span([point[i] for point in every]) for i in (0, 1))

    def place(point: tuple[float, float]) -> str:
        x = LEFT + (point[0] - xs[0]) / (xs[1] - xs[0]) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - (point[1] - ys[0]) / (ys[1] - ys[0]) * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f},{y:.1f}"

    drawn = tuple((name, " ".join(map(place, points))) for name, points in known.items() if points)
    across = tuple(Tick(float(place((v, ys[0])).split(",")[0]), f"{v:.4g}")
                   for v in np.linspace(*xs, 5))  # fmt: skip
    down = tuple(Tick(float(place((xs[0], v)).split(",")[1]), f"{v:.3g}")
                 for v in np.linspace(*ys, 5))  # fmt: skip
    return Plot(title, drawn, across, down)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
