"""Two pictures of one scene: where they belong together, in numbers, and whether to trust it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.frame import Array
from isptools.pair import local, plane, refine
from isptools.pair.cover import cover
from isptools.pair.light import Gray, equally_fine, gray, shrink
from isptools.pair.local import Mapping
from isptools.pair.match import Match, match
from isptools.pair.plane import Homography, Points
from isptools.pair.refine import Refined

SECOND = 3e6  # pixels of the second try, where the first found little
FEW = 40  # inliers below which a second try is worth its time
LAGS = 1.2e5  # pixels of the picture that repetition is looked for on
GAIN = 0.1  # pixels by which offsets must bring held-out windows nearer (95 %) ...
MORE = 0.05  # ... or so large a part more of them must agree
LITTLE = 0.15  # pixels that a plane leaves (95 %): offsets would have to leave a third of it
FLAT = 2.0  # standard deviation of the unstretched luminance, 8 bit, below which nothing is shown


@dataclass(frozen=True, slots=True)
class Limits:
    """What a pair must reach to pass. Pixels are those of the coarser picture where not said."""

    inliers: int = 15  # matches
    heldout_share: float = 0.2  # part of the held-out matches that the homography explains
    agree: float = 0.2  # part of the held-out windows that do
    frame: float = 0.5  # part of the better covered picture that shows what the other does
    clean: float = 0.9  # or so much of the overlap, where that is small
    corner_px: float = 0.7  # predicted standard deviation of the worst corner
    median_px: float = 0.6  # residual shift of the held-out windows
    p95_px: float = 2.0
    plane_px: float = 24.0  # median of what the plane alone leaves
    overlap: float = 0.1  # part of the phone's picture that the DSLR's covers
    repeats: float = 0.85  # another place's correlation over the best's


@dataclass(frozen=True, slots=True)
class Alignment:
    """The mapping, its numbers, and the reasons against it; no reason is a pass."""

    mapping: Mapping | None
    match: Match | None
    residual: Points  # (N, 2) shifts left at the held-out windows, pixels of the coarser picture
    places: Points  # of those windows, in the phone's picture
    numbers: dict[str, float]
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the pair can be used."""
        return not self.reasons


def align(
    phone: Array, dslr: Array, limits: Limits | None = None, seed: int = 0, offsets: bool = True
) -> Alignment:
    """Align two upright pictures, encoded RGB (H, W, 3) or gray (H, W), uint8 or uint16.

    `offsets` allows a grid of local offsets behind the plane; it is kept only where it lessens
    what held-out windows are off. Where nothing can be told, `mapping` is None and a reason says
    why. Nothing is warped.
    """
    limits = limits or Limits()
    blank = [name for name, one in (("phone", phone), ("DSLR", dslr)) if _deviation(one) < FLAT]
    if blank:
        return _without(f"the {' and the '.join(blank)} picture shows nothing (one flat tone)")
    pair = gray(phone), gray(dslr)
    found = _matched(pair, seed)
    if found.h is None or found.inliers < limits.inliers:
        return _without(
            f"too few matches: {found.inliers} agree on one plane, {limits.inliers} are needed",
            found,
        )
    wrong = _impossible(found.h, phone.shape)
    if wrong:
        return _without(wrong, found)
    phone_still = refine.coarser(pair[0], found.h)
    ordered = pair if phone_still else pair[::-1]
    start = found.h if phone_still else plane.unit(np.linalg.inv(found.h))
    refined = refine.refine(*ordered, start)
    if refined is None:
        return _without("the matches' plane does not hold: too few places look alike on it", found)
    return _judged(ordered, phone_still, found, refined, limits, offsets)


def _matched(pair: tuple[Gray, Gray], seed: int) -> Match:
    first = match(*pair, seed=seed)
    if first.inliers >= FEW or max(pair[0].size, pair[1].size) < 1.5e6:
        return first
    second = match(*pair, pixels=SECOND, seed=seed, features=12000)
    return max((first, second), key=lambda one: one.inliers)


