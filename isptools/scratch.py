"""Folders that live as long as a command, and go at the next start where it was killed."""

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PREFIX = "isptools-"
OURS = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}")  # as tempfile draws names
HELD = "held"  # has the number of a process, whose lock on it ends with it
DAY = 86400.0  # seconds after which a folder that nobody marked is nobody's


@contextmanager
def folder(within: Path | None = None) -> Iterator[Path]:
    """An empty folder below another, the temporary one; what killed commands left there is removed
    before.

    OSError where none can be made.
    """
    sweep(within or Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory("", PREFIX, within, ignore_cleanup_errors=True) as place:
        descriptor = os.open(Path(place) / HELD, os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o600)
        try:
            _locked(descriptor)
            os.write(descriptor, str(os.getpid()).encode())
            inside = Path(place) / "files"
            inside.mkdir()
            yield inside
        finally:
            os.close(descriptor)


def sweep(place: Path) -> None:
    """Remove folders of ours whose command has ended. Others' folders, and links, stay."""
    if sys.platform == "win32":
        return
    with suppress(OSError), os.scandir(place) as entries:
        left = [Path(entry) for entry in entries if OURS.fullmatch(entry.name) and _is_own(entry)]
        for path in left:
            if _is_nobodys(path):
                shutil.rmtree(path, ignore_errors=True)


def _is_own(entry: "os.DirEntry[str]") -> bool:
    if not entry.is_dir(follow_symlinks=False):
        return False
    return entry.stat(follow_symlinks=False).st_uid == os.geteuid()


def _is_nobodys(path: Path) -> bool:
    try:
        descriptor = os.open(path / HELD, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:  # killed before it was marked, or it is about to be
        return time.time() - path.stat().st_mtime > DAY
    except OSError:
        return False
    try:
        return _locked(descriptor) and not _is_alive(os.read(descriptor, 20))
    finally:
        os.close(descriptor)


def _is_alive(number: bytes) -> bool:
    """Whether there is a process of the number: its disk may have no locks for it."""
    if not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _locked(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
