"""Windows of a chunked dataset, a tile at a time, past HDF5's chunk cache and its copies.

Where the tiles lie is asked of HDF5 once (`Map`); they are then read from the file itself, so that
no handle of HDF5 need stay open. What is stored in another way is sliced with h5py; how the two
compare stands in docs/benchmarks.md. What comes from the disk is not believed: its checksum is
taken, and the heads of a packed tile's blocks are followed to its end before anything is unpacked,
since the decoder follows them blindly.
"""

import ctypes
import os
import struct
import threading
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from pathlib import Path
from typing import Any

import hdf5plugin
import numpy as np
import xxhash
from numpy.typing import NDArray

BITSHUFFLE = 32008  # its number among HDF5's filters
LZ4 = 2  # the third of its parameters' numbers, for bitshuffle-LZ4
HEADER = 12  # bytes before a chunk: its size (8) and that of its blocks (4), big-endian
MULTIPLE = 8  # elements that are shuffled at once; what is left at the end is stored as it is
_length = struct.Struct(">I").unpack_from
_header = struct.Struct(">QI").unpack_from
Area = tuple[slice, slice]
Array = NDArray[Any]


def tile_sum(stored: Any) -> int:
    """The checksum of a tile's bytes as they are stored: XXH3, 64 bits."""
    return xxhash.xxh3_64_intdigest(stored)


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """How a dataset is stored, and where in its file each tile lies. It holds nothing open."""

    file: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    tile: tuple[int, int]  # (0, 0) where it is stored in one piece
    packed: bool  # every tile is packed as this project's shards are
    fast: bool  # tiles can be unpacked here
    begins: NDArray[np.int64]  # of each tile in the file, -1 where it is not there; or empty
    sizes: NDArray[np.int64]  # bytes; negative of a tile that HDF5 left unpacked
    sums: NDArray[np.uint64] | None  # checksums

    @property
    def size(self) -> int:
        """Bytes of a tile's pixels."""
        return prod(self.tile) * self.dtype.itemsize

    @property
    def direct(self) -> bool:
        """Whether HDF5 is needed no more."""
        return self.fast and self.begins.size > 0


def map_of(dataset: Any, sums: Any = None) -> Map:
    """Of a dataset of an open file; `sums` is the dataset of its tiles' checksums, if any."""
    packed, tile = _packed(dataset), (dataset.chunks or (0, 0))[-2:]
    plain = _in_planes(dataset) and not dataset.id.get_create_plist().get_nfilters()
    fast = plain or (packed and decoder() is not None)
    known = (fast or packed) and _has_descriptor(dataset.file)
    places = _places(dataset) if known else (np.empty(0, np.int64),) * 2
    return Map(
        dataset.file.filename, dataset.name.lstrip("/"), dataset.shape, dataset.dtype, tile, packed,
        fast, *places, None if sums is None else sums[:],
    )  # fmt: skip


