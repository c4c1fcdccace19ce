"""Lens shading: gains over the picture that undo the falling off of light to the corners."""

import numpy as np
from numpy.typing import NDArray

from isptools import fields
from isptools.develop.rows import kernel, over_rows
from isptools.frame import GainMap, empty
from isptools.raw.opcodes import Window

U16 = NDArray[np.uint16]


def apply_gain_map(mosaic: U16, gain_map: GainMap, active: Window) -> U16:
    """Multiply the sites a DNG GainMap opcode names by its gains, bilinear between its points.

    (H, W) uint16, rounded, clipped at 65535. `active` is the active area in pixels of the mosaic:
    (0, 0, H, W) unless the mosaic is a cut of it. A map with several planes counts as one plane a
    map over a mosaic: its first (DNG 1.7, opcode 9).
    """
    grid = np.asarray(gain_map.gains, np.float32).reshape(
        gain_map.points_v, gain_map.points_h, gain_map.map_planes
    )[..., 0]
    area = np.array([*_inside(gain_map, active, mosaic.shape), *active], np.int64)
    place = np.array(
        [gain_map.origin_v, gain_map.spacing_v, gain_map.origin_h, gain_map.spacing_h], np.float64
    )
    out = mosaic.copy()
    over_rows(_gain_map, len(mosaic), np.ascontiguousarray(grid), area, place, out)
    return out


def field_of(gain_map: GainMap, active: Window, plane: int = 0, color: str = "") -> fields.Grid:
    """A plane of a GainMap in pixels of the mosaic, for the filters of a color ("": for all).

    Behind its last plane the last one goes on (DNG 1.7, opcode 9).
    """
    shape = gain_map.points_v, gain_map.points_h, gain_map.map_planes
    points = np.asarray(gain_map.gains, np.float64).reshape(shape)
    top, left, bottom, right = gain_map.area
    down, beside, height, width = active
    return fields.Grid(
        area=(top + down, left + beside, bottom + down, right + beside),
        pitch=(max(gain_map.row_pitch, 1), max(gain_map.col_pitch, 1)),
        first=(gain_map.origin_v * height + down, gain_map.origin_h * width + beside),
        step=(gain_map.spacing_v * height, gain_map.spacing_h * width),
        gains=tuple(map(tuple, points[..., min(plane, shape[2] - 1)].tolist())),
        color=color,
    )


def _inside(gain_map: GainMap, active: Window, shape: tuple[int, ...]) -> tuple[int, ...]:
    """First row and column of the map's sites in the mosaic, the ends, and the pitches."""
    top, left, bottom, right = gain_map.area
    pitch = max(gain_map.row_pitch, 1), max(gain_map.col_pitch, 1)
    starts = (top + active[0], left + active[1])
    first = (
        start if start >= 0 else start % step for start, step in zip(starts, pitch, strict=True)
    )
    return (*first, min(bottom + active[0], shape[0]), min(right + active[1], shape[1]), *pitch)


@kernel
def _gain_map(grid, area, place, out, top, bottom):
    first, left, last, right, row_pitch, col_pitch, above, beside, height, width = area
    for y in range(max(top, first), min(bottom, last)):
        if (y - first) % row_pitch:
            continue
        v0, v1, v = _between((y - above + 0.5) / height, place[0], place[1], grid.shape[0])
        for x in range(left, right, col_pitch):
            h0, h1, h = _between((x - beside + 0.5) / width, place[2], place[3], grid.shape[1])
            upper = grid[v0, h0] * (1 - h) + grid[v0, h1] * h
            lower = grid[v1, h0] * (1 - h) + grid[v1, h1] * h
            gained = out[y, x] * (upper * (1 - v) + lower * v) + 0.5
            out[y, x] = np.uint16(min(max(gained, 0.0), 65535.0))


@kernel
def _between(at, origin, spacing, points):
    """The two grid points around a relative place, and the weight of the second."""
    if points == 1 or spacing <= 0:
        return 0, 0, 0.0
    place = min(max((at - origin) / spacing, 0.0), points - 1.0)
    low = min(int(place), points - 2)
    return low, low + 1, place - low


def radial(mosaic: U16, terms: tuple[float, ...], center: tuple[float, float]) -> U16:
    """Multiply by 1 + k0 r^2 + k1 r^4 + ..., r = 1 in the corner farthest from the center.

    (H, W) uint16, rounded, clipped at 65535; `center` is (x, y) as a share of width and height
    (DNG 1.7, FixVignetteRadial).
    """
    out = empty(mosaic.shape, np.uint16)
    k = np.asarray(terms, np.float64)
    over_rows(_radial, len(mosaic), mosaic, k, np.asarray(center, np.float64), out)
    return out


@kernel
def _radial(mosaic, terms, center, out, top, bottom):
    height, width = mosaic.shape
    middle_x, middle_y = center[0] * width, center[1] * height
    far_x, far_y = max(middle_x, width - middle_x), max(middle_y, height - middle_y)
    scale = 1.0 / (far_x * far_x + far_y * far_y)
    for y in range(top, bottom):
        dy = y + 0.5 - middle_y
        for x in range(width):
            dx = x + 0.5 - middle_x
            square = (dx * dx + dy * dy) * scale
            gain = 0.0
            for i in range(len(terms) - 1, -1, -1):
                gain = (gain + terms[i]) * square
            out[y, x] = np.uint16(min(max(mosaic[y, x] * (1 + gain) + 0.5, 0.0), 65535.0))
