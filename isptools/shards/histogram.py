"""Histograms of facts for people: each value where they are few, octaves where they are many."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 12  # values that are listed one by one


@dataclass(frozen=True, slots=True)
class Bin:
    """So many inputs have this."""

    label: str
    count: int


def bins(values: Sequence[float | None], base: float = 1.0, most: int = MOST) -> tuple[Bin, ...]:
    """Up to `most` values by themselves, more in octaves `base` * 2^k up to below the next.

    What nobody stated, or is not positive, is counted last as "not stated".
    """
    stated = [value for value in values if value is not None and value > 0]
    counted = Counter(f"{value:.4g}" for value in stated)
    if len(counted) <= most:
        found = [Bin(label, counted[label]) for label in sorted(counted, key=float)]
    else:
        octaves = Counter(math.floor(math.log2(value / base) + 1e-9) for value in stated)
        found = [
            Bin(f"{base * 2.0**k:.4g} to {base * 2.0 ** (k + 1):.4g}", octaves[k])
            for k in range(min(octaves), max(octaves) + 1)
        ]
    missing = len(values) - len(stated)
    return (*found, *([Bin("not stated", missing)] if missing else []))
