"""An output folder of an object store: made here, put there shard by shard, nothing kept twice."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from isptools.storage.places import StorageError, download, system, tried, upload

JOURNAL, INDEX = ".journal", "index.json"
# what a finished build states about itself, the index at the end; and what goes first
CARDS = ("ledger.jsonl", "README.md", "CITATION", "croissant.json", INDEX)


@dataclass(slots=True)
class Outlet:
    """A build writes into `folder`; `pull` first, `push` each unit, `close` at the end."""

    url: str
    folder: Path
    _there: dict[str, int] = field(default_factory=dict)  # name below `url`, and bytes
    _open: bool = False  # the index over there is gone

    def pull(self) -> None:
        """Bring the journal of an earlier build, and a hole for each shard that is there."""
        self._there = _found(self.url)
        for name, size in self._there.items():
            path = self.folder / name
            if name.startswith(f"{JOURNAL}/") and name.endswith(".json"):
                path.parent.mkdir(parents=True, exist_ok=True)
                download(f"{self.url}/{name}", path, size)
            elif name.endswith(".h5") and f"{JOURNAL}/{name}.json" in self._there:
                _hole(path, size)

    def push(self, name: str) -> None:
        """Put a finished unit there: its shard, then what says that it is finished."""
        self._begin()
        path = self.folder / name
        if path.exists():
            upload(path, f"{self.url}/{name}")
            _hole(path, path.stat().st_size)
        entry = f"{JOURNAL}/{name}.json"
        upload(self.folder / entry, f"{self.url}/{entry}")

    def close(self) -> None:
        """Put the rest there, the index at the end; remove what is no longer part of it."""
        here = {
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file() and (path.suffix in {".h5", ".json"} or path.name in CARDS)
        }
        gone = {
            name for name in self._there
            if name not in here and (name.endswith((".h5", ".h5.json")) or name in CARDS)
        }  # fmt: skip
        if gone - set(CARDS):
            self._begin()
        plans = sorted(name for name in here if name.startswith(f"{JOURNAL}/plan-"))
        for name in (*plans, *(name for name in CARDS if name in here)):
            upload(self.folder / name, f"{self.url}/{name}")
        for name in sorted(gone):
            self._remove(name)

    def _begin(self) -> None:
        """What says that all is whole goes before the first change."""
        if not self._open:
            for name in reversed(CARDS):
                if name in self._there:
                    self._remove(name)
        self._open = True

    def _remove(self, name: str) -> None:
        files, place = system(f"{self.url}/{name}")
        with suppress(FileNotFoundError):
            tried(lambda: files.rm_file(place), f"{self.url}/{name}")


def _found(url: str) -> dict[str, int]:
    files, root = system(url)
    try:
        found = tried(lambda: files.find(root, detail=True), url)
    except FileNotFoundError:
        return {}
    start = root.rstrip("/") + "/"
    names = {full.removeprefix(start): facts["size"] for full, facts in found.items()}
    for name in names:
        if ".." in name.split("/") or name.startswith("/"):
            raise StorageError(f"{url}: {name!r} can't be a file's name here")
    return names


def _hole(path: Path, size: int) -> None:
    """A file of a size that takes no room, in place of one that may."""
    with path.open("wb") as file:
        os.truncate(file.fileno(), size)
