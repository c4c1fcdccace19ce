"""Windows read past HDF5's pipeline are the numbers h5py gives."""

import errno
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from isptools.shards import tiles

WINDOWS = (
    np.s_[0:70, 0:90], np.s_[0:1, 0:1], np.s_[69:70, 89:90], np.s_[23:25, 47:49], np.s_[3:66, 1:40],
    np.s_[24:48, 24:48], np.s_[47:48, 5:80],
)  # fmt: skip
PACKED = hdf5plugin.Bitshuffle(cname="lz4")


def dataset(folder: Path, dtype: str, chunks: tuple[int, ...] | None, **packing: object) -> Path:
    random = np.random.default_rng(3)
    pixels = random.integers(0, 250, (2, 3, 70, 90)) * random.integers(0, 2, (70, 1))
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("x", data=pixels.astype(dtype), chunks=chunks, **packing)
    return folder / "x.h5"


@pytest.mark.parametrize("packing", [PACKED, {}], ids=["packed", "plain"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("tile", [(24, 24), (70, 90), (25, 36), (64, 128), (1, 3)])
def test_every_window_is_h5pys(
    dtype: str, tile: tuple[int, int], packing: dict[str, object], tmp_path: Path
) -> None:
    tile = (min(tile[0], 70), min(tile[1], 90))
    with h5py.File(dataset(tmp_path, dtype, (1, 1, *tile), **packing)) as file:
        reader = tiles.Tiles(file["x"])
        assert reader.fast
        for area in WINDOWS:
            np.testing.assert_array_equal(reader.read((1,), area), file["x"][(1, ..., *area)])
            np.testing.assert_array_equal(reader.read((0, 2), area), file["x"][(0, 2, *area)])


def test_blocks_inside_a_chunk(tmp_path: Path) -> None:
    """Chunks of many blocks, of which a window needs the first, middle or last ones."""
    pixels = np.random.default_rng(0).integers(0, 4000, (300, 260)).astype(np.uint16)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        data = file.create_dataset("x", data=pixels, chunks=(300, 260), **PACKED)
        reader = tiles.Tiles(data)
        for top in range(0, 299, 13):
            for height in (1, 17, 300):
                area = np.s_[top : min(top + height, 300), 5:255]
                out = np.full((area[0].stop - top, 250), 7, np.uint16)
                assert reader.read((), area, out) is out
                np.testing.assert_array_equal(out, pixels[area])


@pytest.mark.parametrize(
    ("chunks", "packing"),
    [(None, {}), ((1, 1, 24, 24), {"compression": "gzip"}), ((1, 3, 24, 24), PACKED),
     ((1, 1, 24, 24), hdf5plugin.Bitshuffle(cname="zstd"))],
)  # fmt: skip
def test_other_storage_is_left_to_h5py(
    chunks: tuple[int, ...] | None, packing: dict[str, object], tmp_path: Path
) -> None:
    with h5py.File(dataset(tmp_path, "uint16", chunks, **packing)) as file:
        reader = tiles.Tiles(file["x"])
        assert not reader.fast
        for area in WINDOWS:
            np.testing.assert_array_equal(reader.read((1,), area), file["x"][(1, ..., *area)])


def test_without_the_library_h5py_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "decoder", lambda: None)
    with h5py.File(dataset(tmp_path, "uint8", (1, 1, 24, 24), **PACKED)) as file:
        reader = tiles.Tiles(file["x"])
        np.testing.assert_array_equal(reader.read((1, 1), WINDOWS[4]), file["x"][1, 1][WINDOWS[4]])


def test_chunks_that_hdf5_left_unpacked(tmp_path: Path) -> None:
    pixels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        data = file.create_dataset("x", (20, 30), "uint16", chunks=(20, 30), **PACKED)
        data.id.write_direct_chunk((0, 0), pixels.tobytes(), filter_mask=1)
    with h5py.File(tmp_path / "x.h5") as file:
        reader = tiles.Tiles(file["x"])
        np.testing.assert_array_equal(reader.read((), np.s_[2:9, 4:30]), pixels[2:9, 4:30])


@pytest.mark.parametrize("at", [0, 8, 12])
def test_damaged_chunks_are_an_error(at: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4000, (64, 64)).astype(np.uint16)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        data = file.create_dataset("x", data=pixels, chunks=(64, 64), **PACKED)
        stored = bytearray(data.id.read_direct_chunk((0, 0))[1])
        stored[at : at + 4] = b"\xff" * 4
        data.id.write_direct_chunk((0, 0), bytes(stored))
        reader = tiles.Tiles(data)
        with pytest.raises(OSError, match="damaged"):
            reader.read((), np.s_[0:64, 0:64])


@pytest.mark.parametrize("packing", [PACKED, {}])
def test_a_tile_that_is_not_there_is_an_error(packing: dict[str, object], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        data = file.create_dataset("x", (48, 24), "u2", chunks=(24, 24), **packing)
        data[:24] = 7
        reader = tiles.Tiles(data)
        assert (reader.read((), np.s_[0:24, 0:24]) == 7).all()
        with pytest.raises(OSError, match=r"tile \(24, 0\) of x is damaged"):
            reader.read((), np.s_[0:48, 0:24])


def test_a_disk_that_can_not_read_is_not_called_a_damaged_tile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with h5py.File(dataset(tmp_path, "uint16", (1, 1, 24, 24), **PACKED)) as file:
        reader = tiles.Tiles(file["x"])
        monkeypatch.setattr("os.preadv", broken)
        with pytest.raises(OSError, match=r"x\.h5 can't be read \(Input/output error\)"):
            reader.read((1,), np.s_[0:9, 0:9])
