"""Are these the shards that settings are for?"""

import json

from isptools import shards
from isptools.shards.made import made_by, may_shade
from isptools.shards.opened import opened
from isptools.shards.table import Table
from isptools.train.settings import Settings


def expect_suitable(source: shards.Shards, settings: Settings) -> None:
    """ValueError in one line for shards of another recipe, or on another side of shading."""
    for table in source.examples:
        _expect_recipe(table, settings)
    may = any(may_shade(table.attrs) for table in source.examples)
    for table in source.tables if may else source.examples:
        if settings.shading != "as-stored":
            _expect_side(table, settings.shading)


def _expect_recipe(table: Table, settings: Settings) -> None:
    name = made_by(table.attrs).name
    if settings.recipes and name not in settings.recipes:
        asked = " or ".join(settings.recipes)
        raise ValueError(
            f"{table.path}: made by recipe {name}, but {settings.title!r} is for {asked} (steps, "
            f"rates and epochs are meant for its pairs); to train on these all the same: "
            f"--set 'recipes=[\"{name}\"]'"
        )


def _expect_side(table: Table, shading: str) -> None:
    if shading == "kept" and (table.shaded or _undone(table)):
        raise ValueError(
            f"{table.path}: its truths have lens shading undone, these settings keep it; take "
            'shading = "undone", or shards whose recipe leaves it'
        )
    if shading == "undone" and not table.shaded and _undone(table):
        raise ValueError(
            f"{table.path}: its truths have lens shading undone, its inputs keep it, and it holds "
            "no gains to undo it (made before 0.2): build it again, or train with --set "
            "'shading=\"as-stored\"'"
        )


def _undone(table: Table) -> bool:
    """Whether a step of any truth has multiplied by a map."""
    with opened(table.path) as file:
        return any(_maps(text) for text in file["truth_history"].asstr()[:])


def _maps(history: str) -> bool:
    found = [dict(taken.get("found", ())) for taken in json.loads(history)]
    return any(sum(one.get("gain_maps", ())) > 0 for one in found)
