"""A second look at a burst: what the merged picture does not explain of its frames.

Light finer than a color's own pixels is guessed at when a frame is sampled between them, wrongly
in part, and differently for every offset. The merged picture knows it better than any frame.
Sampled as a frame was it would have to give that frame; what is missing is laid back onto the
reference like the frame before (iterative back-projection, Irani and Peleg 1991), as far as it is
more than noise. Only tiles with detail well above the noise are looked at.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from isptools.burst.merge import Laid, pooled, scaled
from isptools.burst.planes import F32, HOP, PAD, means
from isptools.burst.robust import bends
from isptools.burst.tiles import (
    FRACTIONS,
    gather,
    less,
    sampled,
    taps_between,
    window,
)
from isptools.burst.transform import AREA, SIDE, backward, forward, turn
from isptools.develop.rows import kernel, over_rows

Mask = NDArray[np.bool_]
DETAIL = 16.0  # power of detail over that of the merged picture's noise from which a tile counts
FLOOR = np.float32(0.4)  # power of what is missing, in parts of that noise, that is noise alone
AROUND = 2  # tiles around one that counts whose residuals it needs


def detailed(merged: F32, noise: NDArray[np.float64], height: int, width: int) -> Mask:
    """(tiles down, across): where `merged`, planes of that noise, holds much fine detail."""
    bent = means(bends(merged, noise)[None], height, width)[0]
    return np.asarray(bent > 1 + DETAIL)


def unexplained(laid: Laid, merged: F32, active: Mask, out: F32) -> None:
    """Planes of a frame minus what `merged`, (3, rows, columns) colors, would have given it.

    `laid.frame` holds the frame's planes here. 0 far from tiles of the reference that count.
    """
    letters = np.array(["RGB".index(letter) for letter in laid.cfa], np.int64)
    offsets = backwards(laid.offsets)
    parts = np.rint(2 * offsets * FRACTIONS).astype(np.int64)
    out[...] = 0
    over_rows(_unexplained, len(parts) - 1, laid.frame, merged, letters, parts,
              _seen(active, offsets), taps_between(), window(), out)  # fmt: skip


def backwards(offsets: F32) -> F32:
    """Offsets in cells from a frame's tiles to the reference, from those the other way."""
    rows, columns = offsets.shape[:2]
    place = np.mgrid[:rows, :columns].astype(np.float64)
    found = np.moveaxis(offsets, -1, 0)
    field = found
    for _ in range(2):
        at = place - found / HOP
        found = np.array([ndimage.map_coordinates(f, at, order=1, mode="nearest") for f in field])
    return np.asarray(-np.moveaxis(found, 0, -1), np.float32)


def _seen(active: Mask, offsets: F32) -> Mask:
    """Tiles of a frame that lie near active ones of the reference."""
    near = ndimage.binary_dilation(active, np.ones((3, 3)), AROUND)
    place = np.mgrid[: active.shape[0], : active.shape[1]]
    at = np.rint(place + np.moveaxis(offsets, -1, 0) / HOP).astype(int)
    y, x = (np.clip(at[i], 0, active.shape[i] - 1) for i in (0, 1))
    return np.asarray(near[y, x])


@kernel
def _unexplained(frame, merged, letters, parts, seen, taps, window, out, top, bottom):
    a = np.empty(AREA, np.float32)
    first, last = PAD + HOP * top, PAD + HOP * bottom
    for i in range(top, bottom + 1):
        for j in range(parts.shape[1]):
            if not seen[i, j]:
                continue
            y, x = PAD + HOP * i - HOP, PAD + HOP * j - HOP
            for p in range(4):
                down = parts[i, j, 0] + p // 2 * FRACTIONS
                right = parts[i, j, 1] + p % 2 * FRACTIONS
                sampled(merged[letters[p]], y, x, down, right, taps, a)
                less(frame[p], y, x, a)
                gather(a, window, np.float32(-1), out[p], y, x, first, last)


def kept(missing: F32, variance: F32, active: Mask, out: F32) -> None:
    """Add to `out` what of `missing`, (4, rows, columns), is more than noise, by frequency.

    `variance` (4, tiles down, across) is that of the merged picture.
    """
    over_rows(_kept, len(active) - 1, missing, variance, active, window(), out)


@kernel
def _kept(missing, variance, active, window, out, top, bottom):
    a, b = np.empty(AREA, np.float32), np.empty((4, AREA), np.float32)
    power = np.empty(64, np.float32)
    first, last = PAD + HOP * top, PAD + HOP * bottom
    for i in range(top, bottom + 1):
        for j in range(active.shape[1]):
            if not active[i, j]:
                continue
            y, x = PAD + HOP * i - HOP, PAD + HOP * j - HOP
            power[:] = 0
            for p in range(4):
                for r in range(SIDE):
                    a[r * SIDE : (r + 1) * SIDE] = missing[p, y + r, x : x + SIDE]
                forward(a, b[p])
                turn(b[p], a)
                forward(a, b[p])
                pooled(b[p], np.float32(0.0625) / variance[p, i, j], power)
            for k in range(64):
                power[k] = max(np.float32(1) - FLOOR / max(power[k], FLOOR), np.float32(0))
            for p in range(4):
                scaled(b[p], power)
                backward(b[p], a)
                turn(a, b[p])
                backward(b[p], a)
                gather(a, window, np.float32(1), out[p], y, x, first, last)
