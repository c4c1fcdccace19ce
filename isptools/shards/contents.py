"""What a shard holds, dataset by dataset, for people."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isptools.shards.opened import opened


@dataclass(frozen=True, slots=True)
class Stored:
    """One dataset: its layout, what it takes on the disk, and what its attributes say."""

    name: str
    shape: tuple[int, ...]
    kind: str  # "uint16", ..., "table" or "text"
    bytes: int
    tiles: tuple[int, ...]  # empty where it is not tiled
    attrs: dict[str, Any]


def contents(path: Path) -> list[Stored]:
    """Every dataset of a shard; no pixels are read."""
    with opened(path) as file:
        return [
            Stored(
                name,
                dataset.shape,
                _kind(dataset),
                dataset.id.get_storage_size(),
                dataset.chunks if dataset.chunks and dataset.ndim > 1 else (),
                dict(dataset.attrs),
            )
            for name, dataset in sorted(file.found.datasets.items())
        ]


def _kind(dataset: Any) -> str:
    if dataset.dtype.names:
        return "table"
    return "text" if dataset.dtype == object else str(dataset.dtype)
