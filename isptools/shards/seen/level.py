"""Level, black, color and tone curve of an input against its truth, from its planes' lines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.shards.schema import InputRow, TruthRow
from isptools.shards.seen.fits import Plane, slope_of
from isptools.shards.seen.number import Number, limit

F64 = NDArray[np.float64]
SAME = 0.03  # level of an input that is its own truth: LibRaw's integers, no more
BLACK_DN = 2.5  # what black levels drift by between exposures
FLARE = 0.01  # of the median signal: stray light lifts black in bright scenes
COLOR = 0.06  # of a plane against green: another exposure's dark current, clipped noise of truths
MIXED = 0.10  # of a plane's light that may come from the others
CLEARER = 0.5  # of what its own color leaves may be left with the others
SWAPPED = 0.7  # of red's light goes with blue
BEND = 0.22  # logarithm of the exponent: sensors are straight, lights that warm up nearly so
SHOT_WHITE = 0.5  # logarithm: cameras balance each exposure anew
BINS = 24
EXPONENTS = np.exp(np.linspace(-1.6, 1.6, 65))


@dataclass(frozen=True, slots=True)
class Stated:
    """What the recipe inside allows."""

    tolerance: float  # of the ratio, relative
    max_ratio: float  # ratios are cut there
    same_file: bool  # the input is the truth's own file


def level(planes: list[Plane], row: InputRow, stated: Stated) -> tuple[list[Number], float | None]:
    """The light's ratio against the stated one; and the measured ratio."""
    green = slope_of(planes, 1)
    if green is None:
        return [], None
    measured, error = 1 / green[0], green[1]
    if row.ratio is None:
        return [], measured
    seen = min(measured, row.ratio) if row.ratio >= stated.max_ratio else measured
    allowed = SAME if stated.same_file else np.log1p(stated.tolerance)
    told = f"its truth has {measured:.4g} times its light, {row.ratio:.4g} times are stated"
    off = abs(float(np.log(seen / row.ratio)))
    return [Number("level", off, limit(float(allowed), error), told)], measured


def black(planes: list[Plane], row: InputRow) -> list[Number]:
    """The signal of each plane where the truth has none, in DN; the worst."""
    span, found = row.white - float(np.mean(row.black)), []
    for plane in planes:
        if not plane.sure:
            continue
        off = plane.line.offset * span
        stray = FLARE * float(np.median(plane.own)) * span
        told = f"black of {plane.name} is off by {off:+.1f} DN"
        most = limit(BLACK_DN + stray, plane.line.offset_error * span)
        found.append(Number("black", abs(off), most, told, "DN"))
    return sorted(found, key=lambda one: -one.share)[:1]


def color(planes: list[Plane]) -> list[Number]:
    """Mixing of the planes (a wrong matrix), else slopes that differ (white, or one plane)."""
    slopes = [slope_of(planes, i) for i in range(3)]
    mixed = _mixed(planes)
    if mixed and mixed.wrong:
        return [mixed]
    if slopes[1] is None:
        return [mixed] if mixed else []
    off: dict[int, tuple[float, float]] = {}
    for i in (0, 2):
        one = slopes[i]
        if one is not None:
            error = float(np.hypot(one[1], slopes[1][1]))
            off[i] = float(np.log(one[0] / slopes[1][0])), limit(COLOR, error)
    found = [_white(off)] if off else []
    found += _greens(planes)
    return found + ([mixed] if mixed else [])


def _white(off: dict[int, tuple[float, float]]) -> Number:
    worst = max(off, key=lambda i: abs(off[i][0]) / off[i][1])
    value, most = abs(off[worst][0]), off[worst][1]
    beside = [i for i in off if abs(off[i][0]) > off[i][1]]
    times = ", ".join(f"{'RGB'[i]} {np.exp(off[i][0]):.3f}" for i in sorted(off))
    if len(beside) == 1 and len(off) == 2:
        return Number("plane", value, most,
                      f"one plane is scaled: {'RGB'[worst]} is {np.exp(off[worst][0]):.3f} times "
                      "what its truth expects beside green")  # fmt: skip
    if len(off) == 2 and abs(off[0][0] - off[2][0]) < min(off[0][1], off[2][1]):
        times = f"green is {np.exp(-off[0][0]):.3f} times what its truth expects"
        return Number("plane", value, most, f"one plane is scaled: {times}")
    told = f"another white: beside green its truth expects other light ({times} times)"
    return Number("white", value, most, told)


def _greens(planes: list[Plane]) -> list[Number]:
    """The two greens of a Bayer cell against each other."""
    both = [plane for plane in planes if plane.color == 1 and plane.sure]
    if len(both) != 2:
        return []
    one, other = (plane.line for plane in both)
    error = float(np.hypot(one.slope_error / one.slope, other.slope_error / other.slope))
    off = float(np.log(one.slope / other.slope))
    told = f"one plane is scaled: its greens differ, one is {np.exp(off):.3f} times the other"
    return [Number("plane", abs(off), limit(COLOR, error), told)]


