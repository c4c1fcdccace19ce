"""A shard's file without HDF5: where its tiles lie is known, and their bytes are read from it."""

import os
import weakref
from dataclasses import dataclass
from pathlib import Path

from isptools.shards.admit import PICTURES
from isptools.shards.opened import Opened, Stamp, stamp_of
from isptools.shards.tiles import Map, Tiles, map_of
from isptools.storage import cache


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Of every dataset of pixels of one file that can be read past HDF5."""

    stamp: Stamp
    of_: dict[str, Map]

    @classmethod
    def of(cls, file: Opened, stamp: Stamp) -> "Maps":
        """Of an open shard."""
        found = {
            name: map_of(dataset, file.found.sums.get(name))
            for name, dataset in file.found.datasets.items()
            if name in PICTURES
        }
        return cls(stamp, {name: one for name, one in found.items() if one.direct})

    def hold(self, path: Path) -> bool:
        """Whether the file of that name is still the same."""
        try:
            found = stamp_of(path)
        except (OSError, ValueError):
            return False
        # who uses a shard of the cache sets its time
        return found == self.stamp or (cache.is_kept(path) and found[:3] == self.stamp[:3])


class Source:
    """A shard's file, open for reading. Its descriptor may cross a fork: none moves its place."""

    def __init__(self, path: Path, maps: Maps) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        self.close = weakref.finalize(self, os.close, descriptor)
        self.tiles = {name: Tiles.at(one, descriptor) for name, one in maps.of_.items()}

    def __contains__(self, name: str) -> bool:
        return name in self.tiles

    def __getitem__(self, name: str) -> Tiles:
        return self.tiles[name]
