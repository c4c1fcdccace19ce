"""Processes that this one starts: they run installed code, and end when this one does.

A child is a new interpreter (a forked one would deadlock in LibRaw) that takes one call at a time
on its standard input and answers on its standard output. It may die of what it is given: that is
told to the caller, who starts another. Large arrays come back in memory that both map.
"""

import atexit
import ctypes
import mmap
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from pathlib import Path
from typing import IO, Any, TypeVar

from isptools.serving import READY, Limits, end_with, padded, receive, send

__all__ = [
    "Child",
    "Children",
    "Crew",
    "DiedError",
    "Limits",
    "StartError",
    "decoders",
    "each",
    "end_with_parent",
    "safe_path",
]

THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip
MAIN = "import sys; sys.path += {path!r}; from isptools.serving import serve; serve({leash})"
PDEATHSIG = 1  # of Linux's prctl
FROM_OUTSIDE = frozenset(
    number for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGIO")
    if (number := getattr(signal, name, None)) is not None
)  # fmt: skip
T = TypeVar("T")
R = TypeVar("R")


class DiedError(Exception):
    """A child ended before it answered."""

    def __init__(self, status: int | None) -> None:
        super().__init__(status)
        self.status = status

    @property
    def from_outside(self) -> bool:
        """Whether somebody stopped it: no fault of what it was given."""
        return self.status is None or -self.status in FROM_OUTSIDE

    @property
    def out_of_time(self) -> bool:
        """Whether the bound of time ended it."""
        return self.status == -getattr(signal, "SIGALRM", 0)

    def __str__(self) -> str:
        if self.status is None or self.status >= 0:
            return f"its process ended with status {self.status}"
        with suppress(ValueError):
            return f"its process was ended by {signal.Signals(-self.status).name}"
        return f"its process was ended by signal {-self.status}"


class StartError(OSError):
    """No child can be started."""


def end_with_parent(_number: int = 0) -> None:
    """Of a process that another library started: it ends at once when its parent is killed.

    By the system, on Linux; elsewhere that library's own watch has to do. A fork server, which
    starts processes from Python 3.14 on, stands between and would live as long as this one.
    """
    parent = parent_process()
    if sys.platform != "win32" and parent and parent.pid != os.getppid():
        end_with(parent.sentinel)
    elif sys.platform == "linux":
        ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@contextmanager
def safe_path() -> Iterator[None]:
    """Start Python meanwhile without the current folder on its module path.

    Pools start their workers with `python -m` or `python -c`, which put it first: a `joblib.py`
    among somebody's photographs would run in every worker.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


class Child:
    """A process that takes calls, one at a time. StartError if none can be started."""

    def __init__(self, alone: bool = False, quiet: bool = False) -> None:
        """`alone`: with one thread for each library. `quiet`: what C code prints is dropped."""
        environment = {**os.environ, "PYTHONSAFEPATH": "1"}
        if alone:
            environment |= dict.fromkeys(THREADS, "1")
        path = [place for place in sys.path if place]  # "" is the current folder
        self.busy = False  # from a call to its answer
        self.freed: list[int] = []  # descriptors over there of memory that is no longer used
        try:
            with _leash() as (over_there, self.leash):
                self.process = subprocess.Popen(
                    [sys.executable, "-P", "-c", MAIN.format(path=path, leash=over_there)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL if quiet else None, env=environment, bufsize=0,
                    pass_fds=() if over_there is None else (over_there,),
                )  # fmt: skip
        except OSError as error:
            raise StartError(error.errno, f"no process can be started ({error.strerror})") from None
        with suppress(DiedError):
            if self._answer() == READY:
                return
        self.close()
        raise StartError(None, f"a process ended at its start, with {self.process.returncode}")

    @property
    def alive(self) -> bool:
        """Whether its process still runs."""
        return self.process.poll() is None

    def call(self, function: Callable[..., R], *given: Any, limits: Limits | None = None) -> R:
        """What a function gives, or raises, over there. DiedError if the process ends."""
        self.busy = True
        freed = [self.freed.pop() for _ in range(len(self.freed))]  # finalizers add to it
        try:
            send(_in(self.process), pickle.dumps((function, given, limits, freed), protocol=5))
        except BrokenPipeError:
            raise DiedError(self.process.wait()) from None
        good, answer = self._answer()
        self.busy = False
        if good:
            return answer  # type: ignore[no-any-return] # what `function` returned
        error, text = answer
        error.add_note(text)
        raise error

    def close(self) -> None:
        """End it now, whatever it does."""
        with suppress(OSError):
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.leash):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def _answer(self) -> Any:
        message, descriptor = receive(self.process.stdout)
        if message is None:
            raise DiedError(self.process.wait())
        if not descriptor:
            return pickle.loads(message)
        sizes, body = pickle.loads(message)
        return pickle.loads(body, buffers=self._mapped(descriptor - 1, sizes))

    def _mapped(self, descriptor: int, sizes: Sequence[int]) -> list[memoryview]:
        """The arrays of an answer; the child may use their memory again when all are gone."""
        how = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
        with Path(f"/proc/{self.process.pid}/fd/{descriptor}").open("r+b", buffering=0) as file:
            memory = mmap.mmap(file.fileno(), 0, flags=how)
        weakref.finalize(memory, self.freed.append, descriptor)
        view, parts, start = memoryview(memory), [], 0
        for size in sizes:
            parts.append(view[start : start + size])
            start += padded(size)
        return parts


@contextmanager
def _leash() -> Iterator[tuple[int | None, IO[bytes] | None]]:
    """A pipe's end for the child, and ours, which is closed when this process ends, however."""
    if sys.platform == "win32":
        yield None, None
        return
    over_there, number = os.pipe()
    ours = os.fdopen(number, "wb", buffering=0)
    try:
        yield over_there, ours
    except OSError:
        ours.close()
        raise
    finally:
        os.close(over_there)


