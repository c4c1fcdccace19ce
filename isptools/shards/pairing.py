"""Look at every input beside its truths, and name the wrong pairs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from isptools.shards import agree
from isptools.shards.made import made_by
from isptools.shards.opened import Opened, opened
from isptools.shards.schema import InputRow
from isptools.shards.sides import Truth
from isptools.shards.table import Table

CLEAR = 0.95  # below this an input is compared with all other truths as well
BETTER = 0.05  # a truth that agrees so much more than the row's own is the right one


@dataclass(frozen=True, slots=True)
class Told:
    """What the pixels say about one pair."""

    where: str
    detail: str
    sure: bool
    key: str = ""  # of the input
    name: str = ""  # "restoration" or "enhancement"
    better: bool = False  # another truth fits


@dataclass(frozen=True, slots=True)
class Doubt:
    """An input that agrees with a truth less than a true pair does."""

    table: Table
    row: InputRow
    name: str  # "restoration" or "enhancement"
    blocks: list[agree.Blocks]
    agreement: float


class Pairs:
    """Collects, shard by shard, what the pixels say about pairs; `verdicts` ends it."""

    def __init__(self) -> None:
        self.doubts: list[Doubt] = []
        self.unsure: list[Told] = []

    def add(
        self, table: Table, row: InputRow, own: agree.Sight, truths: Mapping[str, Truth]
    ) -> None:
        """Compare an input with the truths that its row points at."""
        for name, truth in truths.items():
            self._compare(own, truth.shown, table, row, name)

    def join(self, others: "Pairs") -> None:
        """What was found elsewhere."""
        self.doubts += others.doubts
        self.unsure += others.unsure

    def _compare(
        self, own: agree.Sight, truth: agree.Shown, table: Table, row: InputRow, name: str
    ) -> None:
        blocks = own.blocks(truth.middle)
        if not blocks:
            told = _too_dark(row, name)
            self.unsure.append(Told(table.path.name, told, False, row.key, name))
            return
        found = agree.agreement(blocks, truth)
        if found < CLEAR:
            self.doubts.append(Doubt(table, row, name, blocks, found))

    def verdicts(self, tables: list[Table]) -> list[Told]:
        """The inputs that do not show what their truth shows, and which truth fits instead."""
        best = [(0.0, "")] * len(self.doubts)
        for table in tables if self.doubts else ():
            with opened(table.path) as file:
                for name in table.pictures:
                    for number, truth in enumerate(table.truths):
                        for i, agreement in self._like(file, table, name, number):
                            best[i] = max(best[i], (agreement, truth.key))
        told = [_verdict(doubt, *best[i]) for i, doubt in enumerate(self.doubts)]
        return [each for each in told if each] + self.unsure

    def _like(
        self, file: Opened, table: Table, name: str, number: int
    ) -> Iterator[tuple[int, float]]:
        """How the doubts that could belong to truth `number` of a table agree with it."""
        shown: agree.Shown | None = None
        for i, doubt in enumerate(self.doubts):
            own = doubt.table.path == table.path and getattr(doubt.row, name) == number
            same_kind = doubt.table.attrs["kind"] == table.attrs["kind"]
            if doubt.name == name and same_kind and doubt.table.shape == table.shape and not own:
                shown = shown or _truth(file, table, name, number).shown
                yield i, agree.agreement(doubt.blocks, shown)


def _truth(file: Opened, table: Table, name: str, number: int) -> Truth:
    return Truth(file[name][number], table.pictures[name], table.rows[0].cfa)


def _verdict(doubt: Doubt, other: float, key: str) -> Told | None:
    """A wrong pair, or None. A person may retouch a picture until it agrees little: not sure."""
    own = f"{doubt.row.key} agrees with its {doubt.name} by {doubt.agreement:.2f}"
    where = doubt.table.path.name
    if other > max(agree.WRONG, doubt.agreement + BETTER):
        told = f"{own}, with that of {key} by {other:.2f}: a wrong pair"
        return Told(where, told, True, doubt.row.key, doubt.name, better=True)
    if doubt.agreement < agree.WRONG and not _shaken(doubt.table):
        retouched = doubt.table.pictures[doubt.name].source == "files"
        told = f"{own}; a true pair has 1, a wrong one less than {agree.WRONG}"
        return Told(where, told, not retouched, doubt.row.key, doubt.name)
    return None


def _shaken(table: Table) -> bool:
    """All frames of a burst point at one truth, which lies as one of them does."""
    return made_by(table.attrs).shaken


def _too_dark(row: InputRow, name: str) -> str:
    return (
        f"{row.key} can't be told: too dark, too noisy or too small to be compared with its {name}"
    )
