"""The output folder: one build at a time, whole files, and a line that says what is wrong."""

import errno
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from isptools.datasets.listing import BuildError
from isptools.shards import disk

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


UNLOCKABLE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}  # a network disk without locks
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def refused_by_system(out: Path, error: OSError) -> BuildError:
    """One line for an output folder that takes no more (full, read-only, gone)."""
    reason = error.strerror or str(error)
    place = error.filename or out
    if error.errno in FULL:
        todo = "make room there and run the same command again; what is finished is kept"
    else:
        todo = "choose a folder that can be written with --out"
    return BuildError(f"cannot write {place}: {reason}; {todo}")


@contextmanager
def locked(out: Path) -> Iterator[str]:
    """Create the folder and hold it; yields the token that its workers must find in the lock.

    A worker that outlived its killed build finds another token and writes nothing. BuildError if
    another build holds the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    if (out / ".journal").is_symlink():
        raise BuildError(f"{out / '.journal'} is a link; remove it, or choose another --out")
    with _lock_file(out / ".lock") as file:
        if not _lock(file.fileno()):
            raise BuildError(f"{out}: another build is writing there; wait for it or stop it")
        token = uuid.uuid4().hex
        file.truncate(0)
        file.write(token)
        file.flush()
        try:
            yield token
        finally:
            sweep(out)
            file.truncate(0)  # the file stays: removing it could let two builds in


def _lock_file(path: Path) -> TextIO:
    """Never what a link of that name points at: it would be emptied."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.fdopen(os.open(path, flags, 0o666), "a+", encoding="ascii")
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise BuildError(f"{path} is a link; remove it, or choose another --out") from None


def holds(out: Path, token: str) -> None:
    """Raise BuildError if the folder was given to another build."""
    try:
        found = (out / ".lock").read_text()
    except FileNotFoundError:
        found = ""
    if found != token:
        raise BuildError(f"{out}: this worker's build is gone; nothing was written")


def sweep(out: Path) -> None:
    """Remove temporary files that a killed build left behind."""
    for place in (out, out / ".journal"):
        for temp in disk.stale(place):
            if not temp.is_dir():
                temp.unlink(missing_ok=True)


def _lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in UNLOCKABLE:
            return True
        if error.errno in {errno.EAGAIN, errno.EACCES, errno.EDEADLK}:
            return False
        raise
    return True
