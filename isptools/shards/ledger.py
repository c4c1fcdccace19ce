"""What a build left out, and why: the lines of ledger.jsonl by kind and reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

NAME = "ledger.jsonl"


class Line(msgspec.Struct, frozen=True):
    """One line, as `isptools.datasets.listing.Line` is written."""

    split: str
    scene: str
    file: str
    kind: str
    reason: str
    detail: str
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """All lines of one kind and reason, in the order of the file."""

    kind: str
    reason: str
    lines: tuple[Line, ...]

    @property
    def scenes(self) -> int:
        """How many scenes its lines are of."""
        return len({(line.split, line.scene) for line in self.lines if line.scene})


def groups(folder: Path) -> tuple[Group, ...]:
    """The groups of a folder of shards, the largest first.

    Lines that can't be read are left out: `check` says that the ledger is damaged. ValueError in
    one line where there is no ledger.
    """
    found: dict[tuple[str, str], list[Line]] = {}
    for line in _lines(folder / NAME):
        found.setdefault((line.kind, line.reason), []).append(line)
    every = [Group(kind, reason, tuple(lines)) for (kind, reason), lines in found.items()]
    return tuple(sorted(every, key=lambda one: (-len(one.lines), one.kind, one.reason)))


def _lines(path: Path) -> Iterator[Line]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        message = f"{path.parent}: no {path.name}; a build that ended leaves one"
        raise ValueError(message) from None
    except OSError as error:
        raise ValueError(f"{path}: it can't be read ({error.strerror})") from None
    for text in data.splitlines():
        try:
            yield msgspec.json.decode(text, type=Line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
