"""A truth that is fused from the frames of a burst."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import overload

from isptools.build.ledger import Line
from isptools.build.plan import File, Task
from isptools.build.rows import Read
from isptools.burst import Options, fuse
from isptools.develop.chain import develop
from isptools.frame import Frame
from isptools.recipe import Recipe


class Frames(Sequence[Frame]):
    """The frames of a task, the reference first, read when they are asked for."""

    def __init__(self, files: Sequence[File], read: Callable[[File], Frame]) -> None:
        self.files, self.read = files, read

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | Sequence[Frame]:
        if isinstance(index, slice):
            return Frames(self.files[index], self.read)
        return self.read(self.files[index])


def fused(
    task: Task, truth: Read, read: Callable[[File], Frame], recipe: Recipe
) -> tuple[Read, list[Line]]:
    """The truth with fused pixels and what made them, and a line for each frame that was refused.

    BurstError if the burst can't be fused.
    """

    def prepared(file: File) -> Frame:
        return develop(read(file), recipe.prepare)

    made = fuse(Frames(task.frames, prepared), Options(reference=0, method=recipe.fusion))
    lines = []
    for each in made.refused:
        entry = task.frames[each.frame].entry
        lines.append(Line(entry.split, entry.scene, entry.path, "refused", f"burst-{each.reason}",
                          f"not fused: {each.detail}", each.number))  # fmt: skip
    return replace(truth, frame=made.frame, fused=made), lines
