"""Which files a data set has: their roles, scenes and splits; its licence; where to get it."""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeVar, get_args

import msgspec

from isptools import shipped

# "frame": a raw that is fused into the truth; "final": a published picture of the scene; "facts": a
# file that states what the scene's other files do not; "shading", "matrix": what stands beside a
# burst's reference (see isptools.build.beside)
Role = Literal["input", "truth", "frame", "final", "facts", "shading", "matrix"]
# who lists the files: files.tsv, or their folders (beside them, scenes.tsv may tell of scenes)
Layout = Literal["files", "hdrplus", "folders", "fivek", "s7-isp", "msr", "sidd"]
ROLES = get_args(Role)
Split = Literal["train", "val", "test"]
Protocol = Literal["all", "first", "one-per-scene"]
Validation = Literal["own", "train"]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class Sensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of mosaics whose files state nothing: gray PNGs, .MAT files."""

    cfa: str = ""  # letters per CFA position, as in Capture; "" where it is found from the files
    black: float = 0.0  # of a PNG, DN; numbers of a .MAT have black taken out
    white: Annotated[int, msgspec.Meta(gt=0)] = 65535  # of a PNG, DN
    make: str = ""
    model: str = ""
    variable: str = "x"  # of a .MAT file


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the data set, a line of files.tsv."""

    split: Split
    scene: str
    role: Role
    path: str  # below the data set's root, with forward slashes
    exposure_s: Positive | None = None  # nominal, from the file name or list
    iso: Positive | None = None
    sha256: str = ""  # of the file, where known
    sensor: Sensor | None = None  # in place of the data set's; not in files.tsv


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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


Row = TypeVar("Row", Entry, Known)


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
    layout: Layout = "files"
    test_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0  # for layouts without a list
    rules: tuple[Rule, ...] = ()  # instead of files.tsv
    parts: tuple[Part, ...] = ()  # what `isptools get` downloads
    pictures: Literal["srgb", "prophoto"] = "srgb"  # color of published pictures without a profile
    rotated: tuple[str, ...] = ()  # "Make Model" of sensors at 45 degrees, which have no grid here
    sensor: Sensor | None = None  # of mosaics that are no camera raws
    unpaired: tuple[Unpaired, ...] = ()  # beside the rules
    # what the authors' exposure ratio counts: time, ISO and aperture, or time alone
    ratio: Literal["light", "time"] = "light"


class Manifest(msgspec.Struct, frozen=True):
    data_set: DataSet
    entries: tuple[Entry, ...]
    citation: str = ""
    known: tuple[Known, ...] = ()  # scenes.tsv


class Scene(msgspec.Struct, frozen=True):
    """One truth and the inputs that are scored against it."""

    scene: str
    split: Split
    truth: Entry
    inputs: tuple[Entry, ...]  # in the order of the manifest
    frames: tuple[Entry, ...] = ()  # what the truth is fused from, the truth among them
    final: Entry | None = None  # published picture
    facts: Entry | None = None  # states what truth and inputs do not
    shading: Entry | None = None  # lens shading map of the truth
    matrix: Entry | None = None  # color matrix for raws that state none


def load(name: str, base: Path | None = None) -> Manifest:
    """Read the manifest folder `name`: one that ships, or a path (relative to `base`).

    Raises ValueError with one line for a missing folder or table, a wrong field, a scene in two
    splits, a file named twice, a path that leaves the data set, and an exclusion of an unknown
    scene.
    """
    folder = _find(name, base)
    try:
        data_set = msgspec.toml.decode((folder / "dataset.toml").read_bytes(), type=DataSet)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{folder / 'dataset.toml'}: {error}") from None
    listed = data_set.layout == "files" and not data_set.rules
    if listed and not (folder / "files.tsv").is_file():
        raise ValueError(f"{folder}: there is no files.tsv, the table of the data set's files")
    entries = tuple(_rows(folder / "files.tsv", Entry)) if listed else ()
    check(entries, folder)
    if listed:
        _check_exclusions(data_set, entries, folder)
    citation = folder / "CITATION.bib"
    text = citation.read_text("utf-8") if citation.exists() else ""
    return Manifest(data_set, entries, text, _known(folder / "scenes.tsv"))


def _find(name: str, base: Path | None) -> Path:
    tried = [(base or Path()) / name, shipped.folder("manifests") / name]
    for folder in tried:
        if (folder / "dataset.toml").is_file():
            return folder
    raise ValueError(f"no manifest {name!r}: looked for dataset.toml in {tried[0]} and {tried[1]}")


def _known(path: Path) -> tuple[Known, ...]:
    rows = tuple(_rows(path, Known)) if path.is_file() else ()
    twice = [name for name, count in Counter(row.scene for row in rows).items() if count > 1]
    if twice:
        raise ValueError(f"{path}: scene {twice[0]} is named twice")
    return rows


