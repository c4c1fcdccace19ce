"""A frame merged onto the reference pixel by pixel: for truths, where doubt must be visible.

A weighted mean with Tukey's biweight: per cell the squared difference to the reference over its
noise, averaged over the four planes and the 3 x 3 cells around, decides how much of the frame
counts. Where the reference is finely textured more may differ, since sampling between pixels errs
there (the tolerance of Wronski et al. 2019 grows with the local deviation as well).
A tile whose mean differs by more than noise, as behind a shadow that moved, counts less as a whole:
no pixel shows what their sum does.
Other than `merge` nothing is shared out by frequency, so every pixel has one weight per
frame: it is stored, and a trainer can mask by it.
"""

import numpy as np
from numpy.typing import NDArray

from isptools.burst.merge import F32, SHARE, SQUARES, Laid
from isptools.burst.planes import HOP, PAD
from isptools.burst.tiles import FRACTIONS, gather, less, sampled
from isptools.burst.transform import AREA, SIDE
from isptools.develop.rows import kernel, over_rows
from isptools.frame import empty

EVEN = np.float32(8.0)  # power of a tile's mean over its noise at which the tile counts by half
CUT = 3.0  # power over noise, averaged over 36 samples (1 +- 0.24 for noise), that counts no more
LENIENT = np.float32(0.5)  # so much higher is the cut for each unit of detail ...
MOST = np.float32(2.0)  # ... up to so many: what errs by more than noise is worth nothing


def robust(laid: Laid, total: F32, weight: float) -> float:
    """As `merge`; pixels that reach white in the frame or the reference do not count."""
    blocks, columns = len(laid.offsets) - 1, int(laid.offsets.shape[1]) - 1
    given = (*laid.tables(), np.float32(weight), laid.white, laid.tolerance)
    taken: list[float] = over_rows(_robust, blocks, *given, total)
    return float(sum(taken)) / (blocks * columns)


@kernel
def _robust(
    reference, frame, differs, letters, parts, active, variance, taps, window,
    weight, white, tolerance, total, top, bottom,
):  # fmt: skip
    kept, d = np.empty(AREA, np.float32), np.empty((4, AREA), np.float32)
    power, smooth = np.empty(AREA, np.float32), np.empty(AREA, np.float32)
    taken = 0.0
    first, last = PAD + HOP * top, PAD + HOP * bottom
    for i in range(top, bottom + 1):
        for j in range(parts.shape[1]):
            if not active[i, j]:
                continue
            y, x = PAD + HOP * i - HOP, PAD + HOP * j - HOP
            power[:] = 0
            for p in range(4):
                down = parts[i, j, 0] + p // 2 * FRACTIONS
                right = parts[i, j, 1] + p % 2 * FRACTIONS
                color = frame[letters[p]]
                sampled(color, y, x, down, right, taps, d[p])
                if not differs:
                    less(reference[p], y, x, d[p])
                _power(d[p], np.float32(0.25) / variance[p, i, j], power)
                _clipped(d[p], reference[p], y, x, white[p], power)
            _around(power, smooth)
            share, squared = _biweight(tolerance, smooth, y, x, kept)
            shift = np.float32(0)
            for p in range(4):
                shift += _shift(d[p], kept) / variance[p, i, j]
            even = np.float32(0.25) * shift / max(squared, np.float32(1e-9))
            whole = EVEN * EVEN / (even * even + EVEN * EVEN)
            share *= whole
            for k in range(AREA):
                kept[k] *= whole
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
def _biweight(tolerance, smooth, y, x, kept):
    """Tukey's weights of a tile into `kept`; their sum and that of their squares."""
    for r in range(SIDE):
        for c in range(SIDE):
            kept[r * SIDE + c] = tolerance[y + r, x + c]
    share, squared = np.float32(0), np.float32(0)
    for k in range(AREA):
        kept[k] *= smooth[k]
        part = min(kept[k] * kept[k], np.float32(1))
        kept[k] = (1 - part) * (1 - part)
        share += kept[k]
        squared += kept[k] * kept[k]
    return share, squared


@kernel
def _shift(d, kept):
    """The square of the weighted sum of a tile's differences."""
    total = np.float32(0)
    for k in range(AREA):
        total += kept[k] * d[k]
    return total * total


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


def tolerance(planes: F32, noise: NDArray[np.float64]) -> F32:
    """1 over the power that counts no more, for the cells of a reference: padded, float32.

    Finer detail than noise: squares of second differences in each plane over what noise gives
    them, averaged over the planes and 3 x 3 cells; 0 is noise alone, 0.5 detail as strong as
    noise. `noise` (4, 2): the variance is first * DN + second.
    """
    bent = bends(planes, noise)
    out = empty(bent.shape, np.float32)
    out[...] = 1 / CUT
    over_rows(_tolerated, len(bent) - 2, bent, out)
    return out


def bends(planes: F32, noise: NDArray[np.float64]) -> F32:
    """Squares of second differences over what noise gives them, by cell: 1 for noise alone."""
    out = empty(planes.shape[1:], np.float32)
    out[...] = 0
    over_rows(_bends, len(out) - 2, planes, np.asarray(noise, np.float32), out)
    return out


@kernel
def _bends(planes, noise, out, top, bottom):
    """The four corners of a second difference and its middle give noise 20 times over."""
    for y in range(top + 1, bottom + 1):
        row = out[y]
        for p in range(4):
            up, own, down = planes[p, y - 1], planes[p, y], planes[p, y + 1]
            shot, read = noise[p, 0], noise[p, 1]
            for x in range(1, len(row) - 1):
                around = (up[x] + down[x]) + (own[x - 1] + own[x + 1])
                middle = np.float32(4) * own[x]
                light = max(np.float32(0.125) * (middle + around), np.float32(0))
                bend = (middle - around) * (middle - around)
                row[x] += np.float32(1 / 80) * bend / (shot * light + read)


@kernel
def _tolerated(bends, out, top, bottom):
    for y in range(top + 1, bottom + 1):
        up, own, down = bends[y - 1], bends[y], bends[y + 1]
        for x in range(1, out.shape[1] - 1):
            total = (
                (up[x - 1] + own[x - 1] + down[x - 1]) + (up[x] + own[x] + down[x])
            ) + (up[x + 1] + own[x + 1] + down[x + 1])  # fmt: skip
            excess = total * np.float32(1 / 9) - np.float32(1)
            detail = min(max(np.float32(0.5) * excess, np.float32(0)), MOST)
            out[y, x] = 1 / (np.float32(CUT) * (1 + LENIENT * detail))
