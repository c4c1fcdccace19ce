"""What stands in the file, seen through plain h5py; and that it stands there whole or not."""

import errno
import json
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from isptools.shards import disk, write
from isptools.shards.columns import Rows
from isptools.shards.encoded import encode
from isptools.shards.schema import InputRow, Picture, TruthRow, decode, table
from tests.shards import made


def test_inputs_are_the_integers_that_were_given(tmp_path: Path) -> None:
    with h5py.File(made.shard(tmp_path)) as file:
        for row, seed in enumerate((0, 1, 10, 11)):
            assert np.array_equal(file["input"][row], made.mosaic(seed))


def test_truths_are_scaled_rounded_and_counted(tmp_path: Path) -> None:
    with h5py.File(made.shard(tmp_path)) as file:
        for row in (0, 1):
            xyz = made.truth(row)["restoration"].astype(np.float64)
            wanted = np.rint(xyz * 65535 / 1.25)
            stored = file["restoration"][row].transpose(1, 2, 0)
            assert np.array_equal(stored, np.clip(wanted, 0, 65535))
            assert file["truth_meta"]["restoration_low"][row] == (wanted < 0).sum() > 100
            assert file["truth_meta"]["restoration_high"][row] == (wanted > 65535).sum() > 100
            srgb = made.truth(row)["enhancement"] / 257
            assert np.array_equal(file["enhancement"][row].transpose(1, 2, 0), np.rint(srgb))
            assert file["truth_meta"]["enhancement_high"][row] == 0


def test_tiles_and_compression(tmp_path: Path) -> None:
    small = made.spec("small.h5", tile=500)
    plain = made.spec("plain.h5", compression="none")
    with h5py.File(made.shard(tmp_path)) as a, h5py.File(made.shard(tmp_path, small)) as b:
        assert a["input"].chunks == (1, 24, 24)
        assert a["restoration"].chunks == (1, 1, 24, 24)
        assert b["input"].chunks == (1, 50, 70)
        assert a["input"].id.get_create_plist().get_filter(0)[0] == hdf5plugin.BSHUF_ID
    with h5py.File(made.shard(tmp_path, plain)) as c:
        assert c["input"].id.get_create_plist().get_nfilters() == 0
        assert np.array_equal(c["input"][3], made.mosaic(11))


def test_a_table_says_what_the_rows_said(tmp_path: Path) -> None:
    with h5py.File(made.shard(tmp_path)) as file:
        meta = file["meta"][:]
    assert meta["key"].tolist() == [b"s1/0", b"s1/1", b"s2/0", b"s2/1"]
    assert meta["black"].tolist() == [[60, 61, 62, 63]] * 4
    assert meta["model"][0].decode() == "Kämera"
    assert np.isnan(meta["iso"]).all()
    assert np.isnan(meta["camera_to_srgb"]).all()
    assert meta["active_area"].tolist() == [[-1, -1, -1, -1]] * 4
    assert meta["restoration"].tolist() == [0, 0, 1, 1]
    assert Rows(InputRow, meta)[2] == made.input_row("s2/0", "s2", restoration=1, enhancement=1)


def test_xtrans_has_a_level_for_each_of_36_positions(tmp_path: Path) -> None:
    with h5py.File(made.shard(tmp_path, made.spec(positions=36))) as file:
        assert file["meta"]["black"].shape == (4, 36)
        assert file["meta"]["shot"].shape == (4, 36)
        assert file.attrs["kind"] == "xtrans"


def test_a_row_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        table([made.input_row("k", "s", black=(1.0, 2.0))], 4)


def test_absent_truth_facts_come_back_as_none() -> None:
    row = made.truth_row("k", "s", exposure_s=None)
    assert list(Rows(TruthRow, table([row], 4))) == [row]


def test_rows_by_columns_are_the_rows_that_were_written() -> None:
    """Constant, numbered and single values; facts that nobody stated; cuts and ends of them."""
    rows = [
        made.input_row(
            f"s{i // 3}/{i}", f"s{i // 3}", white=4095.0 + i % 2, exposure_s=None if i % 4 else 0.1,
            as_shot=(2.0, 1.0, 1.0 + i, 1.0), make="" if i % 5 else "Other", orientation=1 + i % 8,
            active_area=None if i % 7 else (0, 0, i, i), ratio_measured=i * 0.5,
        )
        for i in range(50)
    ]  # fmt: skip
    stored = Rows(InputRow, table(rows, 4))
    assert list(stored) == [*stored] == rows
    assert (stored[7], stored[-1], stored[3:40:9]) == (rows[7], rows[-1], tuple(rows[3:40:9]))
    assert list(pickle.loads(pickle.dumps(stored))) == rows
    assert not Rows(InputRow, table(rows, 4)[:0])
    with pytest.raises(IndexError):
        stored[50]


def test_rows_of_one_camera_take_what_differs_between_them() -> None:
    """A process that reads 160,000 patches holds all their rows."""
    rows = [made.input_row(f"patches/{i:06d}", f"s{i}") for i in range(1000)]
    stored = Rows(InputRow, table(rows, 4))
    texts = sum(len(r.key) + len(r.scene) + len(r.source) + len(r.source_sha256) for r in rows)
    assert len(pickle.dumps(stored)) < texts + 1000 * 32  # and some numbers


