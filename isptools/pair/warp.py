"""Both pictures cut to what they share and brought onto one grid, each resampled once at most."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from isptools.frame import Array, empty
from isptools.pair import plane
from isptools.pair.local import Mapping
from isptools.pair.plane import Points

Side = Literal["phone", "dslr"]
Float = NDArray[np.float32]
Places = Callable[[Points], Points]  # of the pair, in a picture's own pixels
LATTICE = 16  # pixels between places that are mapped exactly; between them linearly
RIM = 3.0  # pixels that a resampled picture keeps from its border
SUPER = 1.15  # scale above which a pixel is the mean of several places
STRIP = 512  # rows at a time


@dataclass(frozen=True, slots=True)
class Canvas:
    """The grid of the aligned pair: a rectangle of one picture, in its own pixels or resized."""

    reference: Side
    top: int
    left: int
    height: int  # of the rectangle, pixels of the reference
    width: int
    size: tuple[int, int]  # of the aligned pair: height, width

    @property
    def own(self) -> bool:
        """The reference's pixels stay as they are."""
        return self.size == (self.height, self.width)

    def places(self, points: Points) -> Points:
        """Pixel centers of the pair in the reference's own pixels."""
        step = np.array([self.width / self.size[1], self.height / self.size[0]])
        return np.asarray((points + 0.5) * step - 0.5 + (self.left, self.top))


@dataclass(frozen=True, slots=True)
class Pair:
    """(H, W, 3) or (H, W) of the types they came in; x, y of one is x, y of the other."""

    phone: Array
    dslr: Array
    canvas: Canvas


@dataclass(frozen=True, slots=True)
class Choice:
    """How the common part is cut."""

    reference: Side | Literal["coarser"] = "coarser"
    aspect: float | None = None  # width over height; None takes the largest area
    size: tuple[int, int] | None = None  # height, width of the pair; None keeps the reference's
    every: int = 1  # the rectangle begins and ends at multiples of it (2 keeps a Bayer phase)


def canvas(
    mapping: Mapping, phone: tuple[int, ...], dslr: tuple[int, ...], choice: Choice
) -> Canvas:
    """The largest rectangle inside the overlap. ValueError where nothing is left."""
    middle = plane.corners(phone).mean(0)[None]
    coarser: Side = "phone" if plane.scale(mapping.h, middle) >= 1 else "dslr"
    reference: Side = coarser if choice.reference == "coarser" else choice.reference
    own, other = (phone, dslr) if reference == "phone" else (dslr, phone)
    back = mapping.to_phone if reference == "phone" else mapping.to_dslr
    edge = _edge(other, RIM + _rim(mapping, reference, own))
    area = _common(own, back(edge))
    aspect = choice.aspect or (choice.size[1] / choice.size[0] if choice.size else None)
    left, top, right, bottom = rectangle(area, aspect)
    rows, columns = _whole(top, bottom, choice.every), _whole(left, right, choice.every)
    height, width = rows[1] - rows[0], columns[1] - columns[0]
    if min(height, width) < 16:
        raise ValueError("the pictures share no rectangle of 16 pixels or more")
    size = choice.size or (height, width)
    return Canvas(reference, rows[0], columns[0], height, width, size)


def _rim(mapping: Mapping, reference: Side, own: tuple[int, ...]) -> float:
    """Pixels of the other picture that one of the reference's reaches over."""
    middle = plane.corners(own).mean(0)[None]
    forward = mapping.h if reference == "phone" else np.linalg.inv(mapping.h)
    return plane.scale(forward, middle)


