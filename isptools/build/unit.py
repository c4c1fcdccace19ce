"""Make one shard: read its files one at a time, render each truth once, store, note refusals."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from isptools import raw
from isptools.build import beside, enhanced, folder, journal, lineup, phase, reading
from isptools.build.fused import fused
from isptools.build.journal import Made, Shard
from isptools.build.ledger import Line
from isptools.build.plan import File, Task, Unit, one_line
from isptools.build.rows import Read, fusion_row, input_row, truth_row
from isptools.burst import BurstError
from isptools.develop.chain import develop, walk
from isptools.develop.noise import noise_of
from isptools.develop.orient import onto_sensor
from isptools.develop.steps import Orient
from isptools.frame import Array, Frame, Space, UnsupportedError
from isptools.manifest import DataSet
from isptools.recipe import Recipe, Truth
from isptools.shards import write
from isptools.shards.schema import Picture, Spec, TruthRow


@dataclass(frozen=True, slots=True)
class Work:
    """What every unit of a build needs to know; small, so that it travels to workers."""

    recipe: Recipe
    data_set: DataSet
    citation: str
    versions: dict[str, str]
    root: Path
    out: Path
    pictures: Path | None
    token: str


class Refusal(Exception):  # noqa: N818 - it ends one file, not the build
    """Why a file or a scene can't be used: reason, detail, and a number where one was measured."""

    def __init__(self, reason: str, detail: str, number: float | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.number = reason, detail, number


def make(unit: Unit, work: Work) -> Made:
    """Write the shard of a unit and note it in the journal.

    Memory holds one picture at a time. OSError if the output takes no more; BuildError if the
    folder was given to another build meanwhile.
    """
    with write.shard(work.out, spec_of(unit, work)) as shard:
        lines = [line for task in unit.tasks for line in _task(shard, task, unit, work)]
        folder.holds(work.out, work.token)
    return noted(unit, work, shard, lines)


def noted(unit: Unit, work: Work, shard: write.Writer, lines: list[Line]) -> Made:
    """Enter a unit, whose shard is closed, into the journal."""
    if shard.written is None:
        (work.out / unit.name).unlink(missing_ok=True)  # of an earlier build, when files were good
    made = Made(
        unit.name,
        unit.split,
        work.recipe.sha256,
        work.versions,
        facts(unit, work),
        unit.sources,
        _listed(unit, shard.written),
        tuple(sorted(lines)),
    )
    journal.save(work.out, made)
    return made


def facts(unit: Unit, work: Work) -> str:
    """The hash of what the manifest states and a shard repeats: licence, exposures, ..."""
    stated = (work.data_set, work.citation, unit.entries)
    return hashlib.sha256(msgspec.json.encode(stated, order="deterministic")).hexdigest()


def _listed(unit: Unit, written: write.Written | None) -> Shard | None:
    if written is None:
        return None
    size, rows, scenes = written.bytes, written.rows, written.scenes
    return Shard(
        written.name, written.sha256, size, rows, scenes, unit.split, unit.shape, unit.kind
    )


def _task(shard: write.Writer, task: Task, unit: Unit, work: Work) -> Iterator[Line]:
    """Store a scene; yields what was refused. A truth without inputs is not stored."""
    try:
        truth, lines = _merged(task, _read(task.truth, unit, work, task.facts), unit, work)
        truth = _completed(truth, task, work)
        yield from lines
        if task.matrix and (told := beside.stated_by(truth.frame.capture)):
            detail = f"it states no color matrix; that of {told} was taken"
            where = task.truth.source.path
            yield Line(unit.split, task.scene, where, "noted", "no-matrix", detail)
    except Refusal as refusal:
        yield _line(task.truth, unit, refusal)
        why = f"its truth {task.truth.source.path} can't be used ({refusal.reason})"
        yield from _drop(task, unit, "truth-missing", why)
        return
    number = None
    for file in task.inputs:
        try:
            same = file.source == task.truth.source and not task.frames
            read = replace(truth, file=file) if same else _read(file, unit, work, task.facts)
            _expect_phase(read.frame, truth.frame)
            read = replace(read, frame=_prepared(read.frame, work.recipe))
            read = _completed(read, replace(task, shading=None), work)
        except Refusal as refusal:
            yield _line(file, unit, refusal)
            continue
        if number is None:
            try:
                number = _truth(shard, truth, task, work)
            except Refusal as refusal:
                yield _line(task.truth, unit, refusal)
                yield from _drop(task, unit, refusal.reason, refusal.detail)
                return
        _input(shard, read, truth, number, work)


def _merged(task: Task, truth: Read, unit: Unit, work: Work) -> tuple[Read, list[Line]]:
    """The truth, fused from the task's frames where it has any."""
    if not task.frames:
        return truth, []

    def frame(file: File) -> Frame:
        try:
            return _read(file, unit, work, same=False).frame
        except Refusal as refusal:
            raise BurstError(str(refusal)) from None

    try:
        return fused(task, truth, frame, work.recipe)
    except (BurstError, UnsupportedError) as error:
        raise Refusal("burst", one_line(error)) from None


def _completed(read: Read, task: Task, work: Work) -> Read:
    """With what stands beside the burst: a shading map for a fused truth, a matrix if it lacks."""
    frame = read.frame
    try:
        if task.shading:
            frame = beside.with_shading(frame, work.root / task.shading.path)
        if task.matrix:
            frame = beside.with_matrix(frame, work.root / task.matrix.path)
    except beside.BesideError as error:
        raise Refusal("beside", one_line(error), error.number) from None
    return replace(read, frame=frame)


def _read(file: File, unit: Unit, work: Work, facts: File | None = None, same: bool = True) -> Read:
    """Read a file once: its hash and its frame. Refusal if it is not what was planned.

    With `same` its shape and kind must be those of the shard.
    """
    path = work.root / file.source.path
    sensor = file.entry.sensor or work.data_set.sensor
    try:
        data = path.read_bytes()
        if work.recipe.published and sensor and file.entry.role == "truth":
            frame = reading.picture(data, file.entry, file.source.path, sensor)
        else:
            stated = work.root / facts.source.path if facts else None
            frame = reading.frame(data, file.entry, file.source.path, sensor, stated)
    except (raw.RawError, UnsupportedError, OSError) as error:
        detail = one_line(error).replace(str(path), file.source.path)  # no place in the ledger
        raise Refusal("unreadable", detail, file.source.size) from None
    digest = hashlib.sha256(data).hexdigest()
    if file.entry.sha256 not in {"", digest}:
        raise Refusal("wrong-hash", f"sha256 {digest}, the manifest says {file.entry.sha256}")
    if frame.capture.pixel_aspect != 1:
        aspect = frame.capture.pixel_aspect
        raise Refusal("non-square-pixels", f"pixels are {aspect:g} times as high as wide", aspect)
    if same and (frame.pixels.shape[:2], frame.capture.kind) != (unit.shape, unit.kind):
        raise Refusal("changed", "the file changed while the build ran; run the build again")
    return Read(file, digest, _with_black(frame, work.recipe.black))


def _with_black(frame: Frame, black: float | None) -> Frame:
    """The frame with the recipe's black level, where it has one, for that of the file."""
    facts = frame.capture
    if black is None:
        return frame
    if black >= facts.white:
        detail = f"the recipe's black level {black:g} is not below the white level {facts.white}"
        raise Refusal("black-level", detail, black)
    levels, integers = (black,) * len(facts.black), (int(black),) * len(facts.black)
    origins = (*facts.origins, ("black", "recipe"))
    capture = replace(facts, black=levels, black_libraw=integers, origins=origins)
    return replace(frame, capture=capture)


def _expect_phase(frame: Frame, truth: Frame) -> None:
    """Where the truth is a linear picture, it shows whether the color filters are as stated."""
    if truth.space is Space.CAMERA:
        found = phase.found(frame.pixels, truth.pixels)
        if phase.contradicts(found, frame.capture.cfa):
            raise Refusal("wrong-phase", phase.told(found, frame.capture.cfa),
                          phase.ratio(found, frame.capture.cfa))  # fmt: skip


def _prepared(frame: Frame, recipe: Recipe) -> Frame:
    try:
        return develop(frame, recipe.prepare)
    except UnsupportedError as error:
        raise Refusal("unsupported", one_line(error)) from None


def _input(shard: write.Writer, read: Read, truth: Read, number: int, work: Work) -> None:
    frame = read.frame
    law, limit = work.data_set.ratio, work.recipe.max_ratio
    row = input_row(read, noise_of(frame), truth, law, limit)
    pointers = dict.fromkeys(shard.spec.pictures, number)
    shard.input(replace(row, **pointers), frame.pixels, frame.capture, frame.history)  # type: ignore[arg-type] # only integers


def _truth(shard: write.Writer, truth: Read, task: Task, work: Work) -> int:
    """Render the truths of a scene in one walk and store them; returns their row."""
    try:
        last, kept = _render(truth.frame, work.recipe)
        row = truth_row(truth, last)
        if task.enhanced and work.pictures:
            path = work.pictures / task.enhanced.path
            own = enhanced.read(path, last.pixels, truth.frame.capture.flip)
        elif task.enhanced and work.recipe.enhancement:
            path, kept_as = work.root / task.enhanced.path, work.recipe.enhancement
            fit = lineup.Fit(work.data_set.pictures, kept_as.within, kept_as.reach)
            own = lineup.read(path, last.pixels, truth.frame.capture, fit)
        if task.enhanced:
            kept["enhancement"] = own.pixels
            row = _own(row, task.enhanced.path, own)
    except lineup.MisfitError as error:
        raise Refusal(error.reason, one_line(error), error.number) from None
    except UnsupportedError as error:
        raise Refusal("unsupported", one_line(error)) from None
    for name, pixels in kept.items():
        if pixels.shape != (*truth.frame.pixels.shape[:2], 3):
            raise folder.BuildError(_size(work.recipe, name, pixels, truth.frame))
        if not np.isfinite(pixels).all():
            wrong = int(pixels.size - np.isfinite(pixels).sum())
            raise Refusal("not-finite", f"the {name} truth holds values that are no numbers", wrong)
    number = shard.truth(row, kept, truth.frame.capture, last.history)
    if truth.fused:
        shard.fusion(fusion_row(row.key, truth.fused), truth.fused.weight)
    return number


def _size(recipe: Recipe, name: str, pixels: Array, frame: Frame) -> str:
    return (
        f"recipe {recipe.name}: its {name} truth is {pixels.shape}, its inputs are "
        f"{frame.pixels.shape}; a truth is a color picture with a pixel for each of the sensor's "
        "(no half-size demosaicking, no station before it)"
    )


def _own(row: TruthRow, path: str, own: enhanced.Enhanced) -> TruthRow:
    return replace(row, enhanced=path, enhanced_sha256=own.sha256, enhanced_turned=int(own.turned))


def _render(frame: Frame, recipe: Recipe) -> tuple[Frame, dict[str, Array]]:
    """The last frame of the walk, and the pictures at the stations that the recipe keeps.

    Where several steps stay at a station, its last frame is kept; all lie as the sensor does.
    """
    kept: dict[str, Array] = {}
    last = frame
    prepare = () if recipe.published else recipe.prepare
    for last in walk(frame, (*prepare, *recipe.develop)):
        for name, truth in truths(recipe).items():
            own = truth.source == "develop" or (name == "restoration" and recipe.published)
            if own and last.space == truth.at:
                kept[name] = _on_sensor(last, frame)
    return replace(last, pixels=_on_sensor(last, frame)), kept


def _on_sensor(developed: Frame, frame: Frame) -> Array:
    """The pixels in the sensor's orientation, also behind a step that turned them upright."""
    turned = any(isinstance(taken.step, Orient) for taken in developed.history)
    return onto_sensor(developed.pixels, frame.capture.flip) if turned else developed.pixels


def truths(recipe: Recipe) -> dict[str, Truth]:
    """The truths that a recipe keeps, by the name of their dataset."""
    both = {"restoration": recipe.restoration, "enhancement": recipe.enhancement}
    return {name: truth for name, truth in both.items() if truth}


def _drop(task: Task, unit: Unit, reason: str, detail: str) -> Iterator[Line]:
    """A line for each input of a refused truth; the truth's own file has one."""
    for file in task.inputs:
        if file.source != task.truth.source:
            yield _line(file, unit, Refusal(reason, detail))


def _line(file: File, unit: Unit, refusal: Refusal) -> Line:
    return Line(
        unit.split,
        file.entry.scene,
        file.source.path,
        "refused",
        refusal.reason,
        refusal.detail,
        refusal.number,
    )


def spec_of(unit: Unit, work: Work) -> Spec:
    """What the shard of a unit is to hold."""
    recipe, data_set = work.recipe, work.data_set
    steps = {"prepare": recipe.prepare, "develop": recipe.develop}
    return Spec(
        name=unit.name,
        shape=unit.shape,
        positions={"rgb": 3, "bayer": 4, "xtrans": 36}[unit.kind],
        tile=recipe.tile,
        compression=recipe.compression,
        pictures={
            name: Picture(str(truth.at), truth.dtype, truth.full_scale, truth.note, truth.source)
            for name, truth in truths(recipe).items()
        },
        attrs={
            "data_set": data_set.name,
            "title": data_set.title,
            "licence": data_set.licence,
            "redistribution": data_set.redistribution,
            "citation": work.citation,
            "split": unit.split,
            "sample": recipe.sample,
            "recipe": recipe.to_json().decode(),
            "recipe_sha256": recipe.sha256,
            "versions": write.canonical(work.versions),
            "steps": msgspec.json.encode(steps, order="deterministic").decode(),
        },
        weighted=recipe.truth == "fused",
    )
