"""Splits of data sets that publish none: the user's own list, or a rule by name alone."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, get_args

import msgspec

from isptools.datasets.card import Split
from isptools.datasets.listing import BuildError
from isptools.datasets.tables import rows

LISTED = "splits.tsv"  # the user's own split, at the root: lines of scene, tab, split
NotBelow0 = Annotated[float, msgspec.Meta(ge=0)]
TENTHS: tuple[Split, ...] = ("train",) * 8 + ("val", "test")


def hashed(name: str) -> Split:
    """Train, val or test, 8 : 1 : 1, from the name alone."""
    return TENTHS[hashlib.sha256(name.encode()).digest()[0] % 10]


def listed_splits(path: Path) -> dict[str, Split]:
    """The scenes of the user's list. BuildError in one line if it is no such list."""
    splits: dict[str, Split] = {}
    for number, row in rows(path):
        if row == ["scene", "split"] or not row:
            continue
        if len(row) != 2 or row[1] not in get_args(Split):
            raise BuildError(f"{path}:{number}: expected scene, tab, train or val or test")
        if splits.setdefault(row[0], row[1]) != row[1]:  # type: ignore[arg-type]  # checked
            raise BuildError(f"{path}:{number}: scene {row[0]} stands in two splits")
    return splits


def by_hash(names: Iterable[str]) -> list[str]:
    """In an order that depends on nothing but the names: by their sha256."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def expect_share(shares: Sequence[float]) -> None:
    """ValueError if nothing is asked for."""
    if not sum(shares):
        raise ValueError("`shares` of train, val and test must not all be 0")


def divided(groups: Sequence[Sequence[str]], shares: Sequence[float]) -> dict[str, Split]:
    """Every scene's split: groups stay whole, ordered by the hash of their first scene.

    `shares` of train, val and test are scaled to the number of scenes, and rounded; the first
    groups are test scenes until their number is reached, the next validate, the rest trains.
    """
    count = sum(len(group) for group in groups)
    test, val = (round(count * share / sum(shares)) for share in (shares[2], shares[1]))
    splits: dict[str, Split] = {}
    members = {group[0]: group for group in groups}
    for first in by_hash(members):
        so_far = len(splits)
        split: Split = "test" if so_far < test else "val" if so_far < test + val else "train"
        splits.update(dict.fromkeys(members[first], split))
    return splits