def _edge(shape: tuple[int, ...], rim: float) -> Points:
    """Places along the border, `rim` pixels inside."""
    right, bottom = shape[1] - 1 - rim, shape[0] - 1 - rim
    corners = np.array([[rim, rim], [right, rim], [right, bottom], [rim, bottom]])
    part = np.linspace(0, 1, 16, endpoint=False)[:, None]
    sides = [a + part * (b - a) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
    return np.concatenate(sides)


def _common(own: tuple[int, ...], other: Points) -> Points:
    """A convex polygon inside both, in pixels of the own picture."""
    if not np.isfinite(other).all():
        return plane.outline(own)
    inside = _shrunk_hull(other)
    frame = plane.outline(own).astype(np.float32)
    area, polygon = cv2.intersectConvexConvex(frame, inside.astype(np.float32))
    if area <= 0 or polygon is None:
        raise ValueError("the pictures do not overlap")
    return np.asarray(polygon.reshape(-1, 2), np.float64)


def _shrunk_hull(points: Points) -> Points:
    """The hull of an outline, moved in by as much as the outline bends inside of it."""
    hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 1, 2)
    bend = max(cv2.pointPolygonTest(hull, (float(x), float(y)), True) for x, y in points)
    if bend < 0.01:
        return np.asarray(hull.reshape(-1, 2), np.float64)
    center = hull.reshape(-1, 2).mean(0)
    nearest = -min(-cv2.pointPolygonTest(hull, tuple(map(float, center)), True), -1.0)
    return np.asarray(center + (hull.reshape(-1, 2) - center) * max(0.0, 1 - bend / nearest))


def rectangle(polygon: Points, aspect: float | None) -> tuple[float, float, float, float]:
    """The largest upright rectangle inside a convex polygon: left, top, right, bottom.

    Of the given aspect (width over height), or else of whichever gives most area, within 8 to 1.
    """
    if aspect is not None:
        return _of_aspect(polygon, aspect)
    low, high = np.log(1 / 8), np.log(8)
    for _ in range(40):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = (a, high) if _area(polygon, a) < _area(polygon, b) else (low, b)
    return _of_aspect(polygon, float(np.exp((low + high) / 2)))


def _area(polygon: Points, log_aspect: float) -> float:
    left, top, right, bottom = _of_aspect(polygon, float(np.exp(log_aspect)))
    return (right - left) * (bottom - top)


def _of_aspect(polygon: Points, aspect: float) -> tuple[float, float, float, float]:
    """A linear program: center x, y and height; each side of the polygon is one bound."""
    from scipy.optimize import linprog  # noqa: PLC0415 - takes longer to load than to run

    edges = np.roll(polygon, -1, 0) - polygon
    center = polygon.mean(0)
    normals = np.stack([edges[:, 1], -edges[:, 0]], 1)
    limits = (normals * polygon).sum(1)
    outward = np.where((normals @ center) > limits, -1.0, 1.0)
    normals, limits = normals * outward[:, None], limits * outward
    reach = np.abs(normals) @ (aspect / 2, 0.5)
    found = linprog(
        (0, 0, -1), np.column_stack([normals, reach]), limits,
        bounds=((None, None), (None, None), (0, None)),
    )  # fmt: skip
    if not found.success:
        raise ValueError("the pictures share no rectangle")
    x, y, height = found.x
    return x - aspect * height / 2, y - height / 2, x + aspect * height / 2, y + height / 2


def _whole(low: float, high: float, every: int) -> tuple[int, int]:
    """Whole pixels inside the outer edges low and high, from one multiple of `every` to another."""
    first = int(np.ceil((low + 0.5) / every - 1e-6)) * every
    return first, max(first, int(np.floor((high + 0.5) / every + 1e-6)) * every)


def warp(phone: Array, dslr: Array, mapping: Mapping, on: Canvas) -> Pair:
    """Bring both encoded pictures (sRGB, uint8 or uint16) onto the canvas.

    The reference is only cut where the canvas has its pixels. What is resampled is decoded to
    linear light, averaged over the area that a pixel covers, and encoded again.
    """
    pictures = {"phone": phone, "dslr": dslr}
    made = {side: side_on(picture, side, mapping, on) for side, picture in pictures.items()}  # type: ignore[arg-type]  # the two sides
    return Pair(made["phone"], made["dslr"], on)


