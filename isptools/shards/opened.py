"""The one door to a finished shard, which may come from anybody.

HDF5 itself may crash, hang or take all memory on a damaged file. So a file that is met for the
first time is read in a process of its own (isptools.shards.probe) before HDF5 sees it here; then
comes what it is made of (isptools.shards.admit), and its pixels come through `Tiles`.
"""

import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - registers the decompression filter with HDF5

from isptools.shards import probe
from isptools.shards.admit import PICTURES, Admitted, admitted
from isptools.shards.tiles import Tiles
from isptools.storage import cache

LOCKS = "unable to lock file"  # HDF5's words
Stamp = tuple[int, int, int, int]  # device, inode, size, time: another one is another file
_known: dict[Stamp, str] = {}  # what a look in a process of its own found: "" for nothing wrong


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is open: datasets of pixels by name, tables and texts as h5py has them."""

    file: Any
    found: Admitted
    tiles: dict[str, Tiles] = field(default_factory=dict)

    @property
    def attrs(self) -> Any:
        """The attributes of the root."""
        return self.file.attrs

    def __contains__(self, name: str) -> bool:
        return name in self.found.datasets

    def __getitem__(self, name: str) -> Any:
        """`Tiles` of pixels, which verify what they read; a dataset of rows or texts."""
        if name not in PICTURES:
            return self.found.datasets[name]
        if name not in self.tiles:
            self.tiles[name] = Tiles(self.found.datasets[name], self.found.sums.get(name))
        return self.tiles[name]

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def opened(path: Path, known: Stamp | None = None) -> Opened:
    """Open a shard. ValueError or OSError in one line where it can't be read or is none.

    `known` is the stamp of a file that another process of ours has let in. A shard of an object
    store that was dropped from this machine is fetched again.
    """
    cache.bring(path)
    stamp = stamp_of(path)
    if stamp != known:
        looked_at([path])
        if _known[stamp]:
            raise ValueError(_known[stamp])
    return let_in(path, chunks=False)


def let_in(path: Path, chunks: bool) -> Opened:
    """Open a shard without the look from outside; with `chunks` every tile is looked up.

    A shard never changes once it has its name, so it needs no lock where the disk gives none.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if LOCKS not in str(error):
            raise
        file = h5py.File(path, "r", locking=False)
    try:
        return Opened(file, admitted(file, chunks))
    except BaseException:
        file.close()
        raise


def looked_at(paths: Sequence[Path]) -> None:
    """Have all those that are new here read by one process; what it found is remembered."""
    new = {}
    for path in paths:
        with suppress(OSError, ValueError):  # said when it is opened
            new[stamp_of(path)] = path
    new = {stamp: path for stamp, path in new.items() if stamp not in _known}
    if new:
        _known.update(zip(new, probe.outcomes(list(new.values())), strict=True))


def stamp_of(path: Path) -> Stamp:
    """OSError where there is no such file, ValueError where it is none."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
