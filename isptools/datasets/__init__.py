"""Which scenes a data set has. A set's own words stand in its room and nowhere else.

A room is a module with `Select` (what a recipe may choose, strictly) and `find` (card, select,
place -> Listing). It may have `stated` (facts from files beside a raw), `numbers` (pixels of a file
that is no camera raw), `small` and `miniature`. `dataset.toml` names its room: one that ships, a
.py file beside it, or a module that can be imported. Code runs only where a file says so.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from isptools import shipped
from isptools.datasets import card as cards
from isptools.datasets.card import Card
from isptools.datasets.listing import BuildError, Listing
from isptools.datasets.names import ROOMS
from isptools.datasets.scene import Named
from isptools.frame import Array, Capture

__all__ = [
    "BuildError",
    "Card",
    "Listing",
    "Opened",
    "Room",
    "in_small",
    "miniature",
    "opened",
    "protocol_of",
    "room_of",
    "selected",
]

Beside = Mapping[str, Path]  # kind of a sidecar to its file


def as_stated(capture: Capture, _beside: Beside, _shape: tuple[int, int]) -> Capture:
    """Where a room knows of no sidecars."""
    return capture


def no_numbers(_data: bytes, _named: Named) -> Array | None:
    """Where a room reads no files of its own kind."""
    return None


@dataclass(frozen=True, slots=True)
class Room:
    """What a data set's module defines."""

    Select: type[msgspec.Struct]
    find: Callable[[Card, Any, Path], Listing]
    stated: Callable[[Capture, Beside, tuple[int, int]], Capture]  # StatedError if it can't be
    numbers: Callable[[bytes, Named], Array | None]  # (H, W) uint16; None: not a file of its kind
    small: Callable[[Card], Card] | None  # the card of the miniature
    miniature: Callable[[Card, Path, int], Iterable[Path]] | None
    protocol: str  # by which papers score the set, as isptools.train.evaluate calls it; or ""
    sha256: str  # of a stranger's file; "" for a room that ships

    @property
    def reads_numbers(self) -> bool:
        """Whether files have to be asked what they are."""
        return self.numbers is not no_numbers


@dataclass(frozen=True, slots=True)
class Opened:
    """A data set, and what a recipe selects of it."""

    card: Card
    room: Room
    select: Any

    def source(self, name: str) -> dict[str, Any]:
        """A recipe's `source` in full: what it leaves out stands at its default."""
        return {"data_set": name, **msgspec.to_builtins(self.select)}


def opened(source: Mapping[str, Any], beside: Path | None = None) -> Opened:
    """The data set that a recipe's `source` names, a shipped one or a folder (below `beside`).

    ValueError in one line for a folder or a room that is none, and for a word of `source` that the
    room does not know.
    """
    words = dict(source)
    card = cards.load(str(words.pop("data_set")), beside)
    return selected(card, words)


def selected(card: Card, words: Mapping[str, Any]) -> Opened:
    """With the words of a recipe's `source`, `data_set` left out. ValueError in one line for words
    that the room does not know."""
    room = room_of(card)
    try:
        return Opened(card, room, msgspec.convert(dict(words), room.Select))
    except msgspec.ValidationError as error:
        said = str(error).replace("`$", "`source")
        where = "" if "`source" in said else " - at `source`"
        raise ValueError(f"{card.name}: {said}{where}") from None


def miniature(name: str, out: Path, seed: int = 0) -> list[Path]:
    """Write the miniature of a shipped data set below `out`; returns its files.

    ValueError for an unknown name, OSError where `out` can't be written.
    """
    card = cards.load(name)
    draw = room_of(card).miniature
    if draw is None:
        raise ValueError(f"there is no miniature of {name!r}")
    return list(draw(card, out, seed))


def protocol_of(name: str) -> str:
    """How papers score a shipped data set, as shards name it; "" where it has no way of its own."""
    folder = shipped.folder("manifests") / name
    return _protocol(folder) if (folder / "dataset.toml").is_file() else ""


@lru_cache(16)
def _protocol(folder: Path) -> str:
    """Reading and checking a large set's tables takes a quarter of a second."""
    return room_of(cards.load(str(folder))).protocol


def in_small(one: Opened) -> Opened:
    """The same choice of the miniature. ValueError where there is none."""
    if one.room.small is None:
        raise ValueError(f"there is no miniature of {one.card.name!r}")
    return Opened(one.room.small(one.card), one.room, one.select)


def room_of(card: Card) -> Room:
    """The room that a card names. ValueError in one line if it can't be loaded."""
    return _room(card.room, card.folder)


@lru_cache(maxsize=64)
def _room(name: str, folder: Path) -> Room:
    try:
        module, digest = _module(name, folder)
    except Exception as error:  # whatever a stranger's file raises
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{folder}: room {name!r} can't be loaded: {said}") from None
    lacks = [word for word in ("Select", "find") if not hasattr(module, word)]
    if lacks:
        raise ValueError(f"{folder}: room {name!r} defines no {' and no '.join(lacks)}")
    return Room(
        module.Select,
        module.find,
        getattr(module, "stated", as_stated),
        getattr(module, "numbers", no_numbers),
        getattr(module, "small", None),
        getattr(module, "miniature", None),
        getattr(module, "PROTOCOL", ""),
        digest,
    )


def _module(name: str, folder: Path) -> tuple[ModuleType, str]:
    """The module of a room, and the hash of its file where it is a stranger's."""
    if name in ROOMS:
        return importlib.import_module(f"isptools.datasets.{name}"), ""
    if not name.endswith(".py"):
        module = importlib.import_module(name)
        return module, _digest(Path(str(module.__file__)))
    path = folder / name
    digest = _digest(path)
    spec = importlib.util.spec_from_file_location(f"isptools_room_{digest[:12]}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # types look their names up there
    spec.loader.exec_module(module)
    return module, digest


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