def side_on(picture: Array, side: Side, mapping: Mapping, on: Canvas) -> Array:
    """One of the two pictures, (H, W) or (H, W, 3), on the canvas."""
    if side == on.reference and on.own:
        rows = slice(on.top, on.top + on.height)
        return np.ascontiguousarray(picture[rows, on.left : on.left + on.width])
    return resample(picture, lambda points: towards(points, side, mapping, on), on.size)


def towards(points: Points, side: Side, mapping: Mapping, on: Canvas) -> Points:
    """Pixel centers of the pair in a picture's own pixels."""
    places = on.places(points)
    if side == on.reference:
        return places
    return mapping.to_dslr(places) if on.reference == "phone" else mapping.to_phone(places)


def resample(picture: Array, places: Places, size: tuple[int, int]) -> Array:
    """A picture at `places(points)` for every pixel center of a grid of `size`, in linear light.

    Cubic where a pixel covers about one of the picture's, else the mean of n x n places.
    """
    return sample(decode(picture), places, size, picture.dtype)


def sample(light: Float, places: Places, size: tuple[int, int], dtype: DTypeLike) -> Array:
    """As `resample`, of a picture that is decoded; the result is encoded as `dtype`."""
    out = empty((*size, *light.shape[2:]), dtype)
    over = _finer(places, size)
    for top in range(0, size[0], STRIP):
        rows = min(STRIP, size[0] - top)
        strip = _mean(light, places, (top, rows, size[1]), over)
        out[top : top + rows] = encode(strip, dtype)
    return out


def _finer(places: Places, size: tuple[int, int]) -> int:
    """Places a side that a pixel is the mean of."""
    middle = np.array([[size[1] / 2, size[0] / 2]])
    step = places(middle + np.array([(0, 0), (1, 0), (0, 1)]))
    scale = float(np.sqrt(abs(np.linalg.det(step[1:] - step[0]))))
    return 1 if scale < SUPER else int(np.ceil(scale - 0.05)) if scale > 2 else 2


def _mean(light: Float, places: Places, strip: tuple[int, int, int], over: int) -> Float:
    top, rows, columns = strip
    total = np.zeros((rows, columns, *light.shape[2:]), np.float32)
    flag = cv2.INTER_CUBIC if over == 1 else cv2.INTER_LINEAR
    for i in range(over * over):
        shift = (np.array(divmod(i, over)[::-1]) + 0.5) / over - 0.5
        x, y = _lattice(places, (top + shift[1], shift[0]), (rows, columns))
        total += cv2.remap(light, x, y, flag, borderMode=cv2.BORDER_REPLICATE)
    total /= np.float32(over * over)
    return total


def _lattice(
    places: Places, start: tuple[float, float], size: tuple[int, int]
) -> tuple[Float, Float]:
    """x and y of the places of a grid: exact on a lattice, linear between."""
    rows, columns = (-(-side // LATTICE) + 2 for side in size)
    y, x = np.mgrid[0:rows, 0:columns] * float(LATTICE) - (LATTICE + 1) / 2
    points = np.stack([x.ravel() + start[1], y.ravel() + start[0]], 1)
    coarse = places(points).reshape(rows, columns, 2).astype(np.float32)
    fine = cv2.resize(coarse, (columns * LATTICE, rows * LATTICE), interpolation=cv2.INTER_LINEAR)
    fine = fine[LATTICE : LATTICE + size[0], LATTICE : LATTICE + size[1]]
    return np.ascontiguousarray(fine[..., 0]), np.ascontiguousarray(fine[..., 1])


def decode(picture: Array) -> Float:
    """sRGB-encoded integers to linear light, float32 in [0, 1] (IEC 61966-2-1)."""
    values = np.linspace(0, 1, np.iinfo(picture.dtype).max + 1)
    table = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.asarray(table.astype(np.float32)[picture], np.float32)


def encode(light: Float, dtype: DTypeLike) -> Array:
    """The inverse of `decode`; clips to [0, 1]."""
    values = np.linspace(0, 1, 65536)
    curve = np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)
    table = np.rint(curve * np.iinfo(dtype).max).astype(dtype)
    return np.asarray(table[np.rint(np.clip(light, 0, 1) * 65535).astype(np.uint16)])
