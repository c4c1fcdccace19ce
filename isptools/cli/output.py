"""What a command says: to people, to a log, and that it is alive. Of many ranks one speaks."""

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import IO, Any, cast

import click

from isptools.cli.codes import CANT
from isptools.cli.target import Target
from isptools.shown import Escaping, shown

BEAT = 2.0  # seconds that a command may be silent
START = 4.0  # the same before its work begins, in a log: there an error stays one line
TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # what colors and moves the cursor
CLEAR = "\r\x1b[K"


class Output:
    """The channels of one command; everything that it says passes here."""

    def __init__(self) -> None:
        self.name = "isptools"
        self.out, self.err = sys.stdout, sys.stderr
        self.rank = rank()
        self.quiet = bool(self.rank)
        self.log: IO[str] | None = None
        self.waited_for = described(self.err)
        self.began = self.last = time.monotonic()
        self.stage = ""  # what is done now, for people
        self.paused = 0  # a bar moves by itself; a question waits
        self.lock = threading.RLock()
        self._fresh, self._dirty = True, False

    def write(self, stream: IO[str], text: str) -> None:
        """Said at once, and kept in the log line by line."""
        with self.lock:
            self.last = time.monotonic()
            self.clear()
            if not (self.rank and stream is self.out):
                stream.write(text)
            self.keep(text)

    def remark(self, text: str) -> None:
        """A line beside the results: how far it is, what happened on the way."""
        with self.lock:
            if self.quiet:
                self.keep(f"{text}\n")
                return
            self.write(self.err, f"{text}\n")
            self.err.flush()

    def keep(self, text: str) -> None:
        """Into the log, each line with its time."""
        if self.log is None:
            return
        try:
            for line in TERMINAL.sub("", text).replace("\r", "\n").splitlines(keepends=True):
                if self._fresh:
                    self.log.write(time.strftime("%Y-%m-%dT%H:%M:%S "))
                self.log.write(line)
                self._fresh = line.endswith("\n")
            self.log.flush()
        except OSError as error:  # a disk that takes no more of it: said once
            log, self.log = self.log, None
            with suppress(OSError):
                log.close()
            raise OSError(error.errno, error.strerror, log.name) from None

    def clear(self) -> None:
        """Take away the line that says that it is alive."""
        if self._dirty:
            self.err.write(CLEAR)
            self._dirty = False

    def beat(self) -> float:
        """A sign of life where nothing was said for a while; seconds until the next look."""
        with self.lock:
            silent = time.monotonic() - self.last
            most = BEAT if self.stage or self.err.isatty() else START
            if silent < most or self.quiet or self.paused or not self.waited_for:
                return max(min(most - silent, BEAT), 0.1)
            text = f"{self.stage or self.name}: {time.monotonic() - self.began:.0f} s"
            self._dirty = self.err.isatty()
            self.err.write(f"{CLEAR}{text}" if self._dirty else f"{text}\n")
            self.err.flush()
            self.last = time.monotonic()
            return BEAT

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While something else shows that the command is alive."""
        with self.lock:
            self.clear()
            self.paused += 1
        try:
            yield
        finally:
            self.paused -= 1
            self.last = time.monotonic()


class Told:
    """A channel as the command sees it."""

    def __init__(self, stream: IO[str], output: Output) -> None:
        self.stream, self.output = stream, output

    def write(self, text: str) -> int:
        with _read_on(self.stream):
            self.output.write(self.stream, text)
        return len(text)

    def flush(self) -> None:
        with _read_on(self.stream):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def _read_on(stream: IO[str]) -> Iterator[None]:
    """End without a word where who reads has seen enough (`| head`): no fault of any file."""
    try:
        yield
    except BrokenPipeError:
        with suppress(OSError, ValueError, AttributeError):  # not one of the system
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise SystemExit(CANT) from None


_running: list[Output] = []


def now() -> Output:
    """The channels of the command that runs; of none, those of the process."""
    return _running[-1] if _running else Output()


@contextmanager
def opened() -> Iterator[Output]:
    """Everything that is said inside goes through one `Output`, which shows that it is alive.

    What strangers wrote is shown, and moves no cursor.
    """
    output, over = Output(), threading.Event()
    pulse = threading.Thread(target=_pulse, args=(output, over), daemon=True)
    out = Escaping(cast(IO[str], Told(output.out, output)))
    err = Told(output.err, output)
    _running.append(output)
    pulse.start()
    try:
        with redirect_stdout(cast(IO[str], out)), redirect_stderr(cast(IO[str], err)):
            yield output
    except click.ClickException as error:
        error.message = shown(error.message, "\n\t")  # type: ignore[misc]  # before it is told
        with suppress(OSError):  # the log's disk, maybe: of two errors the first is told
            output.keep(f"Error: {error.format_message()}\n")
        if output.rank:
            error.message = f"rank {output.rank}: {error.message}"  # type: ignore[misc]
        raise
    finally:
        over.set()
        pulse.join()
        _running.remove(output)
        output.clear()
        if output.log:
            output.log.close()


def described(stream: IO[str]) -> bool:
    """Whether a terminal, a pipe or a file is behind it: a caller in Python that collects what is
    said gets no signs of life."""
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):
        return False
    return True


def _pulse(output: Output, over: threading.Event) -> None:
    pause = BEAT
    while not over.wait(pause):
        pause = output.beat()


def rank() -> int:
    """Which of many processes of one job this is, as torchrun and Lightning say it; else 0."""
    words = os.environ
    if not words.get("WORLD_SIZE", "").isdigit() or int(words["WORLD_SIZE"]) < 2:
        return 0
    said = [words.get(name, "0") for name in ("RANK", "LOCAL_RANK", "NODE_RANK")]
    number, local, node = (int(one) if one.isdigit() else 0 for one in said)
    return number if "RANK" in words else local + node


def _be_quiet(_context: click.Context, _option: click.Parameter, quiet: bool) -> None:
    if quiet:
        now().quiet = True


def _keep(context: click.Context, _option: click.Parameter, path: Path | None) -> None:
    if path is None or context.resilient_parsing:
        return
    try:
        now().log = path.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        message = f"{path}: it can't be written ({error.strerror})"
        raise click.ClickException(message) from None
    now().keep(f"{context.command_path}\n")


def options() -> list[click.Option]:
    """What every command takes."""
    return [
        click.Option(["--quiet"], is_flag=True, expose_value=False, is_eager=True,
                     callback=_be_quiet, help="Only results and errors: no progress, no remarks."),
        click.Option(["--log"], type=Target(), expose_value=False, is_eager=True, callback=_keep,
                     help="Add all that is said to this file, with times."),
    ]  # fmt: skip
