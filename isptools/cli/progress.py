"""How far a long command is: a bar on a terminal, a line now and then elsewhere."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

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

from isptools.cli import output

STAGES = {
    "headers": "reading headers",
    "hashes": "hashing shards",
    "kernels": "preparing kernels (compiled on the first run, then kept)",
    "inputs": "building",
    "inputs_out": "converting",
    "frames": "fusing",
    "shards": "checking",
    "rows": "measuring",
    "files": "reading files",
    "miniature": "drawing the miniature again",
    "pictures": "making pictures",
    "megabytes": "downloading, MB",
}


class Rate(ProgressColumn):
    """Things a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.3g}/s" if task.speed else "")


class Bar:
    """A bar for each stage, with rate and time left; it moves while nothing is told."""

    def __init__(self, console: Console) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
                   MofNCompleteColumn(), Rate(), TimeElapsedColumn(),
                   TimeRemainingColumn())  # fmt: skip
        self.progress = Progress(*columns, console=console)
        self.tasks: dict[str, Any] = {}

    def show(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage not in self.tasks:  # what is done at the start is no part of the rate
            named = STAGES.get(stage, stage)
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


class Lines:
    """The same as plain lines: when a stage begins and ends, and every other second between."""

    def __init__(self, said: output.Output) -> None:
        self.said = said
        self.stage, self.began, self.first, self.told = "", 0.0, 0, 0.0

    def show(self, stage: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        fresh = stage != self.stage
        if fresh:
            self.stage, self.began, self.first, self.told = stage, now, done, now
            fresh = stage in STAGES  # other work is named once it takes long
        text = line(stage, (done, total), done - self.first, now - self.began, note)
        self.said.stage = text.partition(",")[0] if total > 1 else text
        if not (fresh or note or (total > 1 and done == total) or now - self.told >= output.BEAT):
            return
        if total > 1 or not done:
            self.told = now
            self.said.remark(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.said.stage = ""


def line(stage: str, count: tuple[int, int], here: int, seconds: float, note: str = "") -> str:
    """How far a stage is; how fast, and how long still, once that can be told."""
    done, total = count
    name = STAGES.get(stage, stage)
    if total == 1:
        return name
    text = f"{name}: {done}/{total}" + (f", {note}" if note else "")
    if here > 0 and seconds > 1 and done < total:
        text += f", {here / seconds:.3g}/s, {(total - done) * seconds / here:.0f} s left"
    return text


@contextmanager
def shown() -> Iterator[Any]:
    """`show(stage, done, total)`: a bar on a terminal, lines elsewhere; on the error channel."""
    said = output.now()
    console = Console(file=said.err)
    if not console.is_terminal or said.quiet:
        with Lines(said) as lines:
            yield lines.show
        return
    with said.waiting(), Bar(console) as bar:
        yield bar.show


@contextmanager
def busy(stage: str) -> Iterator[None]:
    """For work that can't be counted: what is done, where it takes long."""
    with shown() as show:
        show(stage, 0, 1)
        yield


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM stop the command as Ctrl-C does."""

    def stop(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
