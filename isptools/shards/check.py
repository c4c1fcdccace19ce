"""Verify a folder of shards: files, hashes, schema, tables, splits, and that pairs are pairs."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import msgspec

from isptools.children import DiedError, each
from isptools.shards import disk, look, pairing, proof, structure
from isptools.shards.listed import Listed, Recipe
from isptools.shards.opened import looked_at
from isptools.shards.read import load
from isptools.shards.schema import InputRow, TruthRow
from isptools.shards.seen import Seen
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
    tables: list[Table]  # of every shard that could be read

    @property
    def truths(self) -> list[TruthRow]:
        """The facts of all truths, shard after shard."""
        return [truth for table in self.tables for truth in table.truths]


Progress = Callable[[int, int], None]


def check(
    folder: str | Path, progress: Progress = lambda _done, _total: None, jobs: int = 1
) -> list[Problem]:
    """Every problem of a folder of shards; empty if all is well. As `examined`."""
    return examined(folder, progress, jobs).problems


def examined(
    folder: str | Path, progress: Progress = lambda _done, _total: None, jobs: int = 1
) -> Checked:
    """Every problem of a folder of shards, and every number that was measured of its pairs.

    A problem with `sure=False` is a pair too dark or too small to be told from a wrong one.
    `progress` is called with the shards done and all. `jobs` counts processes that look at pixels:
    1 works in this one. ValueError if the folder is not there.
    """
    place = Path(folder)
    if not place.is_dir():
        raise ValueError(f"{place}: no such folder")
    index, problems = _index(place)
    listed = {shard.name: shard for shard in index.shards} if index else {}
    found = {path.name: path for path in sorted(place.glob("*.h5"))}
    problems += _files(listed, found) if index else []
    looked_at(list(found.values()))
    read = [_read(path, listed.get(name), index) for name, path in found.items()]
    _look(read, progress, jobs)
    tables = [one.table for one in read if one.table is not None]
    pairs, measured = pairing.Pairs(), list[Seen]()
    for one in read:
        problems += one.problems
        pairs.join(one.pairs)
        measured += one.seen
    problems += [Problem(where, what, detail) for where, what, detail in _across(tables)]
    problems += _vanished(index, place / LEDGER, tables) if index else []
    problems += _pictures(pairs.verdicts(tables), measured)
    return Checked(problems, measured, tables)


@dataclass(slots=True)
class _Shard:
    """One shard, and what is known of it so far."""

    path: Path
    listed: Listed | None
    problems: list[Problem]
    table: Table | None = None
    fit: bool = False  # for a look at its pixels
    pairs: pairing.Pairs = field(default_factory=pairing.Pairs)
    seen: list[Seen] = field(default_factory=list)

    def told(self, wrong: Iterable[tuple[str, str]]) -> set[str]:
        """Add what is wrong; gives its words."""
        found = [Problem(self.path.name, what, detail) for what, detail in wrong]
        self.problems += found
        return {problem.what for problem in found}

    def broke(self, why: str) -> None:
        self.fit, self.pairs, self.seen = False, pairing.Pairs(), []
        self.told([("unreadable", why)])


def _read(path: Path, listed: Listed | None, index: Index | None) -> _Shard:
    """A shard's tables; its pixels are looked at later."""
    one = _Shard(path, listed, [])
    try:
        for member in structure.unknown(path):
            detail = f"member {member!r} is none that this version knows; it was not looked into"
            one.problems.append(Problem(path.name, "unknown", detail, sure=False))
        if one.told(structure.shard(path)):
            return one
        table = load(path, sound=False)
        said = one.told(("index", text) for text in _against(table, listed, index))
        said |= one.told(structure.tables(table))
        one.table, one.fit = table, not said & UNFIT
    except Exception as error:  # a damaged file may break anything; what broke is told
        one.broke(f"{type(error).__name__}: {' '.join(str(error).split())}")
    return one


def _look(read: Sequence[_Shard], progress: Progress, jobs: int) -> None:
    """Hash every shard that is listed, and look at the pixels of those that are fit."""
    todo = [_Todo(n, one.path) for n, one in enumerate(read) if one.listed]
    for n, one in enumerate(read):
        if one.fit and one.table is not None:
            todo += [_Todo(n, one.path, part) for part in look.parts(one.table)]
    left = Counter(work.shard for work in todo)
    found: dict[_Todo, str | look.Looked] = {}
    progress(len(read) - len(left), len(read))
    for work, answer in _answers(todo, jobs):
        found[work] = answer
        left[work.shard] -= 1
        progress(len(read) - sum(count > 0 for count in left.values()), len(read))
    for work in todo:
        _keep(read[work.shard], found[work])
    progress(len(read), len(read))


@dataclass(frozen=True, slots=True, eq=False)
class _Todo:
    """A shard to be hashed, or a part of it to be looked at."""

    shard: int
    path: Path
    part: look.Part | None = None


def _answers(todo: Sequence[_Todo], jobs: int) -> Iterator[tuple[_Todo, str | look.Looked]]:
    if jobs == 1 or len(todo) < 2:
        yield from ((one, _answer(one)) for one in todo)
        return
    for one, answer in each(_answer, todo, jobs):
        yield one, look.Looked(broken=str(answer)) if isinstance(answer, DiedError) else answer


def _answer(todo: _Todo) -> str | look.Looked:
    """The hash of a shard, or what a part of it shows."""
    if todo.part:
        return look.looked(todo.part)
    try:
        return disk.sha256(todo.path)
    except OSError as error:
        return look.Looked(broken=f"{type(error).__name__}: {error}")


def _keep(shard: _Shard, answer: str | look.Looked) -> None:
    if isinstance(answer, str):
        if shard.listed and answer != shard.listed.sha256:
            detail = "the file is not the one the index lists"
            shard.problems.insert(0, Problem(shard.path.name, "sha256", detail))
    elif answer.broken:
        shard.broke(answer.broken)
    elif shard.fit:
        shard.told(answer.wrong)
        shard.pairs.join(answer.pairs)
        shard.seen += answer.seen


def _pictures(verdicts: list[pairing.Told], measured: list[Seen]) -> Iterator[Problem]:
    """What the pictures show: which pairs are none, and what is wrong with those that are.

    A truth that was turned or moved is no other scene's, and of a wrong pair nothing else is told.
    """
    told = {(one.where, one.key, one.name): one for one in verdicts}
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
    for one in told.values():
        yield Problem(one.where, "pairing", one.detail, one.sure)


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
    except (OSError, ValueError, RecursionError):  # also msgspec's, and bytes that are no text
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
