"""A few flipped bits of each kind; benchmarks/faults_shards.py tries them by the hundred."""

import random
import struct
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
import pytest
import xxhash

from isptools import shards
from isptools.shards import read, sums
from tests.shards import made

pytest.importorskip("torch")
from benchmarks import faults_shards  # behind the look for torch

SEED = 7


@pytest.mark.parametrize(
    ("tries", "count"),
    [
        *((partial(faults_shards.flips, way), 25) for way in faults_shards.READERS),
        *((partial(faults_shards.flips_beside, name), 4) for name in faults_shards.BESIDE),
        (faults_shards.rot, 3),
    ],
    ids=[*faults_shards.READERS, "journal", "index", "ledger", "rot"],
)
def test_no_flip_is_used(tries: faults_shards.Tries, count: int, tmp_path: Path) -> None:
    found = list(islice(tries(random.Random(SEED), tmp_path), count))
    assert found == [""] * count, f"seed {SEED}"


def test_every_tile_has_the_checksum_of_its_bytes(tmp_path: Path) -> None:
    with h5py.File(made.shard(tmp_path)) as file:
        for name in ("input", "restoration", "enhancement"):
            stored, found = file[name], file[f"checksums/{name}"]
            assert found.dtype == np.uint64
            for place in np.ndindex(found.shape):
                at = tuple(p * t for p, t in zip(place, stored.chunks, strict=True))
                tile = stored.id.read_direct_chunk(at)[1]
                assert found[place] == int(xxhash.xxh3_64_hexdigest(tile), 16)


@pytest.mark.parametrize("change", [
    lambda f: f["restoration"].attrs.__setitem__("full_scale", 1.0),
    lambda f: f.attrs.__setitem__("licence", "mine"),
    lambda f: f["facts"].__setitem__(0, f["facts"][1].decode() + " "),
    lambda f: f["checksums/input"].__setitem__((0, 0, 0), 1),
    lambda f: f.__delitem__("enhancement"),
    lambda f: f["meta"].__setitem__(0, f["meta"][1]),
    lambda f: f.attrs.__setitem__("seals", "{"),
])  # fmt: skip
def test_what_is_no_pixel_is_sealed(change: Callable[[h5py.File], None], tmp_path: Path) -> None:
    path = made.shard(tmp_path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ValueError, match=r"damaged|not there any more"):
        shards.open(path)


@pytest.mark.parametrize("compression", ["bitshuffle-lz4", "none"])
def test_a_tile_whose_bytes_are_another_tiles_is_damaged(compression: str, tmp_path: Path) -> None:
    path = made.shard(tmp_path, made.spec(compression=compression))
    with h5py.File(path, "r+") as file:
        pixels = file["input"]
        pixels.id.write_direct_chunk((1, 0, 0), pixels.id.read_direct_chunk((0, 0, 0))[1])
    with shards.open(path) as opened:
        assert opened.raw(0).any()
        with pytest.raises(OSError, match=r"tile \(1, 0, 0\) of input is damaged"):
            opened.raw(1)
        assert opened.raw(1, (24, 24, 20, 20)).any(), "tiles that are whole are read"


def test_a_shard_without_checksums_is_read_and_said_to_have_none(tmp_path: Path) -> None:
    path = made.shard(tmp_path)
    whole = read.load(path)
    with shards.open(path) as opened:
        before = opened[0].input
    with h5py.File(path, "r+") as file:
        del file["checksums"], file.attrs["seals"]
    table = read.load(path)
    assert (whole.sealed, table.sealed) == (True, False)
    with shards.open(path) as opened:
        np.testing.assert_array_equal(opened[0].input, before)
    with h5py.File(path, "r+") as file:
        sums.seal(file)
    assert read.load(path).sealed


def test_a_list_of_tiles_that_names_a_place_beyond_the_frame(tmp_path: Path) -> None:
    """The bit is in HDF5's own list, which has no checksum: bytes, mask and place of each tile."""
    path = made.shard(tmp_path)
    with h5py.File(path) as file:
        last = file["input"].id.get_chunk_info(file["input"].id.get_num_chunks() - 1)
    data = bytearray(path.read_bytes())
    at = data.find(struct.pack("<II3Q", last.size, last.filter_mask, *last.chunk_offset))
    data[at + 8 + 8 + 4] ^= 24  # 2 ** 32 tiles below
    path.write_bytes(data)
    with pytest.raises(ValueError, match="does not lie in the file"):
        shards.open(path)
