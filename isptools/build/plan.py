"""What is to be made, from the manifest, the files that are there, and their headers."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from isptools import manifest as manifests
from isptools import raw
from isptools.build import enhanced, layout, reading, source
from isptools.build.folder import BuildError
from isptools.build.journal import Source
from isptools.build.ledger import Kind as LineKind
from isptools.build.ledger import Line
from isptools.frame import Kind
from isptools.manifest import Entry, Manifest, Scene, Split
from isptools.recipe import Recipe

MOSAICS = ("bayer", "xtrans")
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class File:
    """One listed file that is there."""

    key: str  # "sid/00001/00001_00_0.04s"
    entry: Entry
    source: Source


@dataclass(frozen=True, slots=True)
class Task:
    """One scene to make: its truth once, and its inputs."""

    scene: str
    truth: File
    inputs: tuple[File, ...]
    enhanced: Source | None = None
    frames: tuple[File, ...] = ()  # what the truth is fused from
    facts: File | None = None  # states what the others do not
    shading: Source | None = None  # lens shading map of the truth
    matrix: Source | None = None  # color matrix for raws that state none


@dataclass(frozen=True, slots=True)
class Unit:
    """One shard to make; it needs nothing of the others."""

    name: str
    split: Split
    shape: tuple[int, int]
    kind: Kind  # of the mosaic
    tasks: tuple[Task, ...]

    @property
    def rows(self) -> int:
        return sum(len(task.inputs) for task in self.tasks)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What the manifest says about them, in the same order."""
        return tuple(
            file.entry for task in self.tasks for file in (task.truth, *task.inputs, *task.frames)
        )

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every file the shard depends on, in order."""
        files: list[Source] = []
        for task in self.tasks:
            files += [task.truth.source, *(file.source for file in task.inputs)]
            files += [task.enhanced] if task.enhanced else []
            files += [file.source for file in task.frames]
            files += [task.facts.source] if task.facts else []
            files += [one for one in (task.shading, task.matrix) if one]
        return tuple(files)


@dataclass(frozen=True, slots=True)
class Plan:
    """The units of a build, and what was left out before any pixel was read."""

    root: Path
    units: tuple[Unit, ...]
    ledger: dict[str, tuple[Line, ...]]  # by split, "" for files the manifest does not know


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked of a plan beside the recipe."""

    splits: Sequence[Split] = SPLITS
    pictures: Path | None = None  # folder of the user's own enhancement truths
    progress: Callable[[int, int], None] = lambda _done, _total: None  # scenes looked at, of all


def plan_units(recipe: Recipe, manifest: Manifest, place: Path, choice: Choice) -> Plan:
    """Decide which scene goes into which shard; reads headers, no pixels.

    BuildError in one message if the data set is not at `place`.
    """
    if not re.fullmatch(r"\w[\w.-]*", recipe.name):
        raise BuildError(f"recipe name {recipe.name!r} can't be part of a file name")
    manifest, left_out = layout.listed(recipe, manifest, place)
    chosen = _chosen(recipe, manifest)
    folder = source.root(manifest.data_set, _entries(chosen), place)
    look = _Look(manifest, folder, _pictures(choice))
    look.published = bool(recipe.enhancement and recipe.enhancement.source == "published")
    look.linear = recipe.published
    wanted = [scene for scene in chosen if scene.split in choice.splits]
    tasks: list[tuple[Scene, Task, raw.Header]] = []
    for done, scene in enumerate(wanted):
        choice.progress(done, len(wanted))
        tasks += look.scene(scene)
    choice.progress(len(wanted), len(wanted))
    lines = look.lines + _excluded(recipe, manifest, choice.splits)
    lines += left_out + folder.unlisted(manifest.entries, manifest.data_set.input_name)
    return Plan(folder.root, tuple(_units(recipe, tasks)), by_split(lines, choice.splits))


def by_split(lines: Iterable[Line], splits: Iterable[Split]) -> dict[str, tuple[Line, ...]]:
    """The lines of the splits that are asked for, and of files that belong to none."""
    lines = tuple(lines)
    return {split: tuple(line for line in lines if line.split == split) for split in ("", *splits)}


def _pictures(choice: Choice) -> list[Source] | None:
    return enhanced.listed(choice.pictures) if choice.pictures else None


def _chosen(recipe: Recipe, manifest: Manifest) -> tuple[Scene, ...]:
    try:
        return manifests.pairs(manifest, recipe.pairs, recipe.val, recipe.exclude, recipe.limit)
    except ValueError as error:
        raise BuildError(str(error)) from None


