"""Plots as inline SVG: they print, scale and need nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 8, 34  # margins
LINKED = 300  # dots of a plot that open their sample
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dot:
    """One sample on a plot."""

    sample: int  # its place in the gallery
    value: float  # of what is allowed: 1 is the limit
    label: str


@dataclass(frozen=True, slots=True)
class Tick:
    at: float  # pixels
    text: str


@dataclass(frozen=True, slots=True)
class Strip:
    """Every pair's number of one kind, in the order of the gallery, against its limit."""

    kind: str
    dots: tuple[tuple[float, float, Dot], ...]  # across, down, pixels; of the worst
    others: str  # SVG path of squares, one for each that is no dot
    count: int
    limit: float  # down, pixels
    ticks: tuple[Tick, ...]
    wrong: int  # of all


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
    others = "".join(f"M{x:.0f} {y:.0f}h2" for x, y, dot in placed if dot.value < least)
    wrong = sum(dot.value > 1 for dot in dots)
    return Strip(kind, tuple(worst), others, len(dots), down(1.0), ticks, wrong)


def histogram(counts: Mapping[str, F64], span: tuple[float, float]) -> Curves:
    """Logarithm of the counts over x, where 0 is black and 1 is white."""
    top = max((float(np.log10(1 + each.max())) for each in counts.values()), default=1.0) or 1.0

    def across(x: float) -> float:
        return LEFT + (x - span[0]) / (span[1] - span[0]) * (WIDTH - LEFT - RIGHT)

    lines = []
    for color in sorted(counts, reverse=True):
        each = counts[color]
        steps = np.linspace(*span, len(each) + 1)
        height = np.log10(1 + each) / top * (HEIGHT - TOP - BOTTOM)
        points = " ".join(
            f"{across(float(x)):.1f},{HEIGHT - BOTTOM - float(y):.1f}"
            for x, y in zip((steps[1:] + steps[:-1]) / 2, height, strict=True)
        )
        lines.append((color, points))
    ticks = tuple(Tick(round(across(x), 1), f"{x:g}") for x in (0, 0.25, 0.5, 0.75, 1))
    return Curves(tuple(lines), ticks)
