"""What is to be made: the scenes of a listing, found, looked into and put into shards."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from isptools.build import enhanced
from isptools.build.lookup import Planned, Shelf, planned_couple, planned_exposures
from isptools.build.task import Task, Unit
from isptools.datasets import Listing, Opened
from isptools.datasets.alike import fingerprint, grouped, joined
from isptools.datasets.files import Folder
from isptools.datasets.listing import BuildError, Line
from isptools.datasets.scene import SPLITS, Couple, Exposures, Scene, Split
from isptools.datasets.splits import hashed
from isptools.frame import Kind
from isptools.recipe import Align, Develop, Recipe, Released

Groups = dict[str, str]  # a scene's name to that of the group whose split it shares


@dataclass(frozen=True, slots=True)
class Plan:
    """The units of a build, and what was left out before any pixel was read."""

    root: Path
    units: tuple[Unit, ...]
    ledger: dict[str, tuple[Line, ...]]  # by split, "" for files that belong to none


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked of a plan beside the recipe."""

    splits: Sequence[Split] = SPLITS
    pictures: Path | None = None  # folder of the user's own enhancement truths
    progress: Callable[[int, int], None] = lambda _done, _total: None  # scenes looked at, of all


def plan(recipe: Recipe, source: Opened, listing: Listing, choice: Choice) -> Plan:
    """Decide which scene goes into which shard; reads headers, no pixels.

    Near-duplicates among photographs that are to be aligned are looked for, small. BuildError in
    one message if the recipe does not fit the listing.
    """
    if not re.fullmatch(r"\w[\w.-]*", recipe.name):
        raise BuildError(f"recipe name {recipe.name!r} can't be part of a file name")
    pictures = enhanced.listed(choice.pictures) if choice.pictures else None
    shelf = Shelf(source.card, source.room, Folder(listing.root), pictures)
    if isinstance(recipe.truth, Develop):
        found, lines = _exposed(listing, shelf, recipe.truth, recipe.limit, choice)
    else:
        found, lines = _coupled(listing, shelf, recipe.truth, recipe.limit, choice)
    units = tuple(_units(recipe.name, recipe.storage.scenes_per_shard, found))
    _expect_keys(units, source.card.name)
    told = [*listing.lines, *lines, *(line for one in found for line in one.lines)]
    return Plan(listing.root, units, by_split(told, choice.splits))


def by_split(lines: Iterable[Line], splits: Iterable[Split]) -> dict[str, tuple[Line, ...]]:
    """The lines of the splits that are asked for, and of files that belong to none."""
    lines = tuple(lines)
    return {split: tuple(line for line in lines if line.split == split) for split in ("", *splits)}


def _exposed(
    listing: Listing, shelf: Shelf, truth: Develop, limit: int | None, choice: Choice
) -> tuple[list[Planned], list[Line]]:
    scenes = settled(listing.scenes, {one.name: one.group or one.name for one in listing.scenes})
    wanted = [scene for scene in limited(scenes, limit) if scene.split in choice.splits]
    found = []
    for done, scene in enumerate(wanted):
        choice.progress(done, len(wanted))
        if isinstance(scene.shot, Couple):
            what = 'are pairs of two cameras: make = "align" or "released"'
            raise BuildError(f"{shelf.card.name}: its scenes {what}")
        found.append(planned_exposures(scene, scene.shot, shelf, truth))
    choice.progress(len(wanted), len(wanted))
    return found, []


def _coupled(
    listing: Listing, shelf: Shelf, truth: Align | Released, limit: int | None, choice: Choice
) -> tuple[list[Planned], list[Line]]:
    """Pairs; every scene in one split, near-duplicates in the same; what was given stays."""
    found = [planned_couple(scene, couple, shelf) for scene, couple in _couples(listing.scenes)]
    there = [one for one in found if one.task]
    groups, lines = _groups(there, truth, shelf, choice)
    scenes = settled([one.scene for one in there], groups)
    kind: Kind = "bayer" if _is_raw(truth) else "rgb"
    shape = (truth.patch, truth.patch)
    kept = {id(scene) for scene in limited(scenes, limit) if scene.split in choice.splits}
    made = [
        replace(one, scene=scene, kind=kind, shape=shape)
        for one, scene in zip(there, scenes, strict=True)
        if id(scene) in kept
    ]
    return made, [*lines, *(line for one in found for line in one.lines)]


def _is_raw(truth: Align | Released) -> bool:
    return truth.mosaic if isinstance(truth, Align) else bool(truth.white)


def _couples(scenes: Iterable[Scene]) -> Iterator[tuple[Scene, Couple]]:  # type: ignore[type-arg]
    """Each input of a scene with the scene's truth."""
    for scene in scenes:
        if isinstance(scene.shot, Couple):
            yield scene, scene.shot
        elif scene.shot.truth:
            yield from ((scene, Couple(one, scene.shot.truth)) for one in scene.shot.inputs)


def _groups(
    found: Sequence[Planned], truth: Align | Released, shelf: Shelf, choice: Choice
) -> tuple[Groups, list[Line]]:
    """The group of each scene, and a line for each that looks like another. Released patches are
    of unknown scenes: each is its own."""
    if isinstance(truth, Released):
        return {one.scene.name: one.scene.group or one.scene.name for one in found}, []
    prints: list[tuple[str, int | None]] = []
    for done, one in enumerate(found):
        choice.progress(done, len(found))
        dslr = one.task.truth.source.path if one.task else ""
        prints.append((one.scene.name, fingerprint(shelf.folder.root / dslr)))
    choice.progress(len(found), len(found))
    alike = grouped(prints, truth.alike)
    first: dict[str, str] = {}
    links = [(name, group.name) for name, group in alike.items()]
    links += [
        (one.scene.name, first.setdefault(one.scene.group, one.scene.name))
        for one in found
        if one.scene.group
    ]
    groups = {name: members[0] for members in joined(alike, links) for name in members}
    lines = []
    for one in found:
        if like := alike[one.scene.name].like:
            split = one.scene.split or hashed(groups[one.scene.name])
            detail = f"looks like scene {like}; they stay in one split"
            where = one.task.truth.source.path if one.task else ""
            lines.append(Line(split, one.scene.name, where, "noted", "near-duplicate", detail))
    return groups, lines


def settled(scenes: Iterable[Scene], groups: Groups) -> list[Scene]:
    """Scenes with their split: that of their group, given or by the hash of its name."""
    scenes = list(scenes)
    given: dict[str, Split] = {}
    for scene in scenes:
        group = groups[scene.name]
        if scene.split and given.setdefault(group, scene.split) != scene.split:
            raise BuildError(
                f"scene {scene.name} and a near-duplicate or another picture of it are to stand "
                f"in two splits, {given[group]} and {scene.split}"
            )
    return [
        replace(scene, split=given.get(group) or hashed(group))
        for scene in scenes
        for group in [groups[scene.name]]
    ]


def limited(scenes: Iterable[Scene], limit: int | None) -> Iterator[Scene]:
    """The first scenes of each split, with all that is of them."""
    taken: dict[str, set[str]] = {}
    for scene in scenes:
        names = taken.setdefault(scene.split or "", set())
        if limit is None or scene.name in names or len(names) < limit:
            names.add(scene.name)
            yield scene


def _units(name: str, each: int, found: Iterable[Planned]) -> Iterator[Unit]:
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
