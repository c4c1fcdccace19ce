"""What is known of a data set: dataset.toml and the tables that stand beside it."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec

from isptools import shipped
from isptools.datasets.tables import records
from isptools.measure.exposure import Law

Positive = Annotated[float, msgspec.Meta(gt=0)]
Split = Literal["train", "val", "test"]
Role = Literal["input", "truth", "frame", "final"]  # of a line of files.tsv
Colors = Literal["srgb", "prophoto"]
S = TypeVar("S", bound=msgspec.Struct)


class Sensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of mosaics whose files state nothing: gray PNGs, .MAT files, bare numbers."""

    cfa: str = ""  # letters per CFA position, as in Capture; "" where it is found from the files
    black: float = 0.0  # DN; numbers of a .MAT have black taken out
    white: Annotated[int, msgspec.Meta(gt=0)] = 65535  # DN; of a .MAT it is 1.0
    make: str = ""
    model: str = ""
    variable: str = "x"  # of a .MAT file
    shape: tuple[int, int] | None = None  # height, width of a file of bare numbers (.raw, .bin)
    dtype: Literal["uint8", "uint16", "uint16-big"] = "uint16"  # of its numbers
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0  # bytes before the first of them


class FileRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the data set, a line of files.tsv."""

    split: Split
    scene: str
    role: Role
    path: str  # below the data set's root, with forward slashes
    exposure_s: Positive | None = None  # nominal, from the file name or list
    iso: Positive | None = None
    sha256: str = ""  # of the file, where known


class SceneRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is published about one scene, a line of scenes.tsv."""

    scene: str
    camera: str = ""  # "Make Model"
    licence: str = ""  # which of the data set's licences holds for it
    lists: str = ""  # published lists it stands in, as list:split, separated by spaces

    def __post_init__(self) -> None:
        for word in self.lists.split():
            if word.partition(":")[2] not in get_args(Split):
                raise ValueError(f"lists has {word!r}; expected list:train, list:val or list:test")

    @property
    def splits(self) -> dict[str, Split]:
        """Its split in each published list that has it."""
        words = (word.partition(":") for word in self.lists.split())
        return {name: split for name, _, split in words}  # type: ignore[misc]  # looked at above


TableRow = TypeVar("TableRow", FileRow, SceneRow)


class Exclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scenes that somebody advises to leave out; a recipe chooses by name."""

    name: str
    reason: str
    scenes: tuple[str, ...]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pairs of files that have a name in common, where a list of them would be endless."""

    name: str  # "iphone-train"; a recipe chooses by it, and scenes are called name/stem
    input: str  # folder of the inputs, below the root
    truth: str  # folder of the truths
    split: Split | None = None  # None: by a hash of the scene's name, 8 : 1 : 1
    pairs: int | None = None  # as published
    numbered: bool = False  # published as 0, 1, 2, ... without gaps
    sensor: Sensor | None = None  # of its mosaics


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files that a public plain address gives, without a form or a login."""

    name: str
    about: str  # for people: what it is, how big
    url: str  # of one file; with {scene} of one file a scene of scenes.tsv; of a bucket's server
    into: str = ""  # where it goes below the output folder; with {scene}; a prefix for a bucket
    bucket: str = ""  # of Google Cloud Storage
    prefix: str = ""  # of the bucket's objects, left out of their places
    usual: bool = True  # taken if no part is named
    packed: bool = False  # an archive that is to be unpacked


class Unpaired(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published folder of pictures that have no other side: no recipe of pairs can take them."""

    folder: str  # below the root
    pictures: int | None = None  # as published


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
    # who lists the scenes: a room of isptools.datasets, a .py file of this folder, or a module
    room: str = "table"
    own: dict[str, Any] = {}  # facts that only that room knows
    cameras: tuple[str, ...] = ()  # "Make Model" the files are expected to state
    input_name: str = ""  # regular expression of file names the set uses, to find unlisted files
    exclusions: tuple[Exclusion, ...] = ()
    rules: tuple[Rule, ...] = ()
    sensor: Sensor | None = None  # of mosaics that no camera raw holds
    pictures: Colors = "srgb"  # colors of published pictures that embed no profile
    parts: tuple[Part, ...] = ()  # what a public plain address gives
    unpaired: tuple[Unpaired, ...] = ()  # beside the rules
    # what the authors' exposure ratio counts: time, ISO and aperture, or time alone
    ratio: Law = "light"


