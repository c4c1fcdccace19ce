"""Verify a folder of shards: files, hashes, schema, tables, splits, and that pairs are pairs."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from isptools.shards import disk, pairing, proof, quality, structure
from isptools.shards.opened import looked_at
from isptools.shards.read import load
from isptools.shards.schema import InputRow, TruthRow
from isptools.shards.seen import Seen, seen
from isptools.shards.table import Table
from isptools.shown import shown

INDEX, LEDGER, JOURNAL = "index.json", "ledger.jsonl", ".journal"
AGAIN = "run the same build command again, which writes it anew"
GEOMETRY = {"turned", "place", "phase"}  # they make a true pair look like a wrong one
UNFIT = {"pointer", "facts", "unreadable", "schema"}  # such shards' pixels can't be compared
# the words of index and journal before they proved themselves
WORDS = ("format", "data_set", "recipe", "sample", "versions", "shards", "counts", "ledger",
         "refusals")  # fmt: skip
ENTRY = ("name", "split", "recipe", "versions", "facts", "sources", "shard", "ledger")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or that can't be told."""

    where: str  # shard or file; "" for the folder as a whole
    what: str  # one of a few words
    detail: str
    sure: bool = True  # False: nothing is known to be wrong, but it could not be verified

    def __str__(self) -> str:
        return shown(": ".join(part for part in (self.where, self.what, self.detail) if part))


class Listed(msgspec.Struct, frozen=True):
    """A shard as the index lists it."""

    name: str
    sha256: str
    bytes: int
    rows: int
    scenes: int
    split: str
    shape: tuple[int, int]
    kind: str


class Recipe(msgspec.Struct, frozen=True):
    """The recipe as the index states it."""

    name: str
    sha256: str
    json: str


class Ledger(msgspec.Struct, frozen=True):
    """The ledger as the index states it."""

    sha256: str
    lines: int


class Index(msgspec.Struct, frozen=True):
    """What `check` needs of index.json."""

    format: int
    recipe: Recipe
    shards: tuple[Listed, ...]
    counts: dict[str, dict[str, int]]
    ledger: Ledger
    planned: dict[str, dict[str, int]] = {}  # by split: scenes of the listing, inputs of each


