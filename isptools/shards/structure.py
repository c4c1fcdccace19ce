"""Is a shard what the format says: datasets, types, shapes, attributes, tables?"""

from collections.abc import Iterable, Iterator
from dataclasses import fields as columns_of
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from isptools import fields, sound
from isptools.frame import Space
from isptools.shards.made import Kept, made_by
from isptools.shards.opened import Opened, opened
from isptools.shards.schema import (
    FORMAT,
    KINDS,
    READABLE,
    ROOT,
    FusionRow,
    InputRow,
    PairRow,
    TruthRow,
    shape_of,
    wrong_fusion,
    wrong_input,
    wrong_pair,
    wrong_truth,
)
from isptools.shards.table import Content, Table

Wrong = tuple[str, str]  # what, detail
PICTURES = ("restoration", "enhancement")
NEEDED = {"meta": InputRow, "truth_meta": TruthRow}
DEEP = {"uint8", "uint16", "float32"}
JSON = {"steps": dict[str, list[dict[str, Any]]], "versions": dict[str, str]}
OTHERS = {"format": int, "sample": bool}  # of the root's attributes; all else is text
TEXTS = {"facts": "meta", "history": "meta", "truth_facts": "truth_meta",
         "truth_history": "truth_meta"}  # fmt: skip


def shard(path: Path) -> list[Wrong]:
    """What keeps a file from being read as a shard; no pixels are read."""
    with opened(path) as file:
        wrong = [("schema", text) for text in layout(file)]
        return wrong or [("schema", text) for text in _recipe(file)]


def unknown(path: Path) -> tuple[str, ...]:
    """Members that this version does not know: of a later one, or somebody's own."""
    with opened(path) as file:
        return file.found.unknown


def layout(file: Opened) -> Iterator[str]:
    """Where the datasets and attributes are not what the format says."""
    number = file.attrs.get("format", FORMAT)
    if number not in READABLE:
        known = " and ".join(map(str, READABLE))
        yield f"format {str(number)[:20]}, this version reads {known}"
        return
    missing = [name for name in ROOT if name not in file.attrs]
    missing += [name for name in ("input", *NEEDED, *TEXTS) if name not in file]
    if missing:
        yield f"it lacks {', '.join(missing)}"
        return
    for name in ROOT:
        value, kind = file.attrs[name], OTHERS.get(name, str)
        value = value.item() if isinstance(value, np.generic) else value
        if type(value) is not kind:
            yield f"its {name} is {str(value)[:40]!r}, not of type {kind.__name__}"
            return
    try:
        made_by(file.attrs)
    except ValueError as error:
        yield str(error)
        return
    for name, kind in JSON.items():
        try:
            msgspec.json.decode(file.attrs[name], type=kind)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            yield f"its {name} are not the JSON they should be"
            return
    yield from _datasets(file)


def _datasets(file: Opened) -> Iterator[str]:
    pixels: Any = file["input"]
    if not _is_input(pixels, file.attrs["kind"] == "rgb"):
        yield f"input is {pixels.dtype} {pixels.shape}, not uint16 (rows, height, width)"
        return
    if len(file["meta"]) != len(pixels) or not len(pixels):
        yield f"{len(pixels)} inputs and {len(file['meta'])} rows of meta"
    present = [name for name in PICTURES if name in file]
    if not present:
        yield "there is neither restoration nor enhancement"
    for name in present:
        picture, truths = file[name], len(file["truth_meta"])
        if picture.shape != (truths, 3, *pixels.shape[-2:]):
            yield f"{name} is {picture.shape}, not {(truths, 3, *pixels.shape[-2:])}"
        if picture.dtype.name not in DEEP or not picture.dtype.isnative:
            yield f"{name} is {picture.dtype}, not uint8, uint16 or float32"
        yield from _meaning(name, picture)
    for name, rows in TEXTS.items():
        if len(file[name]) != len(file[rows]):
            yield f"{len(file[name])} entries of {name}, {len(file[rows])} rows of {rows}"
    positions = {kind: count for count, kind in KINDS.items()}.get(file.attrs["kind"])
    if positions is None:
        yield f"kind {file.attrs['kind']!r} is none of {', '.join(KINDS.values())}"
        return
    for name, row in NEEDED.items():
        yield from _columns(name, file[name].dtype, row, positions)
    if "pair" in file:
        yield from _columns("pair", file["pair"].dtype, PairRow, positions)
        if len(file["pair"]) != len(pixels):
            yield f"{len(pixels)} inputs and {len(file['pair'])} rows of pair"
    yield from _weights(file, positions)
    yield from _shading(file)


def _shading(file: Opened) -> Iterator[str]:
    """Of inputs whose truths have shading undone."""
    if "shading" not in file:
        return
    if len(file["shading"]) != len(file["input"]):
        yield f"{len(file['shading'])} entries of shading, {len(file['input'])} inputs"
    for row, text in enumerate(file["shading"][:]):
        try:
            fields.decoded(text)
        except ValueError as error:
            yield f"shading of input {row} is no list of fields: {error}"


def _meaning(name: str, picture: Any) -> Iterator[str]:
    """Of a truth's numbers."""
    stated = {word: picture.attrs.get(word) for word in ("space", "full_scale", "note", "source")}
    scale = stated.pop("full_scale")
    lacks = [word for word, value in stated.items() if not isinstance(value, str)]
    if lacks or not isinstance(scale, float):
        yield f"{name} does not state its {', '.join(lacks) or 'full_scale'}"
        return
    if stated["space"] not in list(Space):
        yield f"{name} stands at {stated['space'][:40]!r}, which is no station"
    yield from sound.within(f"full_scale of {name}", float(scale), sound.FACTOR)


