"""Is a shard what the format says: datasets, types, shapes, attributes, tables?"""

from collections.abc import Iterator
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from isptools import facts
from isptools.shards.made import Kept, made_by
from isptools.shards.opened import opened
from isptools.shards.read import Table
from isptools.shards.schema import (
    KINDS,
    READABLE,
    ROOT,
    FusionRow,
    InputRow,
    PairRow,
    TruthRow,
    shape_of,
)

Wrong = tuple[str, str]  # what, detail
PICTURES = ("restoration", "enhancement")
TABLES = {"meta": InputRow, "truth_meta": TruthRow}
TEXTS = {"facts": "meta", "history": "meta", "truth_facts": "truth_meta",
         "truth_history": "truth_meta"}  # fmt: skip


def shard(path: Path) -> list[Wrong]:
    """What keeps a file from being read as a shard; no pixels are read."""
    with opened(path) as file:
        missing = [name for name in ROOT if name not in file.attrs]
        missing += [name for name in ("input", *TABLES, *TEXTS) if name not in file]
        if missing:
            return [("schema", f"it lacks {', '.join(missing)}")]
        if file.attrs["format"] not in READABLE:
            known = " and ".join(map(str, READABLE))
            return [("schema", f"format {file.attrs['format']}, this version knows {known}")]
        return [("schema", text) for text in (*_datasets(file), *_recipe(file))]


def _datasets(file: h5py.File) -> Iterator[str]:
    pixels = file["input"]
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
        if picture.dtype.name not in {"uint8", "uint16", "float32"}:
            yield f"{name} is {picture.dtype}, not uint8, uint16 or float32"
    for name, rows in TEXTS.items():
        if len(file[name]) != len(file[rows]):
            yield f"{len(file[name])} entries of {name}, {len(file[rows])} rows of {rows}"
    positions = {kind: count for count, kind in KINDS.items()}.get(file.attrs["kind"])
    if positions is None:
        yield f"kind {file.attrs['kind']!r} is none of {', '.join(KINDS.values())}"
        return
    for name, row in TABLES.items():
        yield from _columns(name, file[name].dtype, row, positions)
    if "pair" in file:
        yield from _columns("pair", file["pair"].dtype, PairRow, positions)
        if len(file["pair"]) != len(pixels):
            yield f"{len(pixels)} inputs and {len(file['pair'])} rows of pair"
    yield from _weights(file, positions)


def _weights(file: h5py.File, positions: int) -> Iterator[str]:
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
    wanted = {column.name: column.metadata for column in fields(row)}
    here = dtype.names or ()
    if here[: len(wanted)] != tuple(wanted):  # behind them may stand what a later version adds
        lacks = ", ".join(sorted(set(wanted) - set(here))) or "none"
        yield f"{name}: columns differ or are in another order (it lacks {lacks})"
        return
    for column, metadata in wanted.items():
        base, shape = dtype[column].base, dtype[column].shape
        code = base.kind if metadata["code"] == "S" else base.str[1:]
        if (code, shape) != (metadata["code"], shape_of(metadata, positions)):
            yield f"{name}.{column} is {base} {shape}"


def _recipe(file: h5py.File) -> Iterator[str]:
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


def tables(table: Table) -> Iterator[Wrong]:
    """Whether rows point at rows of their own scene, and facts are numbers that make sense."""
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
        for text in facts.of_input(row, table.attrs["kind"]):
            yield "facts", f"{row.key}: {text}"
    for number, truth in enumerate(table.truths):
        for text in facts.of_truth(truth):
            yield "facts", f"{truth.key}: {text}"
        if number not in used:
            yield "pointer", f"no input points at truth {number} ({truth.key})"
    for fusion, truth in zip(table.fusions, table.truths, strict=False):
        if fusion.key != truth.key:
            yield "pointer", f"fusion of {fusion.key} in the place of {truth.key}"
        elif fusion.frames < 1 or not fusion.effective_frames >= 1:
            light = f"{fusion.effective_frames:g} effective of {fusion.frames}"
            yield "facts", f"{truth.key}: {light} frames"


def pixels(table: Table) -> Iterator[Wrong]:
    """Whether every stored float is a finite number, and weights are what their table says."""
    with opened(table.path) as file:
        for number, fusion in enumerate(table.fusions):
            trusted = float((file["weight"][number] > 0).mean())
            if trusted != fusion.trusted:
                detail = f"{trusted:.4%} of its weights are above 0, its row says "
                yield "weight", f"{fusion.key}: {detail}{fusion.trusted:.4%}"
        for name in table.pictures:
            if file[name].dtype.kind != "f":
                continue
            for number, truth in enumerate(table.truths):
                for channel in range(3):
                    if not np.isfinite(file[name][number, channel]).all():
                        yield (
                            "not-finite",
                            f"{name} of {truth.key} holds values that are no numbers",
                        )
                        break
