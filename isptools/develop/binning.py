"""Quad and Nona Bayer to Bayer: the pixels of one cell, which have one color, averaged."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Capture, UnsupportedError
from isptools.raw.filters import cells_corner

U16 = NDArray[np.uint16]

SIDES = {"quad": 2, "nona": 3}  # pixels of a cell


def corner_of(cfa: str, side: int) -> tuple[int, int]:
    """Row and column where the first whole cell begins. UnsupportedError where there is none."""
    found = cells_corner(_grid(cfa, side), side)
    if found is None:
        raise UnsupportedError(f"bin: {cfa} has no cells of {side}x{side} pixels of one color")
    return found


def _grid(cfa: str, side: int) -> NDArray[np.uint8]:
    return np.frombuffer(cfa.encode(), np.uint8).reshape(2 * side, 2 * side)


def binned_shape(shape: tuple[int, int], cfa: str, side: int) -> tuple[int, int]:
    """Height and width in whole cells."""
    top, left = corner_of(cfa, side)
    return (shape[0] - top) // side, (shape[1] - left) // side


def binned_cfa(cfa: str, side: int) -> str:
    """The letters of the Bayer array that is left."""
    top, left = corner_of(cfa, side)
    letters = np.roll(_grid(cfa, side), (-top, -left), (0, 1))[::side, ::side]
    return letters.tobytes().decode()


def binned(sensor: U16, cfa: str, side: int) -> U16:
    """(H, W) DN to the mean of each whole cell, (h, w) DN, rounded half to even.

    What a border leaves of a cell is dropped.
    """
    top, left = corner_of(cfa, side)
    height, width = binned_shape((sensor.shape[0], sensor.shape[1]), cfa, side)
    cells = sensor[top : top + height * side, left : left + width * side]
    sums = np.zeros((height, width), np.uint32)
    for y in range(side):
        for x in range(side):
            sums += cells[y::side, x::side]
    return np.rint(sums / side**2).astype(np.uint16)


def binned_facts(facts: Capture, shape: tuple[int, int], side: int) -> Capture:
    """What holds for the means: Bayer letters, black per position, noise, and where they lie.

    White stays. The variance of a mean of n pixels is that of one over n, and rounding the mean
    adds its own. Areas are in pixels of the result, which is all that is left; opcode lists, which
    name the pixels of before, are dropped.
    """
    top, left = corner_of(facts.cfa, side)
    black = np.reshape(facts.black, (2 * side, 2 * side))
    black = np.roll(black, (-top, -left), (0, 1)).reshape(2, side, 2, side).mean((1, 3)).ravel()
    levels = tuple(float(level) for level in black)
    opcodes = "; its opcode lists were dropped" if any(_lists(facts)) else ""
    origin = ("pixels", f"{side}x{side} pixels of one color averaged{opcodes}")
    return replace(
        facts,
        kind="bayer",
        cfa=binned_cfa(facts.cfa, side),
        black=levels,
        black_libraw=tuple(int(level) for level in levels),
        noise_profile=_quieter(facts, float(black.mean()), side**2),
        active_area=(0, 0, *binned_shape(shape, facts.cfa, side)),
        visible_origin=(0, 0),
        default_crop=_crop(facts, (top, left), side),
        opcode_list_1=b"",
        opcode_list_2=b"",
        opcode_list_3=b"",
        gain_maps=(),
        origins=(*facts.origins, origin),
    )


def _lists(facts: Capture) -> tuple[bytes, bytes, bytes]:
    return facts.opcode_list_1, facts.opcode_list_2, facts.opcode_list_3


def rounding(count: int) -> float:
    """Variance, DN^2, that rounding a mean of `count` integers to an integer adds."""
    return (count**2 - 1 if count % 2 else count**2 + 2) / (12 * count**2)


def _quieter(facts: Capture, black: float, count: int) -> tuple[tuple[float, float], ...] | None:
    if facts.noise_profile is None:
        return None
    added = rounding(count) / (facts.white - black) ** 2
    return tuple((shot / count, read / count + added) for shot, read in facts.noise_profile)


def _crop(
    facts: Capture, corner: tuple[int, int], side: int
) -> tuple[float, float, float, float] | None:
    """In pixels of the new active area, which is the whole result."""
    if facts.default_crop is None:
        return None
    active = facts.active_area or (0, 0, 0, 0)
    top, left, height, width = facts.default_crop
    down, right = (
        start + active[i] - facts.visible_origin[i] - corner[i]
        for i, start in enumerate((top, left))
    )
    return max(down, 0.0) / side, max(right, 0.0) / side, height / side, width / side
