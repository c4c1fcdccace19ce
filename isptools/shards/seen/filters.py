"""Which color filters explain an input best, and which way round it shows what its truth shows."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from isptools import patches
from isptools.shards.schema import InputRow
from isptools.shards.seen.blocks import Blocks
from isptools.shards.seen.number import Number

F64 = NDArray[np.float64]
FEWEST = 40  # blocks
CLEAR = 1.5  # the stated phase may leave so many times the residual of another
FITS = 0.15  # a phase is named where it leaves no more than this, relative to the signal
LEAN = 0.25  # correlation that another way round must have beyond the stated one
LIKE = 0.6  # and in all
WAYS: dict[str, Callable[[F64], F64]] = {
    "by 180 degrees": lambda plane: plane[::-1, ::-1],
    "left to right": lambda plane: plane[:, ::-1],
    "upside down": lambda plane: plane[::-1],
    "by 90 degrees": lambda plane: np.rot90(plane, -1),
    "by 90 degrees to the left": lambda plane: np.rot90(plane, 1),
    "about its diagonal": lambda plane: plane.T,
}


def phase(blocks: Blocks, row: InputRow) -> list[Number]:
    """How much more the stated phase leaves than the one that fits best; 0 where none is better."""
    keep = blocks.usable
    if keep.sum() < FEWEST:
        return []
    own, expected = blocks.own[:, keep], blocks.expected[:, keep]
    count = blocks.side**2 / len(row.cfa)
    noise = (np.array(row.shot)[:, None] * np.maximum(own, 0) + np.array(row.read)[:, None]) / count
    left = {cfa: _left(own, expected[_indices(cfa)], noise) for cfa in _phases(row.cfa)}
    best = min(left, key=lambda cfa: left[cfa])
    stated = left[row.cfa]
    times = stated / max(left[best], 1e-9)
    value = times - 1 if left[best] < FITS and best != row.cfa else 0.0
    told = f"stated as {row.cfa}, but {best} explains it {times:.1f} times better"
    return [Number("phase", value, CLEAR - 1, told)]


def _phases(cfa: str) -> Iterator[str]:
    """The pattern as it is stated, and shifted by whole pixels; each once."""
    every = patches.period(cfa)
    grid = np.array(list(cfa)).reshape(every, every)
    seen = set()
    for y in range(every):
        for x in range(every):
            shifted = "".join(np.roll(grid, (-y, -x), (0, 1)).ravel())
            if shifted not in seen:
                seen.add(shifted)
                yield shifted


def _indices(cfa: str) -> NDArray[np.intp]:
    return np.array(["RGB".index(letter) for letter in cfa])


def _left(own: F64, expected: F64, noise: F64) -> float:
    """What one slope for all positions leaves, relative to the signal; noise is taken out."""
    whole = np.median(own.sum(0) / np.maximum(expected.sum(0), 1e-12))
    rest = (own - whole * expected) ** 2 - noise
    signal = np.median(own, 1)
    level = float(np.mean(signal**2))
    left = float(np.mean(np.median(rest, 1)))
    return float(np.sqrt(max(left, 0.0) / level)) + 0.005 if level > 0 else np.inf


def turned(own: F64, truth: F64) -> list[Number]:
    """Whether a truth's luminance by blocks (R, C) lies another way round than its input's."""
    if min(own.shape) < 8:
        return []
    straight = like(own, truth)
    ways = {name: like(*_comparable(own, turn(truth))) for name, turn in WAYS.items()}
    best = max(ways, key=lambda name: ways[name])
    lean = max(ways[best] - straight, 0.0) if ways[best] > LIKE else 0.0
    told = (
        f"turned or mirrored: its truth turned {best} agrees by {ways[best]:.2f}, as it is by "
        f"{straight:.2f}"
    )
    return [Number("turned", lean, LEAN, told)]


def _comparable(one: F64, other: F64) -> tuple[F64, F64]:
    """The middle that both have."""
    height, width = (min(pair) for pair in zip(one.shape, other.shape, strict=True))

    def middle(plane: F64) -> F64:
        top, left = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
        return plane[top : top + height, left : left + width]

    return middle(one), middle(other)


def like(one: F64, other: F64) -> float:
    """Correlation of what blocks show beside their neighbourhood, in logarithms."""
    a, b = (detail(plane) for plane in (one, other))
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0


def detail(plane: F64) -> F64:
    """Fine detail of a plane (H, W), shown with white near 1: less its mean over 7 x 7 pixels."""
    top = max(float(np.quantile(plane, 0.99)), 1e-9)
    shown = np.sqrt(np.clip(plane / top, 0, 1))
    fine: F64 = shown - uniform_filter(shown, 7, mode="reflect")
    return np.asarray(fine - fine.mean())
