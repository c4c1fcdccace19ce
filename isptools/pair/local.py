"""What a plane leaves over: smooth offsets on a grid, from windows that are looked for again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, median_filter

from isptools.pair import plane
from isptools.pair.light import Gray, shrink
from isptools.pair.plane import Homography, Points
from isptools.pair.refine import COARSE, HALF, Found, found_windows, weights

NODES = 44  # on the longer side, at most
SMOOTH = 1.0  # nodes: standard deviation of the weights of a node's surroundings
ODD = 3.0  # an offset so many times farther from its neighbors' median than they are is left out
DOUBT = 0.3  # pixels that neighbors may differ without being odd


@dataclass(frozen=True, slots=True)
class Field:
    """Offsets d on a grid: a place p of the still picture belongs to h * (p + d(p))."""

    offsets: NDArray[np.float64]  # (rows, columns, 2): x, y in pixels of the still picture
    origin: tuple[float, float]  # x, y of the first node
    step: float  # pixels between nodes

    def at(self, points: Points) -> Points:
        """Interpolated linearly; beyond the outer nodes as on them."""
        where = ((points - self.origin) / self.step).T[::-1]
        planes = [
            map_coordinates(self.offsets[..., i], where, order=1, mode="nearest") for i in (0, 1)
        ]
        return np.stack(planes, 1)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Where each place of the phone's picture lies in the DSLR's: a plane and what it leaves."""

    h: Homography  # phone to DSLR
    field: Field | None = None
    phone_still: bool = True  # the field stands on the phone's picture, else on the DSLR's

    def to_dslr(self, points: Points) -> Points:
        """Points (N, 2) of the phone's picture, x and y of pixel centers, in the DSLR's."""
        if self.field is None or self.phone_still:
            return plane.apply(self.h, self._ahead(points))
        return self._behind(plane.apply(self.h, points))

    def to_phone(self, points: Points) -> Points:
        """Points (N, 2) of the DSLR's picture, x and y of pixel centers, in the phone's."""
        back = np.linalg.inv(self.h)
        if self.field is None or not self.phone_still:
            return plane.apply(back, self._ahead(points))
        return self._behind(plane.apply(back, points))

    def _ahead(self, points: Points) -> Points:
        return points if self.field is None else points + self.field.at(points)

    def _behind(self, points: Points) -> Points:
        """p of p + d(p), by substitution; d changes slowly."""
        if self.field is None:
            return points
        place = points
        for _ in range(4):
            place = points - self.field.at(np.nan_to_num(place))
        return place


def refine(still: Gray, moving: Gray, h: Homography) -> Field | None:
    """Offsets that remain behind `h` (still to moving); None where too little is found.

    `moving` is no finer than `still` (`light.equally_fine`), here and in `residual`.
    Looked for on a reduced picture first, up to 8 of its pixels, then at full size, 4.
    """
    field = None
    for pixels, reach in ((COARSE, 8), (float(still.size), 4)):
        found = _looked(still, moving, h, field, pixels, reach)
        if found is None:
            return field
        field = found
    return field


def _looked(
    still: Gray, moving: Gray, h: Homography, field: Field | None, pixels: float, reach: int
) -> Field | None:
    """One round: windows at the nodes, odd ones left out, holes filled, smoothed."""
    small, to_small = shrink(still, pixels)
    other, to_other = shrink(moving, moving.size * pixels / still.size)
    nodes, shape, origin, step = _nodes(still.shape)
    places = np.rint(plane.apply(to_small, nodes))
    before = np.zeros_like(nodes) if field is None else field.at(nodes)
    ratio = np.diag(to_small)[:2]
    reduced = plane.unit(to_other @ h @ np.linalg.inv(to_small))
    found = found_windows(small, other, reduced, places, reach, before * ratio)
    offset = before + found.shift / ratio
    good = _consistent(offset.reshape(*shape, 2), found.good.reshape(shape))
    if good.sum() < max(12, found.looked.sum() // 5):
        return None
    weight = np.where(good, weights(found).reshape(shape), 0.0)
    return Field(_smooth(np.nan_to_num(offset).reshape(*shape, 2), weight), origin, step)


def _nodes(
    shape: tuple[int, ...],
) -> tuple[Points, tuple[int, int], tuple[float, float], float]:
    """Places, rows and columns, first place and distance of the nodes."""
    height, width = shape[:2]
    step = max(HALF, max(shape) / NODES)
    columns, rows = max(2, int((width - 2 * HALF) / step)), max(2, int((height - 2 * HALF) / step))
    left, top = (width - 1 - (columns - 1) * step) / 2, (height - 1 - (rows - 1) * step) / 2
    y, x = np.mgrid[0:rows, 0:columns] * step
    return np.stack([x.ravel() + left, y.ravel() + top], 1), (rows, columns), (left, top), step


def _consistent(offset: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The normalized median test of Westerweel and Scarano (Exp. Fluids 39, 2005), 5 x 5 nodes."""
    filled = np.where(good[..., None], offset, 0.0)
    middle = np.stack([median_filter(filled[..., i], 5, mode="nearest") for i in (0, 1)], -1)
    away = np.hypot(*np.moveaxis(filled - middle, -1, 0))
    usual = median_filter(np.where(good, away, 0.0), 5, mode="nearest")
    return np.asarray(good & (away < ODD * (usual + DOUBT)))


def _smooth(offset: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each node from a plane fitted to its surroundings, weighted by distance and certainty.

    A ridge holds the slope down where few nodes speak, and the value where none does.
    """
    rows, columns = weight.shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    terms = (np.ones_like(x), x, y)

    def around(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(gaussian_filter(values, SMOOTH, mode="constant", truncate=4))

    normal = np.stack([np.stack([around(weight * a * b) for b in terms], -1) for a in terms], -2)
    shift = np.tile(np.eye(3), (rows, columns, 1, 1))
    shift[..., 1, 0], shift[..., 2, 0] = -x, -y  # terms relative to the node itself
    normal = shift @ normal @ np.swapaxes(shift, -1, -2) + np.diag([1e-4, 1e-2, 1e-2])
    right = np.stack(
        [np.stack([around(weight * a * offset[..., i]) for a in terms], -1) for i in (0, 1)], -1
    )
    return np.asarray(np.linalg.solve(normal, shift @ right)[..., 0, :])


def residual(
    still: Gray, moving: Gray, h: Homography, field: Field | None, centers: Points
) -> Found:
    """Windows at `centers` of the still picture, looked for where the mapping expects them."""
    offset = None if field is None else field.at(centers)
    return found_windows(still, moving, h, centers, 4, offset)
