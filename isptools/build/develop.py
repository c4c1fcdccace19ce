"""Make one shard of developed truths: read its files one at a time, render each truth once."""

from collections.abc import Iterator
from dataclasses import replace
from errno import ESTALE
from pathlib import Path
from typing import Any

import numpy as np

from isptools import sources
from isptools.apart import apart
from isptools.build import enhanced, folder, lineup
from isptools.build.doubts import Doubts, contradiction
from isptools.build.journal import Made
from isptools.build.light import expect_ratio, light_ratio, quality_of
from isptools.build.rows import ReadFrame, fusion_row, input_row, truth_row
from isptools.build.sides import Sides, expect_done, not_applied, on_its_side, sides_of
from isptools.build.task import File, Task, Unit
from isptools.build.work import Work, expect_sound, noted, refused, spec_of
from isptools.datasets.listing import BuildError, Line
from isptools.datasets.scene import Exposures
from isptools.decode import files as decode
from isptools.decode import frames
from isptools.decode.refusal import Refusal, foreseen, judged, one_line
from isptools.develop.chain import develop, walk
from isptools.develop.noise import Noise, noise_of
from isptools.develop.orient import onto_sensor
from isptools.develop.steps import Balance, Orient, behind_first_list
from isptools.fields import Field
from isptools.frame import Array, Frame, Space, UnsupportedError
from isptools.measure import phase
from isptools.recipe import AsItComes, Develop, Kept, Published
from isptools.shards import write
from isptools.shards.schema import InputRow, TruthRow, wrong_input, wrong_truth
from isptools.sources import FaultError


def make(unit: Unit, work: Work, truth: Develop) -> Made:
    """Write the shard of a unit and note it in the journal.

    Memory holds one picture at a time. OSError if the output takes no more; BuildError if the
    folder was given to another build meanwhile.
    """
    with write.shard(work.out, spec_of(unit, work)) as shard:
        lines = [
            line
            for task in unit.tasks
            if isinstance(task.shot, Exposures)
            for line in _scene(shard, task, unit, work, truth)
        ]
        folder.holds(work.out, work.token)
    return noted(unit, work, shard, lines)


def _scene(
    shard: write.Writer, task: Task, unit: Unit, work: Work, truth: Develop
) -> Iterator[Line]:
    """Store a scene; yields what was refused. A truth without inputs is not stored."""
    try:
        with foreseen(task.truth.source.path):
            own, lines = _truth_frame(task, unit, work, truth)
        yield from (*lines, *_departures(own, task, unit))
    except Refusal as refusal:
        yield refused(task.truth, task, unit, refusal)
        why = f"its truth {task.truth.source.path} can't be used ({refusal.reason})"
        yield from _dropped(task, unit, Refusal("truth-missing", why))
        return
    number, doubts = None, Doubts(work.card.ratio, own)
    sides = sides_of(() if truth.linear else truth.steps)
    if against := contradiction(own):
        yield refused(task.truth, task, unit, Refusal("contradiction", against), "noted")
    for file in task.inputs:
        try:
            with foreseen(file.source.path):
                read, gains = _input_frame(file, task, own, unit, work, truth)
                odd = doubts.of_input(read)
            for each in odd:
                yield refused(file, task, unit, Refusal(*each), "noted")
            with foreseen(file.source.path):
                noise = noise_of(read.frame)
                row = _row(read, noise, task, own, work)
                found = light_ratio(read.frame, own.frame, noise)
                within, most = truth.ratio_within, truth.max_ratio
                expect_ratio(row, found, within, most, own.frame, work.card.ratio)
        except Refusal as refusal:
            yield refused(file, task, unit, refusal)
            continue
        if file.source != task.truth.source:
            yield from _departures(read, task, unit)
        if number is None:
            try:
                same = read.frame is own.frame
                known = replace(own, noise=noise) if same else own
                number = _stored(shard, (known, read), task, work, truth)
                yield from _white(own, shard.truths[number], task, unit, truth)
            except Refusal as refusal:
                yield refused(task.truth, task, unit, refusal)
                yield from _dropped(task, unit, Refusal(refusal.reason, refusal.detail))
                return
        told: Any = dict.fromkeys(shard.spec.pictures, number)
        told["ratio_measured"] = found and found.ratio
        frame = read.frame
        shard.input(replace(row, **told), frame.pixels, frame.capture, frame.history, gains)
        yield from _left(file, frame, sides, task, unit)