def _entries(scenes: Iterable[Scene]) -> Iterator[Entry]:
    for scene in scenes:
        yield scene.truth
        yield from scene.inputs


def _excluded(recipe: Recipe, manifest: Manifest, splits: Sequence[Split]) -> list[Line]:
    lists = manifests.excluded(manifest.data_set, recipe.exclude)
    lines = []
    for entry in manifest.entries:
        split = "train" if entry.split == "val" and recipe.val == "train" else entry.split
        if entry.scene in lists and split in splits:
            why = lists[entry.scene]
            lines.append(Line(split, entry.scene, entry.path, "excluded", why.name, why.reason))
    return lines


def _units(recipe: Recipe, tasks: Iterable[tuple[Scene, Task, raw.Header]]) -> Iterator[Unit]:
    """Shards of one split, shape and kind of CFA, in the order of the manifest."""
    groups: dict[tuple[Split, Kind, tuple[int, int]], list[Task]] = {}
    for scene, task, header in tasks:
        groups.setdefault((scene.split, header.kind, (header.height, header.width)), []).append(
            task
        )
    for (split, kind, shape), members in groups.items():
        yield from cut(recipe, split, shape, kind, members)


def cut(
    recipe: Recipe, split: Split, shape: tuple[int, int], kind: Kind, tasks: Sequence[Task]
) -> Iterator[Unit]:
    """Tasks of one split, shape and kind as shards, in their order."""
    mosaic = "xtrans-" if kind == "xtrans" else ""
    stem = f"{recipe.name}-{split}-{mosaic}{shape[0]}x{shape[1]}"
    for number, start in enumerate(range(0, len(tasks), recipe.scenes_per_shard)):
        members = tuple(tasks[start : start + recipe.scenes_per_shard])
        yield Unit(f"{stem}-{number:04d}.h5", split, shape, kind, members)


