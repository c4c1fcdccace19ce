"""What is to be made: the scenes of a listing, found, looked into and put into shards."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isptools.build import enhanced
from isptools.build.choose import Choice, chosen_scenes
from isptools.build.lookup import (
    Order,
    PlannedScene,
    planned_couple,
    planned_exposures,
    planned_picture,
)
from isptools.build.task import Task, Unit
from isptools.datasets import Listing, Opened
from isptools.datasets.files import Folder
from isptools.datasets.listing import BuildError, Line
from isptools.datasets.scene import Couple, Exposures, Scene, Split
from isptools.frame import Kind
from isptools.recipe import Recipe, Unprocess

__all__ = ["Choice", "Plan", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The units of a build, and what was left out before any pixel was read."""

    root: Path
    units: tuple[Unit, ...]
    ledger: dict[str, tuple[Line, ...]]  # by split, "" for files that belong to none


def plan(recipe: Recipe, source: Opened, listing: Listing, choice: Choice) -> Plan:
    """Decide which scene goes into which shard; reads headers, no pixels but of near-duplicates.

    BuildError in one message if the recipe does not fit the listing.
    """
    if not re.fullmatch(r"\w[\w.-]*", recipe.name):
        raise BuildError(f"recipe name {recipe.name!r} can't be part of a file name")
    pictures = enhanced.listed(choice.pictures) if choice.pictures else None
    folder = Folder(listing.root)
    order = Order(source.card, source.room, folder, pictures, recipe.truth, recipe.limit)
    scenes, lines = chosen_scenes(listing.scenes, order, choice)
    found = [_planned(scene, order, choice, (i, len(scenes))) for i, scene in enumerate(scenes)]
    units = tuple(_units(recipe.name, recipe.storage.scenes_per_shard, found))
    _expect_keys(units, source.card.name)
    told = [*listing.lines, *lines, *(line for one in found for line in one.lines)]
    return Plan(listing.root, units, by_split(told, choice.splits))


def _planned(scene: Scene, order: Order, choice: Choice, done: tuple[int, int]) -> PlannedScene:
    """One scene; `done` of how many are looked at."""
    if isinstance(scene.shot, Couple):
        return planned_couple(scene, scene.shot, order)
    planned = planned_picture if isinstance(order.truth, Unprocess) else planned_exposures
    made = planned(scene, scene.shot, order)
    choice.progress(done[0] + 1, done[1])
    return made


def by_split(lines: Iterable[Line], splits: Iterable[Split]) -> dict[str, tuple[Line, ...]]:
    """The lines of the splits that are asked for, and of files that belong to none."""
    lines = tuple(lines)
    return {split: tuple(line for line in lines if line.split == split) for split in ("", *splits)}


def _units(name: str, each: int, found: Iterable[PlannedScene]) -> Iterator[Unit]:
    """Shards of one split, shape and kind of input, in the order of the scenes."""
    groups: dict[tuple[Split, Kind, tuple[int, int]], list[Task]] = {}
    for one in found:
        if one.task and one.scene.split:
            groups.setdefault((one.scene.split, one.kind, one.shape), []).append(one.task)
    for (split, kind, shape), tasks in groups.items():
        mosaic = "xtrans-" if kind == "xtrans" else ""
        stem = f"{name}-{split}-{mosaic}{shape[0]}x{shape[1]}"
        for number, start in enumerate(range(0, len(tasks), each)):
            members = tuple(tasks[start : start + each])
            yield Unit(f"{stem}-{number:04d}.h5", split, shape, kind, members)


def _expect_keys(units: Iterable[Unit], data_set: str) -> None:
    """BuildError where two files would have one key."""
    keys: set[str] = set()
    for unit in units:
        for task in unit.tasks:
            for file in (task.truth, *task.inputs):
                if file.key in keys and isinstance(task.shot, Exposures):
                    raise BuildError(f"{data_set}: two of its files have the key {file.key}")
                keys.add(file.key)