def _left(file: File, frame: Frame, sides: Sides, task: Task, unit: Unit) -> Iterator[Line]:
    """A line about the opcodes of a file that were not applied."""
    if text := not_applied(frame.capture, sides):
        yield Line(unit.split, task.scene, file.source.path, "noted", "opcodes", text)


def _departures(read: ReadFrame, task: Task, unit: Unit) -> Iterator[Line]:
    """A line for each number that LibRaw has otherwise than the file; the file's was taken."""
    for text in read.frame.capture.departures:
        why = Refusal(f"libraw-{text.partition(':')[0].replace('_', '-')}", text)
        yield refused(read.file, task, unit, why, "noted")


def _white(own: ReadFrame, row: TruthRow, task: Task, unit: Unit, truth: Develop) -> Iterator[Line]:
    """A line where the file states no white balance and the recipe's `else` was taken."""
    asked = any(isinstance(step, Balance) and step.by == "camera" for step in truth.steps)
    if asked and row.balance_origin in {"daylight", "gray_world"}:
        gains = " ".join(f"{gain:g}" for gain in own.frame.capture.as_shot)
        taken = row.balance_origin.replace("_", " ")
        detail = f"it states no white balance (its gains read {gains}); {taken} was taken"
        yield refused(own.file, task, unit, Refusal("no-white", detail), "noted")


def _row(read: ReadFrame, noise: Noise, task: Task, own: ReadFrame, work: Work) -> InputRow:
    """The facts of an input. Refusal where a shard can't hold them."""
    most = work.recipe.truth.max_ratio if isinstance(work.recipe.truth, Develop) else 0.0
    row = input_row(read, task.scene, noise, own, work.card.ratio, most)
    kind = read.frame.capture.kind
    expect_sound((*wrong_input(row, kind), *write.wrong_facts(read.frame.capture)))
    return row


def _dropped(task: Task, unit: Unit, why: Refusal) -> Iterator[Line]:
    """A line for each input of a refused truth; the truth's own file has one."""
    for file in task.inputs:
        if file.source != task.truth.source:
            yield refused(file, task, unit, why)


# -- frames --------------------------------------------------------------------------------------


def _truth_frame(
    task: Task, unit: Unit, work: Work, truth: Develop
) -> tuple[ReadFrame, list[Line]]:
    """The frame that the walk begins at, merged from the task's burst where the recipe says so."""
    read, lines = _read(task.truth, unit, work, truth, linear=truth.linear), list[Line]()
    if truth.fuse:
        read, lines = _merged(task, read, unit, work, truth)
    own = _completed(read, work)
    if not truth.linear:
        lines += _checked(own, task, unit, truth)
    if read.frame.capture.camera_to_srgb is None and own.frame.capture.camera_to_srgb is not None:
        told = dict(own.frame.capture.origins).get("camera_to_srgb", "")
        if told in {Path(source.path).name for _, source in task.truth.beside}:
            detail = f"it states no color matrix; that of {told} was taken"
            where = task.truth.source.path
            lines.append(Line(unit.split, task.scene, where, "noted", "no-matrix", detail))
    return own, lines


def _checked(own: ReadFrame, task: Task, unit: Unit, truth: Develop) -> Iterator[Line]:
    """Refusal where the walk passes by a mandatory opcode of the truth's file."""
    sides = sides_of(truth.steps)
    try:
        expect_done(own.frame.capture, sides)
    except UnsupportedError as error:
        raise Refusal("unsupported", one_line(error)) from None
    if own.file.source not in [file.source for file in task.inputs]:
        yield from _left(own.file, own.frame, sides, task, unit)


def _merged(
    task: Task, read: ReadFrame, unit: Unit, work: Work, truth: Develop
) -> tuple[ReadFrame, list[Line]]:
    from isptools.build.fused import fused_truth  # noqa: PLC0415 - what fuses takes long to load
    from isptools.burst import BurstError  # noqa: PLC0415

    def frame(file: File) -> Frame:
        try:
            return _read(file, unit, work, truth, same=False).frame
        except Refusal as refusal:
            raise BurstError(str(refusal)) from None

    try:
        return fused_truth(task, unit.split, read, frame, truth)
    except (BurstError, UnsupportedError) as error:
        raise Refusal("burst", one_line(error)) from None


