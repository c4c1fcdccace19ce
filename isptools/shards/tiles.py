"""Windows of a chunked dataset, a tile at a time, past HDF5's chunk cache and its copies.

Slicing with h5py stays in use for whatever is stored another way; how the two compare stands in
docs/benchmarks.md. What comes from the disk is not believed: its checksum is taken, and the heads
of a packed tile's blocks are followed to its end before anything is unpacked, since the decoder
follows them blindly.
"""

import ctypes
import struct
from functools import lru_cache
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
Area = tuple[slice, slice]
Array = NDArray[Any]


def tile_sum(stored: bytes) -> int:
    """The checksum of a tile as it is stored: XXH3, 64 bits."""
    return xxhash.xxh3_64_intdigest(stored)


class Tiles:
    """One dataset of an open file: (leading axes ..., height, width) in chunks of one plane.

    `sums` is the dataset of its tiles' checksums, None where there are none.
    """

    def __init__(self, dataset: Any, sums: Any = None) -> None:
        self.dataset = dataset
        self.sums: Array | None = None if sums is None else sums[:]
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype[Any] = dataset.dtype
        self.tile: tuple[int, int] = (dataset.chunks or (0, 0))[-2:]
        self.size = prod(self.tile) * self.dtype.itemsize  # of a tile's pixels
        self.packed = _packed(dataset)
        plain = _in_planes(dataset) and not dataset.id.get_create_plist().get_nfilters()
        self.fast = plain or (self.packed and decoder() is not None)
        self.spare = np.empty(self.tile if self.fast else (0, 0), self.dtype)

    def read(self, place: tuple[int, ...], area: Area, out: Array | None = None) -> Array:
        """Planes (..., h, w) behind the leading indices `place`, into `out` where it is given.

        OSError if a tile is damaged.
        """
        shape = (*self.shape[len(place) : -2], *(s.stop - s.start for s in area))
        if out is None:
            out = np.empty(shape, self.dtype)
        for plane in np.ndindex(shape[:-2]):
            self._plane((*place, *plane), area, out[plane])
        if not self.fast:
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
        if not (self.fast or self.packed):
            return  # stored in another way: h5py's
        (high, wide), (rows, columns) = self.tile, area
        for y in range(rows.start // high * high, rows.stop, high):
            top, bottom = max(y, rows.start), min(y + high, rows.stop)
            for x in range(columns.start // wide * wide, columns.stop, wide):
                left, right = max(x, columns.start), min(x + wide, columns.stop)
                self._decode((*place, y, x), top - y, bottom - y)
                if not self.fast:
                    continue
                part = self.spare[top - y : bottom - y, left - x : right - x]
                out[top - rows.start : bottom - rows.start,
                    left - columns.start : right - columns.start] = part  # fmt: skip

    def _decode(self, place: tuple[int, ...], top: int, bottom: int) -> None:
        """Rows `top` to `bottom` of one chunk into `spare`: the blocks that hold them."""
        try:
            skipped, stored = self.dataset.id.read_direct_chunk(place)
        except RuntimeError:  # h5py's for a tile that is not there
            raise self._damaged(place) from None
        if self.sums is not None:
            self._expect_sum(place, stored)
        if not self.packed or skipped:  # HDF5 may leave what it could not pack
            if len(stored) != self.size:
                raise self._damaged(place)
            if self.fast:
                self.spare[...] = np.frombuffer(stored, self.spare.dtype).reshape(self.tile)
            return
        block, begins = self._blocks(place, stored)
        if self.fast:
            row = self.tile[1] * self.spare.itemsize
            first, last = top * row // block, -(-bottom * row // block)
            self._unpack(place, stored, begins[first], block, first, min(last * block, self.size))

    def _blocks(self, place: tuple[int, ...], stored: bytes) -> tuple[int, list[int]]:
        """Bytes of a block, and where each begins; they must fill the stored bytes exactly.

        The format is bitshuffle's: whole blocks, one of the elements left in steps of eight, and
        fewer than eight elements as they are.
        """
        size, step = self.size, MULTIPLE * self.dtype.itemsize
        block = int.from_bytes(stored[8:HEADER], "big")
        if int.from_bytes(stored[:8], "big") != size or not block or block % step:
            raise self._damaged(place)
        left = size % step
        begin, begins = HEADER, []
        try:
            for _ in range(-(-(size - left) // block)):
                begins.append(begin)
                begin += 4 + _length(stored, begin)[0]
        except struct.error:  # beyond the end
            raise self._damaged(place) from None
        if begin + left != len(stored):
            raise self._damaged(place)
        return block, begins or [HEADER]

    def _unpack(
        self, place: tuple[int, ...], stored: bytes, begin: int, block: int, first: int, end: int
    ) -> None:  # fmt: skip
        """Blocks from number `first` on, which begins at `begin`, up to byte `end` of a tile."""
        spare, itemsize = self.spare, self.spare.itemsize
        wanted = end - first * block
        start = ctypes.cast(ctypes.c_char_p(stored), ctypes.c_void_p).value or 0
        taken = decoder()(
            start + begin, spare.ctypes.data + first * block, wanted // itemsize, itemsize,
            block // itemsize,
        )  # fmt: skip
        room = len(stored) - begin
        if taken <= 0 or taken > room or (end == spare.nbytes and taken != room):
            raise self._damaged(place)

    def _expect_sum(self, place: tuple[int, ...], stored: bytes) -> None:
        (high, wide), (y, x) = self.tile, place[-2:]
        at = (*place[:-2], y // high, x // wide)
        if self.sums is not None and tile_sum(stored) != self.sums.item(at):
            raise self._damaged(place)

    def _damaged(self, place: tuple[int, ...]) -> OSError:
        name = self.dataset.name.lstrip("/")
        return OSError(
            f"{self.dataset.file.filename}: tile {place} of {name} is damaged; build it again with "
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
