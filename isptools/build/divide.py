"""Scenes into splits by the hash of their names, where no published list does it."""

import hashlib
from collections.abc import Iterable, Sequence

from isptools.manifest import Split


def by_hash(names: Iterable[str]) -> list[str]:
    """In an order that depends on nothing but the names: by their sha256."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


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