def _in(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    if process.stdin is None:
        raise ValueError("it was started without a pipe")
    return process.stdin


class Children:
    """Idle children, to be used again by whichever thread has a call."""

    def __init__(self) -> None:
        self.idle: list[Child] = []
        self.lock = threading.Lock()
        self.owner = os.getpid()

    def call(self, function: Callable[..., R], *given: Any, limits: Limits) -> R:
        """As `Child.call`. A child that died while it was idle is replaced without a word."""
        child = self._taken()
        try:
            return child.call(function, *given, limits=limits)
        finally:
            if child.busy or not child.alive:  # an interrupt came meanwhile, or it died
                child.close()
            else:
                with self.lock:
                    self.idle.append(child)

    def _taken(self) -> Child:
        with self.lock:
            if self.owner != os.getpid():  # a fork: they belong to the parent
                self.idle, self.owner = [], os.getpid()
            while self.idle:
                child = self.idle.pop()
                if child.alive:
                    return child
                child.close()
        return Child(quiet=True)

    def close(self) -> None:
        """End the processes that wait for work."""
        with self.lock:
            while self.owner == os.getpid() and self.idle:
                self.idle.pop().close()


decoders = Children()
atexit.register(decoders.close)


class Crew:
    """Children that start now, each with a thread that hands it items when there are some."""

    def __init__(self, jobs: int, ready: Callable[[], Any] | None = None) -> None:
        """`ready` is called in each child ahead: it loads what the items will need."""
        self.todo: queue.SimpleQueue[tuple[Callable[[Any], Any], Any] | None] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[tuple[Any, Any, BaseException | None] | None] = (
            queue.SimpleQueue()
        )
        self.workers = [_Worker(self.todo, self.done, ready) for _ in range(jobs)]
        for worker in self.workers:
            worker.start()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.stop()
            self.todo.put(None)
        for worker in self.workers:
            worker.join()

    def each(
        self, function: Callable[[T], R], items: Iterable[T]
    ) -> Iterator[tuple[T, R | DiedError]]:
        """Call a function for every item, once; yields in no fixed order, and ends the children.

        An item whose child died is given to another; where that dies too, the DiedError is
        yielded. What the function raises ends it all.
        """
        for item in items:
            self.todo.put((function, item))
        for _ in self.workers:
            self.todo.put(None)
        left = len(self.workers)
        while left:
            told = self.done.get()
            if told is None:
                left -= 1
            elif told[2] is not None:
                raise told[2]
            else:
                yield told[0], told[1]


def each(
    function: Callable[[T], R], items: Iterable[T], jobs: int
) -> Iterator[tuple[T, R | DiedError]]:
    """As `Crew.each` in children that start now, `jobs` at most."""
    todo = list(items)
    with Crew(min(jobs, len(todo))) as crew:
        yield from crew.each(function, todo)


class _Worker(threading.Thread):
    """Hands items to a child of its own."""

    def __init__(self, todo: Any, done: Any, ready: Callable[[], Any] | None) -> None:
        super().__init__(daemon=True)
        self.todo, self.done, self.ready = todo, done, ready
        self.child: Child | None = None
        self.lock, self.stopped = threading.Lock(), False

    def run(self) -> None:
        try:
            if self.ready:
                with suppress(DiedError):  # another one is started for the first item
                    self._ready().call(self.ready)
            while (given := self.todo.get()) and not self.stopped:
                self.done.put((given[1], self._tried(*given), None))
        except BaseException as error:
            self.done.put((None, None, error))
        self.stop()
        self.done.put(None)

    def _tried(self, function: Callable[[Any], Any], item: Any) -> Any:
        for again in (True, False):
            try:
                return self._ready().call(function, item)
            except DiedError as died:
                if not again or self.stopped:
                    return died
        raise AssertionError("the second try returned or raised")

    def _ready(self) -> Child:
        with self.lock:
            if self.stopped:
                raise DiedError(None)
            if self.child is None or not self.child.alive:
                if self.child:
                    self.child.close()
                self.child = Child(alone=True)
            return self.child

    def stop(self) -> None:
        with self.lock:
            self.stopped = True
            if self.child:
                self.child.close()
