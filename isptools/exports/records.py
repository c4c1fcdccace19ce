"""What is handed on: an input with its truths and facts, whole or cut into patches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from numpy.typing import NDArray

from isptools import patches
from isptools.shards import Sample, Shards
from isptools.shards.schema import KINDS
from isptools.shards.table import Table

TRUTHS = ("restoration", "enhancement")
FROM_ROOT = ("data_set", "title", "licence", "redistribution", "citation", "sample",
             "recipe_sha256")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """One input, or a patch of it, as the shard stores it."""

    name: str  # its key as a file's name: unique, without dots and slashes
    truth: str  # the same of its truths, which several inputs may have in common
    group: str  # split, shape and kind: all records of a group have arrays of one shape
    arrays: dict[str, NDArray[Any]]  # input, restoration, enhancement, weight, shading
    facts: dict[str, Any]  # plain words and numbers, what nobody stated is None
    shards: Shards
    index: int  # of the input in `shards`
    window: patches.Window

    def sample(self) -> Sample:
        """The same in physical units."""
        return self.shards.cut(self.index, self.window)


def records(shards: Shards, side: int | None = None) -> Iterator[Record]:
    """Every input, in the order of the shards; with `side` cut into squares of so many pixels.

    Squares stand beside each other from the top left corner; what is left at the right and below is
    left out. ValueError if `side` is no whole number of CFA cells, or larger than a frame.
    """
    names = _Names()
    for i in range(len(shards)):
        name, truth = names.of(shards.facts(i).key), names.of(shards.truth_facts(i).key)
        for window in _windows(shards, i, side):
            end = f"-{window[0]}-{window[1]}" if side else ""
            yield _record(shards, i, window, name + end, truth + end)


def _windows(shards: Shards, i: int, side: int | None) -> Iterator[patches.Window]:
    height, width = shards.shape(i)
    if side is None:
        yield 0, 0, height, width
        return
    if side > min(height, width):
        raise ValueError(f"a patch of {side} pixels does not fit into {shards.path(i)}")
    every = patches.period(shards.facts(i).cfa)
    if side % every:
        raise ValueError(f"patches of {side} pixels: give a multiple of {every}, the CFA's period")
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            yield top, left, side, side


def _record(shards: Shards, i: int, window: patches.Window, name: str, truth: str) -> Record:
    arrays: dict[str, NDArray[Any]] = {"input": shards.raw(i, window)}
    scales = {}
    for kind in TRUTHS:
        if getattr(shards.facts(i), kind) >= 0:
            arrays[kind], scales[kind] = shards.stored(i, kind, window)
    beside = {"weight": shards.weight(i, window), "shading": shards.shading(i, window)}
    arrays |= {kind: found for kind, found in beside.items() if found is not None}
    table = table_of(shards, i)
    facts = _facts(shards, i, table, scales) | {"name": name, "window": list(window)}
    height, width = arrays["input"].shape[-2:]
    kind = KINDS[len(shards.facts(i).black)]
    words = [table.split, *([kind] if kind != "bayer" else []), f"{height}x{width}"]
    return Record(name, truth, "-".join(words), arrays, facts, shards, i, window)


def table_of(shards: Shards, i: int) -> Table:
    """The shard that holds input i."""
    path = shards.path(i)
    return next(table for table in shards.tables if table.path == path)


def _facts(shards: Shards, i: int, table: Table, scales: dict[str, float]) -> dict[str, Any]:
    row, truth = (plain(one) for one in (shards.facts(i), shards.truth_facts(i)))
    pictures = {
        name: {**plain(table.pictures[name]), "value_of_one": scale}
        for name, scale in scales.items()
    }
    root = {name: table.attrs[name] for name in FROM_ROOT}
    out = {**row, "split": table.split, "truth": truth, "pictures": pictures, **root}
    return {name: value for name, value in out.items() if name not in TRUTHS}


def plain(record: Any) -> dict[str, Any]:
    """Words and numbers of JSON; what is not finite is None."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(record))
    return found


def text(facts: dict[str, Any]) -> str:
    """Facts as JSON, always the same."""
    return msgspec.json.encode(facts, order="deterministic").decode()


class _Names:
    """Names for keys; two keys never get one."""

    def __init__(self) -> None:
        self.taken: dict[str, str] = {}

    def of(self, key: str) -> str:
        base = re.sub(r"[^\w-]+", "_", key.replace("/", "-"), flags=re.ASCII)
        number, name = 2, base
        while self.taken.setdefault(name.casefold(), key) != key:
            name, number = f"{base}-{number}", number + 1
        return name
