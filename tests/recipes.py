"""Recipes with other words, and their builds."""

from pathlib import Path
from typing import Any

import msgspec

from isptools import datasets
from isptools.build import Options, Summary, build
from isptools.recipe import Recipe, Storage


def changed(recipe: str | Recipe, **words: Any) -> Recipe:
    """A recipe with words replaced where they stand: at the top, in truth, storage or source."""
    recipe = Recipe.load(recipe) if isinstance(recipe, str) else recipe
    replace = msgspec.structs.replace
    for word, value in words.items():
        if word in Recipe.__struct_fields__:
            recipe = replace(recipe, **{word: value})
        elif word in recipe.truth.__struct_fields__:
            recipe = replace(recipe, truth=replace(recipe.truth, **{word: value}))
        elif word in Storage.__struct_fields__:
            recipe = replace(recipe, storage=replace(recipe.storage, **{word: value}))
        else:
            recipe = replace(recipe, source={**recipe.source, word: value})
    return recipe


def made(recipe: str | Recipe, source: Path, out: Path, small: bool = False, **how: Any) -> Summary:
    """Build a recipe of a shipped data set, or of its miniature's card."""
    recipe = Recipe.load(recipe) if isinstance(recipe, str) else recipe
    opened = datasets.opened(recipe.source)
    opened = datasets.in_small(opened) if small else opened
    return build(recipe, source, out, Options(data_set=opened, **how))


def listed(recipe: str | Recipe, source: Path) -> datasets.Listing:
    """The scenes that a recipe selects."""
    recipe = Recipe.load(recipe) if isinstance(recipe, str) else recipe
    opened = datasets.opened(recipe.source)
    return opened.room.find(opened.card, opened.select, source)


def listed_of(card: datasets.Card, source: Path, **words: Any) -> datasets.Listing:
    """The scenes of a card, with words of a recipe's `source`."""
    opened = datasets.selected(card, words)
    return opened.room.find(card, opened.select, source)
