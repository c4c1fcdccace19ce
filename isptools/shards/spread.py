"""How many pixels have which value: exact for stored integers, whatever their order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isptools.shards.schema import Picture

KEPT = 12  # lowest bits of a float that are left out: 11 of its 23 fraction bits stay
SIGN = np.uint32(1 << 31)


@dataclass(slots=True)
class Spread:
    """A histogram of the values of one channel of one station.

    Integers have a bin each. Floats are sorted by their 20 highest bits, so that a quantile is
    right within 1/2048 of itself.
    """

    bins: NDArray[np.int64]
    scale: float  # physical value of 1; 0 for floats
    full: float  # physical value that counts as clipped from above
    total: float = 0.0  # sum, of floats
    low: int = 0  # floats at 0 or below
    high: int = 0  # floats at `full` or above

    def add(self, pixels: NDArray[np.generic]) -> None:
        """Count the pixels of one more plane, stored as the truth's integers or float32."""
        if self.scale:
            self.bins += np.bincount(pixels.ravel().astype(np.intp), minlength=len(self.bins))
            return
        floats = np.ascontiguousarray(pixels, np.float32).ravel()
        self.bins += np.bincount(_keys(floats), minlength=len(self.bins))
        self.total += float(floats.sum(dtype=np.float64))
        self.low += int((floats <= 0).sum())
        self.high += int((floats >= self.full).sum())

    @property
    def count(self) -> int:
        """How many pixels were counted."""
        return int(self.bins.sum())

    @property
    def mean(self) -> float:
        """Mean of all pixels, physical value."""
        if not self.scale:
            return self.total / self.count
        return (
            float(np.arange(len(self.bins), dtype=np.float64) @ self.bins) / self.count * self.scale
        )

    def quantile(self, share: float) -> float:
        """The smallest value that at least this share of the pixels does not exceed."""
        at = int(np.searchsorted(self.bins.cumsum(), share * self.count))
        return at * self.scale if self.scale else float(_values(np.array([at]))[0])

    @property
    def clipped(self) -> tuple[float, float]:
        """Shares of pixels at 0 (or below) and at the largest value (or above)."""
        low, high = (self.bins[0], self.bins[-1]) if self.scale else (self.low, self.high)
        return int(low) / self.count, int(high) / self.count


def spread(picture: Picture) -> Spread:
    """An empty histogram for the values of a truth."""
    largest = picture.largest
    size = largest + 1 if largest else 1 << (32 - KEPT)
    return Spread(np.zeros(size, np.int64), picture.scale if largest else 0.0, picture.full_scale)


def _keys(floats: NDArray[np.float32]) -> NDArray[np.intp]:
    """Integers in the order of the floats."""
    bits = floats.view(np.uint32)
    ordered = np.where(bits & SIGN, ~bits, bits | SIGN)
    return (ordered >> np.uint32(KEPT)).astype(np.intp)


def _values(keys: NDArray[np.intp]) -> NDArray[np.float32]:
    """The middle of the floats that have these keys."""
    ordered = (keys.astype(np.uint32) << np.uint32(KEPT)) | np.uint32(1 << (KEPT - 1))
    return np.where(ordered & SIGN, ordered ^ SIGN, ~ordered).astype(np.uint32).view(np.float32)
