"""What a shard's own recipe says of it: the only place that reads a recipe inside a shard.

Format 1 keeps every choice in one flat table, with words that most recipes leave at their default.
Format 2 keeps what the data set's room chose under `source`, and one maker with its own words under
`truth`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from isptools.frame import Space

# whence a kept picture comes, as format 2's recipes call it and as a picture's attribute does
SOURCES = {"kept": "develop", "published": "published", "as-it-comes": "published", "own": "files"}

SHADING = {"shading", "vignetting", "opcodes"}  # steps that may multiply by a field of gains
RATIO_WITHIN = 0.25  # where a recipe says nothing; see `isptools.recipe.Develop`


@dataclass(frozen=True, slots=True)
class Kept:
    """How the recipe says that a picture is stored."""

    at: str
    dtype: str
    full_scale: float
    source: str


@dataclass(frozen=True, slots=True)
class MadeBy:
    """The recipe inside a shard, as far as a reader of the shard needs it."""

    name: str
    title: str
    pictures: Mapping[str, Kept]  # by dataset: restoration, enhancement
    fused: bool  # the truth is fused from a burst, and a weight lies beside it
    shaken: bool  # inputs are all frames of a burst, and lie as the hand held them
    exclude: tuple[str, ...]  # lists of scenes that were left out
    tile: int | None
    ratio_within: float = RATIO_WITHIN  # relative, of the measured ratio and the stated one
    max_ratio: float = math.inf  # stated ratios are cut there
    unprocessed: bool = False  # inputs were computed from finished pictures, highlights kept


class _Picture1(msgspec.Struct):
    at: str
    dtype: str
    full_scale: float
    source: str


class _Recipe1(msgspec.Struct):
    """Format 1."""

    name: str
    title: str
    restoration: _Picture1 | None = None
    enhancement: _Picture1 | None = None
    input: str = ""
    truth: str = ""
    exclude: tuple[str, ...] = ()
    tile: int | None = None
    max_ratio: float = math.inf


class _Picture2(msgspec.Struct):
    origin: str = msgspec.field(name="from")
    dtype: str = "uint16"
    at: str = str(Space.CAMERA)  # of a linear truth as it comes, which states none
    full_scale: float = 1.0


class _Truth2(msgspec.Struct):
    make: str = ""
    restoration: _Picture2 | None = None
    enhancement: _Picture2 | None = None
    fuse: str = ""
    ratio_within: float = RATIO_WITHIN
    max_ratio: float = math.inf


class _Source2(msgspec.Struct):
    inputs: str = ""
    exclude: tuple[str, ...] = ()


class _Storage2(msgspec.Struct):
    tile: int | None = None


class _Recipe2(msgspec.Struct):
    """Format 2."""

    name: str
    title: str
    truth: _Truth2
    source: _Source2
    storage: _Storage2


def made_by(attrs: Mapping[str, Any]) -> MadeBy:
    """From a shard's own attributes. ValueError in one line if they hold no recipe."""
    text = str(attrs["recipe"])
    try:
        if int(attrs["format"]) == 1:
            return _first(msgspec.json.decode(text, type=_Recipe1))
        return _second(msgspec.json.decode(text, type=_Recipe2))
    except msgspec.ValidationError as error:
        raise ValueError(f"the recipe inside is none: {error}") from None
    except msgspec.DecodeError:
        raise ValueError("the recipe inside is no JSON") from None


def may_shade(attrs: Mapping[str, Any]) -> bool:
    """Whether a step of a shard's recipe undoes lens shading, where a file states any."""
    steps = msgspec.json.decode(str(attrs["steps"]), type=dict[str, list[dict[str, Any]]])
    return any(step.get("step") in SHADING for part in steps.values() for step in part)


def _first(recipe: _Recipe1) -> MadeBy:
    both = {"restoration": recipe.restoration, "enhancement": recipe.enhancement}
    pictures = {
        name: Kept(one.at, one.dtype, one.full_scale, one.source)
        for name, one in both.items()
        if one
    }
    fused, shaken = recipe.truth == "fused", recipe.input == "burst"
    return MadeBy(
        recipe.name, recipe.title, pictures, fused, shaken, recipe.exclude, recipe.tile,
        max_ratio=recipe.max_ratio,
    )  # fmt: skip


def _second(recipe: _Recipe2) -> MadeBy:
    both = {"restoration": recipe.truth.restoration, "enhancement": recipe.truth.enhancement}
    pictures = {
        name: Kept(one.at, one.dtype, one.full_scale, SOURCES.get(one.origin, one.origin))
        for name, one in both.items()
        if one
    }
    source, tile = recipe.source, recipe.storage.tile
    fused, shaken = bool(recipe.truth.fuse), source.inputs == "burst"
    return MadeBy(
        recipe.name, recipe.title, pictures, fused, shaken, source.exclude, tile,
        recipe.truth.ratio_within, recipe.truth.max_ratio, recipe.truth.make == "unprocess",
    )  # fmt: skip
