"""A folder of an object store as a folder here: names, sizes and times at once, bytes when needed.

Small files come at once. A large one is a hole of its size until somebody uses it; then it is
fetched, and the longest unused ones become holes again where a bound of the disk is reached.
"""

import errno
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import quote, unquote

from isptools.sources import FaultError
from isptools.storage.places import StorageError, below, download, is_web, system, tried

if sys.platform != "win32":
    import fcntl

SMALL = 1 << 20  # bytes of a file that comes at once
LISTS = frozenset({".txt", ".csv", ".tsv", ".json", ".xml", ".toml", ".md"})  # so do these
TIMES = ("LastModified", "updated", "mtime", "last_modified", "created")  # of fsspec's systems


@dataclass(frozen=True, slots=True)
class Shadow:
    """The folder, and how many bytes of large files it may hold at once, one at the least."""

    folder: Path
    url: str
    bytes: int

    @property
    def root(self) -> Path:
        """The folder that stands for the address."""
        return self.folder / "files"

    @contextmanager
    def used(self, path: Path) -> Iterator[None]:
        """Have a file of it here meanwhile; nothing is done for other files. FaultError where it
        can't be fetched."""
        mark = self._mark(path)
        if mark is None or not mark.exists():
            yield
            return
        with mark.open("r+") as file:
            _lock(file, True)
            if not file.read(1):
                try:
                    self._fetch(path)
                except StorageError as error:
                    raise FaultError(errno.EIO, str(error), str(path)) from None
                file.write("1")
                file.flush()
            os.utime(mark)
            yield

    def _mark(self, path: Path) -> Path | None:
        try:
            name = path.absolute().relative_to(self.root)
        except ValueError:
            return None
        return self.folder / "marks" / quote(name.as_posix(), safe="")

    def _fetch(self, path: Path) -> None:
        found = path.stat()
        with (self.folder / "lock").open("a") as file:
            _lock(file, True)
            self._make_room(found.st_size)
        temp = self.folder / uuid.uuid4().hex
        try:
            name = path.absolute().relative_to(self.root).as_posix()
            download(below(self.url, name), temp, found.st_size)
            os.utime(temp, ns=(found.st_mtime_ns, found.st_mtime_ns))
            temp.replace(path)
        finally:
            temp.unlink(missing_ok=True)

    def _make_room(self, size: int) -> None:
        """Make holes of the longest unused files that nobody uses now."""
        held = []
        for mark in (self.folder / "marks").iterdir():
            if mark.stat().st_size:
                path = self.root / unquote(mark.name)
                held.append((mark.stat().st_mtime_ns, path.stat().st_size, mark, path))
        total = size + sum(one[1] for one in held)
        for _, bytes_, mark, path in sorted(held):
            if total <= self.bytes:
                break
            with mark.open("r+") as file:
                if _lock(file, False):
                    _hole(path, bytes_, path.stat().st_mtime_ns)
                    file.truncate(0)
                    total -= bytes_


def shadow(url: str, folder: Path, bytes_: int) -> Shadow:
    """The shadow of everything below an address. StorageError in one line."""
    if sys.platform == "win32":
        raise StorageError(f"{url}: not on Windows; copy the files here first")
    made = Shadow(folder.absolute(), url, bytes_)
    made.root.mkdir(parents=True)
    (made.folder / "marks").mkdir()
    names = 0
    for name, facts in _listed(url):
        size, path = facts.get("size"), made.root / name
        if size is None:
            raise StorageError(f"{url}/{name}: the store states no size")
        path.parent.mkdir(parents=True, exist_ok=True)
        names += 1
        if size <= SMALL or path.suffix.lower() in LISTS:
            download(below(url, name), path, size)
            os.utime(path, ns=(_time(facts), _time(facts)))
        else:
            _hole(path, size, _time(facts))
            (made.folder / "marks" / quote(name, safe="")).touch()
    if not names:
        raise StorageError(f"{url}: there are no files")
    return made


def _listed(url: str) -> list[tuple[str, dict[str, Any]]]:
    """Names below an address, safe as names here, and what the store says of each."""
    files, root = system(url)
    try:
        found = tried(lambda: files.find(root, detail=True), url)
    except FileNotFoundError:
        raise StorageError(f"{url}: there is nothing") from None
    start, names, web = root.rstrip("/") + "/", [], is_web(url)
    for full, facts in sorted(found.items()):
        if web and "?" in full:  # the same list in another order
            continue
        text = full.removeprefix(start)
        name = PurePosixPath(unquote(text) if web else text)
        if name.is_absolute() or ".." in name.parts or not name.parts or "\0" in full:
            raise StorageError(f"{url}: {full!r} can't be a file's name here")
        names.append((str(name), _stated(files, full, facts)))
    return names


def _stated(files: Any, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """What a list says of a file; what the file's own head says, where names stand there alone."""
    if facts.get("size") is not None:
        return facts
    found: dict[str, Any] = tried(lambda: files.info(name), name)
    return found


def _time(facts: dict[str, Any]) -> int:
    """Nanoseconds; the same for a file each time it is looked at."""
    for word in TIMES:
        found = facts.get(word)
        if isinstance(found, str):
            with suppress(ValueError):
                found = datetime.fromisoformat(found)
        if isinstance(found, datetime):
            return int(found.timestamp()) * 10**9
        if isinstance(found, int | float):
            return int(found) * 10**9
    return 0


def _hole(path: Path, size: int, time: int) -> None:
    """A file of a size and a time that takes no room."""
    temp = path.with_name(f".{uuid.uuid4().hex}")
    with temp.open("wb") as file:
        file.truncate(size)
    os.utime(temp, ns=(time, time))
    temp.replace(path)


def _lock(file: IO[Any], wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
