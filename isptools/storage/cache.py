"""Shards of an object store on this machine: whole, the longest unused dropped first, bounded."""

import os
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from isptools.storage.places import StorageError, download, small

if sys.platform != "win32":
    import fcntl

FOLDER, BOUND = "ISPTOOLS_CACHE", "ISPTOOLS_CACHE_GB"  # of the environment
GIGABYTES = 50.0
FROM = "from.json"
NAME = re.compile(r"\w[\w.-]*\.h5", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}")


class Listed(msgspec.Struct, frozen=True):
    """A shard as an index lists it."""

    name: str
    sha256: str
    bytes: int
    split: str


class Index(msgspec.Struct, frozen=True):
    """What is needed of index.json."""

    shards: tuple[Listed, ...]


class From(msgspec.Struct, frozen=True):
    """Where a shard of the cache comes from."""

    url: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of shards, `SHA256/NAME.h5`, of at most `bytes`, one that is larger alone."""

    folder: Path
    bytes: int

    def path(self, one: Listed, url: str) -> Path:
        """Where a shard stands, or will stand once `ensured` fetched it."""
        place = self.folder / one.sha256
        if not (place / FROM).exists():
            place.mkdir(parents=True, exist_ok=True)
            _written(place / FROM, msgspec.json.encode(From(url, one.bytes, one.sha256)))
        return place / one.name

    def ensured(self, path: Path) -> None:
        """Fetch a shard that is not there. StorageError, OSError."""
        if path.exists():
            with suppress(OSError):
                os.utime(path)
            return
        source = msgspec.json.decode((path.parent / FROM).read_bytes(), type=From)
        with _alone(path.parent / ".lock"):
            if path.exists():  # another process fetched it meanwhile
                return
            with _alone(self.folder / ".lock"):
                self._make_room(source.bytes)
            temp = path.with_name(f".{uuid.uuid4().hex}.tmp")
            try:
                download(source.url, temp, source.bytes, source.sha256)
                temp.replace(path)
            finally:
                temp.unlink(missing_ok=True)

    def _make_room(self, size: int) -> None:
        """Drop the longest unused until `size` more bytes fit."""
        held = []
        for path in self.folder.glob("*/*.h5"):
            with suppress(OSError):
                found = path.stat()
                held.append((found.st_mtime_ns, found.st_size, path))
        total = size + sum(one[1] for one in held)
        for _, bytes_, path in sorted(held):
            if total <= self.bytes:
                break
            path.unlink(missing_ok=True)  # who has it open reads on
            total -= bytes_


def here() -> Cache:
    """The cache of this user, as the environment says. StorageError."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get(FOLDER) or Path(base) / "isptools" / "shards").absolute()
    words = os.environ.get(BOUND) or str(GIGABYTES)
    try:
        size = float(words)
    except ValueError:
        size = 0.0
    if not 0 < size < 1e9:
        raise StorageError(f"{BOUND}={words}: give a number of gigabytes")
    return Cache(folder, int(size * 1e9))


def listed(url: str, split: str | None) -> list[Path]:
    """The shards of a folder (or the one shard) of an object store, as places of the cache.

    Nothing but index.json is read. StorageError in one line where there is none, or it is damaged.
    """
    folder, _, only = url.rpartition("/") if url.endswith(".h5") else (url, "", "")
    data = small(f"{folder}/index.json")
    if data is None:
        raise StorageError(f"{folder}: there is no index.json, so no whole folder of shards")
    try:
        index = msgspec.json.decode(data, type=Index)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StorageError(f"{folder}/index.json: {error}") from None
    for one in index.shards:
        if not (NAME.fullmatch(one.name) and DIGEST.fullmatch(one.sha256) and one.bytes > 0):
            raise StorageError(f"{folder}/index.json: {one.name!r} is no shard of a build")
    chosen = [
        one for one in index.shards
        if (one.name == only if only else split in {None, one.split})
    ]  # fmt: skip
    if only and not chosen:
        raise StorageError(f"{url}: index.json beside it lists no such shard")
    cache = here()
    return [cache.path(one, f"{folder}/{one.name}") for one in chosen]


def is_kept(path: Path) -> bool:
    """Whether a path is one of the cache's, be the shard there or not."""
    return bool(DIGEST.fullmatch(path.parent.name)) and (path.parent / FROM).is_file()


def bring(path: Path) -> None:
    """Fetch a shard of the cache again if it was dropped meanwhile; nothing for other paths."""
    if is_kept(path):
        Cache(path.parent.parent, here().bytes).ensured(path)


def _written(path: Path, data: bytes) -> None:
    temp = path.with_name(f".{uuid.uuid4().hex}.tmp")
    temp.write_bytes(data)
    temp.replace(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time, where the system can."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        _locked(file)
        yield


def _locked(file: Any) -> None:
    if sys.platform != "win32":
        with suppress(OSError):  # a network disk without locks: both fetch, and one is kept
            fcntl.flock(file, fcntl.LOCK_EX)
