"""Over how much of the frame two aligned pictures show the same: small windows everywhere."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import over_rows
from isptools.frame import Array
from isptools.pair import plane, windows
from isptools.pair.light import Gray, shrink
from isptools.pair.local import Field
from isptools.pair.plane import Homography, Points

PIXELS = 3e5  # of the reduced picture that is looked at
HALF = 10  # of a window's side there, and the step between windows
REACH = 3  # pixels there that a window may lie elsewhere: what parallax leaves
FINE, COARSE = 1.0, 5.0  # standard deviations of the blurs whose difference is compared
GAIN = 2.0  # of that difference, to 8 bit
SAME = 0.5  # correlation of a window that shows the same
CLEAR = 4.0  # signal over noise, as energies, from which the same would correlate by more
LEAST = 1.0  # standard deviation, gray levels, that counts as texture at all
WHITE = 0.2821  # of white noise's deviation that a blur by 1 pixel leaves
FEW = 8  # windows that a ratio of contrasts is measured on


@dataclass(frozen=True, slots=True)
class Cover:
    """Windows of the reduced still picture that lie in both pictures."""

    places: Points  # (N, 2) their centers
    correlation: NDArray[np.float64]
    textured: NDArray[np.bool_]  # at least one side shows something above the noise of both

    @property
    def same(self) -> NDArray[np.bool_]:
        """(N,) bool: textured windows that show the same on both sides."""
        return np.asarray(self.textured & (self.correlation > SAME))

    @property
    def share(self) -> float:
        """Part of the textured windows that show the same."""
        return float(self.same.sum() / max(1, self.textured.sum()))


def cover(still: Gray, moving: Gray, h: Homography, field: Field | None) -> Cover:
    """Compare two pictures on a grid of windows, behind a mapping (still to moving).

    What is compared is what lies between two blurs, so neither tone, vignetting nor fine noise
    counts much. A window counts as textured where the same content would have to correlate: by
    the stronger of its two sides, so that something on one side and nothing on the other differs.
    """
    small, to_small = shrink(still, PIXELS)
    scale = plane.scale(h, plane.corners(still.shape).mean(0)[None])
    ratio = small.size / still.size
    other, to_other = shrink(moving, max(1.0, moving.size * ratio / scale**2))
    reduced = plane.unit(to_other @ h @ np.linalg.inv(to_small))
    bands = _band(small), _band(other)
    centers = _grid(small.shape)
    offset = np.zeros_like(centers)
    if field is not None:
        own = plane.apply(np.linalg.inv(to_small), centers - 0.5)
        offset = field.at(own) * np.diag(to_small)[:2]
    found = _correlations(bands, reduced, centers, offset)
    inside = found > -1
    centers, found = centers[inside], found[inside]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(bands[1], reduced, small.shape[::-1], flags=flags)
    energies = [_energy(band, centers) for band in (bands[0], warped)]
    noises = [
        _noise(whole, part.size / whole.size, energy)
        for whole, part, energy in zip((still, moving), (small, other), energies, strict=True)
    ]
    return Cover(centers - 0.5, found, _textured(energies, noises, found > SAME))


def _band(picture: Gray) -> NDArray[np.float32]:
    values = picture.astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(values, (0, 0), sigma) for sigma in (FINE, COARSE))
    return np.asarray(fine - coarse, np.float32)


def _grid(shape: tuple[int, ...]) -> Points:
    rows, columns = (np.arange(HALF, side - HALF + 1, HALF, dtype=np.float64) for side in shape)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], 1)


def _correlations(
    bands: tuple[Array, Array], h: Homography, centers: Points, offset: Points
) -> NDArray[np.float64]:
    """The best within reach; -1 where a window leaves a picture."""
    raw = np.empty((len(centers), windows.FIELDS))
    if len(centers):
        moved = np.tile(np.eye(3), (len(centers), 1, 1))
        moved[:, :2, 2] = offset
        still, moving = (
            np.clip(np.rint(GAIN * band + 128), 0, 255).astype(np.uint8) for band in bands
        )
        over_rows(_strip, len(centers), still, moving, h @ moved, centers, raw)
    return raw[:, 2]


def _strip(
    still: Gray, moving: Gray, h: Homography, centers: Points, raw: NDArray[np.float64],
    first: int, last: int,
) -> None:  # fmt: skip
    windows.search(  # type: ignore[no-untyped-call]  # a kernel
        still, moving, h, centers, HALF, REACH, raw, first, last
    )


def _energy(band: Array, centers: Points) -> NDArray[np.float64]:
    mean = cv2.boxFilter(band * band, cv2.CV_64F, (2 * HALF, 2 * HALF))
    columns, rows = centers.astype(int).T
    return np.maximum(np.asarray(mean[rows, columns], np.float64), 0)


def _noise(picture: Gray, reduced: float, energy: NDArray[np.float64]) -> float:
    """Energy of the noise in the band: the lower of two bounds, the picture's finest detail
    (Immerkaer's operator, CVIU 1996, by a median) and what the flattest windows hold."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    every = max(1, int((picture.size / 1e6) ** 0.5))
    part = picture[: picture.shape[0] // every, : picture.shape[1] // every]
    finest = float(np.median(np.abs(cv2.filter2D(part, cv2.CV_32F, kernel)))) / 0.6745
    flattest = float(np.percentile(energy, 5)) if len(energy) else np.inf
    return max(0.01, min(reduced * (WHITE * finest) ** 2, flattest))


def _textured(
    energies: list[NDArray[np.float64]], noises: list[float], same: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Where the same content would be seen above the noise of both sides."""
    own, other = (
        np.maximum(energy - noise, 0) for energy, noise in zip(energies, noises, strict=True)
    )
    known = same & (own > 0) & (other > 0)
    gain = float(np.median(other[known] / own[known])) if known.sum() >= FEW else 1.0
    signal = np.maximum(own, other / gain)
    noise = noises[0] + noises[1] / gain
    return np.asarray(signal > max(CLEAR * noise, LEAST**2))