class Told(msgspec.Struct, frozen=True):
    """What `check` needs of a line of the ledger."""

    split: str
    scene: str
    kind: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a folder of shards."""

    problems: list[Problem]  # empty if all is well
    seen: list[Seen]  # what was measured of each pair
    truths: list[TruthRow]  # of every shard that could be read


def check(
    folder: str | Path, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> list[Problem]:
    """Every problem of a folder of shards; empty if all is well. As `examined`."""
    return examined(folder, progress).problems


def examined(
    folder: str | Path, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Checked:
    """Every problem of a folder of shards, and every number that was measured of its pairs.

    A problem with `sure=False` is a pair too dark or too small to be told from a wrong one.
    `progress` is called with the shards done and all. ValueError if the folder is not there.
    """
    place = Path(folder)
    if not place.is_dir():
        raise ValueError(f"{place}: no such folder")
    index, problems = _index(place)
    listed = {shard.name: shard for shard in index.shards} if index else {}
    found = {path.name: path for path in sorted(place.glob("*.h5"))}
    problems += _files(listed, found) if index else []
    tables: list[Table] = []
    pairs, measured = pairing.Pairs(), list[Seen]()
    looked_at(list(found.values()))
    for done, (name, path) in enumerate(found.items()):
        progress(done, len(found))
        try:
            before, said = len(tables), set[str]()
            for problem in _shard(path, listed.get(name), index, pairs, tables):
                problems.append(problem)
                said.add(problem.what)
            if not said & UNFIT:
                measured += [each for table in tables[before:] for each in seen(table)]
        except Exception as error:  # a damaged file may break anything; what broke is told
            detail = f"{type(error).__name__}: {' '.join(str(error).split())}"
            problems.append(Problem(name, "unreadable", detail))
    progress(len(found), len(found))
    problems += [Problem(where, what, detail) for where, what, detail in _across(tables)]
    problems += _vanished(index, place / LEDGER, tables) if index else []
    problems += _pictures(pairs.verdicts(tables), measured)
    return Checked(problems, measured, [truth for table in tables for truth in table.truths])


def _pictures(verdicts: list[pairing.Told], measured: list[Seen]) -> Iterator[Problem]:
    """What the pictures show: which pairs are none, and what is wrong with those that are.

    A truth that was turned or moved is no other scene's, and of a wrong pair nothing else is told.
    """
    told = {(each.where, each.key, each.name): each for each in verdicts}
    for pair in measured:
        verdict = told.get((pair.where, pair.key, pair.name))
        wrong = pair.wrong
        elsewhere = bool(wrong) and wrong[0].kind in GEOMETRY
        if verdict and (verdict.better or (verdict.sure and not elsewhere)):
            continue
        if verdict and (elsewhere or wrong):
            told.pop((pair.where, pair.key, pair.name))
        for number in wrong:
            detail = f"{pair.key}, {pair.name}: {number.told} ({number.amount})"
            yield Problem(pair.where, number.kind, detail)
    for each in told.values():
        yield Problem(each.where, "pairing", each.detail, each.sure)


def _index(place: Path) -> tuple[Index | None, list[Problem]]:
    path = place / INDEX
    if not path.is_file():
        detail = "there is none: the build did not finish; run the same build command again"
        return None, [Problem(INDEX, "missing", detail)]
    try:
        index = msgspec.convert(proof.proven(path.read_bytes(), WORDS), Index)
    except (OSError, ValueError) as error:  # also msgspec's
        said = " ".join(str(error).split())
        return None, [Problem(INDEX, "unreadable", f"{said}; {AGAIN}")]
    problems = _journal(place)
    if sha256(index.recipe.json.encode()).hexdigest() != index.recipe.sha256:
        problems.append(Problem(INDEX, "recipe", "its sha256 is not that of the recipe's JSON"))
    ledger = place / LEDGER
    if not ledger.is_file():
        problems.append(Problem(LEDGER, "missing", "the index names it"))
    elif disk.sha256(ledger) != index.ledger.sha256:
        detail = f"it is not the ledger that the index names; {AGAIN}"
        problems.append(Problem(LEDGER, "sha256", detail))
    return index, problems + _counts(index)


def _journal(place: Path) -> list[Problem]:
    """Entries of the journal that are damaged; a folder that was copied may have none."""
    problems = []
    for path in sorted((place / JOURNAL).glob("*.json")):
        try:
            proof.proven(path.read_bytes(), ENTRY)
        except (OSError, ValueError) as error:
            said = " ".join(str(error).split())
            problems.append(Problem(f"{JOURNAL}/{path.name}", "unreadable", f"{said}; {AGAIN}"))
    return problems


def _counts(index: Index) -> list[Problem]:
    counted: dict[str, dict[str, int]] = {}
    for shard in index.shards:
        split = counted.setdefault(shard.split, {"inputs": 0, "scenes": 0, "shards": 0})
        split["inputs"] += shard.rows
        split["scenes"] += shard.scenes
        split["shards"] += 1
    if counted == index.counts:
        return []
    return [Problem(INDEX, "counts", f"it says {index.counts}, its shards sum up to {counted}")]


def _files(listed: dict[str, Listed], found: dict[str, Path]) -> list[Problem]:
    missing = [name for name in listed if name not in found]
    extra = [name for name in found if name not in listed]
    return [Problem(name, "missing", "the index lists it") for name in missing] + [
        Problem(name, "extra", "the index does not list it") for name in extra
    ]


def _shard(
    path: Path,
    listed: Listed | None,
    index: Index | None,
    pairs: pairing.Pairs,
    tables: list[Table],
) -> Iterator[Problem]:
    """What is wrong with one shard by itself."""

    def told(wrong: Iterable[tuple[str, str]]) -> list[Problem]:
        return [Problem(path.name, what, detail) for what, detail in wrong]

    if listed and disk.sha256(path) != listed.sha256:
        yield from told([("sha256", "the file is not the one the index lists")])
    for member in structure.unknown(path):
        detail = f"member {member!r} is none that this version knows; it was not looked into"
        yield Problem(path.name, "unknown", detail, sure=False)
    wrong = told(structure.shard(path))
    yield from wrong
    if wrong:
        return
    table = load(path, sound=False)
    wrong = told([("index", text) for text in _against(table, listed, index)])
    wrong += told(structure.tables(table))
    yield from wrong
    tables.append(table)
    if any(problem.what in {"pointer", "facts"} for problem in wrong):
        return
    yield from told(structure.pixels(table))
    if table.pairs:
        yield from told(quality.recomputed(table))
    else:
        pairs.add(table)


def _against(table: Table, listed: Listed | None, index: Index | None) -> Iterator[str]:
    """Where a shard is not what the index says."""
    if index and table.attrs["recipe_sha256"] != index.recipe.sha256:
        yield "it was made by another recipe"
    if listed is None:
        return
    facts = {
        "rows": (len(table.rows), listed.rows),
        "scenes": (len({truth.scene for truth in table.truths}), listed.scenes),
        "split": (table.split, listed.split),
        "shape": (table.shape, listed.shape),
        "kind": (table.attrs["kind"], listed.kind),
    }
    for name, (here, there) in facts.items():
        if here != there:
            yield f"{name}: {here} here, {there} in the index"


TAKEN_OUT = {"refused", "missing", "excluded"}  # of a line that stands for a file without a row


def _vanished(index: Index, ledger: Path, tables: Sequence[Table]) -> Iterator[Problem]:
    """Scenes of the listing of which neither a row nor a line of the ledger is left, or too few."""
    found: Counter[tuple[str, str]] = Counter()
    for table in tables:
        found.update((table.split, row.scene) for row in table.rows)
    try:
        lines = ledger.read_bytes().splitlines()
        told = [msgspec.json.decode(line, type=Told) for line in lines]
    except (OSError, msgspec.DecodeError):
        return  # told already: it is not the ledger that the index names
    found.update((one.split, one.scene) for one in told if one.kind in TAKEN_OUT)
    read = {table.path.name for table in tables}
    for split, scenes in sorted(index.planned.items()):
        # shards that can't be read are named; as many inputs may be theirs
        unread = sum(s.rows for s in index.shards if s.split == split and s.name not in read)
        if sum(max(n - found[split, scene], 0) for scene, n in scenes.items()) <= unread:
            continue
        for scene, inputs in sorted(scenes.items()):
            here = found[split, scene]
            if here < inputs:
                detail = f"of {inputs} inputs of scene {scene} ({split}), {here} are in a shard or "
                yield Problem(INDEX, "vanished", f"{detail}the ledger; run the same build again")


def _across(tables: Iterable[Table]) -> Iterator[tuple[str, str, str]]:
    """Keys that come twice; scenes and files that stand in two splits."""
    keys: dict[str, str] = {}
    splits: dict[tuple[str, str], tuple[str, str]] = {}
    told = set()
    for table in tables:
        name = table.path.name
        rows: tuple[InputRow | TruthRow, ...] = (*table.rows, *table.truths)
        for row in rows:
            if row.key in keys:
                yield name, "key", f"{row.key} comes twice, first in {keys[row.key]}"
            keys[row.key] = name
            for mark in (("scene", row.scene), ("file", row.source_sha256)):
                where, split = splits.setdefault(mark, (name, table.split))
                if split != table.split and mark not in told:
                    told.add(mark)
                    detail = f"{mark[0]} {mark[1]} ({row.key}) stands in {table.split} and {split}"
                    yield name, "split-leak", f"{detail} ({where})"
