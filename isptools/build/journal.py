"""What is finished in an output folder: one small file a unit, so that a build can go on.

Each proves itself (isptools.shards.proof). A damaged one is as none: its unit is made again.
"""

from pathlib import Path
from typing import TypeVar

import msgspec

from isptools.datasets.listing import Line
from isptools.datasets.scene import Source, Split
from isptools.frame import Kind
from isptools.shards import disk, proof

FOLDER = ".journal"
UNITS, PLANS = "*.h5.json", "plan-*.json"
T = TypeVar("T", "Made", "Planned")


class Shard(msgspec.Struct, frozen=True):
    """A finished shard, as the index lists it."""

    name: str
    sha256: str
    bytes: int
    rows: int
    scenes: int
    split: Split
    shape: tuple[int, int]
    kind: Kind


class Made(msgspec.Struct, frozen=True):
    """A finished unit: what it was made of, and what came out (no shard if all was refused)."""

    name: str
    split: Split
    recipe: str  # sha256
    versions: dict[str, str]
    facts: str  # sha256 of what the data set states about the data set and these files
    sources: tuple[Source, ...]
    shard: Shard | None
    ledger: tuple[Line, ...]


class Planned(msgspec.Struct, frozen=True):
    """What planning a split left out, before any unit ran."""

    split: str  # "" for files that belong to none
    recipe: str
    ledger: tuple[Line, ...]
    scenes: dict[str, int] = {}  # as the listing has them: how many inputs each


def save(out: Path, entry: Made | Planned) -> None:
    """Write an entry of the journal of `out`, whole or not at all. OSError of the disk."""
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    data = msgspec.json.encode(entry, order="deterministic")
    disk.save(folder / _name(entry), proof.proved(data, indent=1))


def _name(entry: Made | Planned) -> str:
    return f"plan-{entry.split}.json" if isinstance(entry, Planned) else f"{entry.name}.json"


def made(out: Path) -> dict[str, Made]:
    """The finished units by name; one that can't be read counts as not finished."""
    return {entry.name: entry for entry in _load(out, UNITS, Made)}


def planned(out: Path) -> dict[str, Planned]:
    """What planning left out, by split."""
    return {entry.split: entry for entry in _load(out, PLANS, Planned)}


def forget(out: Path, name: str) -> None:
    """Drop a unit: first what says that it is finished, then its shard."""
    (out / FOLDER / f"{name}.json").unlink(missing_ok=True)
    (out / name).unlink(missing_ok=True)


def forget_plan(out: Path, split: str) -> None:
    """Drop what planning a split left out."""
    (out / FOLDER / f"plan-{split}.json").unlink(missing_ok=True)


def mend(out: Path) -> list[str]:
    """Drop what is damaged, or was written by an older version; gives the names of what was."""
    dropped = []
    for path in sorted((out / FOLDER).glob("*.json")):
        plan = path.match(PLANS) and not path.match(UNITS)
        if (_entry(path, Planned) if plan else _entry(path, Made)) is None:
            path.unlink()
            dropped.append(f"{FOLDER}/{path.name}")
    return dropped


def _load(out: Path, pattern: str, kind: type[T]) -> list[T]:
    found = (_entry(path, kind) for path in sorted((out / FOLDER).glob(pattern)))
    return [entry for entry in found if entry is not None]


def _entry(path: Path, kind: type[T]) -> T | None:
    """None for one that is damaged, or does not stand where it belongs."""
    try:
        words = proof.proven(path.read_bytes(), kind.__struct_fields__)
        entry = msgspec.convert(words, kind)
    except ValueError:  # also msgspec's
        return None
    return entry if _name(entry) == path.name else None
