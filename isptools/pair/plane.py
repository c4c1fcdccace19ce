"""Homographies: apply, measure, and fit them to points that may be wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Array

Points = NDArray[np.float64]  # (N, 2): x to the right, y down, pixel centers at integers
Homography = NDArray[np.float64]  # (3, 3), last entry 1
TUKEY = 4.685  # residuals beyond so many sigma have no weight
ROUNDS = 12


def apply(h: Array, points: Array) -> Points:
    """Map points (N, 2), x and y, by a 3x3; those on or behind the horizon become NaN."""
    homogeneous = np.asarray(points, np.float64) @ h[:, :2].T + h[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        mapped = homogeneous[:, :2] / homogeneous[:, 2:]
    mapped[homogeneous[:, 2] <= 0] = np.nan
    return np.asarray(mapped, np.float64)


def unit(h: Array) -> Homography:
    """The same mapping with 1 as last entry of its 3x3."""
    return np.asarray(h / h[2, 2], np.float64)


def corners(shape: tuple[int, ...]) -> Points:
    """Centers of the four corner pixels of a picture (height, width, ...)."""
    right, bottom = shape[1] - 1.0, shape[0] - 1.0
    return np.array([[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]])


def outline(shape: tuple[int, ...]) -> Points:
    """The outer edges of the corner pixels."""
    right, bottom = shape[1] - 0.5, shape[0] - 0.5
    return np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])


def scale(h: Array, points: Array) -> float:
    """How much longer a short way becomes: square root of the area factor, median over (N, 2)
    points."""
    return float(np.median(np.sqrt(np.abs(area_factor(h, points)))))


def area_factor(h: Homography, points: Points) -> NDArray[np.float64]:
    """Determinant of the mapping's derivative at points (N, 2); negative where it mirrors."""
    depth = points @ h[2, :2] + h[2, 2]
    return np.asarray(np.linalg.det(h) / depth**3, np.float64)


@dataclass(frozen=True, slots=True)
class Fit:
    """A homography fitted to weighted points."""

    h: Homography
    residuals: NDArray[np.float64]  # (N,) length, pixels of the target
    sigma: float  # robust standard deviation of one coordinate, pixels
    weights: NDArray[np.float64]  # (N,) given weight times Tukey's
    information: NDArray[np.float64]  # (8, 8) inverse covariance at sigma 1, normalized source
    frame: Homography  # source to its normalized coordinates

    def deviation(self, points: Points) -> NDArray[np.float64]:
        """Predicted standard deviation of mapped points (N, 2), pixels: how well the fit holds
        them."""
        jacobian = _jacobian(self._normal(), apply(self.frame, points))
        try:
            spread = np.linalg.solve(self.information, jacobian.reshape(-1, 8).T)
        except np.linalg.LinAlgError:
            return np.full(len(points), np.inf)
        variance = (jacobian.reshape(-1, 8) * spread.T).sum(1).reshape(-1, 2).sum(1)
        return np.asarray(self.sigma * np.sqrt(np.maximum(variance, 0)))

    def _normal(self) -> Homography:
        return unit(self.h @ np.linalg.inv(self.frame))


def fit(
    h: Homography, source: Points, target: Points, weights: NDArray[np.float64], floor: float = 0.05
) -> Fit:
    """Least squares from a good start, with Tukey's biweight against wrong points.

    `weights` say how sure each point is (1 is ordinary); `floor` is the least sigma, pixels.
    Gauss-Newton on the eight entries in normalized source coordinates.
    """
    frame = _normalizing(source)
    place = apply(frame, source)
    current = unit(h @ np.linalg.inv(frame))
    sigma, used = np.inf, weights
    for _ in range(ROUNDS):
        error = target - apply(current, place)
        length = np.hypot(error[:, 0], error[:, 1])
        sigma = max(_sigma(length, weights), floor)
        used = weights * _tukey(length / (np.sqrt(2) * sigma))
        rows = _jacobian(current, place)
        information = np.einsum("n,nij,nik->jk", used, rows, rows)
        right = np.einsum("n,nij,ni->j", used, rows, error)
        change = np.linalg.lstsq(information, right, rcond=None)[0]
        current = current + np.append(change, 0.0).reshape(3, 3)
        if np.abs(change).max() < 1e-7:
            break
    found = unit(current @ frame)
    error = target - apply(found, source)
    return Fit(found, np.hypot(error[:, 0], error[:, 1]), sigma, used, information, frame)


def _normalizing(points: Points) -> Homography:
    center = points.mean(0)
    size = max(float(np.abs(points - center).mean()), 1e-9)
    return np.array([[1 / size, 0, -center[0] / size], [0, 1 / size, -center[1] / size], [0, 0, 1]])


def _sigma(length: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Of one coordinate, from the weighted median length of a two-dimensional error."""
    order = np.argsort(length, kind="stable")
    total = np.cumsum(weights[order])
    middle = int(np.searchsorted(total, total[-1] / 2))
    return float(length[order[min(middle, len(order) - 1)]] / 1.1774)


def _tukey(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(1 - (ratio / TUKEY) ** 2, 0, None)
    return np.asarray(inside * inside)


def _jacobian(h: Homography, points: Points) -> NDArray[np.float64]:
    """(N, 2, 8): how mapped points move with the first eight entries."""
    x, y = points[:, 0], points[:, 1]
    depth = h[2, 0] * x + h[2, 1] * y + h[2, 2]
    mapped = apply(h, points)
    out = np.zeros((len(points), 2, 8))
    row = np.stack([x, y, np.ones_like(x)], 1) / depth[:, None]
    out[:, 0, 0:3] = row
    out[:, 1, 3:6] = row
    out[:, :, 6:8] = -mapped[:, :, None] * row[:, None, :2]
    return out
