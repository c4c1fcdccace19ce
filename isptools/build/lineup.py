"""A published picture laid onto the sensor's grid, or refused because it does not lie there.

Data sets publish upright JPEGs beside raws that lie, some cut by the DNG's DefaultCrop, some zoomed
into; experts save upright TIFFs of the DefaultCrop; phones forget to tell how they were held. A
picture is turned onto the sensor and put where the crop says; then tiles of it are compared with
the developed truth by phase correlation (Kuglin and Hines 1975), which tone curves hardly touch.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.build.enhanced import Enhanced, hash_and_picture
from isptools.develop.orient import onto_sensor
from isptools.frame import Array, Capture
from isptools.measure.shift import shift
from isptools.picture import Colors

F32 = NDArray[np.float32]
LARGEST_SHIFT = 1.0  # pixels: three quarters of the textured tiles must lie closer
TILE = 128  # pixels; smaller pictures take a third of their shorter side
CLEAR = 0.08  # phase correlation's peak from which a tile says anything
FEWEST = 3  # tiles


class MisfitError(ValueError):
    """The picture does not lie on the sensor's grid: the reason in a word, and how far it is off.

    `number` is in pixels: of the shift, or of the sides that differ; -1 where nothing shows it.
    """

    def __init__(self, reason: str, text: str, number: float) -> None:
        super().__init__(text)
        self.reason, self.number = reason, number


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture may lie, and what its colors are."""

    colors: Colors = "srgb"  # of a picture that embeds no profile
    within: float = LARGEST_SHIFT  # pixels
    reach: int = 0  # whole pixels that it may be moved by


def laid_picture(
    path: Path, developed: Array, capture: Capture, fit: Fit | None = None
) -> Enhanced:
    """The picture (H, W, 3) uint8 or uint16 sRGB on the grid of `developed`, (H, W, 3) as the
    sensor lies; what the crop has cut off repeats the picture's border.

    It is turned as the raw's orientation says; where it does not line up so, as another one does
    that fits (phones forget to tell their raws how they were held). UnsupportedError for a picture
    that can't be read, MisfitError for one that fits neither the sensor nor its crop, or of which a
    quarter is off by `fit.within` pixels.
    """
    fit = fit or Fit()
    digest, pixels = hash_and_picture(path, fit.colors)
    place = _place(capture, (developed.shape[0], developed.shape[1]))
    misfits = []
    for flip in dict.fromkeys((capture.flip, 0, 3, 5, 6)):
        try:
            laid = _laid(path.name, onto_sensor(pixels, flip), developed, place, fit)
        except MisfitError as error:
            misfits.append(error)
            continue
        return Enhanced(laid, digest, flip != 0)
    stated, *others = misfits
    fitting = [misfit for misfit in others if misfit.reason != "wrong-size"]
    if stated.reason == "wrong-size" and fitting:
        raise min(fitting, key=lambda misfit: misfit.number)
    raise stated


def _laid(
    name: str, turned: Array, developed: Array, place: tuple[int, int, int, int], fit: Fit
) -> Array:
    """A picture that lies as the sensor does, put in its place and filled up at the border."""
    size = (developed.shape[0], developed.shape[1])
    top, left = _corner(name, turned, size, place, fit)
    for _ in range(2 if fit.reach else 0):  # the second time from nearer
        found = shifts_between(*_common(turned, developed, top, left))
        if len(found) >= FEWEST:
            right, down = np.rint(np.median(found, axis=0))
            top, left = top - int(down), left - int(right)
    corner = _corner(name, turned, size, place, fit)
    if max(abs(top - corner[0]), abs(left - corner[1])) > fit.reach:
        top, left = corner
    _expect_aligned(name, *_common(turned, developed, top, left), fit.within)
    rows = np.clip(np.arange(size[0]) - top, 0, turned.shape[0] - 1)
    columns = np.clip(np.arange(size[1]) - left, 0, turned.shape[1] - 1)
    return np.ascontiguousarray(turned[rows][:, columns])