def test_a_float_truth_keeps_its_bits(tmp_path: Path) -> None:
    pictures = {"restoration": Picture("xyz", "float32", 1.0, "", "develop")}
    with h5py.File(made.shard(tmp_path, made.spec(pictures=pictures))) as file:
        assert "enhancement" not in file
        stored = file["restoration"][1].transpose(1, 2, 0)
        assert np.array_equal(stored, made.truth(1)["restoration"])
        assert file["truth_meta"]["restoration_low"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("value", "dtype", "full_scale", "stored"),
    [
        (0.5, "uint8", 1.0, 128),  # 127.5: half to even
        (2.5 / 255, "uint8", 1.0, 2),  # 2.5: half to even
        (1.0888, "uint16", 1.25, 57084),  # Z of a neutral white, 57083.6
        (1.25, "uint16", 1.25, 65535),
        (-1e-9, "uint16", 1.0, 0),
    ],
)
def test_rounding(value: float, dtype: str, full_scale: float, stored: int) -> None:
    picture = Picture("xyz", dtype, full_scale, "", "develop")
    plane, low, high = encode(np.full((2, 2), value, np.float64), picture)
    assert plane.tolist() == [[stored] * 2] * 2
    assert (low, high) == (0, 0)
    assert decode(plane, picture) == pytest.approx(value, abs=full_scale / np.iinfo(dtype).max)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("full_scale", [1.0, 1.25, 0.7])
@pytest.mark.parametrize("light", ["float32", "float64", "uint16"])
def test_a_plane_is_stored_as_numpy_says(dtype: str, full_scale: float, light: str) -> None:
    """One channel of a picture, as it lies in memory, against the rule in NumPy's words."""
    rng = np.random.default_rng(5)
    picture = rng.normal(0.5, 0.6, (64, 96, 3)).astype(np.float64)
    wide = picture.astype(light) if light != "uint16" else rng.integers(0, 65536, (64, 96, 3), "u2")
    plane = np.asarray(wide)[..., 1]
    stored, low, high = encode(plane, Picture("camera", dtype, full_scale, "", "develop"))
    largest = np.iinfo(dtype).max
    physical = plane / np.float64(65535) if light == "uint16" else plane.astype(np.float64)
    scaled = np.rint(physical * largest / full_scale)
    if (light, dtype, full_scale) == ("uint16", "uint16", 1.0):
        scaled = plane.astype(np.float64)
    assert np.array_equal(stored, np.clip(scaled, 0, largest).astype(dtype))
    assert (low, high) == ((scaled < 0).sum(), (scaled > largest).sum())


def test_integers_of_16_bits_are_stored_as_they_are() -> None:
    plane = made.mosaic(3)
    stored, low, high = encode(plane, Picture("srgb", "uint16", 1.0, "", "develop"))
    assert np.array_equal(stored, plane)
    assert (low, high) == (0, 0)


def test_the_bytes_do_not_know_the_time_or_the_folder(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first = made.shard(tmp_path).read_bytes()
    time.sleep(1.1)  # HDF5's time stamps count seconds
    assert made.shard(tmp_path / "other").read_bytes() == first


def test_what_was_written_is_told(tmp_path: Path) -> None:
    with write.shard(tmp_path, made.spec()) as writer:
        at = writer.truth(made.truth_row("t", "s"), made.truth(0), made.capture(), ())
        row = made.input_row("i", "s", restoration=at, enhancement=at)
        writer.input(row, made.mosaic(0), made.capture(), ())
    path = tmp_path / "a.h5"
    assert writer.written == write.Written(
        "a.h5", disk.sha256(path), path.stat().st_size, rows=1, truths=1, scenes=1
    )


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyError), write.shard(tmp_path, made.spec()) as writer:
        writer.truth(made.truth_row("t", "s"), {}, made.capture(), ())  # no picture to store
    assert list(tmp_path.iterdir()) == []


def test_no_input_leaves_no_file(tmp_path: Path) -> None:
    with write.shard(tmp_path, made.spec()) as writer:
        pass
    assert writer.written is None
    assert list(tmp_path.iterdir()) == []


LIMITED = """
import resource, signal, sys
from pathlib import Path
from tests.shards import made
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    made.shard(Path(sys.argv[1]))
except OSError as error:
    print(error.errno, error.filename)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
@pytest.mark.parametrize("limit", [500, 20_000, 60_000])
def test_a_disk_that_takes_no_more_is_an_os_error_and_no_crash(tmp_path: Path, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), str(limit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{errno.EFBIG} {tmp_path}")
    assert list(tmp_path.iterdir()) == []


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
import h5py
from isptools.shards import disk, write
from tests.shards import made
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
real = disk.Sink.write
def write_and_signal(self, data):
    os.kill(os.getpid(), signal.SIGINT)  # arrives while HDF5 calls into Python
    return real(self, data)
disk.Sink.write = write_and_signal
try:
    made.shard(Path(sys.argv[1]))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_inside_hdf5_waits_for_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
    assert list(tmp_path.iterdir()) == []


def test_save_replaces_whole_files(tmp_path: Path) -> None:
    target = tmp_path / "index.json"
    disk.save(target, b"one")
    disk.save(target, b"two")
    assert target.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [target]


def test_attributes_say_what_numbers_mean(tmp_path: Path) -> None:
    with h5py.File(made.shard(tmp_path)) as file:
        attrs: dict[str, Any] = dict(file["restoration"].attrs)
        assert attrs["space"] == "xyz"
        assert attrs["full_scale"] == 1.25
        assert attrs["note"] == "a note"
        assert "65535" in attrs["meaning"]
        assert file.attrs["sample"]
        assert json.loads(file["facts"][0])["cfa"] == "RGGB"
        assert len(file["history"]) == 4
        assert len(file["truth_facts"]) == 2
