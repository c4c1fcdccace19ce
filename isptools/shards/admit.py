"""What a shard may be made of: looked at before anything in it is read or room is made for it.

A shard may come from anybody. HDF5 follows a file wherever it points (other files, other places of
this one) and makes room for whatever it states. So the datasets, their types, how they are stored
and how large they are must be on the list below; whatever else there is is named and not touched.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py

NAMES = 64  # members of a group, attributes of an object, columns of a table: far more than any has
SIDE = 1 << 16  # pixels
TEXT = 1 << 24  # bytes of one text or one row of a table
PLACE = 16  # bytes that say where a text lies
BITSHUFFLE, LZ4 = 32008, 2  # the filter's number, and what it is told for LZ4
LARGE = 1 << 28  # bytes of a frame, from which on it must not unpack to more than ...
UNPACKED = 32  # ... so many times what is stored: no photograph does
CHECKSUMS = "checksums"
PICTURES = {"input": (3, 4), "restoration": (4,), "enhancement": (4,), "weight": (3,)}  # axes
TABLES = ("meta", "truth_meta", "pair", "fusion")
TEXTS = ("facts", "history", "truth_facts", "truth_history", "shading")
PLAIN = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING)
LAYOUTS = (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What of a file may be read."""

    datasets: dict[str, Any]  # by the names above
    sums: dict[str, Any]  # checksums of tiles, by the name of their dataset; may be empty
    unknown: tuple[str, ...]  # members that this version does not know; nothing of them was read


def admitted(file: Any, chunks: bool = True) -> Admitted:
    """The datasets of an open file. ValueError in one line where it is none of ours.

    With `chunks` every tile is looked up: that each is there, within the file and no larger than
    its pixels. It takes some milliseconds for ten thousand.
    """
    _expect_plain_attributes(file.id, "the file")
    size = Path(file.filename).stat().st_size
    links = _links(file.id, "the file")
    found = {}
    for name in (*PICTURES, *TABLES, *TEXTS):
        if name in links:
            found[name] = _dataset(file.id, name, size)
            _expect_attributes_of(found[name], name)
    for name, dataset in found.items():
        _expect(name, dataset, size, chunks)
    sums = _sums(file, found, size) if CHECKSUMS in links else {}
    return Admitted(found, sums, tuple(sorted(links - {*found, CHECKSUMS})))


def _links(group: Any, where: str) -> set[str]:
    """The members of a group: all in this file, and by no detour."""
    if group.get_num_objs() > NAMES:
        raise ValueError(f"{where} has {group.get_num_objs()} members, more than {NAMES}")
    names: set[str] = set()

    def look(name: bytes, info: Any) -> None:
        if info.type != h5py.h5l.TYPE_HARD:
            raise ValueError(f"{_shown(name)} is a link that leads elsewhere")
        names.add(_shown(name))

    group.links.iterate(look, info=True)
    return names


def _shown(name: bytes) -> str:
    """A name as text, cut where it is long; a byte that is none is escaped."""
    return ascii(name.decode(errors="backslashreplace"))[1:-1][:100]


def _expect_plain_attributes(place: Any, where: str) -> None:
    """Single numbers and texts of a bounded size."""
    if h5py.h5a.get_num_attrs(place) > NAMES:
        raise ValueError(f"{where} has more than {NAMES} attributes")
    for index in range(h5py.h5a.get_num_attrs(place)):
        attribute = h5py.h5a.open(place, index=index)
        kind, name = attribute.get_type(), _shown(attribute.get_name())
        single = attribute.get_space().get_simple_extent_type() == h5py.h5s.SCALAR
        if not single or not _is_plain(kind) or kind.get_size() > TEXT:
            raise ValueError(f"attribute {name} of {where} is neither a number nor a text")


def _is_plain(kind: Any) -> bool:
    """Numbers, texts, and h5py's truth values."""
    if kind.get_class() == h5py.h5t.ENUM:
        return bool(kind.get_nmembers() == 2 and kind.get_size() == 1)
    return kind.get_class() in PLAIN


def _expect_attributes_of(dataset: Any, name: str) -> None:
    _expect_plain_attributes(dataset.id, name)


def _dataset(group: Any, name: str, size: int) -> Any:
    """A member that keeps its numbers in this file; it must be a dataset."""
    if h5py.h5o.get_info(group, name.encode()).type != h5py.h5o.TYPE_DATASET:
        raise ValueError(f"{name} is no dataset")
    opened = h5py.h5d.open(group, name.encode())
    created = opened.get_create_plist()
    if created.get_layout() == h5py.h5d.VIRTUAL or created.get_external_count():
        raise ValueError(f"{name} keeps its numbers in other files")
    space = opened.get_space()
    if space.get_simple_extent_type() != h5py.h5s.SIMPLE:
        raise ValueError(f"{name} has no shape")
    if space.get_simple_extent_npoints() and not 0 < opened.get_storage_size() <= size:
        raise ValueError(f"{name} is not all in the file")
    return h5py.Dataset(opened)


def _expect(name: str, dataset: Any, size: int, chunks: bool) -> None:
    """That a dataset of this name is of its kind."""
    if name in PICTURES:
        _expect_pixels(name, dataset, size, chunks)
    elif name in TABLES:
        _expect_table(name, dataset, size)
    elif dataset.ndim != 1 or not _is_text(dataset.id.get_type()):
        raise ValueError(f"{name} is no list of texts")
    else:
        _expect_whole(name, dataset, size)


def _is_text(kind: Any) -> bool:
    return bool(kind.get_class() == h5py.h5t.STRING and kind.is_variable_str())


