"""Decoders run in a process of their own: what a file makes of them ends that file alone.

LibRaw, OpenCV, tifffile and HDF5 are C code that reads what strangers wrote. A file may make it
crash, never come back, or take all memory. The process is kept for the next file; one that died is
replaced.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from errno import EINTR
from pathlib import Path
from typing import Any, TypeVar

from isptools.children import DiedError, Limits, decoders
from isptools.sources import ContentError, FaultError

SECONDS = 300.0  # that one file may take, its reading included, if nobody says otherwise
MEMORY = 8 << 30  # bytes that one file may take beside what the process has; a 150 MP raw takes 1.5
TRIES = 2  # what kills a decoder once may have been the machine
_seconds: ContextVar[float] = ContextVar("seconds", default=SECONDS)
R = TypeVar("R")
Use = Callable[[Path], AbstractContextManager[None]]
_use: ContextVar[Use] = ContextVar("use", default=lambda _path: nullcontext())


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """How long one file may take meanwhile."""
    token = _seconds.set(seconds)
    try:
        yield
    finally:
        _seconds.reset(token)


@contextmanager
def used_by(use: Use | None) -> Iterator[None]:
    """What holds a file in its place while it is decoded, meanwhile; None for nothing."""
    token = _use.set(use) if use else None
    try:
        yield
    finally:
        if token:
            _use.reset(token)


def apart(function: Callable[..., R], path: Path, *given: Any) -> R:
    """What a function of a file gives or raises, from another process.

    ContentError, with the signal, where the decoder died of the file, twice; FaultError where
    somebody stopped it.
    """
    with _use.get()(path):
        return _apart(function, path, *given)


def _apart(function: Callable[..., R], path: Path, *given: Any) -> R:
    seconds = _seconds.get()
    for again in range(TRIES, 0, -1):
        try:
            return decoders.call(function, path, *given, limits=Limits(seconds, _memory()))
        except DiedError as died:
            if again > 1:
                continue
            if died.from_outside:
                raise FaultError(EINTR, str(died), str(path)) from None
            if died.out_of_time:
                why = f"it was not decoded within {seconds:g} seconds"
                raise ContentError(f"{why} ({died})") from None
            raise ContentError(f"its decoder died ({died})") from None
    raise AssertionError("the last try returned or raised")


def _memory() -> int:
    """Half of what the machine, or the container, has, and at most MEMORY."""
    return min(MEMORY, *(size // 2 for size in _sizes()))


def _sizes() -> Iterator[int]:
    yield 2 * MEMORY
    for place, unit in (("/proc/meminfo", 1024), ("/sys/fs/cgroup/memory.max", 1)):
        try:
            words = Path(place).read_text("ascii").split()
        except OSError:
            continue
        number = next((word for word in words if word.isdecimal()), "")
        if number:
            yield int(number) * unit
