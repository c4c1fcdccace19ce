"""Which pictures of two cameras belong together, and in which split; reads no pixels of patches."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from isptools import manifest as manifests
from isptools.build import source
from isptools.build.alike import Grouped, fingerprint, grouped
from isptools.build.folder import BuildError
from isptools.build.journal import Source
from isptools.build.ledger import Kind as LineKind
from isptools.build.ledger import Line
from isptools.build.plan import SPLITS, Choice, File, Plan, Task, Unit, by_split, cut
from isptools.build.source import RAW
from isptools.build.splits import hashed
from isptools.frame import Kind
from isptools.manifest import DataSet, Entry, Manifest, Rule, Split
from isptools.recipe import Pairing, Recipe

PICTURES = frozenset({"jpg", "jpeg", "png", "tif", "tiff"})
TABLE = "pairs.csv"  # columns phone, dslr and, if wanted, scene and split


@dataclass(frozen=True, slots=True)
class Couple:
    """A phone's file and the other camera's."""

    scene: str
    split: Split | None
    phone: Source
    dslr: Source


def plan_pairs(recipe: Recipe, manifest: Manifest, place: Path, choice: Choice) -> Plan:
    """Decide which pair goes into which shard.

    Full photographs of which near-duplicates are among the scenes are looked at once, small.
    BuildError in one message if the data set is not at `place`.
    """
    pair, data_set = recipe.pair or Pairing("patches"), manifest.data_set
    lines: list[Line] = []
    if manifest.entries:
        found = source.root(data_set, manifest.entries, place)
        root, couples = found.root, list(_entered(manifest, found, lines))
    else:
        root = _root(manifest, place, pair)
        couples = list(_couples(data_set, root, pair, lines))
    if not couples:
        raise BuildError(source.missing(data_set, place))
    lines.extend(_unpaired(data_set, root))
    couples = _split(couples, root, pair, lines, choice)
    tasks = [
        (couple.split, _task(couple, data_set))
        for couple in _limited(couples, recipe.limit)
        if couple.split in choice.splits
    ]
    units = tuple(_units(recipe, pair, [task for task in tasks if task[0]]))  # type: ignore[misc]  # every split is known now
    return Plan(root, units, by_split(lines, choice.splits))


def _root(manifest: Manifest, place: Path, pair: Pairing) -> Path:
    for each in manifest.data_set.roots:
        folder = place / each
        here = [
            (folder / rule.input).is_dir() for rule in source.rules(manifest.data_set, pair.rules)
        ]
        if any(here) or (folder / TABLE).is_file():
            return folder
    raise BuildError(source.missing(manifest.data_set, place))


def _couples(data_set: DataSet, root: Path, pair: Pairing, lines: list[Line]) -> Iterator[Couple]:
    if (root / TABLE).is_file():
        yield from _listed(root, lines)
        return
    for rule in source.rules(data_set, pair.rules):
        inputs, truths = _stems(root, rule.input, lines), _stems(root, rule.truth, lines)
        lines.extend(_published(rule, inputs, truths))
        for stem in sorted(inputs | truths, key=_natural):
            scene = f"{rule.name}/{stem}"
            if stem not in inputs or stem not in truths:
                there = (inputs if stem in inputs else truths)[stem]
                lacks = rule.truth if stem in inputs else rule.input
                detail = f"there is no file of that name in {lacks}"
                lines.append(
                    Line(rule.split or "", scene, there.path, "missing", "other-side", detail)
                )
            else:
                yield Couple(scene, rule.split, inputs[stem], truths[stem])


def _entered(manifest: Manifest, folder: source.Folder, lines: list[Line]) -> Iterator[Couple]:
    """The pairs that files.tsv lists: each input of a scene with the scene's truth."""
    try:
        scenes = manifests.pairs(manifest)
    except ValueError as error:
        raise BuildError(str(error)) from None
    for scene in scenes:
        for entry in scene.inputs:
            files = [(each, folder.find(each)) for each in (entry, scene.truth)]
            for each, found in files:
                if found.source is None:
                    kind: LineKind = "missing" if found.reason == "missing" else "refused"
                    why = (kind, found.reason, f"{found.detail}: the pair is left out")
                    lines.append(Line(scene.split, scene.scene, each.path, *why))
            phone, dslr = (found.source for _, found in files)
            if phone and dslr:
                yield Couple(scene.scene, scene.split, phone, dslr)


def _published(rule: Rule, inputs: Iterable[str], truths: Iterable[str]) -> Iterator[Line]:
    """How the folders differ from what was published: gaps in the numbers, and the count."""
    here = set(inputs) & set(truths)
    if not here:
        return
    if rule.numbered:
        last = max((int(stem) for stem in here if stem.isdecimal()), default=-1)
        gaps = [number for number in range(last) if str(number) not in here]
        if gaps:
            detail = f"numbers run from 0 without gaps; {len(gaps)} up to {last} are not here, "
            detail += f"the first is {gaps[0]}"
            yield Line(rule.split or "", "", rule.input, "noted", "gaps", detail, float(len(gaps)))
    if rule.pairs not in {None, len(here)}:
        detail = f"{len(here)} pairs are here, {rule.pairs} were published"
        yield Line(rule.split or "", "", rule.input, "noted", "count", detail, float(len(here)))


def _unpaired(data_set: DataSet, root: Path) -> Iterator[Line]:
    """Published pictures without another side are named, not passed over."""
    for each in data_set.unpaired:
        files = sorted((root / each.folder).glob("*.*"))
        many = f", {each.pictures} were published" if each.pictures else ""
        detail = f"one of {len(files)} pictures without another side{many}"
        for path in files:
            name = path.relative_to(root).as_posix()
            yield Line("", "", name, "excluded", "no-other-side", detail)