def _expect_table(name: str, dataset: Any, size: int) -> None:
    kind = dataset.id.get_type()
    if dataset.ndim != 1 or kind.get_class() != h5py.h5t.COMPOUND:
        raise ValueError(f"{name} is no table")
    if kind.get_nmembers() > NAMES or kind.get_size() > TEXT:
        raise ValueError(f"{name} has columns beyond measure")
    for index in range(kind.get_nmembers()):
        column = kind.get_member_type(index)
        if column.get_class() == h5py.h5t.ARRAY:
            column = column.get_super()
        text = column.get_class() == h5py.h5t.STRING
        if column.get_class() not in PLAIN or (text and column.is_variable_str()):
            shown = _shown(kind.get_member_name(index))
            raise ValueError(f"{name}.{shown} is neither a number nor a text of one width")
    _expect_whole(name, dataset, size)


def _expect_whole(name: str, dataset: Any, size: int) -> None:
    """A dataset in one piece, which lies in the file."""
    created = dataset.id.get_create_plist()
    if created.get_layout() not in LAYOUTS or created.get_nfilters():
        raise ValueError(f"{name} is not stored in one piece as it is")
    kind = dataset.id.get_type()
    bytes_ = prod(dataset.shape) * (PLACE if _is_text(kind) else kind.get_size())
    start = dataset.id.get_offset() or 0  # none inside the dataset's own header
    if dataset.id.get_storage_size() != bytes_ or start + bytes_ > size:
        raise ValueError(f"{name} is not all in the file")


def _expect_pixels(name: str, dataset: Any, size: int, chunks: bool) -> None:
    kind = dataset.id.get_type()
    if dataset.ndim not in PICTURES[name] or not all(side > 0 for side in dataset.shape):
        raise ValueError(f"{name} of shape {dataset.shape} holds no pictures")
    if max(dataset.shape[-2:]) > SIDE or (dataset.ndim == 4 and dataset.shape[1] != 3):
        raise ValueError(
            f"{name} of shape {dataset.shape} holds no pictures of up to {SIDE} a side"
        )
    if kind.get_class() not in PLAIN[:2] or kind.get_size() > 4:
        raise ValueError(f"{name} holds no numbers of up to 32 bits")
    created = dataset.id.get_create_plist()
    if created.get_layout() != h5py.h5d.CHUNKED:
        _expect_whole(name, dataset, size)
        return
    _expect_filter(name, created, kind.get_size())
    tile = dataset.chunks
    if set(tile[:-2]) - {1} or any(t > s for t, s in zip(tile, dataset.shape, strict=True)):
        raise ValueError(f"{name} has tiles of {tile}")
    if chunks:
        _expect_tiles(name, dataset, size)


def _expect_filter(name: str, created: Any, itemsize: int) -> None:
    filters = [created.get_filter(i) for i in range(created.get_nfilters())]
    packed = [
        number == BITSHUFFLE and len(values) >= 5 and (values[2], values[4]) == (itemsize, LZ4)
        for number, _, values, _ in filters
    ]
    if packed not in ([], [True]):
        raise ValueError(f"{name} is packed by filters that shards do not use")


def _expect_tiles(name: str, dataset: Any, size: int) -> None:
    """Every tile is there, inside the file, and no larger than unpacked (and a little)."""
    tiles = prod(-(-s // t) for s, t in zip(dataset.shape, dataset.chunks, strict=True))
    if tiles > size or dataset.id.get_num_chunks() != tiles:
        raise ValueError(f"{name} lacks tiles")
    most = prod(dataset.chunks) * dataset.dtype.itemsize
    most += most // 64 + 64  # LZ4 and the heads of blocks, where nothing can be saved
    stored = 0

    def look(tile: Any) -> None:
        nonlocal stored
        if (
            tile.size > most
            or tile.byte_offset + tile.size > size
            or tile.filter_mask not in {0, 1}
            or any(at >= side for at, side in zip(tile.chunk_offset, dataset.shape, strict=True))
        ):
            raise ValueError(f"{name}: tile {tile.chunk_offset} does not lie in the file")
        stored += tile.size

    dataset.id.chunk_iter(look)
    frame = prod(dataset.shape[1:]) * dataset.dtype.itemsize
    if frame > LARGE and dataset.shape[0] * frame > UNPACKED * stored:
        raise ValueError(f"{name}: {stored} bytes that unpack to {dataset.shape[0] * frame}")


def _sums(file: Any, found: dict[str, Any], size: int) -> dict[str, Any]:
    """The checksums of tiles: a number for each."""
    if h5py.h5o.get_info(file.id, CHECKSUMS.encode()).type != h5py.h5o.TYPE_GROUP:
        raise ValueError(f"{CHECKSUMS} is no group")
    group = h5py.h5g.open(file.id, CHECKSUMS.encode())
    sums = {}
    for name in _links(group, CHECKSUMS) & found.keys() & PICTURES.keys():
        sums[name] = one = _dataset(group, name, size)
        grid = found[name].chunks and grid_of(found[name])
        kind = one.id.get_type()
        if one.shape != grid or (kind.get_class(), kind.get_size()) != (h5py.h5t.INTEGER, 8):
            raise ValueError(f"{CHECKSUMS}/{name} are not one for each tile")
        _expect_whole(f"{CHECKSUMS}/{name}", one, size)
    return sums


def grid_of(dataset: Any) -> tuple[int, ...]:
    """How many tiles there are along each axis."""
    return tuple(-(-s // t) for s, t in zip(dataset.shape, dataset.chunks, strict=True))
