"""A table's numbers: mean and spread over seeds, what papers print beside, and why that differs."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import torch

from isptools import shards
from isptools.compare.plan import Asked
from isptools.compare.run import Outcome
from isptools.compare.table import Data, Row, Values
from isptools.shards.made import made_by
from isptools.train import networks
from isptools.train.camera import parameters
from isptools.train.compression import SIMULATOR, simulator
from isptools.train.objectives import Compressed
from isptools.train.settings import Settings


@dataclass(frozen=True, slots=True)
class Line:
    """A row on one data set."""

    row: Row
    by_seed: tuple[dict[str, float], ...]  # means over pictures; () where there is none
    said: str  # why not
    parameters: int  # 0 where nothing is trained
    pictures: int

    def mean(self, metric: str) -> float:
        """Over seeds; NaN where it is not measured."""
        values = [one[metric] for one in self.by_seed if metric in one]
        return statistics.fmean(values) if values else math.nan

    def spread(self, metric: str) -> float:
        """The standard deviation over seeds; NaN for a single one."""
        values = [one[metric] for one in self.by_seed if metric in one]
        return statistics.stdev(values) if len(values) > 1 else math.nan


@dataclass(frozen=True, slots=True)
class Section:
    """The rows on one data set."""

    data: Data
    recipe: str  # of the shards, "" where there are none
    inputs: int
    lines: tuple[Line, ...]
    printed: tuple[str, ...]  # names of the data whose printed numbers stand beside
    not_comparable: tuple[str, ...]


def sections(asked: Asked, outcomes: Sequence[Outcome], counts: dict[str, int]) -> list[Section]:
    """One a data set, in the order in which shards were given. `counts`: parameters by row."""
    out = []
    for data in dict.fromkeys(one.unit.data.name for one in outcomes):
        own = [one for one in outcomes if one.unit.data.name == data]
        names = dict.fromkeys(one.unit.row.name for one in own)
        each = [[one for one in own if one.unit.row.name == name] for name in names]
        lines = tuple(_line(few, counts) for few in each)
        out.append(_section(asked, asked.table.of(data), lines))
    return out


def counted(outcomes: Sequence[Outcome], code: Path | None) -> dict[str, int]:
    """Parameters of the networks or simulators that rows train, by the rows' names."""
    out = {}
    for one in outcomes:
        if one.unit.trainings and one.scores and one.unit.row.name not in out:
            out[one.unit.row.name] = _count(one.unit.trainings[0].settings, code)
    return out


def _count(settings: Settings, code: Path | None) -> int:
    """Of the network, or of the simulator where nothing else is taught."""
    alone = {stage.train for stage in settings.stages} == {SIMULATOR}
    if alone and isinstance(settings.objective, Compressed):
        with torch.device("meta"):
            return parameters(simulator(settings.objective))
    return parameters(networks.outlined(settings.network, code)[0])


def _section(asked: Asked, data: Data, lines: tuple[Line, ...]) -> Section:
    recipe, inputs = "", 0
    if data.name:
        with shards.open(asked.folders[data.name], data.split) as source:
            recipe, inputs = made_by(source.tables[0].attrs).name, len(source)
    known = [one.name for one in asked.table.data]
    printed = tuple([data.name] if data.name in known else [*known, *([] if known else [""])])
    return Section(
        data, recipe, inputs, lines, printed, _differences(asked, recipe, printed, lines)
    )


def _differences(
    asked: Asked, recipe: str, printed: tuple[str, ...], lines: tuple[Line, ...]
) -> tuple[str, ...]:
    """Why printed numbers are not to be held against those measured."""
    out = [one.not_comparable for one in map(asked.table.of, printed) if one.not_comparable]
    theirs = sorted({r for one in map(asked.table.of, printed) for r in one.recipes})
    if recipe and theirs and recipe not in theirs:
        out.insert(0, f"these shards are of recipe {recipe}, the paper's numbers are of "
                      f"{' and '.join(printed)}")  # fmt: skip
    if asked.budget.steps and any(line.parameters for line in lines):
        out.append(f"{asked.budget.steps} steps a row, far fewer than the paper's")
    if asked.budget.limit and asked.table.kind != "complexity":
        out.append(f"{asked.budget.limit} inputs are scored")
    return tuple(out)


def _line(own: list[Outcome], counts: dict[str, int]) -> Line:
    row = own[0].unit.row
    found = tuple(one.scores.means() for one in own if one.scores)
    said = next((one.said for one in own if one.said), "")
    pictures = max((len(one.scores.keys) for one in own if one.scores), default=0)
    return Line(row, found, said, counts.get(row.name, 0), pictures)


def order(section: Section, metric: str, place: int, name: str) -> tuple[int, int]:
    """How many pairs of rows the metric orders as the printed numbers do, and of how many."""
    pairs = [
        (line.mean(metric), line.row.printed[name][place])
        for line in section.lines
        if name in line.row.printed
    ]
    pairs = [one for one in pairs if not any(map(math.isnan, one))]
    told = [
        (ours[0] - theirs[0]) * (ours[1] - theirs[1]) for ours, theirs in combinations(pairs, 2)
    ]
    return sum(one > 0 for one in told), sum(one != 0 for one in told)


def text(values: Values) -> str:
    """Printed numbers as a paper has them, in the order of the metrics."""
    return " / ".join("-" if math.isnan(value) else f"{value:.10g}" for value in values)
