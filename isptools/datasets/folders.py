"""The room of pairs: two folders with names in common, as rules say, or a pairs.csv."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from isptools.datasets.card import Card, Rule, Split
from isptools.datasets.files import source_of
from isptools.datasets.listing import BuildError, Line, Listing, missing, rules
from isptools.datasets.scene import SPLITS, Couple, Named, Scene, Source
from isptools.datasets.small import of_code
from isptools.datasets.tables import records
from isptools.picture import SUFFIXES as PICTURES
from isptools.raw import SUFFIXES as RAW
from isptools.synth import views

TABLE = "pairs.csv"  # columns phone, dslr and, if wanted, scene and split


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which folders a recipe takes."""

    rules: tuple[str, ...] = ()  # by the names of the data set; none takes all


def find(card: Card, select: Select, place: Path) -> Listing:
    """A scene for each name that both folders have; a line for a name that only one has.

    BuildError if the data set is not at `place`, or pairs.csv is none.
    """
    root = _root(card, select, place)
    if (root / TABLE).is_file():
        scenes, lines = _listed(root)
    else:
        both = [_of_rule(root, rule) for rule in rules(card, select.rules)]
        scenes = [scene for found, _ in both for scene in found]
        lines = [line for _, told in both for line in told]
    if not scenes:
        raise BuildError(missing(card, place))
    return Listing(root, tuple(scenes), (*lines, *_unpaired(card, root)))


def _root(card: Card, select: Select, place: Path) -> Path:
    for each in card.roots:
        folder = place / each
        here = [(folder / rule.input).is_dir() for rule in rules(card, select.rules)]
        if any(here) or (folder / TABLE).is_file():
            return folder
    raise BuildError(missing(card, place))


def _of_rule(root: Path, rule: Rule) -> tuple[list[Scene], list[Line]]:
    inputs, lines = _stems(root, rule.input)
    truths, more = _stems(root, rule.truth)
    lines += [*more, *_published(rule, inputs, truths)]
    scenes = []
    for stem in sorted(inputs | truths, key=_natural):
        name = f"{rule.name}/{stem}"
        if stem in inputs and stem in truths:
            shot = Couple(_named(inputs[stem]), _named(truths[stem]))
            scenes.append(Scene(name, rule.split, shot))
            continue
        there = (inputs if stem in inputs else truths)[stem]
        detail = f"there is no file of that name in {rule.truth if stem in inputs else rule.input}"
        lines.append(Line(rule.split or "", name, there.path, "missing", "other-side", detail))
    return scenes, lines


def _named(source: Source) -> Named:
    return Named(source.path, at=source)


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


def _unpaired(card: Card, root: Path) -> Iterator[Line]:
    """Published pictures without another side are named, not passed over."""
    for each in card.unpaired:
        files = sorted((root / each.folder).glob("*.*"))
        many = f", {each.pictures} were published" if each.pictures else ""
        detail = f"one of {len(files)} pictures without another side{many}"
        for path in files:
            name = path.relative_to(root).as_posix()
            yield Line("", "", name, "excluded", "no-other-side", detail)


def _stems(root: Path, folder: str) -> tuple[dict[str, Source], list[Line]]:
    """Pictures and raws of a folder by stem; of two with one stem neither is taken."""
    found: dict[str, list[Source]] = {}
    place = root / folder
    for path in sorted(place.iterdir()) if place.is_dir() else ():
        if path.suffix[1:].lower() in PICTURES | RAW and path.is_file():
            found.setdefault(path.stem, []).append(source_of(root, path))
    lines = []
    for files in found.values():
        if len(files) > 1:
            names = ", ".join(Path(file.path).name for file in files)
            detail = f"two files for one key, keep one: {names}"
            lines.append(Line("", "", files[0].path, "refused", "two-files", detail))
    return {stem: files[0] for stem, files in found.items() if len(files) == 1}, lines


def _natural(stem: str) -> tuple[int, str]:
    """Numbers by value, then names."""
    return (int(stem), "") if stem.isdecimal() else (1 << 62, stem)


def _listed(root: Path) -> tuple[list[Scene], list[Line]]:
    """The pairs that the user's table names."""
    path = root / TABLE
    scenes: list[Scene] = []
    lines: list[Line] = []
    for number, row in records(path, ","):
        if not {"phone", "dslr"} <= set(row):
            raise BuildError(f"{path}: its first line must name the columns phone and dslr")
        split = _split(path, number, row)
        files = [_file(root, row[side], number) for side in ("phone", "dslr")]
        absent = [name for name, file in files if file is None]
        if absent:
            detail = f"line {number} of {TABLE} names it, but it is not there"
            lines.append(Line(split or "", "", absent[0], "missing", "missing", detail))
            continue
        name = (row.get("scene") or "").strip() or Path(files[0][0]).stem
        phone, dslr = (_named(file) for _, file in files if file)
        scenes.append(Scene(name, split, Couple(phone, dslr)))
    return scenes, lines


def _split(path: Path, number: int, row: dict[str, str]) -> Split | None:
    text = (row.get("split") or "").strip()
    if text and text not in SPLITS:
        raise BuildError(f"{path}:{number}: no split {text!r}; train, val, test are")
    return text or None


def _file(root: Path, name: str, number: int) -> tuple[str, Source | None]:
    path = Path(name.strip())
    if not name.strip() or path.is_absolute() or ".." in path.parts:
        raise BuildError(f"{root / TABLE}:{number}: {name!r} must be a file below the folder")
    place = root / path
    return path.as_posix(), source_of(root, place) if place.is_file() else None


def small(card: Card) -> Card:
    """The facts of the miniature."""
    return of_code(card, "some pictures")


def miniature(_card: Card, out: Path, seed: int = 0) -> list[Path]:
    """A user's folder: a phone's raws and a DSLR's pictures; `truth.json` says how they lie."""
    return views.own_pairs(out, seed)
