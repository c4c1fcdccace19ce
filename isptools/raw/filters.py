"""The color filter array that the tags of a DNG state (DNG 1.7: CFARepeatPatternDim, CFAPattern,
CFAPlaneColor), of any size and order, and what people call it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Kind
from isptools.raw.tags import Tags

REPEAT, PATTERN, PLANE_COLORS, LAYOUT = 33421, 33422, 50710, 50711
LETTERS = "RGBCMYW"  # color codes of TIFF/EP
BAYER = ("RGGB", "GRBG", "GBRG", "BGGR")
CELLS: dict[int, tuple[Kind | None, str]] = {  # side of a cell of one color: kind, name
    2: ("quad", "a Quad Bayer array (Tetracell; 4x4 with 2x2 pixels of one color)"),
    3: ("nona", "a Nona Bayer array (Nonacell; 6x6 with 3x3 pixels of one color)"),
    4: (None, "a Hexadeca Bayer array (8x8 with 4x4 pixels of one color)"),
}

Grid = NDArray[np.uint8]  # color codes, (rows, columns)


class FilterError(ValueError):
    """A color filter array that nothing here can treat; the message names it."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What stands before the sensor, from the visible area's corner on."""

    kind: Kind  # "bayer", "xtrans", "quad" or "nona"
    cfa: str  # letters row by row of one period
    planes: str  # the color of each plane that matrices and gains count by, "RGB" nearly always
    name: str = ""  # of an array that is larger than 2x2


def stated(tags: Tags, corner: tuple[int, int]) -> Filters | None:
    """The array from `corner` (row, column, counted from the active area's) on; None where the
    file states none. FilterError for one that can't be treated.
    """
    codes = tags.raw.get(PATTERN)
    if not codes:
        return None
    rows, columns = map(int, (*(tags.raw.get(REPEAT) or (2, 2)), 0)[:2])
    if rows * columns != len(codes) or not rows:
        raise FilterError(f"its CFAPattern of {len(codes)} does not fill {rows}x{columns} pixels")
    if max(codes) >= len(LETTERS):
        raise FilterError(f"its CFAPattern names a color {max(codes)} that does not exist")
    layout = int((tags.raw.get(LAYOUT) or (1,))[0])
    if layout != 1:
        raise FilterError(f"its rows or columns of color filters are staggered (CFALayout {layout}"
                          "); expected a rectangular layout")  # fmt: skip
    planes = _planes(tags, set(codes))
    grid = np.array(codes, np.uint8).reshape(rows, columns)
    grid = smallest(np.roll(grid, (-corner[0], -corner[1]), (0, 1)))
    return _named(grid, planes)


def _planes(tags: Tags, codes: set[int]) -> str:
    """Letters of the planes; FilterError where they, or the filters, are no R, G and B."""
    planes = tuple(tags.find(PLANE_COLORS) or (0, 1, 2))
    for what, used in (("color filters", codes), ("planes", set(planes))):
        if used != {0, 1, 2}:
            colors = ", ".join(
                LETTERS[code] if code < len(LETTERS) else "?" for code in sorted(used)
            )
            raise FilterError(f"its {what} are {colors}; R, G and B can be treated")
    if len(planes) != 3:
        raise FilterError(f"its CFAPlaneColor names {len(planes)} planes; expected R, G and B once")
    return "".join(LETTERS[code] for code in planes)


def smallest(grid: Grid) -> Grid:
    """One period of a pattern that may repeat within itself."""
    for axis in (0, 1):
        side = grid.shape[axis]
        for period in range(1, side + 1):
            if side % period == 0 and (np.roll(grid, period, axis) == grid).all():
                grid = grid.take(range(period), axis)
                break
    return grid


def _named(grid: Grid, planes: str) -> Filters:
    letters = "".join(LETTERS[code] for code in grid.ravel())
    if grid.shape == (2, 2) and letters in BAYER:
        return Filters("bayer", letters, planes)
    if grid.shape == (6, 6) and _is_xtrans(grid):
        return Filters("xtrans", letters, planes)
    for side, (kind, name) in CELLS.items():
        if grid.shape == (2 * side, 2 * side) and _has_cells(grid, side):
            if kind is None:
                raise FilterError(f"its color filters are {name}; no step makes Bayer of it")
            return Filters(kind, letters, planes, name)
    rows, columns = grid.shape
    raise FilterError(
        f"its color filter array is a {rows}x{columns} pattern ({letters}); expected Bayer (2x2), "
        "X-Trans (6x6), Quad or Nona Bayer"
    )


def _is_xtrans(grid: Grid) -> bool:
    """Fujifilm's: 20 greens, 8 reds and 8 blues; a Nona array has 18 greens."""
    return bool((np.bincount(grid.ravel(), minlength=3) == [8, 20, 8]).all())


def cells_corner(grid: NDArray[np.generic], side: int) -> tuple[int, int] | None:
    """Where the first whole cell of `side` x `side` pixels of one color begins; None for none."""
    for down in range(side):
        for right in range(side):
            moved = np.roll(grid, (-down, -right), (0, 1))
            if (np.kron(moved[::side, ::side], np.ones((side, side), np.uint8)) == moved).all():
                return down, right
    return None


def _has_cells(grid: Grid, side: int) -> bool:
    corner = cells_corner(grid, side)
    if corner is None:
        return False
    moved = np.roll(grid, (-corner[0], -corner[1]), (0, 1))[::side, ::side]
    return "".join(LETTERS[code] for code in moved.ravel()) in BAYER
