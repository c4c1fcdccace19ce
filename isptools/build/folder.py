"""The output folder: one build at a time, whole files, and a line that says what is wrong."""

import errno
import os
import sys
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from isptools.build.share import Share
from isptools.datasets.listing import BuildError
from isptools.shards import disk

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


LOCK = ".lock"
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
def locked(out: Path, share: Share | None = None) -> Iterator[str]:
    """Create the folder and hold it; yields the token that its workers must find in the lock.

    A build holds all of it; shares of one number hold it together, each once. A worker that
    outlived its killed build finds another token and writes nothing. BuildError if another build
    holds the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    if (out / ".journal").is_symlink():
        raise BuildError(f"{out / '.journal'} is a link; remove it, or choose another --out")
    name = f"{LOCK}-{share.number}-of-{share.of}" if share else LOCK
    with _lock_file(out / name) as file:
        with turn(out):
            if _lock(file.fileno()) is False:
                raise BuildError(_held(out, share))
            _expect_alone(out, name, share)
            token = f"{name}:{uuid.uuid4().hex}"
            file.truncate(0)
            file.write(token)
            file.flush()
            os.fsync(file.fileno())  # workers on other machines look for it
        try:
            yield token
        finally:
            if not share:
                sweep(out)
            file.truncate(0)  # the file stays: removing it could let two builds in


@contextmanager
def turn(out: Path) -> Iterator[None]:
    """One at a time of those who share a folder; for moments."""
    with _lock_file(out / f"{LOCK}-turn") as file:
        _lock(file.fileno(), wait=True)
        yield


def _expect_alone(out: Path, name: str, share: Share | None) -> None:
    """BuildError if somebody holds the folder who is no other share of this build. The workers of
    those who are gone find no token any more."""
    for path in sorted(out.glob(f"{LOCK}*")):
        if path.name in {name, f"{LOCK}-turn"}:
            continue
        with _lock_file(path) as file:
            free = _lock(file.fileno())
            if free:
                file.truncate(0)
        fellow = share and path.name.endswith(f"-of-{share.of}")
        if free is False and not fellow:
            raise BuildError(_held(out, None))


def _held(out: Path, share: Share | None) -> str:
    if share:
        return (
            f"{out}: share {share} or another build is being written there; wait for it or stop it"
        )
    return f"{out}: another build is writing there; wait for it or stop it"


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
        found = (out / token.partition(":")[0]).read_text()
    except FileNotFoundError:
        found = ""
    if found != token:
        raise BuildError(f"{out}: this worker's build is gone; nothing was written")


def sweep(out: Path, names: Collection[str] | None = None) -> None:
    """Remove temporary files that a killed build left behind; with `names`, of these units."""
    for place in (out, out / ".journal"):
        for temp in disk.stale(place):
            of_unit = names is None or temp.name[1:].partition(".h5.")[0] + ".h5" in names
            if of_unit and not temp.is_dir():
                temp.unlink(missing_ok=True)


def _lock(descriptor: int, wait: bool = False) -> bool | None:
    """False if another process has it; None where the disk knows no locks."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in UNLOCKABLE:
            return None
        if error.errno in {errno.EAGAIN, errno.EACCES, errno.EDEADLK}:
            return False
        raise
    return True
