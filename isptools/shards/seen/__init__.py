"""Each input beside its truth as a person would look: level, color, filters, place, noise, ends."""

from isptools.shards.seen.number import Number
from isptools.shards.seen.pair import Seen, seen

__all__ = ["Number", "Seen", "seen"]
