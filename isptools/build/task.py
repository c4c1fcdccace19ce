"""What is handed to a maker: files that were found, scenes of them, and shards of scenes."""

from collections.abc import Iterator
from dataclasses import dataclass

from isptools.datasets.scene import Couple, Exposures, Named, Source, Split
from isptools.frame import Kind


@dataclass(frozen=True, slots=True)
class File:
    """One file of a listing that is there."""

    key: str  # data set/scene/file's stem; "" for one that has no row
    named: Named
    source: Source
    beside: tuple[tuple[str, Source], ...] = ()  # sidecars by kind

    @property
    def sources(self) -> tuple[Source, ...]:
        """The file, and its sidecars."""
        return (self.source, *(source for _, source in self.beside))


@dataclass(frozen=True, slots=True)
class Task:
    """One scene to make: its truth once, and its inputs."""

    scene: str
    shot: Exposures[File] | Couple[File]

    @property
    def truth(self) -> File:
        """The file of the truth. ValueError where the scene was planned without one."""
        shot = self.shot
        truth = shot.dslr if isinstance(shot, Couple) else shot.truth
        if truth is None:
            raise ValueError(f"scene {self.scene} was planned without a truth")
        return truth

    @property
    def inputs(self) -> tuple[File, ...]:
        """The files of the inputs, one row each."""
        return (self.shot.phone,) if isinstance(self.shot, Couple) else self.shot.inputs

    @property
    def files(self) -> Iterator[File]:
        """Every file the scene depends on, in order."""
        yield self.truth
        yield from self.inputs
        if isinstance(self.shot, Exposures):
            yield from self.shot.frames
            yield from (self.shot.final,) if self.shot.final else ()


@dataclass(frozen=True, slots=True)
class Wait:
    """A scene that is left undone, since the machine failed; nothing is known of its files."""

    scene: str
    why: str  # for people: which file, and what the system said


@dataclass(frozen=True, slots=True)
class Undone:
    """A unit that is not finished: the same build, run again, makes it."""

    name: str
    waits: tuple[Wait, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """One shard to make; it needs nothing of the others."""

    name: str
    split: Split
    shape: tuple[int, int]
    kind: Kind  # of the inputs
    tasks: tuple[Task, ...]
    waits: tuple["Wait", ...] = ()  # scenes of it that could not be looked at: it can't be made

    @property
    def rows(self) -> int:
        """How many inputs the shard will have, where none is refused."""
        return sum(len(task.inputs) for task in self.tasks)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every file the shard depends on, in order."""
        return tuple(one for task in self.tasks for file in task.files for one in file.sources)
