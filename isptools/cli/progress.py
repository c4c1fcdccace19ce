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
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

STAGES = {
    "headers": "reading headers",
    "kernels": "preparing kernels (compiled on the first run, then kept)",
    "inputs": "building",
    "inputs_out": "converting",
    "frames": "fusing",
    "shards": "checking",
    "rows": "measuring",
    "files": "reading files",
    "megabytes": "downloading, MB",
}
PAUSE = 5.0  # seconds between two lines


class Rate(ProgressColumn):
    """Things a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.2f}/s" if task.speed else "")


class Bar:
    """A bar for each stage, with rate and time left."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(),
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
    """The same as plain lines: when a stage begins and ends, and every few seconds between."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.stage, self.began, self.first, self.told = "", 0.0, 0, 0.0

    def show(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.began, self.first = stage, now, done
        elif done < total and now - self.told < PAUSE:
            return
        self.told = now
        if total == 1:
            if not done:
                self.console.print(STAGES[stage], soft_wrap=True, highlight=False)
            return
        rate = (done - self.first) / (now - self.began) if now > self.began else 0.0
        left = f", {rate:.2f}/s, {(total - done) / rate:.0f} s left" if rate else ""
        self.console.print(
            f"{STAGES[stage]}: {done}/{total}{left}", soft_wrap=True, highlight=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@contextmanager
def shown() -> Iterator[Any]:
    """`show(stage, done, total)`: a bar on a terminal, lines elsewhere; on the error channel."""
    console = Console(stderr=True)
    with Bar(console) if console.is_terminal else Lines(console) as display:
        yield display.show


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
