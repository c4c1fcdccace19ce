"""A first homography made exact: windows looked for from coarse to fine, and a robust refit."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import over_rows
from isptools.frame import Array
from isptools.pair import plane, windows
from isptools.pair.light import Gray, equally_fine, shrink
from isptools.pair.plane import Fit, Homography, Points

HALF = 32  # of a window's side
CELLS = (24, 18)  # windows across and down, at most
COARSE = 1.2e6  # pixels of the picture that is looked at first
LIKE = 0.6  # correlation of a window that counts as found
SHARP = 2e-4  # least curvature of the correlation along a window's weaker axis, per pixel^2
FEWEST = 12  # windows that a refit needs
HELD = 4  # every so many-th window is kept out of the fit
AGREES = 2.5  # pixels: a held-out window farther away speaks against the homography


@dataclass(frozen=True, slots=True)
class Found:
    """Windows of `still`, and where they were found in `moving`."""

    still: Points
    moving: Points  # where they were found; NaN for none
    shift: NDArray[np.float64]  # (N, 2) pixels of `still`, found less expected; NaN for none
    correlation: NDArray[np.float64]
    sharpness: NDArray[np.float64]

    @property
    def good(self) -> NDArray[np.bool_]:
        """(N,) bool: windows that are alike, sharp, and were found."""
        sure = (self.correlation > LIKE) & (self.sharpness > SHARP)
        return np.asarray(sure & np.isfinite(self.shift).all(1))

    @property
    def near(self) -> NDArray[np.bool_]:
        """(N,) bool: good windows that are about where they were expected."""
        away = np.hypot(*np.nan_to_num(self.shift, nan=np.inf).T)
        return np.asarray(self.good & (away < AGREES))

    @property
    def agreeing(self) -> float:
        """Part of the windows in both pictures that are."""
        return float(self.near.sum() / max(1, self.looked.sum()))

    @property
    def looked(self) -> NDArray[np.bool_]:
        """(N,) bool: windows that lie in both pictures."""
        return self.correlation > -1


@dataclass(frozen=True, slots=True)
class Refined:
    """A homography from `still` to `moving` and what the windows say about it."""

    h: Homography
    fit: Fit
    held: Found  # windows that took no part, at the end


def refine(still: Gray, moving: Gray, h: Homography) -> Refined | None:
    """Refit `h` (still to moving) on windows of textured places, from coarse to full size.

    `still` is the coarser picture (see `coarser`). Every fourth window takes no part. None where
    too few windows are found, which is where the pictures do not show the same.
    """
    centers = textured(still, CELLS)
    moving = equally_fine(moving, plane.scale(h, centers) if len(centers) else 1.0)
    held = np.arange(len(centers)) % HELD == HELD - 1
    fitted: Fit | None = None
    for pixels, reach in _levels(still):
        fitted = _level((still, moving), h, centers[~held], pixels, reach)
        if fitted is None:
            return None
        h = fitted.h
    if fitted is None or not np.isfinite(h).all():
        return None
    last = found_windows(still, moving, h, centers[held], 4)
    return Refined(h, fitted, last)


def coarser(phone: Gray, h: Homography) -> bool:
    """Is the phone picture the coarser one, whose pixels the other's are looked at in?"""
    middle = plane.corners(phone.shape).mean(0, keepdims=True)
    return plane.scale(h, middle) >= 1.0


def _levels(still: Gray) -> list[tuple[float, int]]:
    """Pixels of a level and how far windows are looked for there, coarse to fine."""
    full = float(still.size)
    levels = [(COARSE, 6)] if full > 1.5 * COARSE else [(full, 6)]
    if full > 4 * COARSE:
        levels.append(((COARSE * full) ** 0.5, 3))
    return [*levels, (full, 4), (full, 2), (full, 2)]


