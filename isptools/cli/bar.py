"""A bar on a terminal: how far a long command is."""

from collections.abc import Mapping
from typing import IO, Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


def terminal(stream: IO[str]) -> Console | None:
    """Where bars are drawn; None where lines are better."""
    console = Console(file=stream)
    return console if console.is_terminal else None


class Rate(ProgressColumn):
    """Things a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.3g}/s" if task.speed else "")


class Bar:
    """A bar for each stage, with rate and time left; it moves while nothing is told."""

    def __init__(self, console: Console, names: Mapping[str, str]) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
                   MofNCompleteColumn(), Rate(), TimeElapsedColumn(),
                   TimeRemainingColumn())  # fmt: skip
        self.progress = Progress(*columns, console=console)
        self.tasks: dict[str, Any] = {}
        self.names = names

    def show(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage not in self.tasks:  # what is done at the start is no part of the rate
            named = self.names.get(stage, stage)
            self.tasks[stage] = self.progress.add_task(named, total=total, completed=done)
        else:
            self.progress.update(self.tasks[stage], completed=done, total=total)
        if note:
            self.progress.update(self.tasks[stage], description=f"{stage}, {note}")

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()
