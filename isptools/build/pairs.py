"""Make one shard of pairs: patches of two cameras, released as such or cut from photographs."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from isptools import patches, raw
from isptools.build import folder, pictures
from isptools.build.journal import Made
from isptools.build.ledger import Line
from isptools.build.pair_rows import PICTURE_WHITE, Patch, picture_facts, rows
from isptools.build.plan import File, Task, Unit, one_line
from isptools.build.unit import Refusal, Work, noted, spec_of
from isptools.develop.noise import noise_of
from isptools.develop.orient import onto_sensor, upright
from isptools.frame import Array, Capture, Frame, UnsupportedError
from isptools.pair import warp
from isptools.pair.accept import Search, Verdict, accept
from isptools.pair.align import align
from isptools.pair.light import gray
from isptools.pair.local import Mapping
from isptools.pair.picture import read, read_deep
from isptools.pair.plane import Points
from isptools.pair.warp import Canvas, Choice, Float
from isptools.recipe import Pairing
from isptools.shards import write


@dataclass(frozen=True, slots=True)
class Side:
    """One file of a pair: upright RGB, and its frame where it is a raw file."""

    file: File
    sha256: str
    picture: Array
    frame: Frame | None = None


def make_pairs(unit: Unit, work: Work) -> Made:
    """As `unit.make`. Memory holds one pair of pictures at a time."""
    pair = work.recipe.pair or Pairing("patches")
    spec = replace(spec_of(unit, work), dtype=_dtype(work))
    lines: list[Line] = []
    with write.shard(work.out, spec) as shard:
        for task in unit.tasks:
            try:
                for patch in _patches(task, unit, work, pair, lines):
                    _store(shard, patch)
            except Refusal as refusal:
                lines.append(_line(task, unit, "refused", refusal))
        folder.holds(work.out, work.token)
    return noted(unit, work, shard, lines)


def _dtype(work: Work) -> str:
    truth, pair = work.recipe.enhancement, work.recipe.pair
    if truth is None or pair is None or pair.mosaic or pair.white:
        return "uint16"
    return truth.dtype


def _patches(
    task: Task, unit: Unit, work: Work, pair: Pairing, lines: list[Line]
) -> Iterator[Patch]:
    if pair.source == "patches":
        yield _released(task, unit, work, pair, lines)
        return
    phone, dslr = _side(task.inputs[0], work), _side(task.truth, work)
    if pair.mosaic and (phone.frame is None or phone.frame.capture.kind != "bayer"):
        raise Refusal("no-mosaic", "the recipe takes the phone's Bayer mosaic; this file has none")
    found = align(phone.picture, dslr.picture, offsets=pair.offsets)
    if found.mapping is None or not found.passed:
        raise Refusal("alignment", "; ".join(found.reasons))
    choice = Choice(pair.reference, None, pair.size, every=2 if pair.mosaic else 1)
    try:
        on = warp.canvas(found.mapping, phone.picture.shape, dslr.picture.shape, choice)
        both = warp.warp(phone.picture, dslr.picture, found.mapping, on)
    except ValueError as error:
        raise Refusal("alignment", str(error)) from None
    moves = _moves(on, pair)
    verdicts = _verdicts(both, moves, pair)
    cutter = _Cutter(phone, dslr, found.mapping, on, moves)
    for verdict in verdicts:
        window = verdict.top, verdict.left, pair.patch, pair.patch
        lines.append(_told(task, unit, window, verdict))
        if verdict.kept:
            yield cutter.patch(both, window, verdict, pair)


def _moves(on: Canvas, pair: Pairing) -> warp.Side:
    """The side whose windows are adjusted: the phone's, unless its pixels are to stay."""
    stays = on.reference == "phone" and (on.own or pair.reference == "phone")
    return "dslr" if stays else "phone"


def _verdicts(both: warp.Pair, moves: warp.Side, pair: Pairing) -> list[Verdict]:
    sides = gray(both.phone), gray(both.dslr)
    still, moving = sides if moves == "dslr" else sides[::-1]
    if min(still.shape) < pair.patch:
        raise Refusal("too-small", f"the common part is smaller than {pair.patch} pixels")
    places = [window[:2] for window in patches.grid(still.shape, pair.patch, 1)]
    search = Search(pair.shift_px, pair.turn_deg, pair.least, keep_flat=pair.keep_flat)
    return accept(still, moving, places, pair.patch, search)


