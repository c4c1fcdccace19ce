"""Make one shard of pairs: photographs of two cameras, aligned and cut into patches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from isptools import patches
from isptools.apart import apart
from isptools.build import folder, pictures
from isptools.build.journal import Made
from isptools.build.patch_rows import Patch, picture_facts, stored
from isptools.build.task import File, Task, Unit
from isptools.build.work import Work, noted, refused, spec_of
from isptools.datasets.listing import Line, LineKind
from isptools.datasets.scene import Couple
from isptools.decode import files as decode
from isptools.decode.refusal import Refusal, foreseen, judged, one_line
from isptools.develop import listed
from isptools.develop.noise import noise_of
from isptools.develop.orient import onto_sensor, upright
from isptools.develop.steps import Opcodes, behind_first_list
from isptools.frame import Array, Frame, Taken, UnsupportedError
from isptools.pair import warp
from isptools.pair.accept import Search, Verdict, accept
from isptools.pair.align import align
from isptools.pair.light import gray
from isptools.pair.local import Mapping
from isptools.pair.plane import Points
from isptools.pair.warp import Canvas, Choice, Float
from isptools.recipe import Align
from isptools.shards import write


@dataclass(frozen=True, slots=True)
class Side:
    """One file of a pair: upright RGB, and its frame where it is a raw file."""

    file: File
    sha256: str
    picture: Array
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two pictures on one canvas, and the windows that were judged on it."""

    phone: Side
    dslr: Side
    mapping: Mapping
    on: Canvas
    both: warp.Pair
    moves: warp.Side  # the side whose windows are adjusted
    verdicts: tuple[Verdict, ...]


def make(unit: Unit, work: Work, truth: Align) -> Made:
    """Write the shard of a unit and note it in the journal. Memory holds one pair at a time."""
    dtype = "uint16" if truth.mosaic else truth.enhancement.dtype
    lines: list[Line] = []
    with write.shard(work.out, replace(spec_of(unit, work), dtype=dtype)) as shard:
        for task in unit.tasks:
            try:
                with foreseen(task.inputs[0].source.path):
                    aligned = _aligned(task, work, truth)
                lines += [_told(task, unit, verdict, truth) for verdict in aligned.verdicts]
                for patch in _cut(aligned, truth, task.inputs[0].source.path):
                    stored(shard, task.scene, patch)
            except Refusal as refusal:
                lines.append(refused(task.inputs[0], task, unit, refusal))
        folder.holds(work.out, work.token)
    return noted(unit, work, shard, lines)


def _aligned(task: Task, work: Work, how: Align) -> Aligned:
    """The pair on one canvas, its windows judged. Refusal if it can't be aligned."""
    if not isinstance(task.shot, Couple):
        raise Refusal("no-pair", "it is no pair of two cameras")
    phone, dslr = _side(task.shot.phone, work), _side(task.shot.dslr, work)
    if phone.sha256 == dslr.sha256:
        what = f"its bytes are those of {task.shot.dslr.source.path}: one file in two roles"
        raise Refusal("same-file", what)
    if how.mosaic and (phone.frame is None or phone.frame.capture.kind != "bayer"):
        raise Refusal("no-mosaic", "the recipe takes the phone's Bayer mosaic; this file has none")
    if how.mosaic:
        phone = replace(phone, frame=_as_a_picture_is(phone.frame))
    found = align(phone.picture, dslr.picture, offsets=how.offsets)
    if found.mapping is None or not found.passed:
        raise Refusal("alignment", _against(task.shot.dslr, "; ".join(found.reasons)))
    choice = Choice(how.reference, None, how.size, every=2 if how.mosaic else 1)
    try:
        on = warp.canvas(found.mapping, phone.picture.shape, dslr.picture.shape, choice)
        both = warp.warp(phone.picture, dslr.picture, found.mapping, on)
    except ValueError as error:
        raise Refusal("alignment", _against(task.shot.dslr, str(error))) from None
    moves = _moves(on, how)
    verdicts = tuple(_verdicts(both, moves, how))
    return Aligned(phone, dslr, found.mapping, on, both, moves, verdicts)


def _against(dslr: File, why: str) -> str:
    """The line is of the phone's file."""
    return f"against {dslr.source.path}: {why}"


def _cut(aligned: Aligned, how: Align, name: str) -> Iterator[Patch]:
    kept = _patches(aligned, how)
    while True:
        with foreseen(name):
            patch = next(kept, None)
        if patch is None:
            return
        yield patch


def _patches(aligned: Aligned, how: Align) -> Iterator[Patch]:
    """Those that are kept."""
    cutter = _Cutter(aligned)
    for verdict in aligned.verdicts:
        if verdict.kept:
            window = verdict.top, verdict.left, how.patch, how.patch
            yield cutter.patch(window, verdict, how)


def _moves(on: Canvas, how: Align) -> warp.Side:
    """The side whose windows are adjusted: the phone's, unless its pixels are to stay."""
    stays = on.reference == "phone" and (on.own or how.reference == "phone")
    return "dslr" if stays else "phone"


