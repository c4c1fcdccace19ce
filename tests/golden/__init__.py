"""The facts of every data set that has a miniature, and the statistics of its shards, as text.

`python -m tests.golden` writes the texts anew, `python -m tests.golden sid` one of them; look at
what changed with `git diff tests/golden`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from isptools import datasets, shards, shipped
from isptools.build import Options, build
from isptools.build.plan import Choice, plan
from isptools.cli.stats import lines
from isptools.datasets import card as cards
from isptools.datasets import miniature
from isptools.recipe import Align, Recipe
from isptools.shards.stats import stats

HERE = Path(__file__).parent
FEW = 1  # scenes a split of what takes long
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def recipes() -> dict[str, list[Recipe]]:
    """The shipped recipes of each data set that has a miniature; its main one first."""
    found: dict[str, list[Recipe]] = {}
    for path in sorted(shipped.folder("recipes").glob("*.toml")):
        recipe = Recipe.load(path)
        found.setdefault(recipe.data_set, []).append(recipe)
    return {
        name: sorted(several, key=lambda one: (one.name != name, one.name))
        for name, several in sorted(found.items())
    }


def text(name: str, folder: Path) -> str:
    """The golden text of data set `name`, made in an empty folder."""
    source = folder / "source"
    miniature(name, source)
    own = [msgspec.structs.replace(recipe, sample=True) for recipe in recipes()[name]]
    photographs = isinstance(own[0].truth, Align)
    first = own[0].small(FEW) if photographs else own[0]  # aligning takes long
    build(first, source, folder / "out", Options(data_set=small(first)))
    with shards.open(folder / "out") as opened:
        measured = list(lines(stats(opened)))
    which = f", {FEW} SCENE A SPLIT" if photographs else ""
    told = [*_facts(cards.load(name)), "", *_plans(own, source), ""]
    told += [f"SHARDS OF THE MINIATURE{which}", ""]
    return "\n".join([*told, *measured]) + "\n"


def small(recipe: Recipe) -> datasets.Opened:
    return datasets.in_small(datasets.opened(recipe.source))


def _facts(about: datasets.Card) -> Iterator[str]:
    yield f"DATA SET {about.name}"
    yield ""
    for field in ("title", "licence", "redistribution", "home", "size", "room"):
        yield f"{field:15} {getattr(about, field)}"
    yield f"{'cameras':15} {', '.join(about.cameras) or 'any'}"
    rows = about.files or ()
    counted = Counter((row.split, row.role) for row in rows)
    for (split, role), number in sorted(counted.items()):
        scenes = {row.scene for row in rows if row.split == split}
        yield f"{'files':15} {split} {role}: {number} of {len(scenes)} scenes"
    for rule in about.rules:
        pairs = "of unknown number" if rule.pairs is None else f"{rule.pairs}"
        yield f"{'pairs':15} {rule.name} ({rule.split or 'no split'}): {pairs}"
    for excluded in about.exclusions:
        yield f"{'exclusion':15} {excluded.name}: {', '.join(excluded.scenes)}"


def _plans(own: list[Recipe], source: Path) -> Iterator[str]:
    """What each recipe of the data set would make of the miniature."""
    yield "RECIPES ON THE MINIATURE: inputs, scenes, left out"
    yield ""
    for recipe in own:
        opened = small(recipe)
        found = opened.room.find(opened.card, opened.select, source)
        planned = plan(recipe, opened, found, Choice())
        units = Counter[str]()
        for unit in planned.units:
            units[unit.split] += unit.rows
        scenes = {task.scene for unit in planned.units for task in unit.tasks}
        inputs = ", ".join(f"{split} {number}" for split, number in sorted(units.items()))
        reasons = Counter(line.reason for told in planned.ledger.values() for line in told)
        left = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons.items()))
        yield f"{recipe.name:20} {inputs}; {len(scenes)} scenes; {left or 'nothing left out'}"


def differences(found: str, expected: str) -> list[str]:
    """Lines that differ by more than 1 in a number's last digit, which another processor's
    arithmetic may change."""
    here, there = found.splitlines(), expected.splitlines()
    if len(here) != len(there):
        return [f"{len(here)} lines instead of {len(there)}", *sorted(set(here) ^ set(there))]
    return [
        f"- {right}\n+ {left}"
        for left, right in zip(here, there, strict=True)
        if not _same(left, right)
    ]


def _same(left: str, right: str) -> bool:
    if NUMBER.sub("#", left).split() != NUMBER.sub("#", right).split():
        return False
    pairs = zip(NUMBER.findall(left), NUMBER.findall(right), strict=True)
    return all(_close(one, other) for one, other in pairs)


def _close(one: str, other: str) -> bool:
    digits = len(other.partition(".")[2])
    if not digits:
        return one == other
    return abs(float(one) - float(other)) < 1.5 * 10.0**-digits


def write(names: list[str]) -> None:
    for name in names or recipes():
        with TemporaryDirectory() as folder:
            (HERE / f"{name}.txt").write_text(text(name, Path(folder)), encoding="utf-8")
