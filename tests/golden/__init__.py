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

from isptools import manifest as manifests
from isptools import sample, shards, shipped
from isptools.build import Options, build
from isptools.build.plan import Choice, plan_units
from isptools.build.plan_pairs import plan_pairs
from isptools.cli.stats import lines
from isptools.manifest import Manifest
from isptools.recipe import Recipe
from isptools.shards.stats import stats

HERE = Path(__file__).parent
FEW = 1  # scenes a split of what takes long
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def recipes() -> dict[str, list[Recipe]]:
    """The shipped recipes of each data set that has a miniature; its main one first."""
    found: dict[str, list[Recipe]] = {}
    for path in sorted(shipped.folder("recipes").glob("*.toml")):
        recipe = Recipe.load(path)
        if recipe.manifest in sample.NAMES:
            found.setdefault(recipe.manifest, []).append(recipe)
    return {
        name: sorted(several, key=lambda one: (one.name != name, one.name))
        for name, several in sorted(found.items())
    }


def text(name: str, folder: Path) -> str:
    """The golden text of data set `name`, made in an empty folder."""
    source = folder / "source"
    sample.write(name, source)
    official = manifests.load(name)
    small = sample.manifest(name, official)
    own = [msgspec.structs.replace(recipe, sample=True) for recipe in recipes()[name]]
    photographs = own[0].pair is not None and own[0].pair.source == "photographs"
    first = own[0].small(FEW) if photographs else own[0]  # aligning takes long
    build(first, source, folder / "out", Options(manifest=small))
    with shards.open(folder / "out") as opened:
        measured = list(lines(stats(opened)))
    which = f", {FEW} SCENE A SPLIT" if photographs else ""
    told = [*_facts(official), "", *_plans(own, small, source), ""]
    told += [f"SHARDS OF THE MINIATURE{which}", ""]
    return "\n".join([*told, *measured]) + "\n"


def _facts(official: Manifest) -> Iterator[str]:
    about = official.data_set
    yield f"DATA SET {about.name}"
    yield ""
    for field in ("title", "licence", "redistribution", "home", "size", "layout"):
        yield f"{field:15} {getattr(about, field)}"
    yield f"{'cameras':15} {', '.join(about.cameras) or 'any'}"
    counted = Counter((entry.split, entry.role) for entry in official.entries)
    for (split, role), number in sorted(counted.items()):
        scenes = {entry.scene for entry in official.entries if entry.split == split}
        yield f"{'files':15} {split} {role}: {number} of {len(scenes)} scenes"
    for rule in about.rules:
        pairs = "of unknown number" if rule.pairs is None else f"{rule.pairs}"
        yield f"{'pairs':15} {rule.name} ({rule.split or 'no split'}): {pairs}"
    for excluded in about.exclusions:
        yield f"{'exclusion':15} {excluded.name}: {', '.join(excluded.scenes)}"


def _plans(own: list[Recipe], small: Manifest, source: Path) -> Iterator[str]:
    """What each recipe of the data set would make of the miniature."""
    yield "RECIPES ON THE MINIATURE: inputs, scenes, left out"
    yield ""
    for recipe in own:
        plan = (plan_pairs if recipe.pair else plan_units)(recipe, small, source, Choice())
        units = Counter[str]()
        for unit in plan.units:
            units[unit.split] += unit.rows
        scenes = {task.scene for unit in plan.units for task in unit.tasks}
        inputs = ", ".join(f"{split} {number}" for split, number in sorted(units.items()))
        reasons = Counter(line.reason for found in plan.ledger.values() for line in found)
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
