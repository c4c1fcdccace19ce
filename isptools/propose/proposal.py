"""What a folder may be: a kind, its scenes, and why."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from isptools.propose.look import Seen

Kind = Literal["pairs", "exposures", "bursts", "camera", "raws"]  # the most telling first
By = Literal["names", "time"]  # what holds where the two contradict each other
KINDS: tuple[Kind, ...] = get_args(Kind)
NAMES: dict[Kind, str] = {
    "pairs": "pairs of two cameras",
    "exposures": "short and long exposures of the same scenes",
    "bursts": "bursts",
    "camera": "raws with the camera's own picture beside them",
    "raws": "raw files, each for itself",
}


@dataclass(frozen=True, slots=True)
class Shot:
    """One scene: files below the folder, in the order they are to be listed."""

    name: str
    truth: Seen
    inputs: tuple[Seen, ...]
    frames: tuple[Seen, ...] = ()  # the reference first
    final: Seen | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a folder may be."""

    kind: Kind
    shots: tuple[Shot, ...]
    why: str
    sure: bool = True  # False: only if somebody says so
    doubt: str = ""  # why nobody but the user can tell what belongs together


@dataclass(frozen=True, slots=True)
class Held:
    """The usable files of a folder."""

    root: Path
    raws: tuple[Seen, ...]
    pictures: tuple[Seen, ...]
    table: bool  # there is a pairs.csv
    by: By | None = None  # the user's word

    @property
    def count(self) -> int:
        """How many files there are."""
        return len(self.raws) + len(self.pictures)
