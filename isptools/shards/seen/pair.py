"""Every number of a pair, and of them those that say what is wrong: causes before consequences."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools import fields, patches
from isptools.shards.made import made_by
from isptools.shards.opened import Opened, opened
from isptools.shards.schema import InputRow
from isptools.shards.seen import filters, fine, level, scene
from isptools.shards.seen.blocks import Blocks, Shade, blocks_of
from isptools.shards.seen.fits import Plane, planes_of, slope_of
from isptools.shards.seen.light import backwards
from isptools.shards.seen.number import Number
from isptools.shards.seen.plain import plain
from isptools.shards.seen.windows import windows_of
from isptools.shards.sides import Input, Truth, Truths
from isptools.shards.table import Table

F32 = NDArray[np.float32]
# a kind that is wrong makes those of later ranks wrong too, which then say nothing
RANKS = (
    {"turned"}, {"pairing"}, {"phase"}, {"place"}, {"same"}, {"curve", "clipping", "white level"},
    {"matrix", "light"}, {"white", "plane", "level", "black"}, {"sharpness", "noise"},
    {"hot pixels"},
)  # fmt: skip
SHADED = {"level", "black", "white", "plane", "matrix", "light", "hot pixels"}  # as gain maps do
LOUD, DROWNED = 0.5, {"matrix", "hot pixels"}  # what a truth as noisy as its input brings about
ALONE = {"noise", "white level", "clipping"}  # no consequence of the others
ONE = {"matrix", "light"}  # of which one brings the other about: the worse one is told


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured of one input and one of its truths."""

    where: str  # shard
    key: str  # of the input
    name: str  # "restoration" or "enhancement"
    numbers: tuple[Number, ...]
    ratio: float | None = None  # measured

    @property
    def wrong(self) -> list[Number]:
        """What is wrong, worst first; what follows from another fault is left out."""
        off = [number for number in self.numbers if number.wrong]
        ranks = [rank for rank, kinds in enumerate(RANKS) for n in off if n.kind in kinds]
        first = min(ranks, default=0)
        alone = ALONE if RANKS[first] & (ALONE | ONE | {"level"}) else set()
        told = [number for number in off if number.kind in RANKS[first] | alone]
        told = sorted(told, key=lambda number: -number.share)
        worst = next((number for number in told if number.kind in ONE), None)
        return [number for number in told if number.kind not in ONE or number is worst]


def seen(table: Table) -> Iterator[Seen]:
    """Each input of a shard beside each of its truths."""
    with opened(table.path, table.stamp) as file:
        truths = Truths(file, table)
        for i, row in enumerate(table.rows):
            yield from beside(file, table, i, Input(file, table, i), truths.of(row))


def beside(
    file: Opened, table: Table, i: int, own: Input, truths: Mapping[str, Truth]
) -> Iterator[Seen]:
    """Input i of an open shard beside each of its truths."""
    stated, row = made_by(table.attrs), table.rows[i]
    for name, truth in truths.items():
        pair = _Pair(file, table, row, name, getattr(row, name), i)
        numbers, ratio = pair.numbers(own, truth, stated)
        yield Seen(table.path.name, row.key, name, tuple(numbers), ratio)


@dataclass(frozen=True, slots=True)
class _Pair:
    file: Any
    table: Table
    row: InputRow
    name: str
    number: int  # row of the truth
    index: int  # row of the input

    def numbers(self, own: Input, truth: Truth, stated: Any) -> tuple[list[Number], float | None]:
        row, table = self.row, self.table
        history = _text(self.file["truth_history"][self.number])
        how = backwards(table, self.name, row, table.truths[self.number], history)
        if how is None:
            return plain(own.pixels, row, truth.physical(), table, self.name), None
        shade = self._shade(own.pixels.shape)
        blocks = blocks_of(own, truth, how, shade)
        numbers = filters.turned(_luminance(blocks, row), blocks.expected[1])
        numbers += self._ends(own, truth)
        planes = planes_of(blocks, row)
        ratio = None
        if not any(number.wrong for number in numbers if number.kind == "turned"):
            found, ratio = self._whole(blocks, planes, stated)
            numbers += found
        windows = windows_of(own, truth, how, shade)
        slope = slope_of(planes, 1)
        texture = fine.texture(windows, slope[0] if slope else 0.0)
        noise = fine.noise(texture) if slope else []
        cleaned = bool(noise) and noise[-1].wrong  # and has lost the detail that tells the place
        details = [fine.details(window) for window in windows]
        if not stated.shaken and not cleaned:
            numbers += fine.place(windows, details)
        if slope is not None and not any(n.wrong for n in numbers if n.kind in {"turned", "place"}):
            numbers += fine.sharpness(windows, details, slope[0])
            numbers += noise
            known = row.noise_origin == "noise_profile"  # an estimate may be the texture's
            if known and not self._own_truth() and not stated.fused:
                numbers += fine.shared(texture)
            numbers += fine.hot(windows, slope[0])
            if fine.truth_noise(texture) > LOUD:
                numbers = [number for number in numbers if number.kind not in DROWNED]
        unlike = not table.shaded and '"shading"' in table.attrs["steps"]  # of earlier versions
        if unlike or stated.unprocessed:  # undone in the truth alone; gains that spare highlights
            numbers, ratio = [n for n in numbers if n.kind not in SHADED], None
        return numbers, ratio

    def _whole(
        self, blocks: Blocks, planes: list[Plane], stated: Any
    ) -> tuple[list[Number], float | None]:
        row, truth = self.row, self.table.truths[self.number]
        told = level.Stated(stated.ratio_within, stated.max_ratio, self._own_truth())
        found, ratio = level.level(planes, row, told)
        numbers = [*filters.phase(blocks, row), *level.bend(planes), *found]
        numbers += [*level.color(planes), *level.black(planes, row), *level.shot_white(row, truth)]
        stops = row.aperture != truth.aperture
        return numbers + scene.light(blocks, planes, stops), ratio

    def _shade(self, shape: tuple[int, int]) -> Shade | None:
        """What the truth was multiplied by and the input was not; None where that is nothing."""
        text = self.file["shading"][self.index] if self.table.shaded else b""
        found = fields.decoded(text)
        if not found:
            return None
        every, cfa = patches.period(self.row.cfa), self.row.cfa

        def shade(rows: slice) -> F32:
            gains = fields.gains(found, (rows.start, 0, rows.stop - rows.start, shape[1]), cfa)
            out = np.empty((3, *gains.shape), np.float32)
            for plane, letter in zip(out, "RGB", strict=True):  # a color's own, at all pixels
                y, x = divmod(cfa.index(letter), every)
                own = gains[(y - rows.start) % every :: every, x::every]
                whole = own.repeat(every, 0).repeat(every, 1)
                plane[:] = np.pad(whole, ((0, every), (0, every)), "edge")[: len(gains), : shape[1]]
            return out

        return shade

    def _ends(self, own: Input, truth: Truth) -> list[Number]:
        """Where the numbers of both sides end."""
        found = scene.white_level(own.found.counts, self.row)
        if truth.meaning.largest and truth.meaning.source == "develop":
            found += scene.truth_top(truth.counts, truth.meaning)
        return found

    def _own_truth(self) -> bool:
        truth = self.table.truths[self.number]
        return (self.row.source, self.row.source_sha256) == (truth.source, truth.source_sha256)


def _luminance(blocks: Blocks, row: InputRow) -> Any:
    """Green of the input by blocks."""
    spots = [i for i, letter in enumerate(row.cfa) if letter == "G"]
    return blocks.own[spots].mean(0)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
