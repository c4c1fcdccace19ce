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
TAKEN: tuple[Split, ...] = ("test", "val")  # in this order; the rest trains
SHARE = 0.1  # of scenes in each of val and test
# from so many groups on there is one
PROMISED: dict[Split, int] = {"train": 1, "test": 2, "val": 5}


def hashed(name: str) -> Split:
    """Train, val or test, 8 : 1 : 1, from the name alone."""
    return TENTHS[hashlib.sha256(name.encode()).digest()[0] % 10]


def by_names(groups: Sequence[Sequence[str]]) -> dict[str, Split]:
    """Every scene's split by the hash of its group's first name alone: it stays when others come.

    Where that leaves out a split that so many groups have (a test scene from two groups on, a
    validation scene from five), all are divided as `in_tenths` does.
    """
    of_group = {group[0]: hashed(group[0]) for group in groups}
    needed = {split for split, least in PROMISED.items() if len(groups) >= least}
    if needed <= set(of_group.values()):
        return {scene: of_group[group[0]] for group in groups for scene in group}
    return in_tenths(groups)


def in_tenths(groups: Sequence[Sequence[str]]) -> dict[str, Split]:
    """Every scene's split, about 8 : 1 : 1; groups stay whole, in the order of their names' hash.

    From two groups on there is a test scene, from five a validation scene: where every group is
    larger than the share, the smallest is taken whole.
    """
    count = sum(len(group) for group in groups)
    members = {group[0]: group for group in groups}
    splits: dict[str, Split] = {scene: "train" for group in groups for scene in group}
    left = by_hash(members)
    for split in TAKEN:
        room = max(round(count * SHARE), int(len(groups) >= PROMISED[split]))
        if room and left:
            room = max(room, min(len(members[first]) for first in left))
        for first in list(left):
            if len(members[first]) <= room:
                left.remove(first)
                room -= len(members[first])
                splits.update(dict.fromkeys(members[first], split))
    return splits


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
