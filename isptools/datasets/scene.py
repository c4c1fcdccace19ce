"""What a room lists: scenes, and the files that make each, by the names the data set gives them."""

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import msgspec

from isptools.datasets.card import Sensor

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Source(msgspec.Struct, frozen=True):
    """A file as it was found: enough to notice that it changed."""

    path: str  # below the data set's root (or the folder of enhanced pictures)
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A file that states what another one does not; the room's `stated` reads it."""

    kind: str  # the room's own word for it
    path: str  # below the root
    needed: bool = True  # without it the scene can't be made
    step: str = ""  # of use only where the walk has this step


@dataclass(frozen=True, slots=True)
class Named:
    """One file by its name, with what the data set says of it."""

    path: str  # below the root, with forward slashes
    exposure_s: float | None = None  # nominal, from the file name or a list
    iso: float | None = None
    sha256: str = ""  # where known
    sensor: Sensor | None = None  # of a mosaic that states nothing, in place of the data set's
    beside: tuple[Sidecar, ...] = ()
    at: Source | None = None  # where a room that looked into the folder has found it


F = TypeVar("F")  # Named in a listing; a file that was found, from the plan on


@dataclass(frozen=True, slots=True)
class Exposures(Generic[F]):
    """One camera's frames of a scene: a truth, and the inputs that are to become like it."""

    truth: F | None  # None where it can only be fused from the frames
    inputs: tuple[F, ...]
    frames: tuple[F, ...] = ()  # of a burst, the reference first
    final: F | None = None  # a finished picture of the scene


@dataclass(frozen=True, slots=True)
class Couple(Generic[F]):
    """Two cameras' pictures of a scene."""

    phone: F
    dslr: F


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene of a listing."""

    name: str
    split: Split | None  # None: by the hash of its group's name, 8 : 1 : 1
    shot: Exposures[Named] | Couple[Named]
    group: str = field(default="")  # scenes of one group share a split; "" is a group of its own