class _Look:
    """Looks up the files of scenes and their headers, and notes what can't be used."""

    def __init__(
        self, manifest: Manifest, folder: source.Folder, pictures: list[Source] | None
    ) -> None:
        self.data_set, self.folder, self.pictures = manifest.data_set, folder, pictures
        self.lines: list[Line] = []
        self.keys: set[str] = set()
        self.published = False  # the enhancement is the data set's own picture
        self.linear = False  # the truth is a linear picture, as it comes
        self.facts: File | None = None  # of the scene that is looked at

    def scene(self, scene: Scene) -> list[tuple[Scene, Task, raw.Header]]:
        """The scene as a task with its truth's header; empty if it can't be made."""
        self.facts = self._file(scene, scene.facts) if scene.facts else None
        if scene.facts and not self.facts:
            return self._drop(scene, "facts-missing", f"{scene.facts.path} can't be used")
        truth = self._file(scene, scene.truth, _mark(scene, self.linear))
        header = self._header(scene, truth) if truth else None
        if not (truth and header and self._mosaic(scene, truth, header)):
            return self._drop(scene, "truth-missing", self._why(scene))
        found = self._picture(scene)
        if found and found.source is None:
            return self._drop(scene, found.reason, found.detail)
        shading = self.folder.find(scene.shading) if scene.shading else None
        if shading and shading.source is None:
            why = f"the lens shading map of its reference can't be used ({shading.reason})"
            return self._drop(scene, "shading-missing", why)
        inputs = [file for entry in scene.inputs if (file := self._input(scene, entry, header))]
        if not inputs:
            return []
        return [(scene, self._task(scene, truth, inputs, found), header)]

    def _task(
        self, scene: Scene, truth: File, inputs: list[File], picture: source.Found | None
    ) -> Task:
        frames = tuple(File("", entry, one.source) for entry in scene.frames
                       if (one := self.folder.find(entry)).source)  # fmt: skip
        shading, matrix = (
            self.folder.find(entry).source if entry else None
            for entry in (scene.shading, scene.matrix)
        )
        own = picture.source if picture else None
        return Task(scene.scene, truth, tuple(inputs), own, frames, self.facts, shading, matrix)

    def _picture(self, scene: Scene) -> source.Found | None:
        """The enhanced picture, where the recipe or the user asks for one."""
        if self.pictures is not None:
            return enhanced.match(self.pictures, scene.scene, _stem(scene.truth))
        if not self.published:
            return None
        if scene.final is None:
            return source.Found(None, "final-missing", "the data set has no picture of this scene")
        found = self.folder.find(scene.final)
        why = f"its picture {scene.final.path} can't be used ({found.reason})"
        return found if found.source else source.Found(None, "final-missing", why)

    def _input(self, scene: Scene, entry: Entry, truth: raw.Header) -> File | None:
        file = self._file(scene, entry)
        header = self._header(scene, file) if file else None
        if not (file and header and self._mosaic(scene, file, header)):
            return None
        reason, detail = difference(header, truth)
        if reason:
            self._note(scene, entry.path, "refused", reason, detail)
            return None
        return file

    def _file(self, scene: Scene, entry: Entry, mark: str = "") -> File | None:
        found = self.folder.find(entry)
        if found.source is None:
            kind: LineKind = "missing" if found.reason == "missing" else "refused"
            self._note(scene, entry.path, kind, found.reason, found.detail)
            return None
        if found.reason:
            self._note(scene, entry.path, "noted", found.reason, found.detail)
        key = f"{self.data_set.name}/{scene.scene}/{_stem(entry)}{mark}"
        if key in self.keys:
            raise BuildError(f"{self.data_set.name}: two files of its manifest have the key {key}")
        self.keys.add(key)
        return File(key, entry, found.source)

    def _header(self, scene: Scene, file: File) -> raw.Header | None:
        path = self.folder.root / file.source.path
        facts = self.folder.root / self.facts.source.path if self.facts else None
        try:
            sensor = file.entry.sensor or self.data_set.sensor
            header = reading.header(path, file.entry, sensor, facts)
        except (raw.RawError, OSError) as error:
            detail = one_line(error).replace(str(path), file.source.path)  # no place in the ledger
            self._note(scene, file.source.path, "refused", "unreadable", detail, file.source.size)
            return None
        camera = f"{header.make} {header.model}".strip()
        if self.data_set.cameras and camera not in self.data_set.cameras:
            detail = f"taken with {camera or 'an unnamed camera'}, the data set names " + ", ".join(
                self.data_set.cameras
            )
            self._note(scene, file.source.path, "noted", "other-camera", detail)
        return header

    def _mosaic(self, scene: Scene, file: File, header: raw.Header) -> bool:
        if header.kind in MOSAICS:
            return True
        detail = f"a {header.kind} file has no mosaic; only Bayer and X-Trans files can be inputs"
        self._note(scene, file.source.path, "refused", header.kind, detail)
        return False

    def _why(self, scene: Scene) -> str:
        """What the ledger says about the truth of a scene that can't be used."""
        last = self.lines[-1]
        return f"its truth {scene.truth.path} can't be used ({last.reason})"

    def _drop(self, scene: Scene, reason: str, detail: str) -> list[tuple[Scene, Task, raw.Header]]:
        for entry in scene.inputs:
            told = reason == "truth-missing" and entry.path == scene.truth.path
            if not told and self._file(scene, entry):
                self._note(scene, entry.path, "refused", reason, detail)
        return []

    def _note(self, scene: Scene, file: str, kind: LineKind, *why: Any) -> None:
        """`why` is reason, detail and, where one was measured, a number."""
        self.lines.append(Line(scene.split, scene.scene, file, kind, *why))


def difference(header: raw.Header, truth: raw.Header) -> tuple[str, str]:
    """Why an input does not fit its truth (reason, detail); two empty texts if it does."""
    cameras = [
        f"{each.make} {each.model}".strip() or "an unnamed camera" for each in (header, truth)
    ]
    if cameras[0] != cameras[1]:
        return "wrong-camera", f"taken with {cameras[0]}, its truth with {cameras[1]}"
    if (header.height, header.width) != (truth.height, truth.width):
        sizes = [f"{each.height} x {each.width}" for each in (header, truth)]
        return "wrong-size", f"{sizes[0]}, its truth {sizes[1]} (height x width)"
    if (header.kind, header.cfa) != (truth.kind, truth.cfa):
        return "wrong-cfa", f"color filters {header.cfa}, its truth {truth.cfa}"
    return "", ""


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _mark(scene: Scene, linear: bool) -> str:
    """What tells the key of a truth from that of an input of the same file, or of its name."""
    if scene.frames:
        return "-fused"
    if not linear and scene.truth.path in {entry.path for entry in scene.inputs}:
        return "-developed"
    return "-truth" if linear or _stem(scene.truth) in map(_stem, scene.inputs) else ""


def _stem(entry: Entry) -> str:
    return PurePosixPath(entry.path).stem