def _input_frame(
    file: File, task: Task, own: ReadFrame, unit: Unit, work: Work, truth: Develop
) -> tuple[ReadFrame, tuple[Field, ...]]:
    """With the field of gains that brings it to its truth's side."""
    same = file.source == task.truth.source and not truth.fuse
    read = replace(own, file=file) if same else _completed(_read(file, unit, work, truth), work)
    _expect_phase(read.frame, own.frame)
    sides = sides_of(() if truth.linear else truth.steps)
    try:
        expect_done(read.frame.capture, sides)
        frame = develop(behind_first_list(read.frame), truth.repairs)
        frame, gains = on_its_side(frame, own.frame.capture, sides)
    except UnsupportedError as error:
        raise Refusal("unsupported", one_line(error)) from None
    return replace(read, frame=frame), gains


def _read(
    file: File, unit: Unit, work: Work, truth: Develop, same: bool = True, linear: bool = False
) -> ReadFrame:
    """ReadFrame a file once: its hash and its frame. Refusal if it is not what was planned.

    With `same` its shape and kind must be those of the shard; `linear` is a truth as it comes.
    """
    path = work.root.absolute() / file.source.path
    with judged(path, file.source.path, file.source.size):
        digest, frame = apart(decode.frame, path, work.told(file), linear, truth.bins)
    if file.named.sha256 not in {"", digest}:
        raise Refusal("wrong-hash", f"sha256 {digest}, the manifest says {file.named.sha256}")
    if frame.capture.pixel_aspect != 1:
        aspect = frame.capture.pixel_aspect
        raise Refusal("non-square-pixels", f"pixels are {aspect:g} times as high as wide", aspect)
    if same and (frame.pixels.shape[:2], frame.capture.kind) != (unit.shape, unit.kind):
        raise _contradiction(path, file, frame, unit)
    made = _with_black(frame, truth.black)
    return ReadFrame(file, digest, made)


def _completed(read: ReadFrame, work: Work) -> ReadFrame:
    """With what stands beside the file."""
    file, capture = read.file, read.frame.capture
    path, root = work.root / file.source.path, work.root.absolute()
    with judged(path, file.source.path):
        if file.beside:
            beside = {kind: root / source.path for kind, source in file.beside}
            height, width = read.frame.pixels.shape[:2]
            capture = apart(decode.stated, path, work.told(file), capture, beside, (height, width))
        return replace(read, frame=frames.completed(read.frame, capture, file.source.path))


def _contradiction(path: Path, file: File, frame: Frame, unit: Unit) -> Exception:
    """Of a file whose pixels are not what its header said when the build was planned."""
    found = sources.status(path)
    if (found.st_size, found.st_mtime_ns) != (file.source.size, file.source.mtime_ns):
        return FaultError(ESTALE, "it changed while the build ran", str(path))
    shape, kind = frame.pixels.shape[:2], frame.capture.kind
    detail = f"its pixels are {kind} {shape}, its header says {unit.kind} {unit.shape}"
    return Refusal("changed", detail)


def _with_black(frame: Frame, black: float | None) -> Frame:
    """The frame with the recipe's black level, where it has one, for that of the file."""
    stated = frame.capture
    if black is None:
        return frame
    if black >= stated.white:
        detail = f"the recipe's black level {black:g} is not below the white level {stated.white}"
        raise Refusal("black-level", detail, black)
    levels, integers = (black,) * len(stated.black), (int(black),) * len(stated.black)
    origins = (*stated.origins, ("black", "recipe"))
    capture = replace(stated, black=levels, black_libraw=integers, origins=origins)
    return replace(frame, capture=capture)


def _expect_phase(frame: Frame, truth: Frame) -> None:
    """Where the truth is a linear picture, it shows whether the color filters are as stated."""
    if truth.space is Space.CAMERA:
        found = phase.residuals_of_phases(frame.pixels, truth.pixels)
        if phase.contradicts(found, frame.capture.cfa):
            raise Refusal("wrong-phase", phase.contradiction(found, frame.capture.cfa),
                          phase.residual_ratio(found, frame.capture.cfa))  # fmt: skip