def _judged(
    pair: tuple[Gray, Gray], phone_still: bool, found: Match, refined: Refined, limits: Limits,
    offsets: bool,
) -> Alignment:  # fmt: skip
    """Measure what is left, with local offsets where they help, and hold it against the limits."""
    centers = refined.held.still + 0.5
    without = np.hypot(*refined.held.shift[refined.held.near].T)
    held, field = refined.held, None
    if offsets and not _holds(held):
        middle = plane.corners(pair[0].shape).mean(0)[None]
        fine = equally_fine(pair[1], plane.scale(refined.h, middle))
        tried = local.refine(pair[0], fine, refined.h)
        left = tried and local.residual(pair[0], fine, refined.h, tried, centers)
        if left and _better(left, held):
            held, field = left, tried
    h = refined.h if phone_still else plane.unit(np.linalg.inv(refined.h))
    mapping = Mapping(h, field, phone_still)
    shifts = held.shift[held.near]
    length = np.hypot(*shifts.T)
    shapes = (pair[0].shape, pair[1].shape)
    phone_shape, dslr_shape = shapes if phone_still else shapes[::-1]
    shared = cover(*pair, refined.h, field).share
    covered = (overlap(h, phone_shape, dslr_shape),
               overlap(plane.unit(np.linalg.inv(h)), dslr_shape, phone_shape))  # fmt: skip
    numbers = {
        "inliers": float(found.inliers),
        "spread": found.spread,
        "heldout_rmse_px": found.heldout_rmse,
        "heldout_share": found.heldout_share,
        "agree": held.agreeing,
        "residual_median_px": _percentile(length, 50),
        "residual_p95_px": _percentile(length, 95),
        "plane_median_px": _percentile(without, 50),
        "corner_px": float(refined.fit.deviation(plane.corners(pair[0].shape)).max()),
        "overlap": covered[0],
        "shared": shared,
        "frame": shared * max(covered),
        "repeats": repeats(*pair, refined.h),
    }
    places = held.still[held.near]
    places = places if phone_still else mapping.to_phone(places)
    wrong = _impossible(h, phone_shape)
    reasons = ((wrong,) if wrong else ()) + tuple(_reasons(numbers, limits))
    return Alignment(mapping, found, shifts, places, numbers, reasons)


def _holds(held: refine.Found) -> bool:
    """Whether the plane leaves so little that no offsets could be worth it: see `_better`."""
    length = np.hypot(*held.shift[held.near].T)
    return held.agreeing >= 1 - MORE and _percentile(length, 95) <= LITTLE


def _better(left: refine.Found, held: refine.Found) -> bool:
    """Offsets are worth it where no fewer windows agree and they are less far off."""
    if left.agreeing < held.agreeing - 0.02:
        return False
    after, before = (np.hypot(*one.shift[one.near].T) for one in (left, held))
    gain = _percentile(before, 95) - _percentile(after, 95)
    return left.agreeing > held.agreeing + MORE or gain > max(GAIN, 0.2 * _percentile(before, 95))


def _reasons(numbers: dict[str, float], limits: Limits) -> list[str]:
    least = (
        ("inliers", limits.inliers, "too few matches: {0:.0f} agree on one plane, {1:.0f} needed"),
        ("heldout_share", limits.heldout_share,
         "only {0:.0%} of the held-out matches fit the plane, {1:.0%} needed"),
        ("agree", limits.agree,
         "only {0:.0%} of the places that were looked at agree, {1:.0%} needed"),
        ("overlap", limits.overlap, "the pictures overlap on {0:.0%}, {1:.0%} needed"),
    )  # fmt: skip
    most = (
        ("corner_px", limits.corner_px,
         "a corner is uncertain by {0:.2f} px (standard deviation), {1:.2f} allowed"),
        ("residual_median_px", limits.median_px,
         "places are off by {0:.2f} px (median), {1:.2f} allowed"),
        ("residual_p95_px", limits.p95_px, "places are off by {0:.2f} px (95 %), {1:.2f} allowed"),
        ("plane_median_px", limits.plane_px,
         "the plane leaves {0:.1f} px (median), {1:.1f} allowed"),
        ("repeats", limits.repeats,
         "repeated texture: another place fits {0:.0%} as well, {1:.0%} allowed"),
    )  # fmt: skip
    low = []
    if not (numbers["frame"] >= limits.frame or numbers["shared"] >= limits.clean):
        low = [
            f"other content: {numbers['frame']:.0%} of the frame and {numbers['shared']:.0%} of "
            f"the overlap show the same, {limits.frame:.0%} or {limits.clean:.0%} needed"
        ]
    low += [text.format(numbers[name], at) for name, at, text in least if not numbers[name] >= at]
    return low + [text.format(numbers[name], at) for name, at, text in most
                  if not numbers[name] <= at]  # fmt: skip


