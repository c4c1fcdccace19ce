"""A truth that is fused from the frames of a burst."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import overload

from isptools.build.rows import ReadFrame
from isptools.build.task import File, Task
from isptools.burst import Options, fuse
from isptools.datasets.listing import Line
from isptools.datasets.scene import Exposures
from isptools.develop.chain import develop
from isptools.develop.steps import behind_first_list
from isptools.frame import Frame
from isptools.recipe import Develop


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


def fused_truth(
    task: Task, split: str, truth: ReadFrame, read: Callable[[File], Frame], how: Develop
) -> tuple[ReadFrame, list[Line]]:
    """The truth with fused pixels and what made them; a line for each frame refused, or odd.

    BurstError if the burst can't be fused.
    """

    def prepared(file: File) -> Frame:
        return develop(behind_first_list(read(file)), how.repairs)

    files = task.shot.frames if isinstance(task.shot, Exposures) else ()
    method = how.fuse or "truth"
    made = fuse(Frames(files, prepared), Options(reference=0, method=method))
    lines = [
        Line(split, task.scene, files[each.frame].named.path, "refused", f"burst-{each.reason}",
             f"not fused: {each.detail}", each.number)
        for each in made.refused
    ] + [
        Line(split, task.scene, files[each.frame].named.path, "noted", f"burst-{each.reason}",
             each.detail, each.number)
        for each in made.noted
    ]  # fmt: skip
    return replace(truth, frame=made.frame, fused=made), lines
