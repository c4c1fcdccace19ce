"""A file as a listing has it, for a decoder's process."""

from dataclasses import dataclass

from isptools.datasets import Card
from isptools.datasets.scene import Named

FILES = "isptools.decode.files"  # what a decoder's process runs; it is loaded there


@dataclass(frozen=True, slots=True)
class Told:
    """Where it lies is given beside it."""

    name: str  # below the root
    named: Named
    card: Card
    size: int
