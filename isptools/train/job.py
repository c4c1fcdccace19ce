"""What a training is asked for beside its settings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from isptools.train.place import Place

Show = Callable[[str, int, int, float | None], None]  # stage, step, of, loss now and then


@dataclass(frozen=True, slots=True)
class Job:
    """What a run is made of beside its settings."""

    shards: Path
    out: Path
    place: Place
    only: str = ""  # a single stage, for two of them side by side on two devices
    stop_after: int = 0  # steps of this call, 0 for no limit
    show: Show = lambda *_: None
    tell: Callable[[str], None] = lambda _: None  # what people should know, a line
    code: Path | None = None  # the folder of a foreign network's module
    start: Path | None = None  # a run or file whose weights a fresh run begins with
    parts: str = ""  # those of them that are taken, all if none is named
