"""What is to be done for a table: trainings, each once, and scores a row, data and seed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from isptools import shards
from isptools.compare import rows
from isptools.compare.table import Budget, Data, Row, Table
from isptools.shards.made import made_by
from isptools.train.settings import Settings


class MissingError(ValueError):
    """A row needs what the user did not give; it is left out, and nothing is wrong."""


TRAINED = {"quality", "losses", "simulators"}  # kinds whose rows without `method` are trained


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user says beside the table."""

    table: Table
    folders: dict[str, Path]  # shards by the names of data
    out: Path
    budget: Budget
    device: str = "auto"
    code: Path | None = None  # the folder of foreign networks' modules
    camera: Path | None = None  # of the camera's own JPEGs


@dataclass(frozen=True, slots=True)
class Training:
    """A run that one or several rows take weights from."""

    settings: Settings
    shards: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Unit:
    """A row on one data set by one seed."""

    row: Row
    data: Data
    seed: int
    shards: Path
    key: str  # of all that its numbers depend on
    trainings: tuple[Training, ...] = ()  # of all parts, or before and behind the restored picture
    missing: str = ""  # why there is nothing to do


def named(table: Table, given: Sequence[str]) -> dict[str, Path]:
    """Folders by the names of data: NAME=FOLDER says it, else the recipe of a folder's shards does.

    A folder of another recipe is a column of its own, by that recipe's name. ValueError in one
    line.
    """
    out: dict[str, Path] = {}
    known = [one.name for one in table.data]
    for word in given:
        name, _, rest = word.partition("=")
        stated = bool(rest) and name in known
        path = Path(rest if stated else word)
        recipe = made_by(shards.open(path).tables[0].attrs).name
        if not stated:
            fitting = [one.name for one in table.data if recipe in one.recipes]
            name = next((one for one in fitting if one not in out), recipe)
        if name in out:
            raise ValueError(f"{path}: {name} is {out[name]} already")
        out[name] = path
    return out


def units(asked: Asked) -> list[Unit]:
    """In the order of the table: row by row, data by data, seed by seed."""
    table = asked.table
    if table.kind == "complexity":
        return [_unit(asked, row, Data(""), 0, Path()) for row in table.rows]
    seeds = asked.budget.seeds or table.seeds
    return [
        _unit(asked, row, table.of(name), seed, path)
        for row in table.rows
        for name, path in asked.folders.items()
        for seed in (seeds if trains(table, row) else seeds[:1])
    ]


def trains(table: Table, row: Row) -> bool:
    """Whether weights decide the row's numbers, and with them the seed."""
    return table.kind in TRAINED and not row.method and not row.cannot


def _unit(asked: Asked, row: Row, data: Data, seed: int, path: Path) -> Unit:
    if row.cannot:
        return Unit(row, data, seed, path, "", missing=row.cannot)
    try:
        made = _trainings(asked, row, data, seed) if trains(asked.table, row) else ()
    except MissingError as error:
        return Unit(row, data, seed, path, "", missing=str(error))
    except Exception as error:  # whatever a row's own network raises must not cost the others
        return Unit(row, data, seed, path, "", missing=f"failed: {line_of(error)}")
    words = (
        asked.table.kind, row.method, msgspec.to_builtins(row.jpeg), row.set, str(row.network),
        row.preset, data.split, asked.budget.limit, [one.folder.name for one in made],
        identity(path) if path != Path() else "", str(asked.camera or ""), asked.table.metrics,
    )  # fmt: skip
    return Unit(row, data, seed, path, _hash(words), made)


def _trainings(asked: Asked, row: Row, data: Data, seed: int) -> tuple[Training, ...]:
    """MissingError where it needs shards that were not given."""
    wanted = [row.trained or data.name] + ([row.enhance] if row.enhance else [])
    if row.enhance and not row.trained:
        wanted[0] = data.name
    out = []
    for name in wanted:
        if name not in asked.folders:
            given = ", ".join(asked.folders)
            raise MissingError(f"needs shards of {name} beside {given}: '{name}=FOLDER'")
        of = asked.table.of(name)
        chosen = rows.settings(asked.table, row, of, asked.budget, seed, asked.code)
        path = asked.folders[name]
        tail = _hash((chosen.to_json(), identity(path)))
        folder = f"{chosen.network['name'].replace(':', '.')}-{tail}"
        out.append(Training(chosen, path, asked.out / "runs" / folder))
    return tuple(out)


def identity(folder: Path) -> str:
    """Of a folder of shards, by its index; by names and sizes where somebody wrote none."""
    index = folder / "index.json"
    if index.is_file():
        return hashlib.sha256(index.read_bytes()).hexdigest()
    files = sorted(folder.glob("*.h5")) if folder.is_dir() else [folder]
    return _hash([(file.name, file.stat().st_size) for file in files])


def _hash(words: object) -> str:
    text = json.dumps(words, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def line_of(error: Exception) -> str:
    """What went wrong, in a line; of errors that are not meant for people with their type."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {said}"
