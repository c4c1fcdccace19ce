"""The room of data sets whose files a table lists: files.tsv beside dataset.toml."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from isptools.datasets.card import Card, FileRow
from isptools.datasets.files import Folder
from isptools.datasets.listing import BuildError, Line, Listing, excluded, missing
from isptools.datasets.scene import Exposures, Named, Scene


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of the listed files a recipe takes."""

    # every input; the first listed one of each exposure time of a scene; or the first of the
    # shortest exposure time
    pairs: Literal["all", "first", "one-per-scene"] = "all"
    val: Literal["own", "train"] = "own"  # "train": validation scenes join the training split
    exclude: tuple[str, ...] = ()  # names of exclusion lists of the data set


def find(card: Card, select: Select, place: Path) -> Listing:
    """The scenes of files.tsv in its order, and a line for what is excluded or not listed.

    BuildError if there is no table, or nothing of it is at `place`.
    """
    if card.files is None:
        raise BuildError(f"{card.folder}: there is no files.tsv, the table of the data set's files")
    rows = [_joined(row, select.val) for row in card.files]
    dropped = excluded(card, select.exclude)
    scenes = tuple(
        _scene(name, members, select.pairs, card)
        for name, members in _by_scene(rows).items()
        if name not in dropped
    )
    folder = _folder(card, scenes, place)
    lines = [
        Line(row.split, row.scene, row.path, "excluded", why.name, why.reason)
        for row in rows
        if (why := dropped.get(row.scene))
    ]
    lines += folder.unlisted([row.path for row in rows], card.input_name)
    return Listing(folder.root, scenes, tuple(lines))


def _joined(row: FileRow, val: str) -> FileRow:
    joins = row.split == "val" and val == "train"
    return msgspec.structs.replace(row, split="train") if joins else row


def _by_scene(rows: Iterable[FileRow]) -> dict[str, list[FileRow]]:
    together: dict[str, list[FileRow]] = {}
    for row in rows:
        together.setdefault(row.scene, []).append(row)
    return together


def _scene(name: str, rows: list[FileRow], pairs: str, card: Card) -> Scene:
    truths = [row for row in rows if row.role == "truth"]
    inputs = [row for row in rows if row.role == "input"]
    if len(truths) != 1 or not inputs:
        found = f"{len(truths)} truths and {len(inputs)} inputs"
        raise BuildError(f"{card.name}: scene {name} needs one truth and an input, has {found}")
    finals = [_named(row) for row in rows if row.role == "final"]
    shot = Exposures(
        _named(truths[0]),
        tuple(_named(row) for row in _chosen(inputs, pairs)),
        tuple(_named(row) for row in rows if row.role == "frame"),
        finals[-1] if finals else None,
    )
    return Scene(name, rows[0].split, shot)


def _named(row: FileRow) -> Named:
    return Named(row.path, row.exposure_s, row.iso, row.sha256)


def _chosen(inputs: list[FileRow], pairs: str) -> list[FileRow]:
    if pairs == "all":
        return inputs
    first: dict[float | None, FileRow] = {}
    for row in inputs:
        first.setdefault(row.exposure_s, row)
    if pairs == "first":
        return list(first.values())
    return [min(first.values(), key=lambda row: row.exposure_s or 0.0)]


def _folder(card: Card, scenes: Iterable[Scene], place: Path) -> Folder:
    """The first of the data set's roots that holds a file of a scene."""
    wanted = [path for scene in scenes for path in _paths(scene)]
    for root in card.roots:
        candidate = Folder(place / root)
        if any(candidate.find(path).reason != "missing" for path in wanted):
            return candidate
    raise BuildError(missing(card, place))


def _paths(scene: Scene) -> Iterator[str]:
    if isinstance(scene.shot, Exposures):
        yield from (one.path for one in (scene.shot.truth, *scene.shot.inputs) if one)
