"""A frame merged onto the reference pixel by pixel: for truths, where doubt must be visible.

A weighted mean with Tukey's biweight: per cell the squared difference to the reference over its
noise, averaged over the four planes and the 3 x 3 cells around, decides how much of the frame
counts. Other than `merge` nothing is shared out by frequency, so every pixel has one weight per
frame: it is stored, and a trainer can mask by it.
"""

import numpy as np

from isptools.burst.merge import F32, SHARE, SQUARES, Laid
from isptools.burst.planes import HOP, PAD
from isptools.burst.tiles import FRACTIONS, HIGH, WIDE, difference, gather
from isptools.burst.transform import AREA, SIDE
from isptools.develop.rows import kernel, over_rows

CUT = 2.5  # power over noise, averaged over 36 samples (1 +- 0.24 for noise), that counts no more


def robust(laid: Laid, total: F32, weight: float) -> float:
    """As `merge`; pixels that reach white in the frame or the reference do not count."""
    blocks, columns = len(laid.offsets) - 1, int(laid.offsets.shape[1]) - 1
    given = (*laid.tables(), np.float32(weight), laid.white)
    taken: list[float] = over_rows(_robust, blocks, *given, total)
    return float(sum(taken)) / (blocks * columns)


@kernel
def _robust(
    reference, frame, letters, parts, variance, taps, window, weight, white, total, top, bottom
):
    block, wide = np.empty(HIGH * WIDE, np.float32), np.empty(SIDE * WIDE, np.float32)
    kept, d = np.empty(AREA, np.float32), np.empty((4, AREA), np.float32)
    power, smooth = np.empty(AREA, np.float32), np.empty(AREA, np.float32)
    taken = 0.0
    first, last = PAD + HOP * top, PAD + HOP * bottom
    for i in range(top, bottom + 1):
        for j in range(parts.shape[1]):
            y, x = PAD + HOP * i - HOP, PAD + HOP * j - HOP
            power[:] = 0
            for p in range(4):
                down = parts[i, j, 0] + p // 2 * FRACTIONS
                right = parts[i, j, 1] + p % 2 * FRACTIONS
                color = frame[letters[p]]
                difference(reference[p], color, y, x, down, right, taps, block, wide, d[p])
                _power(d[p], np.float32(0.25) / variance[p, i, j], power)
                _clipped(d[p], reference[p], y, x, white[p], power)
            _around(power, smooth)
            share = np.float32(0)
            for k in range(AREA):
                part = min(smooth[k] / np.float32(CUT), np.float32(1))
                kept[k] = (1 - part * part) * (1 - part * part)
                share += kept[k]
            for p in range(4):
                for k in range(AREA):
                    d[p, k] *= kept[k]
                gather(d[p], window, weight, total[p], y, x, first, last)
            for k in range(AREA):
                power[k] = kept[k] * kept[k]
            gather(kept, window, weight, total[SHARE], y, x, first, last)
            gather(power, window, weight, total[SQUARES], y, x, first, last)
            if i < bottom and j:
                taken += float(share / np.float32(AREA))
    return taken


@kernel
def _power(d, scale, power):
    for k in range(AREA):
        power[k] += scale * d[k] * d[k]


@kernel
def _clipped(d, reference, y, x, white, power):
    """Far out where the frame or the reference touches white."""
    for r in range(SIDE):
        row = reference[y + r]
        for c in range(SIDE):
            own = row[x + c]
            if max(own, own + d[r * SIDE + c]) >= white:
                power[r * SIDE + c] = np.float32(1e6)


@kernel
def _around(power, smooth):
    """Mean of 3 x 3, the tile's border repeated."""
    for r in range(SIDE):
        up, down = max(r - 1, 0) * SIDE, min(r + 1, SIDE - 1) * SIDE
        for c in range(SIDE):
            a, b = max(c - 1, 0), min(c + 1, SIDE - 1)
            middle = power[up + c] + power[r * SIDE + c] + power[down + c]
            sides = (
                power[up + a] + power[r * SIDE + a] + power[down + a]
                + power[up + b] + power[r * SIDE + b] + power[down + b]
            )  # fmt: skip
            smooth[r * SIDE + c] = np.float32(1 / 9) * (middle + sides)
