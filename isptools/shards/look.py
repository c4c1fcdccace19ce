"""All pixels of some inputs of a shard and of their truths: read once, verified and compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from isptools.shards import quality, structure
from isptools.shards.opened import Opened, opened
from isptools.shards.pairing import Pairs
from isptools.shards.seen import Seen
from isptools.shards.seen.pair import beside
from isptools.shards.sides import Input, Truth, Truths
from isptools.shards.structure import Wrong
from isptools.shards.table import Table


@dataclass(frozen=True, slots=True)
class Part:
    """Some inputs of a shard, which share their truths with no other part."""

    table: Table
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in a part."""

    wrong: list[Wrong] = field(default_factory=list)
    pairs: Pairs = field(default_factory=Pairs)
    seen: list[Seen] = field(default_factory=list)
    broken: str = ""  # what ended it, for a damaged file may break anything


def parts(table: Table) -> Iterator[Part]:
    """Those of a shard: one for each scene's truths."""
    rows: dict[int, list[int]] = {}
    for i, row in enumerate(table.rows):
        rows.setdefault(row.truth, []).append(i)
    return (Part(table, tuple(each)) for each in rows.values())


def looked(part: Part) -> Looked:
    """At one part. What breaks is told."""
    found = Looked()
    try:
        with opened(part.table.path, part.table.stamp) as file:
            _look(file, part.table, part.rows, found)
    except Exception as error:
        return Looked(broken=f"{type(error).__name__}: {' '.join(str(error).split())}")
    return found


def _look(file: Opened, table: Table, rows: Sequence[int], found: Looked) -> None:
    numbers = sorted({table.rows[i].truth for i in rows})
    found.wrong.extend(structure.weights(file, table, numbers))
    truths, met = Truths(file, table), set[tuple[str, int]]()
    for i in rows:
        row, own = table.rows[i], Input(file, table, i)
        its = truths.of(row)
        for name, truth in its.items():
            if (name, getattr(row, name)) not in met and not truth.finite:
                key = table.truths[getattr(row, name)].key
                detail = f"{name} of {key} holds values that are no numbers"
                found.wrong.append(("not-finite", detail))
            met.add((name, getattr(row, name)))
        if table.pairs:
            found.wrong.extend(_correlated(table, i, own, its))
        else:
            found.pairs.add(table, row, own.sight, its)
        found.seen.extend(beside(file, table, i, own, its))


def _correlated(table: Table, i: int, own: Input, truths: dict[str, Truth]) -> Iterator[Wrong]:
    physical = {name: truth.physical() for name, truth in truths.items()}
    return quality.recomputed(table, i, own.pixels, physical)