def _stems(root: Path, folder: str, lines: list[Line]) -> dict[str, Source]:
    """Pictures and raws of a folder by stem; of two with one stem neither is taken."""
    found: dict[str, list[Source]] = {}
    place = root / folder
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        if path.suffix[1:].lower() in PICTURES | RAW and path.is_file():
            found.setdefault(path.stem, []).append(source.source(root, path))
    for files in found.values():
        if len(files) > 1:
            names = ", ".join(Path(file.path).name for file in files)
            detail = f"two files for one key, keep one: {names}"
            lines.append(Line("", "", files[0].path, "refused", "two-files", detail))
    return {stem: files[0] for stem, files in found.items() if len(files) == 1}


def _natural(stem: str) -> tuple[int, str]:
    """Numbers by value, then names."""
    return (int(stem), "") if stem.isdecimal() else (1 << 62, stem)


def _listed(root: Path, lines: list[Line]) -> Iterator[Couple]:
    """The pairs that the user's table names."""
    path = root / TABLE
    with path.open(newline="", encoding="utf-8-sig") as text:
        reader = csv.DictReader(text)
        if not {"phone", "dslr"} <= set(reader.fieldnames or ()):
            raise BuildError(f"{path}: its first line must name the columns phone and dslr")
        for number, row in enumerate(reader, start=2):
            split = (row.get("split") or "").strip() or None
            if split not in {None, "train", "val", "test"}:
                raise BuildError(f"{path}:{number}: no split {split!r}; train, val, test are")
            files = [_named(root, row[side] or "", number) for side in ("phone", "dslr")]
            absent = [name for name, file in files if file is None]
            if absent:
                detail = f"line {number} of {TABLE} names it, but it is not there"
                lines.append(Line(split or "", "", absent[0], "missing", "missing", detail))
                continue
            scene = (row.get("scene") or "").strip() or Path(files[0][0]).stem
            phone, dslr = (file for _, file in files if file)
            yield Couple(scene, split, phone, dslr)  # type: ignore[arg-type]  # checked above


def _named(root: Path, name: str, number: int) -> tuple[str, Source | None]:
    path = Path(name.strip())
    if not name.strip() or path.is_absolute() or ".." in path.parts:
        raise BuildError(f"{root / TABLE}:{number}: {name!r} must be a file below the folder")
    place = root / path
    return path.as_posix(), source.source(root, place) if place.is_file() else None


def _split(
    couples: list[Couple], root: Path, pair: Pairing, lines: list[Line], choice: Choice
) -> list[Couple]:
    """Every scene in one split, near-duplicates in the same; what was given stays."""
    groups = _groups(couples, root, pair, choice)
    lines.extend(_told(couples, groups))
    given: dict[str, Split] = {}
    for couple in couples:
        if (
            couple.split
            and given.setdefault(groups[couple.scene].name, couple.split) != couple.split
        ):
            raise BuildError(
                f"scene {couple.scene} and a near-duplicate or another picture of it are to stand "
                f"in two splits, {given[groups[couple.scene].name]} and {couple.split}"
            )
    return [
        replace(couple, split=given.get(name) or hashed(name))
        for couple in couples
        for name in [groups[couple.scene].name]
    ]


def _groups(
    couples: Sequence[Couple], root: Path, pair: Pairing, choice: Choice
) -> dict[str, Grouped]:
    """The group of each scene. Released patches are of unknown scenes: each is its own."""
    if pair.source == "patches":
        return {couple.scene: Grouped(couple.scene, "") for couple in couples}
    prints: list[tuple[str, int | None]] = []
    for done, couple in enumerate(couples):
        choice.progress(done, len(couples))
        prints.append((couple.scene, fingerprint(root / couple.dslr.path)))
    choice.progress(len(couples), len(couples))
    return grouped(prints, pair.alike)


def _told(couples: Iterable[Couple], groups: dict[str, Grouped]) -> Iterator[Line]:
    for couple in couples:
        group = groups[couple.scene]
        if group.like:
            split = couple.split or hashed(group.name)
            detail = f"looks like scene {group.like}; they stay in one split"
            yield Line(split, couple.scene, couple.dslr.path, "noted", "near-duplicate", detail)


def _limited(couples: Iterable[Couple], limit: int | None) -> Iterator[Couple]:
    taken: dict[str, set[str]] = {}
    for couple in couples:
        scenes = taken.setdefault(couple.split or "", set())
        if limit is None or couple.scene in scenes or len(scenes) < limit:
            scenes.add(couple.scene)
            yield couple


def _task(couple: Couple, data_set: DataSet) -> Task:
    split, key = couple.split or "train", f"{data_set.name}/{couple.scene}"
    stem = Path(couple.phone.path).stem
    phone = Entry(split, couple.scene, "input", couple.phone.path)
    dslr = Entry(split, couple.scene, "truth", couple.dslr.path)
    name = key if key.endswith(f"/{stem}") else f"{key}/{stem}"
    return Task(
        couple.scene,
        File(f"{name}:dslr", dslr, couple.dslr),
        (File(name, phone, couple.phone),),
    )


def _units(recipe: Recipe, pair: Pairing, tasks: Sequence[tuple[Split, Task]]) -> Iterator[Unit]:
    shape = pair.patch, pair.patch
    kind: Kind = "bayer" if pair.mosaic or pair.white else "rgb"
    for split in SPLITS:
        yield from cut(
            recipe, split, shape, kind, [task for where, task in tasks if where == split]
        )
