"""A build in several independent calls: which units are whose, and what is still missing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from isptools.build import journal
from isptools.build.journal import Made
from isptools.build.task import Unit
from isptools.build.work import Work, facts
from isptools.datasets.listing import BuildError


@dataclass(frozen=True, slots=True)
class Share:
    """Share `number`, from 1, of `of`: every `of`-th unit of the plan, the same for each call."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `I/N`. ValueError in one line."""
        found = re.fullmatch(r"(\d+)/(\d+)", text, re.ASCII)
        number, of = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= of:
            raise ValueError(f"{text!r} is no share: give I/N with I from 1 to N, as 2/5")
        return cls(number, of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def units(self, units: Sequence[Unit]) -> tuple[Unit, ...]:
        """Those of a plan that this share makes, in the plan's order."""
        return tuple(units[self.number - 1 :: self.of])


def missing(units: Sequence[Unit], work: Work) -> tuple[str, ...]:
    """The units of a whole plan that no call has finished yet.

    Times of source files are not compared, since each machine may have a copy of its own.
    BuildError where a unit was made with other versions of the libraries.
    """
    made = journal.made(work.out)
    return tuple(unit.name for unit in units if not _finished(made.get(unit.name), unit, work))


def _finished(entry: Made | None, unit: Unit, work: Work) -> bool:
    if entry is None or entry.facts != facts(unit, work):
        return False
    if entry.versions != work.versions:
        raise BuildError(
            f"{work.out}: {entry.name} was made by another share with other versions "
            f"({told(entry.versions, work.versions)}): install the same ones everywhere, "
            "and build that share again"
        )
    before, now = ([(one.path, one.size) for one in all_] for all_ in (entry.sources, unit.sources))
    path = work.out / entry.name
    there = entry.shard is None or (path.is_file() and path.stat().st_size == entry.shard.bytes)
    return there and before == now


def told(found: dict[str, str], wanted: dict[str, str]) -> str:
    """What differs between versions: name, what was found, what is wanted."""
    names = sorted({*found, *wanted})
    return ", ".join(
        f"{name} {found.get(name, 'none')}, now {wanted.get(name, 'none')}"
        for name in names
        if found.get(name) != wanted.get(name)
    )
