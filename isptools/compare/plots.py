"""Plots as SVG files: bars of rows, and lines; they scale, print and need nothing else."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, BAR, MARGIN, NAMES = 720, 24, 12, 250
HEIGHT, LEFT, BOTTOM = 300, 60, 44
COLORS = ("#0b6bcb", "#c2410c", "#15803d", "#7c3aed", "#b91c1c", "#0f766e", "#a16207", "#4b5563",
          "#db2777", "#1e3a8a")  # fmt: skip
Point = tuple[float, float, float]  # x, y, spread of y (NaN for none)
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" '
    'font-family="sans-serif" font-size="12"><rect width="{w}" height="{h}" fill="#fff"/>'
)


def bars(rows: Sequence[tuple[str, float, float, float]], label: str) -> str:
    """Name, mean, spread and printed number (NaN for none) a row; whiskers and diamonds."""
    values = [v for _, mean, spread, printed in rows for v in (mean + _or0(spread), printed)]
    top = max([v for v in values if not math.isnan(v)], default=1.0) * 1.02 or 1.0
    height = BAR * len(rows) + 2 * MARGIN + 20

    def across(value: float) -> float:
        return NAMES + value / top * (WIDTH - NAMES - 70)

    out = [HEAD.format(w=WIDTH, h=height)]
    for at, (name, mean, spread, printed) in enumerate(rows):
        y = MARGIN + at * BAR
        out.append(_text(NAMES - 8, y + 15, name[:40], ' text-anchor="end"'))
        if not math.isnan(mean):
            wide = across(mean) - NAMES
            out.append(f'<rect x="{NAMES}" y="{y + 3}" width="{wide:.1f}" height="{BAR - 8}" '
                       f'fill="{COLORS[0]}" opacity="0.8"/>')  # fmt: skip
            out.append(_text(across(mean) + 6, y + 15, f"{mean:.2f}"))
        if not math.isnan(mean + spread):
            ends = f"M{across(mean - spread):.1f} {y + 11}H{across(mean + spread):.1f}"
            out.append(f'<path d="{ends}" stroke="#111" stroke-width="2"/>')
        if not math.isnan(printed):
            diamond = f"M{across(printed):.1f} {y + 4}l6 7-6 7-6-7z"
            out.append(f'<path d="{diamond}" fill="none" stroke="{COLORS[1]}" stroke-width="2"/>')
    out.append(_text(NAMES, height - 8, f"{label}; diamonds: printed"))
    return "".join([*out, "</svg>"])


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(words)}</text>'


def lines(curves: Mapping[str, Sequence[Point]], across: str, up: str) -> str:
    """A line a name, with whiskers where there is a spread."""
    points = [point for curve in curves.values() for point in curve]
    xs = _span([x for x, _, _ in points])
    ys = _span([y + sign * _or0(s) for _, y, s in points for sign in (-1, 1)])
    height = HEIGHT + 16 * len(curves)

    def place(x: float, y: float) -> str:
        px = LEFT + (x - xs[0]) / (xs[1] - xs[0]) * (WIDTH - LEFT - MARGIN)
        py = HEIGHT - BOTTOM - (y - ys[0]) / (ys[1] - ys[0]) * (HEIGHT - BOTTOM - MARGIN)
        return f"{px:.1f} {py:.1f}"

    out = [HEAD.format(w=WIDTH, h=height), _axes(xs, ys, place, across, up)]
    for at, (name, curve) in enumerate(curves.items()):
        color = COLORS[at % len(COLORS)]
        path = "L".join(place(x, y) for x, y, _ in sorted(curve))
        whiskers = "".join(f"M{place(x, y - s)}L{place(x, y + s)}" for x, y, s in curve
                           if not math.isnan(s))  # fmt: skip
        dots = "".join(f"M{place(x, y)}h0" for x, y, _ in curve)
        out.append(f'<path d="M{path}{whiskers}" fill="none" stroke="{color}" stroke-width="1.5"/>'
                   f'<path d="{dots}" stroke="{color}" stroke-width="6" stroke-linecap="round"/>'
                   f'<text x="{LEFT}" y="{HEIGHT + 16 * at + 8}" fill="{color}">'
                   f"{escape(name)}</text>")  # fmt: skip
    return "".join([*out, "</svg>"])


def _axes(
    xs: tuple[float, float], ys: tuple[float, float], place: Callable[[float, float], str],
    across: str, up: str,
) -> str:  # fmt: skip
    out = []
    for k in range(5):
        x, y = (low + k / 4 * (high - low) for low, high in (xs, ys))
        left, bottom = place(x, ys[0]).split()
        down = place(xs[0], y).split()[1]
        out.append(f'<text x="{left}" y="{float(bottom) + 16}" text-anchor="middle">{x:.4g}</text>'
                   f'<text x="{LEFT - 6}" y="{down}" text-anchor="end">{y:.4g}</text>'
                   f'<path d="M{LEFT} {down}H{WIDTH - MARGIN}" stroke="#ddd"/>')  # fmt: skip
    out.append(f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 12}" text-anchor="end">{escape(across)}'
               f'</text><text x="4" y="12">{escape(up)}</text>')  # fmt: skip
    return "".join(out)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    more = (high - low) * 0.05 or 0.5
    return low - more, high + more


def _or0(value: float) -> float:
    return 0.0 if math.isnan(value) else value