def _rows(path: Path, kind: type[Row]) -> Iterable[Row]:
    with path.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(csv.DictReader(lines, delimiter="\t"), start=2):
            if None in row:
                raise ValueError(f"{path}:{number}: more fields than the first line names")
            filled = {key: value for key, value in row.items() if value not in {"", None}}
            try:
                yield msgspec.convert(filled, kind, strict=False)
            except msgspec.ValidationError as error:
                raise ValueError(f"{path}:{number}: {error}") from None


def check(entries: Iterable[Entry], folder: Path) -> None:
    """Refuse a scene in two splits, a file named twice, and a path that leaves the data set.

    One file may play several roles in one scene: a raw that is input and, developed, truth.
    """
    split_of: dict[str, str] = {}
    seen: dict[str, set[tuple[str, str]]] = {}
    for entry in entries:
        if split_of.setdefault(entry.scene, entry.split) != entry.split:
            raise ValueError(f"{folder}: scene {entry.scene} stands in two splits")
        played = seen.setdefault(entry.path, set())
        if played - {(entry.scene, role) for role in ROLES if role != entry.role}:
            raise ValueError(f"{folder}: {entry.path} is named twice")
        path = PurePosixPath(entry.path)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.path:
            raise ValueError(
                f"{folder}: {entry.path!r} must be a path below the data set, with forward slashes"
            )
        played.add((entry.scene, entry.role))


def _check_exclusions(data_set: DataSet, entries: Iterable[Entry], folder: Path) -> None:
    scenes = {entry.scene for entry in entries}
    for exclusion in data_set.exclusions:
        unknown = [scene for scene in exclusion.scenes if scene not in scenes]
        if unknown:
            raise ValueError(
                f"{folder}: exclusion {exclusion.name!r} names scenes that files.tsv has not:"
                f" {', '.join(unknown)}"
            )


def pairs(
    manifest: Manifest,
    protocol: Protocol = "all",
    val: Validation = "own",
    exclude: Iterable[str] = (),
    limit: int | None = None,
) -> tuple[Scene, ...]:
    """The scenes a protocol uses, in the order of the manifest, each with its truth and inputs.

    `all` takes every input; `first` the first listed input of each exposure time of a scene (in
    SID the `_00_` frames); `one-per-scene` the first listed input of the shortest exposure time.
    `val="train"` moves the validation scenes to the training split. `exclude` names exclusion
    lists of the manifest. `limit` keeps the first scenes of each split, after all of the above.

    Nothing is looked up on disk. Raises ValueError with one line for an unknown exclusion list
    and for a scene that lacks its truth or its inputs, or has two truths.
    """
    dropped = excluded(manifest.data_set, exclude)
    together: dict[str, list[Entry]] = {}
    for entry in manifest.entries:
        if entry.scene not in dropped:
            together.setdefault(entry.scene, []).append(entry)
    scenes = (
        _scene(entries, protocol, val, manifest.data_set.name) for entries in together.values()
    )
    return tuple(_limited(scenes, limit))


def excluded(data_set: DataSet, names: Iterable[str]) -> dict[str, Exclusion]:
    """The scenes that the named exclusion lists leave out, each with the list that says so.

    Raises ValueError with one line that names the known lists if one is unknown.
    """
    lists = {exclusion.name: exclusion for exclusion in data_set.exclusions}
    dropped: dict[str, Exclusion] = {}
    for name in names:
        if name not in lists:
            known = ", ".join(lists) or "none"
            raise ValueError(f"{data_set.name} has no exclusion list {name!r}; it has: {known}")
        dropped.update(dict.fromkeys(lists[name].scenes, lists[name]))
    return dropped


def _scene(entries: list[Entry], protocol: Protocol, val: Validation, data_set: str) -> Scene:
    truths = [entry for entry in entries if entry.role == "truth"]
    inputs = [entry for entry in entries if entry.role == "input"]
    name, split = entries[0].scene, entries[0].split
    if len(truths) != 1 or not inputs:
        found = f"{len(truths)} truths and {len(inputs)} inputs"
        raise ValueError(f"{data_set}: scene {name} needs one truth and an input, has {found}")
    split = "train" if split == "val" and val == "train" else split
    frames = tuple(entry for entry in entries if entry.role == "frame")
    one = {entry.role: entry for entry in entries}
    beside = (one.get(role) for role in ("final", "facts", "shading", "matrix"))
    return Scene(name, split, truths[0], _chosen(inputs, protocol), frames, *beside)


def _chosen(inputs: list[Entry], protocol: Protocol) -> tuple[Entry, ...]:
    if protocol == "all":
        return tuple(inputs)
    first: dict[float | None, Entry] = {}
    for entry in inputs:
        first.setdefault(entry.exposure_s, entry)
    if protocol == "first":
        return tuple(first.values())
    return (min(first.values(), key=lambda entry: entry.exposure_s or 0.0),)


def _limited(scenes: Iterable[Scene], limit: int | None) -> Iterable[Scene]:
    taken: Counter[Split] = Counter()
    for scene in scenes:
        if limit is None or taken[scene.split] < limit:
            taken[scene.split] += 1
            yield scene
