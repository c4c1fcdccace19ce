"""Samples beside plain h5py, and that handles cross neither forks nor pickles."""

import multiprocessing
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from isptools import shards
from isptools.shards import read as reader
from tests.shards import made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made.shard(tmp_path)
    attrs = {**made.spec().attrs, "split": "test"}
    made.shard(tmp_path, made.spec("b.h5", (60, 52), attrs=attrs), scenes=("s3",))
    return tmp_path


def test_every_sample_in_order(folder: Path) -> None:
    with shards.open(folder) as opened:
        assert len(opened) == 6
        assert [sample.key for sample in opened] == [
            "s1/0", "s1/1", "s2/0", "s2/1", "s3/0", "s3/1",
        ]  # fmt: skip
        assert [opened.shape(i) for i in (0, 5)] == [(50, 70), (60, 52)]
        with pytest.raises(IndexError):
            opened[6]


def test_splits_and_single_files(folder: Path) -> None:
    with shards.open(folder, "test") as test, shards.open(folder / "a.h5") as one:
        assert {sample.split for sample in test} == {"test"}
        assert (len(test), len(one)) == (2, 4)
    with pytest.raises(ValueError, match="no shard of split 'val'"):
        shards.open(folder, "val")


def test_physical_units(folder: Path) -> None:
    with shards.open(folder) as opened, h5py.File(folder / "a.h5") as file:
        sample = opened[2]
        raw = file["input"][2].astype(np.float64)
        for y, x, black in ((0, 0, 60), (0, 1, 61), (1, 0, 62), (1, 1, 63)):
            wanted = (raw[y::2, x::2] - black) / (4095 - black)
            assert np.array_equal(sample.input[y::2, x::2], wanted.astype(np.float32))
        assert sample.input.min() < 0  # nothing is clipped
        assert sample.input.max() > 1
        assert sample.restoration is not None
        assert sample.enhancement is not None
        assert sample.restoration.dtype == sample.enhancement.dtype == np.float32
        assert np.allclose(sample.restoration, file["restoration"][1] * (1.25 / 65535), atol=1e-7)
        assert np.allclose(sample.enhancement, file["enhancement"][1] / 255, atol=1e-7)
        assert np.array_equal(opened.raw(2), file["input"][2])
        assert sample.facts.black == (60, 61, 62, 63)
        assert sample.facts.iso is None
        assert opened.truth_facts(2).scene == "s2"
        assert opened.capture(2) == made.capture()


def test_a_window_is_a_cut_of_the_whole(folder: Path) -> None:
    with shards.open(folder) as opened:
        whole, cut = opened[1], opened.cut(1, (7, 13, 20, 31))  # odd: the phase must follow
        assert np.array_equal(cut.input, whole.input[7:27, 13:44])
        assert whole.restoration is not None
        assert cut.restoration is not None
        assert np.array_equal(cut.restoration, whole.restoration[:, 7:27, 13:44])
        assert cut.window == (7, 13, 20, 31)
        with pytest.raises(ValueError, match="does not lie"):
            opened.cut(1, (40, 0, 20, 20))


def test_xtrans_black_follows_its_36_positions(tmp_path: Path) -> None:
    made.shard(tmp_path, made.spec(positions=36))
    with shards.open(tmp_path) as opened:
        sample, raw = opened[0], opened.raw(0).astype(np.float64)
        y, x = 13, 9
        black = 60 + (y % 6) * 6 + x % 6
        assert sample.input[y, x] == np.float32((raw[y, x] - black) / (4095 - black))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_more_shards_than_a_process_may_open(tmp_path: Path, monkeypatch) -> None:
    for k in range(12):
        made.shard(tmp_path, made.spec(f"{k:02d}.h5"), scenes=(f"s{k}",))
    with shards.open(tmp_path) as opened:
        expected = [sample.input for sample in opened]
    monkeypatch.setattr(reader, "HANDLES", 3)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with shards.open(tmp_path) as opened:
        for i in (0, 23, 5, 11, 0, 7, 15, 19, 0, 2):
            assert np.array_equal(opened[i].input, expected[i])
            assert len(list(Path("/proc/self/fd").iterdir())) <= before + 3
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 3


def test_read_from_another_folder(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    with shards.open(".") as opened:
        (elsewhere := tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(elsewhere)
        assert opened[0].input.shape == (50, 70)


def test_pickled_before_and_after_reading(folder: Path) -> None:
    with shards.open(folder) as opened:
        first = opened[0].input
        with pickle.loads(pickle.dumps(opened)) as again:
            assert np.array_equal(again[0].input, first)


def _in_child(opened: shards.Shards, answers: "multiprocessing.Queue[float]") -> None:
    answers.put(float(opened[3].input.sum()))
    opened.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the fork is what is tested
def test_read_in_a_forked_child(folder: Path) -> None:
    context = multiprocessing.get_context("fork")
    with shards.open(folder) as opened:
        here = float(opened[3].input.sum())
        answers = context.Queue()
        child = context.Process(target=_in_child, args=(opened, answers))
        child.start()
        assert answers.get(timeout=20) == here
        child.join(20)
        assert child.exitcode == 0
        assert float(opened[3].input.sum()) == here


def test_only_one_truth_kept(tmp_path: Path) -> None:
    pictures = {"restoration": made.spec().pictures["restoration"]}
    made.shard(tmp_path, made.spec(pictures=pictures))
    with shards.open(tmp_path) as opened:
        assert opened[0].enhancement is None
        assert opened[0].restoration is not None


def test_what_is_no_shard_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no shards"):
        shards.open(tmp_path)
    (tmp_path / "x.h5").write_bytes(b"not HDF5")
    with pytest.raises(ValueError, match=r"x\.h5: not a readable shard") as error:
        shards.open(tmp_path)
    assert "\n" not in str(error.value)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["format"] = 99
    with pytest.raises(ValueError, match="format 99, this version reads 1"):
        shards.open(tmp_path)
