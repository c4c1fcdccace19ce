"""Which samples train and which validate: shards of their own, or scenes that are held out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isptools import shards
from isptools.train import data
from isptools.train.intake import Intake


@dataclass(frozen=True, slots=True)
class Parts:
    """The samples of a training; `told` says in one line who validates."""

    train: shards.Shards
    val: shards.Shards | None  # None where nothing is to validate
    told: str


def parted(folder: Path, intake: Intake, truths: Sequence[str], share: float) -> Parts:
    """Training and validation samples of a folder of shards.

    Where it has no split "val", a `share` of the training scenes, at least one, is held out: those
    whose names have the lowest sha256, with all their inputs. 0 holds out none. A single scene
    trains and validates. ValueError in one line for shards that do not suit the network.
    """
    train = data.open_shards(folder, "train", intake, truths)
    if any(table.split == "val" for table in shards.open(folder).tables):
        val = data.open_shards(folder, "val", intake, truths)
        return Parts(train, val, f"validation: {len(val)} inputs of the shards' split")
    if not share:
        return Parts(train, None, "validation: none, as the settings say")
    scenes = by_hash({train.facts(i).scene for i in range(len(train))})
    if len(scenes) == 1:
        told = f"validation: on the scene that is trained, {scenes[0]}: there is no other"
        return Parts(train, train, told)
    count = min(max(round(len(scenes) * share), 1), len(scenes) - 1)
    out = frozenset(scenes[:count])
    told = (
        f"validation: {count} of {len(scenes)} training scenes, held out: the shards have no split "
        "for it"
    )
    return Parts(
        train.chosen(lambda row: row.scene not in out), train.chosen(lambda row: row.scene in out),
        told,
    )  # fmt: skip


def by_hash(names: set[str]) -> list[str]:
    """In an order that depends on nothing but the names."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
