"""`isptools convert`: a folder of shards to a folder of another tool's files."""

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from isptools import shards
from isptools.exports.files import Npz, WebDataset
from isptools.exports.pictures import Exr, Tiff
from isptools.exports.records import Record, records, text
from isptools.exports.tables import Parquet, Zarr

EXTRA = "in isptools' own folder, pip install '.[convert]'"
FACTS, ABOUT = "facts.jsonl", "README.md"
KINDS: dict[str, Callable[[Path], "Writer"]] = {
    "webdataset": WebDataset, "zarr": Zarr, "parquet": Parquet, "tiff": Tiff, "exr": Exr,
    "npz": Npz,
}  # fmt: skip
LEAVE = {
    "allowed": "They may be passed on, under the licence above.",
    "forbidden": "**They may not be passed on: keep them to yourself.**",
    "unknown": "**Nothing is stated about passing them on: ask its owners first.**",
}


class Writer(Protocol):
    """Files of one format in a folder."""

    def add(self, record: Record) -> None:
        """Store one record; OSError where the disk takes no more."""

    def close(self) -> None:
        """Finish the files that are open."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is converted, and what may be written over."""

    splits: tuple[str, ...] | None = None  # None: all
    side: int | None = None  # pixels of square patches; None: whole frames
    overwrite: bool = False
    progress: Callable[[int, int], None] = lambda _done, _total: None  # inputs


@dataclass(frozen=True, slots=True)
class Converted:
    """What stands in the folder now."""

    records: int
    files: int
    bytes: int
    redistribution: tuple[str, ...]


def convert(folder: str | Path, kind: str, out: Path, options: Options | None = None) -> Converted:
    """Write the shards of `folder` as files of `kind`, one of KINDS, into a new folder `out`.

    It is there whole or not at all. ValueError in one line where the shards can't be read or cut,
    a library is missing, or `out` holds something; OSError where the disk takes no more.
    """
    options = options or Options()
    if out.exists() and not options.overwrite and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is there: choose another --out, or give --overwrite")
    if out.exists() and out.resolve() in {(read := Path(folder).resolve()), *read.parents}:
        raise ValueError(f"{out} holds the shards that are read: choose another --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    temp = out.with_name(f".{out.name}.{uuid.uuid4().hex}.tmp")
    temp.mkdir()
    try:
        with _opened(folder, options.splits) as opened:
            number, terms = _written(opened, kind, temp, options)
        _replace(temp, out)
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    files = [path for path in out.rglob("*") if path.is_file()]
    return Converted(number, len(files), sum(path.stat().st_size for path in files), terms)


def _opened(folder: str | Path, splits: tuple[str, ...] | None) -> shards.Shards:
    opened = shards.open(folder)
    tables = tuple(one for one in opened.tables if splits is None or one.split in splits)
    if not tables:
        raise ValueError(f"{folder}: there is no shard of split {', '.join(splits or ())}")
    return shards.Shards(tables)


def _written(
    opened: shards.Shards, kind: str, folder: Path, options: Options
) -> tuple[int, tuple[str, ...]]:
    try:
        writer = KINDS[kind](folder)
    except ImportError as error:
        raise ValueError(f"--to {kind} needs {error.name}: {EXTRA}") from None
    number, seen = 0, -1
    try:
        with (folder / FACTS).open("w", encoding="utf-8") as lines:
            for record in records(opened, options.side):
                writer.add(record)
                lines.write(text(record.facts) + "\n")
                number += 1
                if record.index != seen:
                    seen = record.index
                    options.progress(seen + 1, len(opened))
    finally:
        writer.close()
    attrs = [table.attrs for table in opened.tables]
    (folder / ABOUT).write_text(about(kind, attrs), encoding="utf-8")
    return number, tuple(sorted({str(one["redistribution"]) for one in attrs}))


def about(kind: str, attrs: list[dict[str, Any]]) -> str:
    """The page that travels along: whose pictures these are, and what the numbers mean."""
    names = ("title", "licence", "redistribution", "citation")
    stated = sorted({tuple(str(one[name]) for name in names) for one in attrs})
    lines = [f"# Shards of isptools as {kind}", ""]
    for title, licence, redistribution, citation in stated:
        lines += [f"- Data set: {title}", f"- Licence: {licence}"]
        lines += [f"- Citation: {citation}"] if citation else []
        lines += ["", LEAVE.get(redistribution, LEAVE["unknown"]), ""]
    meaning = (
        "Pictures are in physical units: (DN - black) / (white - black) of inputs, values of their "
        "station of truths."
        if kind == "exr"
        else "Pictures are as the shards store them. An input is (DN - black) / (white - black), "
        "`black` by position in the CFA; a truth is the stored number times "
        "`pictures.NAME.value_of_one`; `weight` is over 255; an input is multiplied by `shading` "
        "where there is one."
    )
    return "\n".join([*lines, meaning, f"`{FACTS}` has the facts of each record, a line each.", ""])


def _replace(temp: Path, out: Path) -> None:
    """Put a finished folder where another one may be."""
    if not out.exists():
        temp.rename(out)
        return
    old = out.with_name(f".{out.name}.{uuid.uuid4().hex}.old")
    out.rename(old)
    try:
        temp.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old) if old.is_dir() else old.unlink()