def _impossible(h: Homography, shape: tuple[int, ...]) -> str:
    """Why no two photographs can be related like this; empty if they can."""
    corners = plane.corners(shape)
    if not np.isfinite(plane.apply(h, corners)).all():
        return "the plane's horizon crosses the phone picture: no true match"
    factors = plane.area_factor(h, corners)
    if (factors <= 0).any():
        return "the pictures are mirror images of each other"
    if np.sqrt(factors.max() / factors.min()) > 8 or not 0.05 < np.sqrt(np.median(factors)) < 20:
        return "the plane is more slanted or more reduced than two photographs can be"
    return ""


def overlap(h: Homography, phone: tuple[int, ...], dslr: tuple[int, ...]) -> float:
    """Part of the phone picture's area that lies in the DSLR's."""
    frame = plane.outline(phone).astype(np.float32)
    other = plane.apply(np.linalg.inv(h), plane.outline(dslr))
    if not np.isfinite(other).all():
        return 1.0
    area, _ = cv2.intersectConvexConvex(frame, other.astype(np.float32))
    return float(area) / (phone[0] * phone[1])


def repeats(still: Gray, moving: Gray, h: Homography) -> float:
    """How well the pictures fit at another place, over how well they fit here: 1 can't be told.

    Masked normalized correlation over all shifts that keep half of the overlap, of reduced
    pictures without their coarse tones.
    """
    small, to_small = shrink(still, LAGS)
    other, to_other = shrink(moving, moving.size * LAGS / still.size)
    reduced = plane.unit(to_other @ h @ np.linalg.inv(to_small))
    size = small.shape[::-1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(other, reduced, size, flags=flags)
    seen = cv2.warpPerspective(np.ones_like(other), reduced, size, flags=flags) > 0
    surface = _masked(_detail(small) * seen, _detail(warped) * seen, seen)
    rows, columns = (side // 2 for side in surface.shape)
    y, x = np.mgrid[: surface.shape[0], : surface.shape[1]]
    near = np.hypot(y - rows, x - columns) < 6
    best = float(surface[near].max())
    return float(np.clip(surface[~near].max() / best, 0, 1)) if best > 0 else 1.0


def _detail(picture: Array) -> NDArray[np.float32]:
    values = picture.astype(np.float32)
    return np.asarray(values - cv2.GaussianBlur(values, (0, 0), 4.0), np.float32)


def _masked(
    one: NDArray[np.float32], other: NDArray[np.float32], seen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Correlation over all shifts, zero shift in the middle; 0 where less than half is left."""
    shape = tuple(int(cv2.getOptimalDFTSize(2 * side)) for side in one.shape)

    def spectrum(values: NDArray[np.float32]) -> NDArray[np.complex128]:
        return np.fft.rfft2(values, shape)

    def correlate(a: NDArray[np.complex128], b: NDArray[np.complex128]) -> NDArray[np.float64]:
        return np.asarray(np.fft.fftshift(np.fft.irfft2(np.conj(a) * b, shape)))

    mask = spectrum(seen.astype(np.float32))
    cross = correlate(spectrum(one), spectrum(other))
    energy = correlate(spectrum(one * one), mask) * correlate(mask, spectrum(other * other))
    share = correlate(mask, mask) / max(1, int(seen.sum()))
    with np.errstate(divide="ignore", invalid="ignore"):
        surface = cross / np.sqrt(np.maximum(energy, 1e-3))
    return np.where(share > 0.5, surface, 0.0)


def _deviation(picture: Array) -> float:
    every = max(1, round((picture.shape[0] * picture.shape[1] / 1e5) ** 0.5))
    part = picture[::every, ::every].astype(np.float64)
    return float(part.std(axis=(0, 1)).max()) * 255 / np.iinfo(picture.dtype).max


def _percentile(values: NDArray[np.float64], percent: float) -> float:
    return float(np.percentile(values, percent)) if len(values) else float("nan")


def _without(reason: str, found: Match | None = None) -> Alignment:
    none = np.empty((0, 2))
    numbers = {} if found is None else {
        "inliers": float(found.inliers),
        "spread": found.spread,
        "heldout_rmse_px": found.heldout_rmse,
        "heldout_share": found.heldout_share,
    }  # fmt: skip
    return Alignment(None, found, none, none, numbers, (reason,))
