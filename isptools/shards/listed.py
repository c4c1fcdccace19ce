"""What an index tells of the shards beside it, so that none of them is opened to know it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from isptools.shards import proof

NAME = "index.json"


class Listed(msgspec.Struct, frozen=True):
    """A shard as the index lists it."""

    name: str
    sha256: str
    bytes: int
    rows: int
    scenes: int
    split: str
    shape: tuple[int, int]
    kind: str


class Recipe(msgspec.Struct, frozen=True):
    """The recipe as the index states it."""

    name: str
    sha256: str
    json: str


class _Index(msgspec.Struct, frozen=True):
    format: Literal[1, 2]
    recipe: Recipe
    shards: Sequence[Listed]


class Told(msgspec.Struct, frozen=True):
    """One shard as an index tells of it, and the sha256 of the recipe that made all of them."""

    bytes: int
    rows: int
    split: str
    shape: tuple[int, int]
    kind: str
    recipe: str


def told(folder: Path) -> dict[str, Told]:
    """By name, what the index of a folder tells; nothing where there is none that proves itself."""
    try:
        data = (folder / NAME).read_bytes()
        index = msgspec.json.decode(data, type=_Index) if proof.is_proven(data) else None
    except (OSError, ValueError, RecursionError):  # also msgspec's
        return {}
    made = index.recipe.sha256 if index else ""
    return {
        one.name: Told(one.bytes, one.rows, one.split, one.shape, one.kind, made)
        for one in (index.shards if index else ())
        if one.rows > 0
    }
