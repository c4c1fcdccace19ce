"""Checksums in a shard: of every tile as it is stored, and of everything else that is read.

`checksums/input` and so on hold a number for each tile: XXH3 (64 bits) of its bytes on the disk,
which a reader has in its hands anyway. The attribute `seals` is JSON: for each dataset the sha256
of its type, shape, attributes and rows (of pictures: of the checksums of their tiles), and under
"attributes" that of the file's own. XXH3 was chosen by measuring, see docs/decisions/0022.
"""

import json
from hashlib import sha256
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from isptools.shards.admit import CHECKSUMS, PICTURES, TABLES, TEXTS, Admitted, grid_of
from isptools.shards.tiles import tile_sum

SEALS = "seals"
FILE = "attributes"  # the seal of the file's own


def seal(file: h5py.File) -> None:
    """Add checksums and seals to a file that is whole otherwise, or set them anew."""
    if CHECKSUMS in file:
        del file[CHECKSUMS]
    plain = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    plain.set_obj_track_times(False)
    h5py.h5g.create(file.id, CHECKSUMS.encode(), gcpl=plain)
    for name in PICTURES:
        if name in file and file[name].chunks:
            file[CHECKSUMS].create_dataset(name, data=_of_tiles(file[name]), track_times=False)
    held = {name: file[name] for name in (*PICTURES, *TABLES, *TEXTS) if name in file}
    sums = {name: file[CHECKSUMS][name] for name in file[CHECKSUMS]}
    found = seals(file, Admitted(held, sums, ()))
    file.attrs[SEALS] = json.dumps(found, sort_keys=True, separators=(",", ":"))


def expect_sealed(file: h5py.File, found: Admitted) -> bool:
    """Whether the shard has seals. ValueError in one line where a part is not what was sealed."""
    if SEALS not in file.attrs:
        return False
    try:
        stated = json.loads(file.attrs[SEALS])
    except (ValueError, RecursionError):
        stated = None
    if not isinstance(stated, dict):
        raise ValueError("its seals are damaged")
    for name, digest in seals(file, found).items():
        if stated.get(name) != digest:
            what = "its attributes are" if name == FILE else f"{name} is"
            raise ValueError(f"{what} damaged, or changed after the build")
    lacking = {*PICTURES, *TABLES, *TEXTS} & stated.keys() - found.datasets.keys()
    if lacking:
        raise ValueError(f"{', '.join(sorted(lacking))} is not there any more")
    return True


def _of_tiles(dataset: Any) -> NDArray[np.uint64]:
    out = np.zeros(grid_of(dataset), np.uint64)
    for place in np.ndindex(out.shape):
        at = tuple(p * t for p, t in zip(place, dataset.chunks, strict=True))
        out[place] = tile_sum(dataset.id.read_direct_chunk(at)[1])
    return out


def seals(file: h5py.File, found: Admitted) -> dict[str, str]:
    """The sha256 of every part; all but pixels is read."""
    own = {name: _plain(value) for name, value in file.attrs.items() if name != SEALS}
    return {FILE: _digest(own)} | {
        name: _digest(_about(dataset), *_content(dataset, found.sums.get(name)))
        for name, dataset in found.datasets.items()
    }


def _about(dataset: Any) -> dict[str, Any]:
    return {
        "type": "text" if dataset.dtype == object else dataset.dtype.descr,
        "shape": dataset.shape,
        "tile": dataset.chunks,
        "attributes": {name: _plain(value) for name, value in dataset.attrs.items()},
    }


def _content(dataset: Any, sums: Any) -> list[bytes]:
    """What of a dataset is sealed: rows and texts; of pictures the checksums of their tiles."""
    if dataset.dtype == object:
        return [bytes(text) for text in dataset[:]]
    if dataset.dtype.names:
        return [dataset[:].tobytes()]
    return [] if sums is None else [sums[:].astype("<u8").tobytes()]


def _digest(about: dict[str, Any], *parts: bytes) -> str:
    """sha256 of facts as JSON and of bytes, each behind its length."""
    digest = sha256()
    for part in (json.dumps(about, sort_keys=True).encode(), *parts):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """An attribute as JSON has it."""
    plain = value.item() if isinstance(value, np.generic) else value
    return plain.hex() if isinstance(plain, bytes) else plain
