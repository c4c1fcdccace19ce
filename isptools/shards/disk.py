"""Files that exist whole or not at all."""

import errno
import hashlib
import os
import re
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMPORARY = re.compile(
    r"\.(?:.+\.h5|.+\.json|ledger\.jsonl|headers|README\.md|CITATION)\.[0-9a-f]{32}\.tmp", re.DOTALL
)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def temporary(target: Path) -> Path:
    """A name beside `target` that nobody else uses, and that `stale` finds."""
    return target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")


def stale(folder: Path) -> list[Path]:
    """Temporary files that an earlier process left behind in a folder; none but `temporary` gives
    them such names."""
    return sorted(path for path in folder.glob(".*.tmp") if TEMPORARY.fullmatch(path.name))


def publish(temp: Path, target: Path) -> None:
    """Give a finished temporary file its name, and wait until both are on the disk."""
    with temp.open("rb+") as file:
        os.fsync(file.fileno())
    temp.replace(target)
    if os.name == "posix":  # elsewhere a folder can't be opened
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def save(target: Path, data: bytes) -> None:
    """Write a small file whole: under a temporary name, then renamed."""
    temp = temporary(target)
    try:
        with temp.open("xb") as file:
            file.write(data)
        publish(temp, target)
    finally:
        temp.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Of a whole file, in hexadecimal. OSError, also for a pipe, which nobody may ever write to."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Sink:
    """The file below h5py. It never fails towards HDF5, which does not survive a failed write.

    After a write that the disk refused (full, over a quota, gone) HDF5 crashes the process when
    its objects are freed. So an error is kept here, later writes go nowhere, and `verify` raises it
    between two calls into HDF5.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.open("x+b", buffering=0)
        self.error: OSError | None = None

    def verify(self) -> None:
        """OSError that an earlier call had, with the name of the file."""
        if self.error:
            raise OSError(self.error.errno, self.error.strerror, self.file.name) from self.error

    def write(self, data: Any) -> int:
        """All of `data`, as far as the disk takes it; `verify` says whether it did."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and not self.error:
            try:
                done += self.file.write(view[done:])
            except OSError as error:
                self.error = error
        return len(view)

    def truncate(self, size: int) -> int:
        """Set the size in bytes; `verify` says whether that was done."""
        try:
            return self.file.truncate(size)
        except OSError as error:
            self.error = self.error or error
        return size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As `io.RawIOBase.seek`."""
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        """As `io.RawIOBase.tell`."""
        return self.file.tell()

    def read(self, size: int = -1) -> bytes:
        """As `io.RawIOBase.read`."""
        return self.file.read(size) or b""

    def readinto(self, buffer: Any) -> int:
        """As `io.RawIOBase.readinto`."""
        return self.file.readinto(buffer) or 0

    def flush(self) -> None:
        """Nothing is held back here; `publish` waits for the disk."""

    def close(self) -> None:
        """Close the file. OSError."""
        self.file.close()


@contextmanager
def held_signals() -> Iterator[None]:
    """Let an interrupt wait: raised inside a call of HDF5 into Python it would break the file."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread alone
        return
    caught: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler is not None}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, lambda got, _: caught.append(got))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        signal.raise_signal(caught[0])