class _Cutter:
    """Cuts patches out of an aligned pair; an adjusted one straight from its own picture."""

    def __init__(
        self, phone: Side, dslr: Side, mapping: Mapping, on: Canvas, moves: warp.Side
    ) -> None:
        self.phone, self.dslr, self.mapping, self.on, self.moves = phone, dslr, mapping, on, moves
        self._light: Float | None = None
        frame = phone.frame
        self.mosaic = None if frame is None else upright(frame.pixels, frame.capture.flip)

    def patch(
        self, both: warp.Pair, window: patches.Window, verdict: Verdict, pair: Pairing
    ) -> Patch:
        top, left, height, width = window
        area = slice(top, top + height), slice(left, left + width)
        cut = {"phone": both.phone[area], "dslr": both.dslr[area]}
        cut[self.moves] = self._adjusted(window, verdict)
        facts, noise, pixels = _as_picture(cut["phone"]), None, cut["phone"]
        truth = cut["dslr"]
        if pair.mosaic and self.phone.frame is not None:
            frame = self.phone.frame
            pixels, facts, noise = self._mosaic(window, frame), frame.capture, noise_of(frame)
            truth = onto_sensor(truth, facts.flip)
        at = f"@{top},{left},{height},{width}"
        sides = (self.phone.file, self.dslr.file)
        hashes = (self.phone.sha256, self.dslr.sha256)
        return Patch(at, sides, hashes, pixels, truth, facts, noise, verdict)

    def _adjusted(self, window: patches.Window, verdict: Verdict) -> Array:
        side = self.phone if self.moves == "phone" else self.dslr
        if self._light is None:
            self._light = warp.decode(side.picture)
        top, left, height, width = window
        middle = np.array([left + (width - 1) / 2, top + (height - 1) / 2])
        turn = np.deg2rad(verdict.turn_deg)
        rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

        def places(points: Points) -> Points:
            turned = (points + np.array((left, top)) - middle) @ rotate.T + middle
            moved = turned + np.array((verdict.dx, verdict.dy))
            return warp.towards(moved, self.moves, self.mapping, self.on)

        return warp.sample(self._light, places, (height, width), side.picture.dtype)

    def _mosaic(self, window: patches.Window, frame: Frame) -> Array:
        """The phone's own integers, as they lie on the sensor."""
        if self.mosaic is None:
            raise Refusal("no-mosaic", "the phone's file has no mosaic")
        if frame.capture.flip and (frame.pixels.shape[0] % 2 or frame.pixels.shape[1] % 2):
            raise Refusal("odd-size", "a turned mosaic of odd size has another phase")
        top, left = window[0] + self.on.top, window[1] + self.on.left
        part = self.mosaic[top : top + window[2], left : left + window[3]]
        return onto_sensor(part, frame.capture.flip)


def _side(file: File, work: Work) -> Side:
    path = work.root / file.source.path
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if pictures.is_raw(path):
            frame = raw.read(path)
            return Side(file, digest, pictures.developed(frame), frame)
        return Side(file, digest, read(path))
    except (raw.RawError, UnsupportedError, OSError, ValueError) as error:
        detail = one_line(error).replace(str(path), file.source.path)
        raise Refusal("unreadable", f"{file.source.path}: {detail}", file.source.size) from None


def _released(task: Task, unit: Unit, work: Work, pair: Pairing, lines: list[Line]) -> Patch:
    """A patch that was published as such: nothing is moved, only flat ones are left out."""
    phone, dslr = task.inputs[0], task.truth
    truth, digest = _stored(dslr, work, False)
    pixels, own = _stored(phone, work, bool(pair.white))
    for file, shape in ((phone, pixels.shape), (dslr, truth.shape)):
        if shape[:2] != unit.shape:
            detail = f"{file.source.path} is {shape[0]} x {shape[1]}, not {unit.shape[0]} square"
            raise Refusal("wrong-size", detail)
    facts = _as_picture(pixels)
    if pair.white:
        if int(pixels.max()) > pair.white * 4:
            raise Refusal("wrong-scale", f"its largest number is {pixels.max()}, not about "
                          f"{pair.white:g}", float(pixels.max()))  # fmt: skip
        black = (pair.black,) * 4
        facts = Capture("bayer", pair.cfa, black, (round(pair.black),) * 4, round(pair.white),
                        (1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0))  # fmt: skip
    if min(float(pixels.std()), float(truth.std())) < 1:
        flat = Refusal("flat", "one side shows one flat tone")
        if not pair.keep_flat:
            raise flat
        lines.append(_line(task, unit, "noted", flat))
    return Patch("", (phone, dslr), (own, digest), pixels, truth, facts, None, None)


def _stored(file: File, work: Work, mosaic: bool) -> tuple[Array, str]:
    path = work.root / file.source.path
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return (read_deep(path) if mosaic else read(path)), digest
    except (UnsupportedError, OSError) as error:
        detail = one_line(error).replace(str(path), file.source.path)
        raise Refusal("unreadable", detail, file.source.size) from None


def _as_picture(pixels: Array) -> Capture:
    return picture_facts(PICTURE_WHITE[pixels.dtype.name])


def _store(shard: write.Writer, patch: Patch) -> None:
    input_row, truth_row, pair_row = rows(patch, len(shard.truths), shard.spec)
    number = shard.truth(truth_row, {"enhancement": patch.truth}, patch.facts, ())
    shard.input(
        replace(input_row, enhancement=number), _fitted(patch.pixels, shard), patch.facts, ()
    )
    shard.pair(pair_row)


def _fitted(pixels: Array, shard: write.Writer) -> Array:
    """In the depth of the shard: 8 bits are repeated, 16 bits are cut."""
    if pixels.dtype.name == shard.spec.dtype or pixels.ndim == 2:
        return pixels
    if shard.spec.dtype == "uint16":
        return pixels.astype(np.uint16) * np.uint16(257)
    return np.asarray(cv2.convertScaleAbs(pixels, alpha=1 / 257), np.uint8)


def _told(task: Task, unit: Unit, window: patches.Window, verdict: Verdict) -> Line:
    """Every window stands in the ledger, kept or not."""
    detail = (
        f"shifted by ({verdict.dx:.2f}, {verdict.dy:.2f}) px, turned by "
        f"{verdict.turn_deg:.3f} degrees; the number is the correlation"
    )
    kind, reason = ("kept", "patch") if verdict.kept else ("refused", verdict.reason)
    where = patches.key(task.inputs[0].source.path, window)
    number = round(verdict.correlation, 6)
    return Line(unit.split, task.scene, where, kind, reason, detail, number)  # type: ignore[arg-type]  # two of its words


def _line(task: Task, unit: Unit, kind: str, why: Refusal) -> Line:
    file = task.inputs[0].source.path
    return Line(unit.split, task.scene, file, kind, why.reason, why.detail, why.number)  # type: ignore[arg-type]  # two of its words