def _verdicts(both: warp.Pair, moves: warp.Side, how: Align) -> list[Verdict]:
    sides = gray(both.phone), gray(both.dslr)
    still, moving = sides if moves == "dslr" else sides[::-1]
    if min(still.shape) < how.patch:
        raise Refusal("too-small", f"the common part is smaller than {how.patch} pixels")
    places = [window[:2] for window in patches.grid(still.shape, how.patch, 1)]
    search = Search(how.shift_px, how.turn_deg, how.least, keep_flat=how.keep_flat)
    return accept(still, moving, places, how.patch, search)


def _as_a_picture_is(frame: Frame | None) -> Frame | None:
    """A mosaic behind its opcode lists 1 and 2: the finished picture beside it has all undone."""
    if frame is None:
        return None
    try:
        done = behind_first_list(frame)
        if not listed.pending(done, 2):
            return done
        pixels, found = listed.in_numbers(done, done.capture, ())
    except UnsupportedError as error:
        raise Refusal("unsupported", one_line(error)) from None
    taken = Taken(Opcodes(), tuple(found.items()))
    return replace(done, pixels=pixels, history=(*done.history, taken))


class _Cutter:
    """Cuts patches out of an aligned pair; an adjusted one straight from its own picture."""

    def __init__(self, aligned: Aligned) -> None:
        self.aligned = aligned
        self._light: Float | None = None
        frame = aligned.phone.frame
        self.mosaic = None if frame is None else upright(frame.pixels, frame.capture.flip)

    def patch(self, window: patches.Window, verdict: Verdict, how: Align) -> Patch:
        top, left, height, width = window
        area = slice(top, top + height), slice(left, left + width)
        pair = self.aligned
        cut = {"phone": pair.both.phone[area], "dslr": pair.both.dslr[area]}
        cut[pair.moves] = self._adjusted(window, verdict)
        facts, noise, pixels = picture_facts(cut["phone"]), None, cut["phone"]
        truth = cut["dslr"]
        if how.mosaic and pair.phone.frame is not None:
            frame = pair.phone.frame
            pixels, facts, noise = self._mosaic(window, frame), frame.capture, noise_of(frame)
            truth = onto_sensor(truth, facts.flip)
        at = f"@{top},{left},{height},{width}"
        files = (pair.phone.file, pair.dslr.file)
        hashes = (pair.phone.sha256, pair.dslr.sha256)
        return Patch(at, files, hashes, pixels, truth, facts, noise, verdict)

    def _adjusted(self, window: patches.Window, verdict: Verdict) -> Array:
        pair = self.aligned
        side = pair.phone if pair.moves == "phone" else pair.dslr
        if self._light is None:
            self._light = warp.decode(side.picture)
        top, left, height, width = window
        middle = np.array([left + (width - 1) / 2, top + (height - 1) / 2])
        turn = np.deg2rad(verdict.turn_deg)
        rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

        def places(points: Points) -> Points:
            turned = (points + np.array((left, top)) - middle) @ rotate.T + middle
            moved = turned + np.array((verdict.dx, verdict.dy))
            return warp.towards(moved, pair.moves, pair.mapping, pair.on)

        return warp.sample(self._light, places, (height, width), side.picture.dtype)

    def _mosaic(self, window: patches.Window, frame: Frame) -> Array:
        """The phone's own integers, as they lie on the sensor."""
        if self.mosaic is None:
            raise Refusal("no-mosaic", "the phone's file has no mosaic")
        if frame.capture.flip and (frame.pixels.shape[0] % 2 or frame.pixels.shape[1] % 2):
            raise Refusal("odd-size", "a turned mosaic of odd size has another phase")
        top, left = window[0] + self.aligned.on.top, window[1] + self.aligned.on.left
        part = self.mosaic[top : top + window[2], left : left + window[3]]
        return onto_sensor(part, frame.capture.flip)


def _side(file: File, work: Work) -> Side:
    path, name = work.root.absolute() / file.source.path, file.source.path
    with judged(path, name, file.source.size):
        digest, seen = apart(decode.side, path, name)
        if isinstance(seen, Frame):
            return Side(file, digest, pictures.developed(seen), seen)
        return Side(file, digest, seen)


def _told(task: Task, unit: Unit, verdict: Verdict, how: Align) -> Line:
    """Every window stands in the ledger, kept or not."""
    detail = (
        f"shifted by ({verdict.dx:.2f}, {verdict.dy:.2f}) px, turned by "
        f"{verdict.turn_deg:.3f} degrees; the number is the correlation"
    )
    kind: LineKind = "kept" if verdict.kept else "refused"
    reason = "patch" if verdict.kept else verdict.reason
    window = verdict.top, verdict.left, how.patch, how.patch
    where = patches.key(task.inputs[0].source.path, window)
    return Line(unit.split, task.scene, where, kind, reason, detail, round(verdict.correlation, 6))
