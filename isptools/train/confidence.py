"""How much a pair counts: by the noise left in its truth, and by how far the two lie apart."""

import math
from collections.abc import Iterable
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from isptools import shards

Off = Annotated[float, msgspec.Meta(ge=0)]


class Confidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The [confidence] of settings; 0 takes no account of a thing.

    A truth whose remaining noise lies `noise` dB below white counts half as much as one without
    any, and so does one that lies `shift` pixels off; both as weights of least squares would be,
    1 / (1 + variance). With `fused`, a pixel of a fused truth counts by its share of the burst.
    """

    noise: Off = 0.0  # dB, of truth_meta.quality_db
    shift: Off = 0.0  # pixels, of pair.residual_px
    fused: bool = False

    @property
    def scenes(self) -> bool:
        """Whether pairs count differently."""
        return bool(self.noise or self.shift)


def weights(source: shards.Shards, chosen: Confidence) -> NDArray[np.float32]:
    """A weight an input, (N,), with a mean of 1 over all of them.

    What a shard does not know counts as the mean of what is known.
    """
    every = range(len(source))
    out = np.ones(len(source))
    if chosen.noise:
        decibels = _floats(source.truth_facts(i).quality_db for i in every)
        out *= _filled(1 / (1 + 10 ** ((chosen.noise - decibels) / 10)))
    if chosen.shift:
        pairs = (source.pair(i) for i in every)
        pixels = _floats(pair.residual_px if pair else None for pair in pairs)
        out *= _filled(1 / (1 + (pixels / chosen.shift) ** 2))
    return np.asarray(out / out.mean(), np.float32)


def _floats(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value for value in values], np.float64)


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the others where there is no number; 1 where there is none at all."""
    known = np.isfinite(values)
    return np.where(known, values, values[known].mean() if known.any() else 1.0)