def _places(dataset: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    grid = tuple(-(-s // t) for s, t in zip(dataset.shape, dataset.chunks, strict=True))
    begins, sizes = np.full(grid, -1, np.int64), np.zeros(grid, np.int64)
    tile = dataset.chunks

    def look(one: Any) -> None:
        at = tuple([offset // side for offset, side in zip(one.chunk_offset, tile, strict=True)])
        begins[at] = one.byte_offset
        sizes[at] = -one.size if one.filter_mask else one.size

    if dataset.file.mode != "r":
        dataset.file.flush()
    dataset.id.chunk_iter(look)
    return begins, sizes


def _has_descriptor(file: Any) -> bool:
    """Whether bytes can be read where HDF5 says that they lie."""
    own = file.id.get_create_plist().get_userblock() == 0
    return own and file.driver == "sec2" and hasattr(os, "preadv")


class Scratch(threading.local):
    """Memory of a thread for one tile as stored and one as unpacked, used again and again."""

    def __init__(self) -> None:
        self.stored = self.pixels = np.empty(0, np.uint8)
        self.view: memoryview = self.stored.data
        self.begin = self.end = 0  # addresses of `stored` and `pixels`

    def room(self, stored: int, pixels: int) -> None:
        """Room for so many bytes of each."""
        if stored > len(self.stored) or pixels > len(self.pixels):
            self.stored = np.empty(max(stored, len(self.stored)), np.uint8)
            self.pixels = np.empty(max(pixels, len(self.pixels)), np.uint8)
            self.view = self.stored.data
            self.begin, self.end = self.stored.ctypes.data, self.pixels.ctypes.data


scratch = Scratch()


class Tiles:
    """One dataset of a file: (leading axes ..., height, width) in chunks of one plane.

    `sums` is the dataset of its tiles' checksums, None where there are none.
    """

    def __init__(self, dataset: Any, sums: Any = None) -> None:
        self.dataset, self.sums, self.descriptor = dataset, sums, -1
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype[Any] = dataset.dtype

    @classmethod
    def at(cls, where: Map, descriptor: int) -> "Tiles":
        """Of a file that is open for reading under this descriptor; `where` must be direct."""
        made = cls.__new__(cls)
        made.dataset, made.sums, made.descriptor = None, None, descriptor
        made.shape, made.dtype, made.map = where.shape, where.dtype, where
        return made

    @cached_property
    def map(self) -> Map:
        """Where its tiles lie: asked of HDF5 when the first is read."""
        found = map_of(self.dataset, self.sums)
        if found.begins.size:
            self.descriptor = self.dataset.file.id.get_vfd_handle()
        return found

    @property
    def fast(self) -> bool:
        """Whether tiles are unpacked here, not by h5py."""
        return self.map.fast

    def read(self, place: tuple[int, ...], area: Area, out: Array | None = None) -> Array:
        """Planes (..., h, w) behind the leading indices `place`, into `out` where it is given.

        OSError if a tile is damaged.
        """
        shape = (*self.shape[len(place) : -2], *(s.stop - s.start for s in area))
        if out is None:
            out = np.empty(shape, self.dtype)
        where = self.map
        if where.fast or where.packed:
            for plane in np.ndindex(shape[:-2]):
                self._plane((*place, *plane), area, out[plane])
        if not where.fast:
            out[...] = self.dataset[(*place, ..., *area)]
        return out

    def __getitem__(self, place: int | tuple[int, ...]) -> Array:
        """Whole planes behind leading indices."""
        place = place if isinstance(place, tuple) else (place,)
        height, width = self.shape[-2:]
        return self.read(place, (slice(0, height), slice(0, width)))

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """How many axes the dataset has."""
        return len(self.shape)

    @property
    def attrs(self) -> Any:
        """The attributes of the dataset."""
        return self.dataset.attrs

    def _plane(self, place: tuple[int, ...], area: Area, out: Array) -> None:
        (high, wide), (rows, columns) = self.map.tile, area
        for y in range(rows.start // high, -(-rows.stop // high)):
            top, bottom = max(y * high, rows.start), min(y * high + high, rows.stop)
            for x in range(columns.start // wide, -(-columns.stop // wide)):
                left, right = max(x * wide, columns.start), min(x * wide + wide, columns.stop)
                pixels = self._decoded((*place, y, x), top - y * high, bottom - y * high)
                if pixels is not None:
                    out[top - rows.start : bottom - rows.start,
                        left - columns.start : right - columns.start] = pixels[
                            top - y * high : bottom - y * high, left - x * wide : right - x * wide
                        ]  # fmt: skip

    def _decoded(self, at: tuple[int, ...], top: int, bottom: int) -> Array | None:
        """The tile (H, W) of a place of the grid, of which rows `top` to `bottom` are unpacked; it
        is gone with the next one. None where h5py is to unpack it."""
        where, (stored, skipped) = self.map, self._stored(at)
        if not where.packed or skipped:  # HDF5 may leave what it could not pack
            if len(stored) != where.size:
                raise self._damaged(at)
            return np.frombuffer(stored, self.dtype).reshape(where.tile) if where.fast else None
        block, begins = self._blocks(at, stored)
        if not where.fast:
            return None
        row = where.tile[1] * self.dtype.itemsize
        first, last = top * row // block, -(-bottom * row // block)
        self._unpack(at, len(stored), begins[first], block, first, min(last * block, where.size))
        return scratch.pixels[: where.size].view(self.dtype).reshape(where.tile)

    def _stored(self, at: tuple[int, ...]) -> tuple[memoryview, bool]:
        """The bytes of a tile, which are gone with the next one; whether they are not packed."""
        if self.descriptor < 0:
            return self._by_hdf5(at)
        begin, size = self.map.begins.item(at), self.map.sizes.item(at)
        skipped, size = size < 0, abs(size)
        if begin < 0:
            raise self._damaged(at)
        scratch.room(size, self.map.size)
        stored = scratch.view[:size]
        try:
            found = os.preadv(self.descriptor, [stored], begin)
        except OSError as error:  # the disk, which says nothing of the tile
            raise OSError(f"{self.map.file} can't be read ({error.strerror})") from None
        if found != size:
            raise self._damaged(at)
        self._expect_sum(at, stored)
        return stored, skipped

    def _by_hdf5(self, at: tuple[int, ...]) -> tuple[memoryview, bool]:
        """The same where bytes can't be had from the file itself."""
        high, wide = self.map.tile
        try:
            skipped, found = self.dataset.id.read_direct_chunk(
                (*at[:-2], at[-2] * high, at[-1] * wide)
            )
        except RuntimeError:  # h5py's for a tile that is not there
            raise self._damaged(at) from None
        scratch.room(len(found), self.map.size)
        stored = scratch.view[: len(found)]
        stored[:] = found
        self._expect_sum(at, stored)
        return stored, bool(skipped)

    def _expect_sum(self, at: tuple[int, ...], stored: memoryview) -> None:
        if self.map.sums is not None and tile_sum(stored) != self.map.sums.item(at):
            raise self._damaged(at)

    def _blocks(self, at: tuple[int, ...], stored: memoryview) -> tuple[int, list[int]]:
        """Bytes of a block, and where each begins; they must fill the stored bytes exactly.

        The format is bitshuffle's: whole blocks, one of the elements left in steps of eight, and
        fewer than eight elements as they are.
        """
        size, step = self.map.size, MULTIPLE * self.dtype.itemsize
        left = size % step
        try:
            stated, block = _header(stored)
            if stated != size or not block or block % step:
                raise self._damaged(at)
            begin, begins = HEADER, []
            for _ in range(-(-(size - left) // block)):
                begins.append(begin)
                begin += 4 + _length(stored, begin)[0]
        except struct.error:  # beyond the end
            raise self._damaged(at) from None
        if begin + left != len(stored):
            raise self._damaged(at)
        return block, begins or [HEADER]

    def _unpack(
        self, at: tuple[int, ...], stored: int, begin: int, block: int, first: int, end: int
    ) -> None:  # fmt: skip
        """Blocks from number `first` on, which begins at `begin` of so many stored bytes, up to
        byte `end` of a tile."""
        itemsize = self.dtype.itemsize
        taken = decoder()(
            scratch.begin + begin, scratch.end + first * block,
            (end - first * block) // itemsize, itemsize, block // itemsize,
        )  # fmt: skip
        room = stored - begin
        if taken <= 0 or taken > room or (end == self.map.size and taken != room):
            raise self._damaged(at)

    def _damaged(self, at: tuple[int, ...]) -> OSError:
        (high, wide), (y, x) = self.map.tile, at[-2:]
        place = (*at[:-2], y * high, x * wide)
        return OSError(
            f"{self.map.file}: tile {place} of {self.map.name} is damaged; build it again with "
            "--verify, or take another copy"
        )


def _in_planes(dataset: Any) -> bool:
    """Whether every chunk is a tile of one plane."""
    return bool(dataset.chunks) and not set(dataset.chunks[:-2]) - {1}


def _packed(dataset: Any) -> bool:
    """Whether every chunk is one plane's tile, packed as this project's shards are."""
    created = dataset.id.get_create_plist()
    if not _in_planes(dataset) or created.get_nfilters() != 1:
        return False
    number, _, values, _ = created.get_filter(0)
    return bool(number == BITSHUFFLE and len(values) > 4 and values[4] == LZ4)


@lru_cache(1)
def decoder() -> Any:
    """`bshuf_decompress_lz4` of hdf5plugin's own bitshuffle; None where it can't be had."""
    for path in sorted(Path(hdf5plugin.PLUGIN_PATH).glob("libh5bshuf.*")):
        try:
            found = ctypes.CDLL(str(path)).bshuf_decompress_lz4
        except (OSError, AttributeError):
            continue
        found.restype = ctypes.c_int64
        found.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_size_t] * 3]
        return found
    return None
