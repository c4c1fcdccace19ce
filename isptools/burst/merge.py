"""A frame merged onto the reference, tile by tile, by shrinking what differs.

Hasinoff et al. 2016, section 5: per tile and CFA plane the difference D of frame and reference is
taken apart by frequency, and what is larger than noise stays out: A = |D|^2 / (|D|^2 + c s^2) goes
to the reference, 1 - A to the frame. Differences from the paper: both sides are squared, which
passes noise and stops motion more sharply; the power is pooled over the four sign combinations of
a frequency pair; c falls where a tile as a whole differs by more than noise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.burst.planes import HOP, PAD
from isptools.burst.tiles import (
    FRACTIONS,
    gather,
    gather_flat,
    less,
    sampled,
    taps_between,
    window,
)
from isptools.burst.transform import AREA, backward, forward, turn
from isptools.develop.rows import kernel, over_rows
from isptools.frame import Array
from isptools.vectors import vectors

F32 = NDArray[np.float32]
CALM, STIRRED = 8.0, 3.0  # c where a tile differs by noise alone, and where by far more
ONSET, FULL = 1.15, 2.5  # mean power over noise between which c falls from one to the other
SHARE, SQUARES = 4, 5  # what the total holds behind the four planes of light
PLANES = 6


@dataclass(frozen=True, slots=True)
class Laid:
    """A frame laid onto the reference, both in the reference's DN above black."""

    reference: F32  # of `planes.split`
    frame: F32  # of `colors.interpolated`; with `differs` its difference to the reference
    cfa: str
    offsets: F32  # (tiles down, across, 2) cells, as `align` gives them
    variance: F32  # (4, down, across): noise of the difference in each tile, DN squared
    white: F32  # (4,): DN above black at which one of the two may be saturated
    tolerance: F32 | None = None  # padded cells: of `robust.tolerance`, for truths
    active: NDArray[np.bool_] | None = None  # (tiles down, across) that are laid; None: all
    differs: bool = False

    def tables(self) -> tuple[Array | bool, ...]:
        """What a kernel takes: planes, offsets in parts of a pixel, which tiles, noise, taps ..."""
        letters = np.array(["RGB".index(letter) for letter in self.cfa], np.int64)
        parts = np.rint(2 * self.offsets * FRACTIONS).astype(np.int64)
        active = np.ones(parts.shape[:2], np.bool_) if self.active is None else self.active
        return (self.reference, self.frame, self.differs, letters, parts, active, self.variance,
                taps_between(), window())  # fmt: skip


def merge(laid: Laid, total: F32, weight: float) -> float:
    """Add a frame to the total with `weight`; returns the mean share of it that was taken.

    `total` is (6, rows, columns), padded: weighted differences of the four planes, the weight
    that was taken, and what it adds to the noise (weights fall with a frame's variance, so the
    square of a share stands with its weight once). A negative weight takes a frame out again.
    """
    blocks, columns = len(laid.offsets) - 1, int(laid.offsets.shape[1]) - 1
    taken: list[float] = over_rows(_merge, blocks, *laid.tables(), np.float32(weight), total)
    return float(sum(taken)) / (blocks * columns)


@kernel
def _merge(
    reference, frame, differs, letters, parts, active, variance, taps, window,
    weight, total, top, bottom,
):  # fmt: skip
    a, b, power = np.empty(AREA, np.float32), np.empty(AREA, np.float32), np.empty(64, np.float32)
    taken = 0.0
    first, last = PAD + HOP * top, PAD + HOP * bottom
    for i in range(top, bottom + 1):
        for j in range(parts.shape[1]):
            if not active[i, j]:
                continue
            y, x = PAD + HOP * i - HOP, PAD + HOP * j - HOP
            share, squares = np.float32(0), np.float32(0)
            for p in range(4):
                down = parts[i, j, 0] + p // 2 * FRACTIONS
                right = parts[i, j, 1] + p % 2 * FRACTIONS
                color = frame[letters[p]]
                sampled(color, y, x, down, right, taps, a)
                if not differs:
                    less(reference[p], y, x, a)
                forward(a, b)
                turn(b, a)
                forward(a, b)
                mean, square = shrink(b, variance[p, i, j], power)
                share += mean
                squares += square
                backward(b, a)
                turn(a, b)
                backward(b, a)
                gather(a, window, weight, total[p], y, x, first, last)
            share, squares = share * np.float32(0.25), squares * np.float32(0.25)
            gather_flat(weight * share, window, total[SHARE], y, x, first, last)
            gather_flat(weight * squares, window, total[SQUARES], y, x, first, last)
            if i < bottom and j:
                taken += float(share)
    return taken


@kernel
def shrink(b, variance, power):
    """Multiply the coefficients of a difference by 1 - A; mean of 1 - A and of its square.

    `power` is scratch for the 64 frequency pairs.
    """
    emptied(power)
    pooled(b, np.float32(0.25) / variance, power)
    c = limit(mean(power))
    _passed(power, c * c)
    scaled(b, power)
    share = mean(power)
    _squared(power)
    return share, mean(power)


@vectors()
def emptied(power):
    """Set 64 sums to 0."""
    for r in range(4):
        power[r] = power[r].constant(0)


@vectors()
def pooled(b, scale, power):
    """Add the power of a tile times `scale` to 64 sums: both signs of a frequency make one."""
    for r in range(8):
        low, high = b[r] * b[r], b[r + 8] * b[r + 8]
        four = (low.part(0, 8) + low.part(8, 8)) + (high.part(0, 8) + high.part(8, 8))
        (power + 8 * r).store((power + 8 * r).load(8) + four * scale)


@vectors()
def scaled(b, power):
    """Multiply a tile's coefficients by a number for each of the 64 frequency pairs."""
    for r in range(8):
        keep = (power + 8 * r).load(8)
        b[r], b[r + 8] = b[r] * keep.joined(keep), b[r + 8] * keep.joined(keep)


@vectors()
def _passed(power, squared):
    """1 - A of each power over noise."""
    for r in range(8):
        of_row = (power + 8 * r).load(8)
        (power + 8 * r).store(squared / (of_row * of_row + squared))


@vectors()
def _squared(power):
    for r in range(8):
        of_row = (power + 8 * r).load(8)
        (power + 8 * r).store(of_row * of_row)


@vectors(1)
def mean(power):
    """Of 64 numbers, in an order that vectors can follow."""
    a, b, c, d, e, f, g, h = ((power + 8 * r).load(8) for r in range(8))
    columns = ((a + b) + (c + d)) + ((e + f) + (g + h))
    total = columns[0]
    for k in range(1, 8):
        total = total + columns[k]
    return [total / 64]


@kernel
def limit(power):
    """c for a tile whose mean power over noise is `power`."""
    part = min(max((power - ONSET) / (FULL - ONSET), 0.0), 1.0)
    return np.float32(CALM + (STIRRED - CALM) * part)
