"""What a room found: scenes, and a line for everything that is not taken."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from isptools import shipped
from isptools.datasets.card import Card, Exclusion, Rule
from isptools.datasets.scene import Scene
from isptools.shown import shown, storable

LineKind = Literal["refused", "missing", "excluded", "unlisted", "noted", "kept"]


class BuildError(ValueError):
    """A build that can't begin or go on; the message is for people."""


class StatedError(ValueError):
    """A sidecar that can't be used: one line, and a number where one was measured."""

    def __init__(self, text: str, number: float | None = None) -> None:
        super().__init__(text)
        self.number = number


class Line(msgspec.Struct, frozen=True, order=True):
    """One line of ledger.jsonl: a file that was not used, or was used although it is odd."""

    split: str  # "" for a file that belongs to none
    scene: str
    file: str  # below the data set's root
    kind: LineKind  # only "noted" and "kept" (patches) are in the shards
    reason: str  # one of a few words, to be counted
    detail: str  # the same for people
    number: float | None = None  # what was measured, where the reason has a measure

    def __post_init__(self) -> None:
        """Texts come from names and files of strangers: one line, that a terminal only shows."""
        for name in ("scene", "file", "detail"):
            text = getattr(self, name)
            if not text.isprintable() and (name == "detail" or not storable(text)):
                msgspec.structs.force_setattr(self, name, shown(text))


@dataclass(frozen=True, slots=True)
class Listing:
    """The scenes that a recipe selects, in the order the shards shall have."""

    root: Path  # every path is below it
    scenes: tuple[Scene, ...]
    lines: tuple[Line, ...] = ()


def missing(card: Card, place: Path | None) -> str:
    """One message: which data set, where it is to be had, licence, size, place, and the sample."""
    where = f"not in {place}" if place else "needed; name its folder with --source"
    lines = [
        f"{card.title} is {where}",
        f"  get it:   {card.home}",
        *(f"            {download}" for download in card.downloads),
        f"  licence:  {card.licence}",
        f"  size:     {card.size}",
        f"  place:    {card.place}",
    ]
    if (shipped.folder("manifests") / card.name).is_dir():
        lines.append(
            f"  or build its miniature without it: isptools build {card.name} --sample --out DIR"
        )
    return "\n".join(lines)


def root_with(card: Card, place: Path, pattern: str) -> Path:
    """The first of the data set's roots below which something fits a glob pattern.

    BuildError with all a person needs to get the data set if there is none.
    """
    for name in card.roots:
        if next((place / name).glob(pattern), None):
            return place / name
    raise BuildError(missing(card, place))


def rules(card: Card, names: Sequence[str]) -> tuple[Rule, ...]:
    """The data set's rules of these names; all for none. BuildError for an unknown name."""
    known = {rule.name: rule for rule in card.rules}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BuildError(f"{card.name} has no rule {unknown[0]!r}; it has: {', '.join(known)}")
    return tuple(known[name] for name in names or known)


def excluded(card: Card, names: Iterable[str]) -> dict[str, Exclusion]:
    """The scenes that the named exclusion lists leave out, each with the list that says so.

    BuildError with one line that names the known lists if one is unknown.
    """
    lists = {exclusion.name: exclusion for exclusion in card.exclusions}
    dropped: dict[str, Exclusion] = {}
    for name in names:
        if name not in lists:
            known = ", ".join(lists) or "none"
            raise BuildError(f"{card.name} has no exclusion list {name!r}; it has: {known}")
        dropped.update(dict.fromkeys(lists[name].scenes, lists[name]))
    return dropped