def _level(
    pair: tuple[Gray, Gray], h: Homography, centers: Points, pixels: float, reach: int
) -> Fit | None:
    """One refit at one level; the fit is that of the full-size pictures."""
    still, to_small = shrink(pair[0], pixels)
    moving, to_other = shrink(pair[1], pair[1].size * pixels / pair[0].size)
    small = plane.unit(to_other @ h @ np.linalg.inv(to_small))
    places = np.rint(plane.apply(to_small, centers))
    if to_small[0, 0] < 1:
        places = np.unique(places, axis=0)
    found = found_windows(still, moving, small, places, reach)
    good = found.good
    if good.sum() < FEWEST:
        return None
    source = plane.apply(np.linalg.inv(to_small), found.still[good])
    target = plane.apply(np.linalg.inv(to_other), found.moving[good])
    return robust(h, source, target, weights(found)[good])


def weights(found: Found) -> NDArray[np.float64]:
    """How sure each window is, (N,): sharp and alike; the ordinary one has 1."""
    sure = found.sharpness / (1.02 - np.minimum(found.correlation, 1))
    usual = float(np.median(sure[found.good])) if found.good.any() else 1.0
    return np.asarray(np.clip(sure / usual, 0.05, 4.0))


def robust(h: Homography, source: Points, target: Points, weight: NDArray[np.float64]) -> Fit:
    """MAGSAC++ on points (N, 2) against the start, then the weighted refit of the one more agree
    with."""
    settings = cv2.UsacParams()
    settings.score = cv2.SCORE_METHOD_MAGSAC
    settings.loMethod = cv2.LOCAL_OPTIM_SIGMA
    settings.sampler = cv2.SAMPLING_UNIFORM
    settings.threshold, settings.confidence = 1.5, 0.9999
    settings.maxIterations, settings.loIterations = 2000, 10
    settings.randomGeneratorState, settings.isParallel = 0, False
    other, _ = cv2.findHomography(source, target, settings)
    starts = [h] if other is None or not np.isfinite(other).all() else [h, plane.unit(other)]
    fits = [plane.fit(start, source, target, weight) for start in starts]
    return max(fits, key=lambda fit: int((fit.residuals < AGREES).sum()) - fit.sigma)


def found_windows(
    still: Gray, moving: Gray, h: Homography, centers: Points, reach: int,
    offset: Points | None = None,
) -> Found:  # fmt: skip
    """Look for windows of `still` around whole `centers` in `moving`, up to `reach` away.

    They are expected at h * (place + offset), no offset by default; shifts are on top of that.
    """
    raw = np.empty((len(centers), windows.FIELDS))
    offset = np.zeros_like(centers) if offset is None else offset
    if len(centers):
        moved = np.tile(np.eye(3), (len(centers), 1, 1))
        moved[:, :2, 2] = offset
        over_rows(_strip, len(centers), still, moving, h @ moved, centers, HALF, reach, raw)
    shift, correlation, sharpness = raw[:, :2], raw[:, 2], raw[:, 3]
    found = plane.apply(h, centers - 0.5 + offset + shift)
    return Found(centers - 0.5, found, shift, correlation, sharpness)


def _strip(
    still: Gray, moving: Gray, h: Homography, centers: Points, half: int, reach: int,
    raw: NDArray[np.float64], first: int, last: int,
) -> None:  # fmt: skip
    windows.search(  # type: ignore[no-untyped-call]  # a kernel
        still, moving, h, centers, half, reach, raw, first, last
    )


def textured(picture: Gray, cells: tuple[int, int]) -> Points:
    """The place of each cell whose surroundings have most texture across every direction.

    Whole x, y; a window around a place lies inside the picture. Cells without texture have none.
    """
    small, to_small = shrink(picture, COARSE / 2)
    corner: Array = cv2.cornerMinEigenVal(small, 15, None, 3)
    inside = np.zeros(small.shape, bool)
    rim = int(np.ceil((HALF + 3) * to_small[0, 0])) + 1
    inside[rim:-rim, rim:-rim] = True
    corner = np.where(inside, corner, 0)
    places = []
    for rows in np.array_split(np.arange(small.shape[0]), cells[1]):
        for columns in np.array_split(np.arange(small.shape[1]), cells[0]):
            part = corner[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            row, column = np.unravel_index(int(part.argmax()), part.shape)
            if part[row, column] > 1e-5:
                places.append((columns[0] + column, rows[0] + row))
    if not places:
        return np.empty((0, 2))
    return np.rint(plane.apply(np.linalg.inv(to_small), np.array(places, np.float64)))
