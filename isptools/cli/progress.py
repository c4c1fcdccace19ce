"""How far a long command is: a bar on a terminal, a line now and then elsewhere."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from isptools.cli import output

FORCED = frozenset({"FORCE_COLOR", "TTY_COMPATIBLE"})  # rich: it is a terminal though it is none
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


class Lines:
    """The same as plain lines: when a stage begins and ends, and every other second between."""

    def __init__(self, said: output.Output) -> None:
        self.said = said
        self.stage, self.began, self.first, self.told = "", 0.0, 0, 0.0
        self.done = 0  # as it was told

    def show(self, stage: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        fresh = stage != self.stage
        if fresh:
            self.stage, self.began, self.first, self.told = stage, now, done, now
            fresh = stage in STAGES  # other work is named once it takes long
        text = line(stage, (done, total), done - self.first, now - self.began, note)
        self.said.stage = text.partition(",")[0] if total > 1 else text
        due = done != self.done and now - self.told >= output.BEAT  # else a sign of life says it
        if not (fresh or note or (total > 1 and done == total) or due):
            return
        if total > 1 or not done:
            self.told, self.done = now, done
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
    if not said.quiet and (said.err.isatty() or not FORCED.isdisjoint(os.environ)):
        from isptools.cli.bar import Bar, terminal  # what draws it takes long to load

        console = terminal(said.err)
        if console:
            with said.waiting(), Bar(console, STAGES) as bar:
                yield bar.show
            return
    with Lines(said) as lines:
        yield lines.show


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