def _mixed(planes: list[Plane]) -> Number | None:
    """The largest share of a plane's light that goes with another color of the truth."""
    greens = [plane for plane in planes if plane.color == 1]
    if len({plane.color for plane in planes}) < 3 or not all(p.line.count > 40 for p in planes):
        return None
    every = {plane.color: plane.expected for plane in planes}
    design = np.stack([every[0], every[1], every[2], np.ones_like(every[0])], 1)
    found = []
    for plane in planes:
        if plane in greens[1:]:
            continue
        rest = plane.own - plane.line.slope * plane.expected - plane.line.offset
        weight = np.clip(1 - rest**2 / (25 * plane.line.scatter**2 * plane.variance), 0, None)
        parts = _regressed(design, plane.own, weight / plane.variance)
        if parts is None or not _clearer(weight, rest, parts[2], plane.variance):
            continue
        whole = float(np.median(plane.own))
        if whole <= 0:
            continue
        for other in {0, 1, 2} - {plane.color}:
            per = float(np.median(every[other])) / whole
            share, error = abs(parts[0][other]) * per, parts[1][other] * per
            told = (
                f"a wrong matrix: {share:.0%} of the light of {plane.name} goes with "
                f"{'RGB'[other]} of its truth"
            )
            if share > SWAPPED and plane.color != 1 and other != 1:
                told += ": red and blue look swapped"
            found.append(Number("matrix", share, limit(MIXED, error), told))
    return max(found, key=lambda one: one.share) if found else None


def _clearer(weight: F64, rest: F64, left: F64, variance: F64) -> bool:
    """Whether the other colors explain half of what a plane's own color leaves beyond noise.

    A truth that is noisy lets colors stand in for each other, to little effect.
    """
    before, after = (float(weight @ (each**2 / variance) / weight.sum()) for each in (rest, left))
    return after - 1 < CLEARER * max(before - 1, 0.0) or after < CLEARER * before


def _regressed(design: F64, y: F64, weight: F64) -> tuple[F64, F64, F64] | None:
    """Coefficients, their errors from what the points scatter, and what is left of y."""
    scaled = design * np.sqrt(weight)[:, None]
    try:
        inverse = np.linalg.inv(scaled.T @ scaled)
    except np.linalg.LinAlgError:
        return None
    found = inverse @ (scaled.T @ (y * np.sqrt(weight)))
    left = y - design @ found
    scatter = max(float(weight @ left**2) / max(len(y) - 4, 1), 1.0)
    return found, np.sqrt(np.maximum(np.diag(inverse) * scatter, 0)), left


def bend(planes: list[Plane]) -> list[Number]:
    """The exponent by which the input's light follows the truth's: 1 for two linear pictures."""
    greens = [plane for plane in planes if plane.color == 1]
    if not greens:
        return []
    x, y = greens[0].expected, np.mean([plane.own for plane in greens], 0)
    found = _exponent(x, y)
    if found is None:
        return []
    exponent, error = found
    if exponent > 1:
        what = "as if the truth had one curve too many (gamma applied twice, sRGB taken for linear)"
    else:
        what = "as if a curve lay on the input, or the truth lacked one (linear taken for sRGB)"
    told = f"its light goes with its truth's to the power of {exponent:.2f}: {what}"
    return [Number("curve", abs(float(np.log(exponent))), limit(BEND, error), told)]


def _exponent(x: F64, y: F64) -> tuple[float, float] | None:
    """Best exponent and the error of its logarithm, from medians over bins of x."""
    order = np.argsort(x)
    groups = [group for group in np.array_split(order, BINS) if len(group) >= 4]
    if len(groups) < 8:
        return None
    at = np.array([np.median(x[group]) for group in groups])
    middle = np.array([np.median(y[group]) for group in groups])
    spread = np.array([1.4826 * np.median(np.abs(y[g] - np.median(y[g]))) / len(g) ** 0.5
                       for g in groups])  # fmt: skip
    if not at[0] > 0 or at[-1] < 2.5 * at[0]:
        return None
    weight = 1 / (spread**2 + (0.01 * middle) ** 2 + 1e-16)
    left = np.array([_left(at**power, middle, weight) for power in EXPONENTS])
    best = int(left.argmin())
    if not 0 < best < len(EXPONENTS) - 1:
        return None
    step = float(np.log(EXPONENTS[1] / EXPONENTS[0]))
    curved = float(left[best - 1] - 2 * left[best] + left[best + 1]) / step**2
    slope = float(left[best + 1] - left[best - 1]) / (2 * step)
    scale = max(float(left[best]) / (len(groups) - 3), 1.0)
    if curved <= 0:
        return None
    error = float(np.sqrt(2 * scale / curved))
    found = float(np.log(EXPONENTS[best])) - slope / curved
    return (float(np.exp(found)), error) if error < 0.15 else None


def _left(x: F64, y: F64, weight: F64) -> float:
    """Weighted sum of squares that a line of y on x leaves."""
    total = weight.sum()
    a, b = x - weight @ x / total, y - weight @ y / total
    spread = float(weight @ a**2)
    slope = float(weight @ (a * b)) / spread if spread > 0 else 0.0
    return float(weight @ (b - slope * a) ** 2)


def shot_white(row: InputRow, truth: TruthRow) -> list[Number]:
    """The white that the input's file states against the one that its truth was balanced by."""
    if not truth.gains or min(row.as_shot[:3]) <= 0 or len(set(row.as_shot[:3])) == 1:
        return []
    own, its = (np.log(np.array(gains[:3]) / gains[1]) for gains in (row.as_shot, truth.gains))
    off = float(np.abs(own - its).max())
    stated = ", ".join(f"{value:.3f}" for value in np.exp(own))
    taken = ", ".join(f"{value:.3f}" for value in np.exp(its))
    told = f"another white: it states gains of {stated}, its truth was balanced by {taken}"
    return [Number("white", off, SHOT_WHITE, told)]
