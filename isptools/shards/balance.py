"""Whether the splits of a data set are alike: two-sample tests over scenes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp

SURE = 0.01  # chance of such a difference between splits that are alike, below which they differ


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of one split against the first one (train, where there is one)."""

    measure: str
    split: str
    against: str
    scenes: tuple[int, int]
    medians: tuple[float, float]
    distance: float  # Kolmogorov-Smirnov: largest difference of the cumulated shares
    chance: float  # of a distance as large between splits drawn alike (p-value)
    verdict: str  # "differs", "no clear difference" or "too few scenes to tell"


def balance(
    measures: Mapping[str, Mapping[str, Sequence[float]]], splits: Sequence[str]
) -> tuple[Compared, ...]:
    """Each later split of `splits` against the first; `measures` has one value a scene."""
    return tuple(
        _compared(measure, split, splits[0], values[split], values[splits[0]])
        for measure, values in measures.items()
        for split in splits[1:]
        if split in values and splits[0] in values
    )


def _compared(
    measure: str, split: str, against: str, here: Sequence[float], there: Sequence[float]
) -> Compared:
    rounded = [np.array([float(f"{value:.6g}") for value in each]) for each in (here, there)]
    found = ks_2samp(*rounded, method="auto")
    clearest = 2 / math.comb(len(here) + len(there), len(here))
    verdict = "differs" if found.pvalue < SURE else "no clear difference"
    if clearest >= SURE:
        verdict = "too few scenes to tell"
    return Compared(
        measure,
        split,
        against,
        (len(here), len(there)),
        (float(np.median(here)), float(np.median(there))),
        float(found.statistic),
        float(found.pvalue),
        verdict,
    )