def _weights(file: Opened, positions: int) -> Iterator[str]:
    """Of fused truths."""
    present = [name for name in ("weight", "fusion") if name in file]
    if len(present) == 1:
        yield f"there is {present[0]}, but not both of weight and fusion"
    if len(present) < 2:
        return
    weight, truths = file["weight"], len(file["truth_meta"])
    wanted = (truths, *file["input"].shape[-2:])
    if weight.shape != wanted or weight.dtype != np.uint8:
        yield f"weight is {weight.dtype} {weight.shape}, not uint8 {wanted}"
    yield from _columns("fusion", file["fusion"].dtype, FusionRow, positions)
    if len(file["fusion"]) != truths:
        yield f"{truths} truths and {len(file['fusion'])} rows of fusion"


def _is_input(pixels: Any, picture: bool) -> bool:
    """Sensor integers, or 8 or 16 bit pictures with their channels first."""
    if picture:
        deep = pixels.dtype.name in {"uint8", "uint16"}
        return pixels.ndim == 4 and pixels.shape[1] == 3 and deep
    return bool(pixels.ndim == 3 and pixels.dtype == np.uint16)


def _columns(name: str, dtype: np.dtype[Any], row: type, positions: int) -> Iterator[str]:
    here = dtype.names or ()
    wanted = {column.name: column.metadata for column in columns_of(row)
              if column.name in here or "later" not in column.metadata}  # fmt: skip
    first = [name for name, metadata in wanted.items() if "later" not in metadata]
    if list(here[: len(first)]) != first:  # behind them may stand what a later version adds
        lacks = ", ".join(sorted(set(first) - set(here))) or "none"
        yield f"{name}: columns differ or are in another order (it lacks {lacks})"
        return
    for column, metadata in wanted.items():
        base, shape = dtype[column].base, dtype[column].shape
        code = base.kind if metadata["code"] == "S" else base.str[1:]
        if (code, shape) != (metadata["code"], shape_of(metadata, positions)):
            yield f"{name}.{column} is {base} {shape}"


def _recipe(file: Opened) -> Iterator[str]:
    """The recipe inside: its hash, and that the truths are stored as it says."""
    text = file.attrs["recipe"]
    if sha256(text.encode()).hexdigest() != file.attrs["recipe_sha256"]:
        yield "recipe_sha256 is not that of the recipe inside"
    try:
        recipe = made_by(file.attrs)
    except ValueError as error:
        yield str(error)
        return
    for name in PICTURES:
        kept = recipe.pictures.get(name)
        if bool(kept) != (name in file):
            yield f"{name} is {'kept' if kept else 'not kept'} by the recipe inside"
        elif kept:
            yield from _truth(file[name], kept, name)
    if recipe.fused != ("weight" in file):
        yield f"weight is {'asked for' if recipe.fused else 'not asked for'} by the recipe inside"


def _truth(dataset: Any, kept: Kept, name: str) -> Iterator[str]:
    here = {
        "at": dataset.attrs["space"],
        "dtype": dataset.dtype.name,
        "full_scale": dataset.attrs["full_scale"],
        "source": dataset.attrs["source"],
    }
    for fact, value in here.items():
        if value != getattr(kept, fact):
            yield f"{name}: {fact} is {value}, its recipe says {getattr(kept, fact)}"


def tables(table: Table | Content) -> Iterator[Wrong]:
    """Whether rows point at rows of their own scene, and facts are numbers that make sense."""
    yield from _pointers(table)
    for row in table.rows:
        yield from _facts(row.key, wrong_input(row, table.attrs["kind"]))
    for truth in table.truths:
        yield from _facts(truth.key, wrong_truth(truth))
    for pair in table.pairs:
        yield from _facts(pair.key, wrong_pair(pair))
    for fusion in table.fusions:
        yield from _facts(fusion.key, wrong_fusion(fusion))


def _facts(key: str, wrong: Iterator[str]) -> Iterator[Wrong]:
    return (("facts", f"{key}: {text}") for text in wrong)


def _pointers(table: Table | Content) -> Iterator[Wrong]:
    used = set()
    for row in table.rows:
        for name in PICTURES:
            number = getattr(row, name)
            if (number >= 0) != (name in table.pictures) or number >= len(table.truths):
                yield "pointer", f"{row.key}: {name} is row {number} of {len(table.truths)}"
                continue
            used.add(number)
            if number >= 0 and table.truths[number].scene != row.scene:
                other = table.truths[number].scene
                yield "scene", f"{row.key} of scene {row.scene} points at {name} of scene {other}"
    for number, truth in enumerate(table.truths):
        if number not in used:
            yield "pointer", f"no input points at truth {number} ({truth.key})"
    for fusion, truth in zip(table.fusions, table.truths, strict=False):
        if fusion.key != truth.key:
            yield "pointer", f"fusion of {fusion.key} in the place of {truth.key}"


def weights(file: Opened, table: Table, numbers: Iterable[int]) -> Iterator[Wrong]:
    """Whether the weights of some truths are what their table says; all of their tiles are read."""
    for number in numbers if table.fusions else ():
        fusion = table.fusions[number]
        trusted = float((file["weight"][number] > 0).mean())
        if trusted != fusion.trusted:
            detail = f"{trusted:.4%} of its weights are above 0, its row says "
            yield "weight", f"{fusion.key}: {detail}{fusion.trusted:.4%}"
