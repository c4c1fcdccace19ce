"""What a training's log.csv holds, as one picture: a panel a number, a curve a stage."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

PANEL, MARGIN, ACROSS = (440, 240), (58, 24), 2  # pixels; left and below; panels a row
COLORS = ((31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189), (255, 127, 14))
GRAY, BLACK, WHITE = (170, 170, 170), (0, 0, 0), (255, 255, 255)
LOGARITHMIC = ("training", "validation", "rate")  # and what begins so
LEFT_OUT = ("stage", "step", "seconds")
Curve = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """From a number to a place between two pixels."""

    low: float
    high: float
    begin: int
    end: int
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Where a value stands, pixels."""
        low, high, x = (math.log10(v) if self.logarithmic else v
                        for v in (self.low, self.high, value))  # fmt: skip
        share = (x - low) / (high - low) if high > low else 0.5
        return self.begin + share * (self.end - self.begin)


def drawn(log: Path, picture: Path) -> None:
    """Write the curves of a log.csv as a PNG; nothing where it holds no line yet."""
    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    curves = {name: found for name in (rows[0] if rows else {})
              if name not in LEFT_OUT and (found := curves_of(rows, name))}  # fmt: skip
    if not curves:
        return
    lines = -(-len(curves) // ACROSS)
    page = Image.new("RGB", (PANEL[0] * ACROSS, PANEL[1] * lines), WHITE)
    for number, (name, found) in enumerate(curves.items()):
        corner = (number % ACROSS * PANEL[0], number // ACROSS * PANEL[1])
        _panel(ImageDraw.Draw(page), corner, name, found)
    part = picture.with_name(f".{picture.name}.part")
    page.save(part, format="PNG")
    part.replace(picture)


def curves_of(rows: Sequence[dict[str, str]], name: str) -> dict[str, Curve]:
    """A stage's numbers by steps, one stage behind the other; what is no number is left out."""
    out: dict[str, Curve] = {}
    before, last = 0, 0
    for row in rows:
        step = int(row["step"])
        if row["stage"] not in out:
            before += last
            out[row["stage"]] = []
        last = step
        value = float(row[name] or "nan")
        if math.isfinite(value) and (value > 0 or not _logarithmic(name)):
            out[row["stage"]].append((before + step, value))
    return {stage: curve for stage, curve in out.items() if curve}


def _logarithmic(name: str) -> bool:
    return name.startswith(LOGARITHMIC)


def _panel(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], name: str, curves: dict[str, Curve]
) -> None:
    points = np.array([point for curve in curves.values() for point in curve])
    left, top = corner[0] + MARGIN[0], corner[1] + MARGIN[1]
    right, bottom = corner[0] + PANEL[0] - 10, corner[1] + PANEL[1] - MARGIN[1]
    (first, low), (last, high) = points.min(0), points.max(0)
    across = Axis(first, last, left, right)
    up = Axis(low, high, bottom, top, _logarithmic(name))
    draw.rectangle((left, top, right, bottom), outline=GRAY)
    for value, height in ((high, top), (low, bottom - 10)):
        draw.text((corner[0] + 2, height), f"{value:.3g}", fill=BLACK)
    for value, place in ((first, left), (last, right - 40)):
        draw.text((place, bottom + 4), f"{value:.0f}", fill=BLACK)
    draw.text((left, corner[1] + 6), name, fill=BLACK)
    for number, (stage, curve) in enumerate(curves.items()):
        color = COLORS[number % len(COLORS)]
        places = [(across.at(x), up.at(y)) for x, y in curve]
        if len(places) > 1:
            draw.line(places, fill=color, width=2)
        for x, y in places[-1:]:
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=color)
        draw.text((left + 110 + 70 * number, corner[1] + 6), stage, fill=color)
