"""Lens distortion undone: DNG's WarpRectilinear (DNG 1.7, opcode 1)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isptools.develop.rows import kernel, over_rows
from isptools.frame import empty
from isptools.raw.opcodes import Window

F32 = NDArray[np.float32]
Terms = Sequence[Sequence[float]]  # kr0 to kr3, kt0, kt1; once, or for each plane


def rectilinear(picture: F32, terms: Terms, center: tuple[float, float], window: Window) -> F32:
    """(H, W, planes) resampled: each pixel comes from where the lens put it.

    With d the place behind the center (x, y as shares of `window`) over the distance m of its
    farthest corner, and r its length, it is taken from the center + m times
    d (kr0 + kr1 r^2 + kr2 r^4 + kr3 r^6) + tangential terms. Bicubic (Keys 1981, a = -1/2); the
    border is repeated, results are clipped to [0, 1].
    """
    planes = picture.shape[2]
    per_plane = np.array([terms[min(i, len(terms) - 1)] for i in range(planes)], np.float64)
    top, left, height, width = window
    y, x = center[1] * height, center[0] * width
    reach = float(np.hypot(max(y, height - y), max(x, width - x)))
    place = np.array([y + top, x + left, reach], np.float64)
    out = empty(picture.shape, np.float32)
    over_rows(_rectilinear, len(picture), picture, per_plane, place, out)
    return out


def farthest(terms: Terms, shape: tuple[int, int], center: tuple[float, float]) -> float:
    """By how many pixels the warp moves the pixel it moves most, on a coarse grid."""
    height, width = shape
    y, x = center[1] * height, center[0] * width
    reach = np.hypot(max(y, height - y), max(x, width - x))
    v, h = np.meshgrid(
        np.linspace(-y, height - y, 65), np.linspace(-x, width - x, 65), indexing="ij"
    )
    moved = [
        np.hypot(*offset) for each in terms for offset in [_offsets(v / reach, h / reach, each)]
    ]
    return float(max(part.max() for part in moved) * reach)


def _offsets(
    v: NDArray[np.float64], h: NDArray[np.float64], k: Sequence[float]
) -> NDArray[np.float64]:
    square = v * v + h * h
    radial = k[0] + square * (k[1] + square * (k[2] + square * k[3])) - 1
    down = v * radial + k[5] * 2 * v * h + k[4] * (square + 2 * v * v)
    right = h * radial + k[4] * 2 * v * h + k[5] * (square + 2 * h * h)
    return np.stack([down, right])


@kernel
def _rectilinear(picture, terms, place, out, top, bottom):
    width, planes = picture.shape[1:]
    taps = np.empty((2, 4), np.float32)
    for y in range(top, bottom):
        v = (y + 0.5 - place[0]) / place[2]
        for x in range(width):
            h = (x + 0.5 - place[1]) / place[2]
            square = v * v + h * h
            for p in range(planes):
                k = terms[p]
                radial = k[0] + square * (k[1] + square * (k[2] + square * k[3]))
                down = v * radial + k[5] * 2 * v * h + k[4] * (square + 2 * v * v)
                right = h * radial + k[4] * 2 * v * h + k[5] * (square + 2 * h * h)
                at_y = place[0] + place[2] * down - 0.5
                at_x = place[1] + place[2] * right - 0.5
                out[y, x, p] = _sampled(picture, at_y, at_x, p, taps)


@kernel
def _sampled(picture, at_y, at_x, plane, taps):
    height, width = picture.shape[:2]
    row, column = int(np.floor(at_y)), int(np.floor(at_x))
    _keys(np.float32(at_y - row), taps[0])
    _keys(np.float32(at_x - column), taps[1])
    total = np.float32(0)
    for i in range(4):
        y = min(max(row - 1 + i, 0), height - 1)
        line = np.float32(0)
        for j in range(4):
            x = min(max(column - 1 + j, 0), width - 1)
            line += taps[1, j] * picture[y, x, plane]
        total += taps[0, i] * line
    return min(max(total, np.float32(0)), np.float32(1))


@kernel
def _keys(t, taps):
    """Weights of four neighbours, `t` behind the second."""
    half = np.float32(0.5)
    taps[0] = half * t * (t * (np.float32(2) - t) - np.float32(1))
    taps[1] = half * (t * t * (np.float32(3) * t - np.float32(5)) + np.float32(2))
    taps[2] = half * t * (t * (np.float32(4) - np.float32(3) * t) + np.float32(1))
    taps[3] = half * t * t * (t - np.float32(1))
