"""What is to be made: the scenes of a listing, found, looked into and put into shards."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from isptools.build import enhanced
from isptools.build.choose import Choice, chosen_scenes
from isptools.build.lookup import (
    Order,
    PlannedScene,
    planned_couple,
    planned_exposures,
    planned_picture,
)
from isptools.build.task import Task, Unit, Wait
from isptools.datasets import Card, Listing, Opened
from isptools.datasets.files import Folder
from isptools.datasets.listing import BuildError, Line
from isptools.datasets.scene import Couple, Exposures, Scene, Split
from isptools.frame import Kind
from isptools.recipe import Recipe, Unprocess
from isptools.sources import FaultError

__all__ = ["Choice", "Plan", "plan"]

Group = tuple[Split, Kind, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Plan:
    """The units of a build, and what was left out before any pixel was read."""

    root: Path
    units: tuple[Unit, ...]
    scenes: dict[str, dict[str, int]]  # by split: how many inputs each has
    waits: tuple[Wait, ...]  # scenes that could not be looked at
    ledger: dict[str, tuple[Line, ...]]  # by split, "" for files that belong to none


def plan(recipe: Recipe, source: Opened, listing: Listing, choice: Choice) -> Plan:
    """Decide which scene goes into which shard; reads headers, no pixels but of near-duplicates.

    BuildError in one message if the recipe does not fit the listing.
    """
    if not re.fullmatch(r"\w[\w.-]*", recipe.name):
        raise BuildError(f"recipe name {recipe.name!r} can't be part of a file name")
    pictures = enhanced.listed(choice.pictures) if choice.pictures else None
    folder = Folder(listing.root)
    card = travelling(source.card)
    order = Order(card, folder, pictures, recipe.truth, recipe.limit, choice.headers)
    scenes, lines = chosen_scenes(listing.scenes, order, choice)
    found = [_planned(scene, order, choice, (i, len(scenes))) for i, scene in enumerate(scenes)]
    units = tuple(_units(recipe.name, recipe.storage.scenes_per_shard, found))
    _expect_keys(units, source.card.name)
    told = [*listing.lines, *lines, *(line for one in found for line in one.lines)]
    waits = tuple(one.wait for one in found if one.wait)
    return Plan(listing.root, units, _counted(scenes), waits, by_split(told, choice.splits))


def _counted(scenes: Iterable[Scene]) -> dict[str, dict[str, int]]:
    """What was listed: the inputs of every scene, by split."""
    counted: dict[str, dict[str, int]] = {}
    for scene in scenes:
        split = counted.setdefault(scene.split or "", {})
        inputs = len(scene.shot.inputs) if isinstance(scene.shot, Exposures) else 1
        split[scene.name] = split.get(scene.name, 0) + inputs
    return counted


def travelling(card: Card) -> Card:
    """The facts without the tables, and where they lie in full: workers and decoders stay in the
    folder where they were started."""
    return msgspec.structs.replace(card, scenes=(), files=None, folder=card.folder.absolute())


def _planned(scene: Scene, order: Order, choice: Choice, done: tuple[int, int]) -> PlannedScene:
    """One scene; `done` of how many are looked at."""
    planned = planned_picture if isinstance(order.truth, Unprocess) else planned_exposures
    try:
        if isinstance(scene.shot, Couple):
            return planned_couple(scene, scene.shot, order)
        made = planned(scene, scene.shot, order)
    except FaultError as error:
        made = PlannedScene(scene, (), wait=Wait(scene.name, told_fault(error, order.folder.root)))
    choice.progress(done[0] + 1, done[1])
    return made


def told_fault(error: FaultError, root: Path) -> str:
    """Which file, and what the system said, on one line."""
    place = str(error.filename).removeprefix(f"{root.absolute()}/")
    return f"{place}: {error.strerror}"


def by_split(lines: Iterable[Line], splits: Iterable[Split]) -> dict[str, tuple[Line, ...]]:
    """The lines of the splits that are asked for, and of files that belong to none."""
    lines = tuple(lines)
    return {split: tuple(line for line in lines if line.split == split) for split in ("", *splits)}


def _units(name: str, each: int, found: Iterable[PlannedScene]) -> Iterator[Unit]:
    """Shards of one split, shape and kind of input, in the order of the scenes."""
    for (split, kind, shape), members in _groups(found).items():
        mosaic = "xtrans-" if kind == "xtrans" else ""
        stem = f"{name}-{split}-{mosaic}{shape[0]}x{shape[1]}"
        for number, start in enumerate(range(0, len(members), each)):
            some = members[start : start + each]
            tasks = tuple(one for one in some if isinstance(one, Task))
            waits = tuple(one for one in some if isinstance(one, Wait))
            yield Unit(f"{stem}-{number:04d}.h5", split, shape, kind, tasks, waits)


def _groups(found: Iterable[PlannedScene]) -> dict[Group, list[Task | Wait]]:
    """A scene that could not be looked at keeps a place, so that shards behind it hold what they
    would: in the group of the scene before it in its split, or of the first behind it."""
    groups: dict[Group, list[Task | Wait]] = {}
    last: dict[Split, list[Task | Wait]] = {}
    early: dict[Split, list[Wait]] = {}
    for one in found:
        split = one.scene.split
        if one.task and split:
            group = groups.setdefault((split, one.kind, one.shape), [])
            group += [*early.pop(split, ()), one.task]
            last[split] = group
        elif one.wait and split:
            last.get(split, early.setdefault(split, [])).append(one.wait)
    return groups


def _expect_keys(units: Iterable[Unit], data_set: str) -> None:
    """BuildError where two files would have one key."""
    keys: set[str] = set()
    for unit in units:
        for task in unit.tasks:
            for file in (task.truth, *task.inputs):
                if file.key in keys and isinstance(task.shot, Exposures):
                    raise BuildError(f"{data_set}: two of its files have the key {file.key}")
                keys.add(file.key)