# -- truths --------------------------------------------------------------------------------------


def _stored(
    shard: write.Writer, pair: tuple[ReadFrame, ReadFrame], task: Task, work: Work, truth: Develop
) -> int:
    """Render the truths of a scene in one walk and store them; returns their row.

    `pair`: what the truth is developed from, and the scene's first input.
    """
    own = pair[0]
    with foreseen(task.truth.source.path):
        row, kept, last = _truth(pair, task, work, truth)
    for name, pixels in kept.items():
        if pixels.shape != (*own.frame.pixels.shape[:2], 3):
            raise BuildError(_size(work.recipe.name, name, pixels, own.frame))
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            wrong = int(pixels.size - np.isfinite(pixels).sum())
            raise Refusal("not-finite", f"the {name} truth holds values that are no numbers", wrong)
    number = shard.truth(row, kept, own.frame.capture, last.history)
    if own.fused:
        shard.fusion(fusion_row(row.key, own.fused), own.fused.weight)
    return number


def _truth(
    pair: tuple[ReadFrame, ReadFrame], task: Task, work: Work, truth: Develop
) -> tuple[TruthRow, dict[str, Array], Frame]:
    """A truth's row, its pictures, and the last frame of its walk."""
    own, first = pair
    try:
        last, kept = _rendered(own.frame, truth)
        quality = quality_of(own, first)
        row = truth_row(own, task.scene, last)
        row = replace(row, quality_db=quality.db, quality_origin=quality.origin)
        if isinstance(task.shot, Exposures) and task.shot.final:
            path = task.shot.final.source.path
            picture = _picture(path, last.pixels, own.frame, work, truth)
            kept["enhancement"] = picture.pixels
            row = _with_picture(row, path, picture)
        expect_sound((*wrong_truth(row), *write.wrong_facts(own.frame.capture)))
    except lineup.MisfitError as error:
        raise Refusal(error.reason, one_line(error), error.number) from None
    except UnsupportedError as error:
        raise Refusal("unsupported", one_line(error)) from None
    return row, kept, last


def _picture(
    path: str, developed: Array, frame: Frame, work: Work, truth: Develop
) -> enhanced.Enhanced:
    """The user's own picture, or the data set's."""
    if work.pictures:
        return enhanced.own_picture(work.pictures / path, developed, frame.capture.flip)
    kept = truth.enhancement
    fit = lineup.Fit(work.card.pictures)
    if isinstance(kept, Published):
        fit = lineup.Fit(work.card.pictures, kept.within, kept.reach)
    return lineup.laid_picture(work.root / path, developed, frame.capture, fit)


def _size(recipe: str, name: str, pixels: Array, frame: Frame) -> str:
    return (
        f"recipe {recipe}: its {name} truth is {pixels.shape}, its inputs are "
        f"{frame.pixels.shape}; a truth is a color picture with a pixel for each of the sensor's "
        "(no half-size demosaicking, no station before it)"
    )


def _with_picture(row: TruthRow, path: str, own: enhanced.Enhanced) -> TruthRow:
    return replace(row, enhanced=path, enhanced_sha256=own.sha256, enhanced_turned=int(own.turned))


def _rendered(frame: Frame, truth: Develop) -> tuple[Frame, dict[str, Array]]:
    """The last frame of the walk, and the pictures at the stations that the recipe keeps.

    Where several steps stay at a station, its last frame is kept; all lie as the sensor does.
    """
    kept: dict[str, Array] = {}
    last = frame
    prepare = () if truth.linear else truth.repairs
    start = frame if truth.linear else behind_first_list(frame)
    kept_at = {picture.at for _, picture in truth.pictures if isinstance(picture, Kept | AsItComes)}
    for last in walk(start, (*prepare, *truth.steps), kept_at):
        for name, picture in truth.pictures:
            if isinstance(picture, Kept | AsItComes) and last.space == picture.at:
                kept[name] = _on_sensor(last, frame)
    return replace(last, pixels=_on_sensor(last, frame)), kept


def _on_sensor(developed: Frame, frame: Frame) -> Array:
    """The pixels in the sensor's orientation, also behind a step that turned them upright."""
    turned = any(isinstance(taken.step, Orient) for taken in developed.history)
    return onto_sensor(developed.pixels, frame.capture.flip) if turned else developed.pixels
