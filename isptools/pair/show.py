"""Pictures of an alignment for a person: (h, w, 3) uint8."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.frame import Array
from isptools.pair.accept import Verdict

Bytes = NDArray[np.uint8]
WIDTH = 960  # of a picture, at most
SQUARES = 12  # of the checkerboard, across
COLORS = {  # of windows that are not kept
    "flat": (120, 120, 120),
    "beyond-search": (200, 60, 200),
    "low-correlation": (220, 40, 40),
}


def small(picture: Array) -> Bytes:
    """Eight bits, color, at most WIDTH wide."""
    flat = (picture >> 8).astype(np.uint8) if picture.dtype == np.uint16 else picture
    flat = flat if flat.ndim == 3 else np.repeat(flat[..., None], 3, axis=2)
    factor = min(1.0, WIDTH / flat.shape[1])
    size = round(flat.shape[1] * factor), max(1, round(flat.shape[0] * factor))
    return np.asarray(cv2.resize(flat, size, interpolation=cv2.INTER_AREA), np.uint8)


def checkerboard(one: Bytes, other: Bytes) -> Bytes:
    """Squares of both in turn: lines must run on across the borders."""
    side = max(8, one.shape[1] // SQUARES)
    y, x = np.mgrid[: one.shape[0], : one.shape[1]] // side
    return np.where(((x + y) % 2 == 0)[..., None], one, other)


def correlation_map(
    picture: Bytes, verdicts: Sequence[Verdict], size: int, scale: float, least: float
) -> Bytes:
    """Kept windows from yellow (at the threshold) to green (1); the others by their reason."""
    canvas = picture.copy()
    for verdict in verdicts:
        top, left = round(verdict.top * scale), round(verdict.left * scale)
        bottom, right = round((verdict.top + size) * scale), round((verdict.left + size) * scale)
        part = canvas[top + 1 : bottom, left + 1 : right]
        part[:] = (part * 0.45 + np.array(_color(verdict, least)) * 0.55).astype(np.uint8)
    return canvas


def _color(verdict: Verdict, least: float) -> tuple[int, int, int]:
    if not verdict.kept:
        return COLORS[verdict.reason]
    part = (verdict.correlation - least) / max(1e-6, 1 - least)
    return (round(230 * (1 - max(0.0, min(1.0, part)))), 200, 40)
