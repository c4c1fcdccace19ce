"""How much a pair counts: by the noise left in its truth, and by how far the two lie apart."""

import math
from typing import Annotated, Any

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
    """A weight an input, with a mean of 1 over all of them.

    What a shard does not know counts as the mean of what is known.
    """
    found = np.array([_weight(source, i, chosen) for i in range(len(source))], np.float64)
    known = ~np.isnan(found)
    mean = found[known].mean() if known.any() else 1.0
    return np.asarray(np.where(known, found, mean) / mean, np.float32)


def _weight(source: shards.Shards, i: int, chosen: Confidence) -> float:
    """NaN where nothing that counts is known."""
    parts = []
    quality, pair = source.truth_facts(i).quality_db, source.pair(i)
    if chosen.noise and _known(quality):
        parts.append(1 / (1 + 10 ** ((chosen.noise - float(quality or 0)) / 10)))
    if chosen.shift and pair is not None and _known(pair.residual_px):
        parts.append(1 / (1 + (float(pair.residual_px or 0) / chosen.shift) ** 2))
    return math.prod(parts) if parts else math.nan


def _known(value: Any) -> bool:
    return value is not None and math.isfinite(value)
