"""A straight line through noisy points some of which don't belong, and how sure it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
TUKEY = 4.685  # residuals beyond so many deviations count nothing (95 % efficient on normal noise)
ROUNDS = 12
FEWEST = 12  # points
OF_NORMAL = 1.4826  # deviation of a normal distribution over its median absolute deviation


@dataclass(frozen=True, slots=True)
class Line:
    """y = slope * x + offset."""

    slope: float
    offset: float
    slope_error: float  # standard deviations, from what the points scatter
    offset_error: float
    scatter: float  # deviation of the residuals over what their variances say; at least 1
    explained: float  # share of y's variance beyond its noise that the line explains, to 1
    count: int  # points that had a weight


def line(x: F64, y: F64, variance: F64) -> Line | None:
    """Robust fit (Tukey's biweight, iterated) of y on x, both (N,).

    `variance` (N,) is of y. Where points scatter more than it says, errors grow in proportion. None
    for fewer than 12 points, or where x doesn't vary.
    """
    keep = np.isfinite(x) & np.isfinite(y) & (variance > 0)
    x, y, variance = x[keep], y[keep], variance[keep]
    if len(x) < FEWEST or float(np.ptp(x)) <= 1e-12 * max(float(np.abs(x).max()), 1e-30):
        return None
    weight, scatter = 1 / variance, 1.0
    for _ in range(ROUNDS):
        slope, offset, errors = _weighted(x, y, weight)
        away = np.abs(y - slope * x - offset) / np.sqrt(variance)
        scatter = max(OF_NORMAL * float(np.median(away)), 1.0)
        inside = np.clip(1 - (away / (TUKEY * scatter)) ** 2, 0, None)
        weight = inside**2 / variance
        if (weight > 0).sum() < FEWEST:
            return None
    rest = y - slope * x - offset
    told = _explained(y, rest, variance, weight)
    count = int((weight > 0).sum())
    return Line(slope, offset, scatter * errors[0], scatter * errors[1], scatter, told, count)


def _weighted(x: F64, y: F64, weight: F64) -> tuple[float, float, tuple[float, float]]:
    total = weight.sum()
    at, middle = float(weight @ x / total), float(weight @ y / total)
    spread = float(weight @ (x - at) ** 2)
    if spread <= 0:
        return 0.0, middle, (np.inf, np.inf)
    slope = float(weight @ ((x - at) * (y - middle))) / spread
    errors = (1 / spread) ** 0.5, (1 / total + at**2 / spread) ** 0.5
    return slope, middle - slope * at, (float(errors[0]), float(errors[1]))


def _explained(y: F64, rest: F64, variance: F64, weight: F64) -> float:
    """1 less the share of variance, noise taken out, that is left; weights as in the fit."""
    whole = weight.sum()
    noise = float(weight @ variance / whole)
    spread = float(weight @ (y - weight @ y / whole) ** 2 / whole) - noise
    left = max(float(weight @ rest**2 / whole) - noise, 0.0)
    return 1 - left / spread if spread > 0 else 0.0