def _corner(
    name: str, turned: Array, size: tuple[int, int], place: tuple[int, int, int, int], fit: Fit
) -> tuple[int, int]:
    """Where the picture's top left pixel is expected on the sensor."""
    top, left, high, wide = place
    height, width = size
    if turned.shape[:2] == size:
        return 0, 0
    if turned.shape[:2] == (high, wide):
        return top, left
    margins = height - turned.shape[0], width - turned.shape[1]
    if fit.reach and min(margins) >= 0 and max(margins) <= 2 * fit.reach:
        return margins[0] // 2, margins[1] // 2
    found = turned.shape[:2]
    off = min(abs(found[0] - y) + abs(found[1] - x) for y, x in ((high, wide), (height, width)))
    raise MisfitError(
        "wrong-size",
        f"{name} is {found[0]} x {found[1]} as the sensor lies (height x width), the sensor "
        f"{height} x {width} and its crop {high} x {wide}",
        off,
    )


def _common(turned: Array, developed: Array, top: int, left: int) -> tuple[Array, Array]:
    """What both show, if the picture's top left pixel lies at `top`, `left` of the sensor."""
    bottom = min(top + turned.shape[0], developed.shape[0])
    right = min(left + turned.shape[1], developed.shape[1])
    rows, columns = slice(max(top, 0), bottom), slice(max(left, 0), right)
    own = slice(max(-top, 0), bottom - top), slice(max(-left, 0), right - left)
    return turned[own], developed[rows, columns]


def _place(capture: Capture, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, left, height and width of the DefaultCrop on the visible pixels."""
    if capture.default_crop is None:
        return 0, 0, *size
    area, origin = capture.active_area or (0, 0, 0, 0), capture.visible_origin
    top, left, height, width = (round(value) for value in capture.default_crop)
    return top + area[0] - origin[0], left + area[1] - origin[1], height, width


def _expect_aligned(name: str, picture: Array, developed: Array, limit: float) -> None:
    shifts = shifts_between(picture, developed)
    if len(shifts) < FEWEST:
        detail = f"{name}: too little texture to tell whether it lines up"
        raise MisfitError("misaligned", detail, -1.0)
    far = float(np.quantile(np.hypot(*shifts.T), 0.75))
    if far > limit:
        detail = (
            f"{name} does not line up with the raw: a quarter of it is off by {far:.1f} pixels or "
            "more (a zoomed, cut or straightened picture?)"
        )
        raise MisfitError("misaligned", detail, far)


def shifts_between(one: Array, other: Array) -> NDArray[np.float64]:
    """(N, 2): how far (right, down) tiles of one picture lie from the other's, in pixels.

    Only tiles whose phase correlation has a clear peak.
    """
    a, b = (_gray(each) for each in (one, other))
    side = min(TILE, min(a.shape) // 3)
    found = []
    for y in range(0, a.shape[0] - side + 1, side):
        for x in range(0, a.shape[1] - side + 1, side):
            tiles = [each[y : y + side, x : x + side].astype(np.float32) for each in (b, a)]
            by, peak = shift(tiles[0], tiles[1])
            if peak > CLEAR:
                found.append(by)
    return np.array(found, np.float64).reshape(-1, 2)


def _gray(picture: Array) -> F32:
    """Green, square root for the eye, minus its surroundings, over its deviation there."""
    light = np.sqrt(picture[..., 1].astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)) \
        if picture.dtype.kind == "u" else np.sqrt(np.maximum(picture[..., 1], 0))  # fmt: skip
    fine = cv2.GaussianBlur(light, (0, 0), 1.0) - cv2.GaussianBlur(light, (0, 0), 8.0)
    spread = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 16.0)) + np.float32(0.004)
    return np.asarray(fine / spread, np.float32)
