"""What runs in a process that `isptools.children` started: one call at a time, and limits on it.

A message is a head (bytes, descriptor + 1) and a pickle. Large arrays of an answer lie in memory
without a name, which the parent opens by the descriptor and maps: nobody has to sweep it. Memory
that the parent let go of is written to again, which takes a third of the time of new pages.
"""

import mmap
import os
import pickle
import signal
import struct
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

if sys.platform != "win32":
    import fcntl
    import resource
    import select

HEAD = struct.Struct("<QQ")
MAPPED = 1 << 16  # bytes of arrays from which they are mapped and not sent
ALIGNED = 64
READY = "ready"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may take; None where there is no limit. Not kept on Windows."""

    seconds: float | None = None
    bytes: int | None = None  # of memory, beside what the process has already


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A function that only the process which calls it has to import."""

    module: str
    name: str

    def __call__(self, *given: Any) -> Any:
        return getattr(import_module(self.module), self.name)(*given)


def serve(leash: int | None = None) -> None:
    """Take calls from standard input until it ends. `leash`: a pipe that ends with the parent."""
    if leash is not None:
        end_with(leash)
    given = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what is printed must not stand among answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends this one
    send(answers, pickle.dumps(READY))
    free: list[int] = []  # descriptors of memory that may be written to
    while True:
        message, _ = receive(given)
        if message is None:
            return
        *call, freed = pickle.loads(message)
        free += freed
        body, arrays = _pickled(_called(call))
        _reply(answers, body, arrays, free)
        del body, arrays


def send(pipe: IO[bytes], message: bytes, descriptor: int = 0) -> None:
    """Write a message behind its length and the number of a descriptor. OSError if nobody reads."""
    for part in (HEAD.pack(len(message), descriptor), message):
        view = memoryview(part)
        while view:
            view = view[pipe.write(view) :]


def receive(pipe: IO[bytes] | None) -> tuple[bytes | None, int]:
    """A message, and the descriptor of its arrays + 1; None where the other side is gone."""
    head = _exactly(pipe, HEAD.size)
    if head is None:
        return None, 0
    size, descriptor = HEAD.unpack(head)
    return _exactly(pipe, size), descriptor


def _exactly(pipe: IO[bytes] | None, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = pipe.read(size - len(parts)) if pipe else b""
        if not part:
            return None
        parts += part
    return bytes(parts)


def padded(size: int) -> int:
    """Where the next array may begin."""
    return -(-size // ALIGNED) * ALIGNED


def _called(call: list[Any]) -> tuple[bool, Any]:
    try:
        function, given, limits = call
        with _limited(limits or Limits()):
            return True, function(*given)
    except Exception as error:
        return False, (error, "".join(traceback.format_exception(error)))


def _pickled(answer: tuple[bool, Any]) -> tuple[bytes, list[memoryview]]:
    arrays: list[memoryview] = []

    def apart(buffer: pickle.PickleBuffer) -> bool:
        arrays.append(buffer.raw())
        return False

    maps = hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir()
    try:
        body = pickle.dumps(answer, protocol=5, buffer_callback=apart if maps else None)
    except Exception as error:  # an exception that can't travel, say
        told = f"{type(error).__name__}: {error}"
        return pickle.dumps((False, (RuntimeError(f"no answer can be sent: {told}"), ""))), []
    if sum(array.nbytes for array in arrays) < MAPPED:
        return pickle.dumps(answer, protocol=5), []
    return body, arrays


def _reply(pipe: IO[bytes], body: bytes, arrays: list[memoryview], free: list[int]) -> None:
    with suppress(BrokenPipeError):  # the parent is gone
        if not arrays:
            send(pipe, body)
            return
        sizes = [array.nbytes for array in arrays]
        send(pipe, pickle.dumps((sizes, body)), _memory(arrays, free) + 1)


def _memory(arrays: list[memoryview], free: list[int]) -> int:
    """A descriptor of memory without a name that holds the arrays one behind the other."""
    size = sum(padded(array.nbytes) for array in arrays)
    fitting = [one for one in free if os.fstat(one).st_size == size]
    for one in free:
        if one not in fitting[:1]:
            os.close(one)
    free.clear()
    descriptor = fitting[0] if fitting else os.memfd_create("isptools")
    os.ftruncate(descriptor, size)
    start = 0
    for array in arrays:
        view, place = array, start
        while view:
            done = os.pwrite(descriptor, view, place)
            view, place = view[done:], place + done
        start += padded(array.nbytes)
    return descriptor


def end_with(leash: int) -> None:
    """End when the parent does, in whatever C code this is: its end of the pipe is closed then, and
    the system sends SIGIO.

    Nothing is ever written to this pipe. The one that calls come by would not do: the system sends
    the signal for what was written too, and on a busy machine after it has been read.
    """
    if sys.platform == "win32":
        return
    os.set_inheritable(leash, False)
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(leash, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(leash, fcntl.F_SETFL, fcntl.fcntl(leash, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([leash], [], [], 0)[0]:  # it was gone before
        os._exit(0)


@contextmanager
def _limited(limits: Limits) -> Iterator[None]:
    """By the system, which needs nothing of a C library that never comes back."""
    if sys.platform == "win32":
        yield
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if limits.bytes is not None:
        most = _data() + limits.bytes
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    signal.setitimer(signal.ITIMER_REAL, limits.seconds or 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _data() -> int:
    """Bytes of memory that the process may write to."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except OSError:
        return 1 << 30
    return pages * mmap.PAGESIZE
