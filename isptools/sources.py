"""Bytes of files that are not ours; and where a fault of the machine is told from a fact about one.

Reading can fail because a file is what it is, or because the disk, the network or the rights are as
they are just now. The first is final. The second says nothing about the file: it is tried again,
and then everything that needs the file is left undone. Decoders swallow the system's numbers, so
bytes are read here and handed to them.
"""

import errno
import io
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

# What the system says about a name or the thing that has it; all else may pass. (ENOENT may: a
# listing named the file.)
OF_THE_FILE = frozenset({
    errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.ENXIO,
    errno.ENODEV, errno.ESPIPE, errno.EFBIG, errno.EOVERFLOW,
})  # fmt: skip
PAUSES = (0.1, 0.5, 2.0)  # seconds before the second, third and fourth try
LARGEST = 1 << 32  # bytes of one file; photographs have up to half a billion
T = TypeVar("T")


class FaultError(OSError):
    """The machine failed: nothing is known of the file. `filename` is the file's."""


class ContentError(ValueError):
    """What stands under the name can't be read as a file; one line that does not name it."""


def is_fault(error: OSError) -> bool:
    """Whether an error is the machine's and may pass; decoders raise OSErrors without a number."""
    return error.errno is not None and error.errno not in OF_THE_FILE


def fault(error: OSError, path: Path) -> FaultError:
    """What the system said about a file, as a fault of the machine."""
    return FaultError(error.errno, error.strerror or str(error), str(path))


def patiently(action: Callable[[], T], path: Path) -> T:
    """Do it; again, with growing pauses, where the machine fails. FaultError in the end.

    ContentError where the failure is a fact about the file.
    """
    for pause in (*PAUSES, None):
        try:
            return action()
        except OSError as error:
            if not is_fault(error):
                raise ContentError(f"it can't be read ({error.strerror or error})") from None
            if pause is None:
                raise fault(error, path) from None
        time.sleep(pause)
    raise AssertionError("the last try returned or raised")


def read(path: Path) -> bytes:
    """A whole file. FaultError for the machine, ContentError for what is no file."""
    return patiently(lambda: _read(path), path)


def status(path: Path) -> os.stat_result:
    """As `Path.stat`. FaultError, ContentError."""
    return patiently(path.stat, path)


def files(folder: Path) -> list[str]:
    """The names of a folder's files, sorted; of none where it is not there. FaultError."""

    def names() -> list[str]:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_file())

    return patiently(names, folder) if folder.is_dir() else []


def part(path: Path, action: Callable[[BinaryIO], T]) -> T:
    """What a decoder makes of a file of which it reads a part. FaultError, ContentError."""

    def once() -> T:
        with _opened(path) as file:
            return action(file)

    return patiently(once, path)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """FaultError at the end where the machine failed meanwhile, whatever the decoder made of it."""
    file = _Watched(path)
    with file, io.BufferedReader(file) as buffered:
        try:
            yield buffered
        finally:
            if file.error and is_fault(file.error):
                raise fault(file.error, path)


class _Watched(io.FileIO):
    """Remembers what the system said."""

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        super().__init__(_descriptor(path)[0])

    def readinto(self, buffer: Any) -> int | None:
        with self._remembered():
            return super().readinto(buffer)
        return None

    def readall(self) -> bytes:
        with self._remembered():
            return super().readall()
        return b""

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            raise


def _descriptor(path: Path) -> tuple[int, int]:
    """Of a regular file, opened without waiting for anybody; and its size."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST:
        return descriptor, found.st_size
    os.close(descriptor)
    if stat.S_ISREG(found.st_mode):
        raise ContentError(f"it holds {found.st_size} bytes; no photograph is as large")
    raise ContentError("it is no regular file")


def _read(path: Path) -> bytes:
    descriptor, size = _descriptor(path)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        data: bytes = file.readall()
    if len(data) < size:  # a network disk may give less without an error
        raise OSError(errno.EIO, f"{len(data)} of {size} bytes came", str(path))
    return data
