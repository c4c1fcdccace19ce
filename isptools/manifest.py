"""Which files a data set has: their roles, scenes, splits; its licence and where it is to be had."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from isptools import shipped

Role = Literal["input", "truth"]
Split = Literal["train", "val", "test"]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the data set, a line of files.tsv."""

    split: Split
    scene: str
    role: Role
    path: str  # below the data set's root, with forward slashes
    exposure_s: float | None = None  # nominal, from the file name or list
    iso: float | None = None
    sha256: str = ""  # of the file, where known


class Exclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scenes that somebody advises to leave out; a recipe chooses by name."""

    name: str
    reason: str
    scenes: tuple[str, ...]


class DataSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """dataset.toml: the facts that hold for the data set as a whole."""

    name: str
    title: str
    licence: str
    redistribution: Literal["allowed", "forbidden", "unknown"]
    home: str  # page where it is described
    downloads: tuple[str, ...]
    size: str  # for people: "25 GB"
    place: str  # what to put where, for people
    roots: tuple[str, ...]  # folders below --source to try, in this order; "." is --source itself
    cameras: tuple[str, ...] = ()  # "Make Model" the files are expected to state
    input_name: str = ""  # regular expression of file names the set uses, to find unlisted files
    exclusions: tuple[Exclusion, ...] = ()


class Manifest(msgspec.Struct, frozen=True):
    data_set: DataSet
    entries: tuple[Entry, ...]
    citation: str = ""


def load(name: str, base: Path | None = None) -> Manifest:
    """Read the manifest folder `name`: one that ships, or a path (relative to `base`).

    Raises ValueError with one line for a missing folder, a wrong field, a scene in two splits or
    a file named twice.
    """
    folder = _find(name, base)
    try:
        data_set = msgspec.toml.decode((folder / "dataset.toml").read_bytes(), type=DataSet)
    except msgspec.DecodeError as error:
        raise ValueError(f"{folder / 'dataset.toml'}: {error}") from None
    entries = tuple(_rows(folder / "files.tsv"))
    check(entries, folder)
    citation = folder / "CITATION.bib"
    return Manifest(data_set, entries, citation.read_text() if citation.exists() else "")


def _find(name: str, base: Path | None) -> Path:
    tried = [(base or Path()) / name, shipped.folder("manifests") / name]
    for folder in tried:
        if (folder / "dataset.toml").is_file():
            return folder
    raise ValueError(f"no manifest {name!r}: looked for dataset.toml in {tried[0]} and {tried[1]}")


def _rows(path: Path) -> Iterable[Entry]:
    with path.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines, delimiter="\t"), start=2):
            filled = {key: value for key, value in row.items() if value not in {"", None}}
            try:
                yield msgspec.convert(filled, Entry, strict=False)
            except msgspec.ValidationError as error:
                raise ValueError(f"{path}:{number}: {error}") from None


def check(entries: Iterable[Entry], folder: Path) -> None:
    """Refuse a scene that stands in two splits, and a file that is named twice."""
    split_of: dict[str, str] = {}
    seen: set[str] = set()
    for entry in entries:
        if split_of.setdefault(entry.scene, entry.split) != entry.split:
            raise ValueError(f"{folder}: scene {entry.scene} stands in two splits")
        if entry.path in seen:
            raise ValueError(f"{folder}: {entry.path} is named twice")
        seen.add(entry.path)
