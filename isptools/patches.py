"""Where to cut: crop origins that keep the phase of the color filter array, and names of cuts."""

from collections.abc import Iterator

import numpy as np

Window = tuple[int, int, int, int]  # top, left, height, width
PERIODS = {3: 1, 4: 2, 36: 6}  # CFA positions -> rows (columns) after which the pattern repeats


def period(cfa: str) -> int:
    """Rows after which a CFA repeats: 2 for four letters (Bayer), 6 for 36 (X-Trans).

    1 for the three channels of a finished picture. ValueError for another number of letters.
    """
    if len(cfa) not in PERIODS:
        raise ValueError(f"a CFA has 3, 4 or 36 letters, not {len(cfa)}: {cfa!r}")
    return PERIODS[len(cfa)]


def origin(
    shape: tuple[int, int], size: int, every: int, random: np.random.Generator
) -> tuple[int, int]:
    """Top and left of a random square cut, uniform over the multiples of `every` that fit.

    ValueError if the cut is larger than the picture.
    """
    _check(shape, size, every)
    top, left = (every * int(random.integers((side - size) // every + 1)) for side in shape)
    return top, left


def grid(shape: tuple[int, int], size: int, every: int) -> Iterator[Window]:
    """Square windows row by row that do not overlap and begin at multiples of `every`.

    Where `size` is no multiple of `every`, windows stand up to `every - 1` pixels apart. What is
    left at the right and bottom is in no window.
    """
    _check(shape, size, every)
    step = -(-size // every) * every
    for top in range(0, shape[0] - size + 1, step):
        for left in range(0, shape[1] - size + 1, step):
            yield top, left, size, size


def key(sample: str, window: Window) -> str:
    """The stable name of a cut: key of its sample, `@`, top, left, height and width."""
    return f"{sample}@{','.join(map(str, window))}"


def _check(shape: tuple[int, int], size: int, every: int) -> None:
    if size < 1 or every < 1:
        raise ValueError(f"size and period must be positive: {size}, {every}")
    if size > min(shape):
        raise ValueError(f"a cut of {size} pixels does not fit into {shape[0]} x {shape[1]}")
