"""Points that two pictures share, and the first homography between them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.pair import plane
from isptools.pair.light import Gray, shrink
from isptools.pair.plane import Homography, Points

FEATURES = 4000  # the strongest of a picture
NEAREST = 0.8  # Lowe's ratio of the distances to the nearest and second nearest (IJCV 2004, 7.1)
HELD_OUT = 5  # every so many-th match is kept out of the fit
REACH = 3.0  # pixels of the reduced pictures: MAGSAC's noise limit, and a held-out match that fits
CELLS = 4  # a side of the grid over the frame on which spread is counted
FEWEST = 8  # matches that a homography is tried on


@dataclass(frozen=True, slots=True)
class Match:
    """What the two pictures share. Points and pixels are those of the full-size pictures."""

    h: Homography | None  # phone to DSLR, None where no plane was found
    phone: Points  # matches, one to one
    dslr: Points
    inlier: NDArray[np.bool_]  # fitted matches that the homography explains
    held_out: NDArray[np.bool_]  # matches that were not fitted
    heldout_rmse: float  # DSLR pixels, over the held-out matches within reach; NaN for none
    heldout_share: float  # part of the held-out matches within reach; NaN for none
    spread: float  # part of the frame's 4 x 4 cells that hold an inlier

    @property
    def inliers(self) -> int:
        """How many matches the homography fits."""
        return int(self.inlier.sum())


def match(
    phone: Gray, dslr: Gray, pixels: float = 1.2e6, seed: int = 0, features: int = FEATURES
) -> Match:
    """SIFT on both pictures reduced to about `pixels`, ratio test and mutual check, MAGSAC++.

    Deterministic by `seed`, which orders the matches (the held-out ones are every fifth) and
    drives MAGSAC. Does not look at the pictures between the points. SIFT: Lowe, IJCV 2004;
    MAGSAC++: Barath et al., CVPR 2020, as in OpenCV's USAC_MAGSAC.
    """
    (small, to_small), (other, to_other) = shrink(phone, pixels), shrink(dslr, pixels)
    here, there = _shared(small, other, features)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(here))
    here, there = here[order], there[order]
    held = np.arange(len(here)) % HELD_OUT == HELD_OUT - 1
    found = _plane(here[~held], there[~held], seed)
    inlier = np.zeros(len(here), bool)
    if found is not None:
        inlier[~held] = _fits(found, here[~held], there[~held])
    h = None if found is None else plane.unit(np.linalg.inv(to_other) @ found @ to_small)
    back = np.linalg.inv(to_small), np.linalg.inv(to_other)
    points = plane.apply(back[0], here), plane.apply(back[1], there)
    rmse, share = np.nan, np.nan
    if found is not None and h is not None and held.any():
        fits = _fits(found, here[held], there[held])
        share = float(fits.mean())
        error = plane.apply(h, points[0][held][fits]) - points[1][held][fits]
        rmse = float(np.sqrt((error**2).sum(1).mean())) if fits.any() else np.nan
    return Match(h, *points, inlier, held, rmse, share, _spread(here[inlier], small.shape))


def _shared(small: Gray, other: Gray, features: int) -> tuple[Points, Points]:
    (here, first), (there, second) = _features(small, features), _features(other, features)
    i, j = _mutual(first, second)
    return here[i], there[j]


def _features(picture: Gray, most: int) -> tuple[Points, NDArray[np.float32]]:
    sift = cv2.SIFT_create(  # type: ignore[attr-defined]  # not in OpenCV's stubs
        nfeatures=most, contrastThreshold=0.015, enable_precise_upscale=True
    )
    keys, descriptors = sift.detectAndCompute(picture, None)
    if descriptors is None:
        return np.empty((0, 2)), np.empty((0, 128), np.float32)
    places = np.array([key.pt for key in keys], np.float64)
    return places, np.asarray(descriptors, np.float32)


def _mutual(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows that are each other's nearest, the nearest clearly nearer than the second nearest.

    Descriptors are integers and their products stay below 2^24: float32 sums them without error,
    in whatever order.
    """
    none = np.empty(0, np.intp)
    if min(len(first), len(second)) < 2:
        return none, none
    squares = (second * second).sum(1)
    away = squares - 2 * (first @ second.T)  # squared distance less the own square
    rows = np.arange(len(first))
    near, back = away.argmin(1), away.argmin(0)
    nearest = away[rows, near].copy()
    away[rows, near] = np.inf
    own = (first * first).sum(1)
    clear = nearest + own < NEAREST**2 * (away.min(1) + own)
    keep = clear & (back[near] == rows)
    return rows[keep], near[keep]


def _plane(here: Points, there: Points, seed: int) -> Homography | None:
    """MAGSAC++, then least squares on what it found; None where there is no plane."""
    here, there = _once(here, there)
    if len(here) < FEWEST:
        return None
    settings = cv2.UsacParams()
    settings.score = cv2.SCORE_METHOD_MAGSAC
    settings.loMethod = cv2.LOCAL_OPTIM_SIGMA
    settings.sampler = cv2.SAMPLING_UNIFORM
    settings.threshold, settings.confidence = REACH, 0.9999
    settings.maxIterations, settings.loIterations = 10000, 10
    settings.randomGeneratorState, settings.isParallel = seed, False
    found, _ = cv2.findHomography(here, there, settings)
    if found is None or not np.isfinite(found).all() or abs(found[2, 2]) < 1e-12:
        return None
    found = plane.unit(found)
    fits = _fits(found, here, there)
    if fits.sum() < FEWEST:
        return found
    return plane.fit(found, here[fits], there[fits], np.ones(int(fits.sum()))).h


def _once(here: Points, there: Points) -> tuple[Points, Points]:
    """One match a place: SIFT gives a point with two directions twice."""
    _, first = np.unique(np.round(np.hstack([here, there])), axis=0, return_index=True)
    first.sort()
    return here[first], there[first]


def _fits(h: Homography, here: Points, there: Points) -> NDArray[np.bool_]:
    """Within reach in both directions."""
    ahead = np.linalg.norm(plane.apply(h, here) - there, axis=1)
    behind = np.linalg.norm(plane.apply(np.linalg.inv(h), there) - here, axis=1)
    return np.asarray((ahead < REACH) & (behind < REACH))


def _spread(points: Points, shape: tuple[int, ...]) -> float:
    size = np.array([shape[1], shape[0]])
    cells = np.clip((points + 0.5) / size * CELLS, 0, CELLS - 1).astype(int)
    return len(np.unique(cells @ (1, CELLS))) / CELLS**2