class Card(Facts, frozen=True, kw_only=True):
    """The facts, and what stands beside them in the folder."""

    folder: Path
    citation: str = ""
    scenes: tuple[SceneRow, ...] = ()  # scenes.tsv
    files: tuple[FileRow, ...] | None = None  # files.tsv

    def stated(self, kind: type[S]) -> S:
        """The room's own facts, `[own]` of dataset.toml, strictly. ValueError in one line."""
        try:
            return msgspec.convert(self.own, kind)
        except msgspec.ValidationError as error:
            raise ValueError(f"{self.folder / 'dataset.toml'}: [own]: {error}") from None


def load(name: str, beside: Path | None = None) -> Card:
    """Read a data set's folder: one that ships, or a path (relative to `beside`).

    ValueError in one line for a missing folder, a wrong field, and a table that is none or
    contradicts itself.
    """
    folder = _find(name, beside)
    path = folder / "dataset.toml"
    try:
        facts = msgspec.toml.decode(path.read_bytes(), type=Facts)
        _expect_within(facts, folder)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        old = "unknown field `layout`" in str(error)
        hint = '; write `room = "bursts"` for layout = "folders"' if old else ""
        raise ValueError(f"{path}: {error}{hint}") from None
    citation, table = folder / "CITATION.bib", folder / "files.tsv"
    files = tuple(_rows(table, FileRow)) if table.is_file() else None
    if files is not None:
        _check(files, facts.exclusions, folder)
    return Card(
        **{field: getattr(facts, field) for field in Facts.__struct_fields__},
        folder=folder,
        citation=citation.read_text("utf-8") if citation.exists() else "",
        scenes=_scene_rows(folder / "scenes.tsv"),
        files=files,
    )


def _expect_within(facts: Facts, folder: Path) -> None:
    """ValueError for a folder of the facts that leaves the data set."""
    rules = (place for rule in facts.rules for place in (rule.input, rule.truth))
    parts = (part.into for part in facts.parts if part.into)
    for place in (*facts.roots, *rules, *parts, *(one.folder for one in facts.unpaired)):
        _expect_below(place, folder)


def _expect_below(place: str, folder: Path) -> None:
    path = PurePosixPath(place)
    if path.is_absolute() or ".." in path.parts or "\\" in place or "\0" in place:
        raise ValueError(f"{folder}: {place!r} must be a path below the data set, "
                         "with forward slashes")  # fmt: skip


def _find(name: str, beside: Path | None) -> Path:
    tried = [(beside or Path()) / name, shipped.folder("manifests") / name]
    for folder in tried:
        if (folder / "dataset.toml").is_file():
            return folder
    raise ValueError(f"no data set {name!r}: looked for dataset.toml in {tried[0]} and {tried[1]}")


def _scene_rows(path: Path) -> tuple[SceneRow, ...]:
    rows = tuple(_rows(path, SceneRow)) if path.is_file() else ()
    twice = [name for name, count in Counter(row.scene for row in rows).items() if count > 1]
    if twice:
        raise ValueError(f"{path}: scene {twice[0]} is named twice")
    return rows


def _rows(path: Path, kind: type[TableRow]) -> Iterable[TableRow]:
    for number, row in records(path):
        filled = {key: value for key, value in row.items() if value}
        try:
            yield msgspec.convert(filled, kind, strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(f"{path}:{number}: {error}") from None


def _check(rows: Iterable[FileRow], exclusions: Iterable[Exclusion], folder: Path) -> None:
    """Refuse a scene in two splits, a file named twice, a path that leaves the data set, and an
    exclusion of an unknown scene.

    One file may play several roles in one scene: a raw that is input and, developed, truth.
    """
    split_of: dict[str, Split] = {}
    seen: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        if split_of.setdefault(row.scene, row.split) != row.split:
            raise ValueError(f"{folder}: scene {row.scene} stands in two splits")
        played = seen.setdefault(row.path, set())
        if any(scene != row.scene or role == row.role for scene, role in played):
            raise ValueError(f"{folder}: {row.path} is named twice")
        _expect_below(row.path, folder)
        played.add((row.scene, row.role))
    for exclusion in exclusions:
        unknown = [scene for scene in exclusion.scenes if scene not in split_of]
        if unknown:
            raise ValueError(f"{folder}: exclusion {exclusion.name!r} names scenes that "
                             f"files.tsv has not: {', '.join(unknown)}")  # fmt: skip
