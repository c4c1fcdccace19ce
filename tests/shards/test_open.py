"""Opening a folder reads its index alone; a shard is opened when a sample of it is asked for."""

import hashlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isptools import shards
from isptools.shards import opened as door
from isptools.shards import probe, proof
from isptools.shards import read as reader
from tests.shards import made

COUNT = 12  # shards, of 4 inputs each


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve shards in three splits, and their index; not to be written on."""
    folder = tmp_path_factory.mktemp("listed")
    for k in range(COUNT):
        attrs = {**made.spec().attrs, "split": ("train", "val", "test")[k % 3]}
        scenes = (f"s{k}a", f"s{k}b")
        made.shard(folder, made.spec(f"{k:02d}.h5", attrs=attrs), scenes)
    index(folder)
    return folder


def index(folder: Path, **changes: Any) -> None:
    """As a build writes it; `changes` are of the first shard's line."""
    lines = [
        {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
         "bytes": path.stat().st_size, "rows": 4, "scenes": 2,
         "split": ("train", "val", "test")[int(path.stem) % 3], "shape": [50, 70],
         "kind": "bayer"}
        for path in sorted(folder.glob("*.h5"))
    ]  # fmt: skip
    lines[0] |= changes
    words = {"format": 2, "recipe": {"name": "made", "sha256": "0" * 64, "json": made.RECIPE},
             "shards": lines, "counts": {}, "planned": {"train": {"s0a": 2}}}  # fmt: skip
    (folder / "index.json").write_bytes(proof.proved(json.dumps(words).encode(), indent=1))


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    for path in whole.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names of the shards that HDF5 opens here, and that a process of its own looks at."""
    found: dict[str, list[str]] = {"opened": [], "probed": []}
    let_in, outcomes = door.let_in, probe.outcomes

    def opens(path: Path, chunks: bool) -> Any:
        found["opened"].append(path.name)
        return let_in(path, chunks)

    def looks_at(paths: Any) -> list[str]:
        found["probed"] += [path.name for path in paths]
        return outcomes(paths)

    monkeypatch.setattr(door, "let_in", opens)
    monkeypatch.setattr(probe, "outcomes", looks_at)
    monkeypatch.setattr(door, "_known", {})
    return found


def test_no_shard_is_opened_for_what_the_index_says(whole: Path, looks) -> None:
    with shards.open(whole) as every, shards.open(whole, "val") as val:
        assert (len(every), len(val)) == (4 * COUNT, 4 * COUNT // 3)
        assert [every.shape(i) for i in (0, -1)] == [(50, 70)] * 2
        assert {table.split for table in val.tables} == {"val"}
        assert every.path(5).name == "01.h5"
        assert looks == {"opened": [], "probed": []}
        i, window = every.crops(16).window(0)  # at the phase of its filters, which its row tells
        assert window[2:] == (16, 16)
        assert looks == {way: [f"{i // 4:02d}.h5"] for way in looks}
        with pytest.raises(IndexError):
            every.facts(4 * COUNT)


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="counts what is read in /proc")
def test_no_more_is_read_than_the_index(whole: Path) -> None:
    shards.open(whole).close()
    before = read_so_far()
    shards.open(whole).close()
    assert read_so_far() - before < (whole / "index.json").stat().st_size + 4096


def read_so_far() -> int:
    """Bytes that calls of this process read."""
    return int(Path("/proc/self/io").read_text().split()[1])


def test_samples_are_those_without_an_index(copied: Path, looks) -> None:
    with shards.open(copied) as opened:
        told = list(samples(opened))
    assert sorted(looks["opened"]) == sorted(2 * [f"{k:02d}.h5" for k in range(COUNT)])
    assert looks["probed"] == [f"{k:02d}.h5" for k in range(COUNT)]
    (copied / "index.json").unlink()
    with shards.open(copied) as opened:
        for one, other in zip(told, samples(opened), strict=True):
            assert one[0] == other[0]
            np.testing.assert_array_equal(one[1], other[1])


def samples(opened: shards.Shards) -> Iterator[tuple[Any, np.ndarray]]:
    for i, sample in enumerate(opened):
        yield (sample.facts, sample.split, opened.truth_facts(i)), sample.input


def test_few_handles_do_not_open_a_shard_again(whole: Path, looks, monkeypatch) -> None:
    """Where its tiles lie is kept: HDF5 sees each file twice, for its tables and for its tiles."""
    monkeypatch.setattr(reader, "HANDLES", 2)
    with shards.open(whole) as opened:
        for _ in range(3):
            for i in range(0, len(opened), 4):
                opened.raw(i, (0, 0, 16, 16))
    assert sorted(looks["opened"]) == sorted(2 * [f"{k:02d}.h5" for k in range(COUNT)])


def test_tables_travel_light_and_are_not_looked_at_again(whole: Path, looks) -> None:
    with shards.open(whole, "test") as opened:
        bare = len(pickle.dumps(opened))
        first = opened[0].input
        sent = pickle.dumps(opened)
    assert len(sent) < bare + 400
    looks["probed"].clear()
    door._known.clear()
    with pickle.loads(sent) as again:
        np.testing.assert_array_equal(again[0].input, first)
    assert looks["probed"] == []


@pytest.mark.parametrize("change", [
    {"rows": 5}, {"split": "val"}, {"shape": [70, 50]}, {"kind": "xtrans"},
])  # fmt: skip
def test_an_index_that_says_otherwise_is_one_line(change: dict[str, Any], copied: Path) -> None:
    index(copied, **change)
    with shards.open(copied) as opened:
        assert opened.facts(9).scene == "s2a"
        with pytest.raises(ValueError, match=r"00\.h5: it is not the shard that its index lists"):
            opened.facts(0)


def test_a_damaged_index_is_not_believed(copied: Path, looks) -> None:
    path = copied / "index.json"
    path.write_bytes(path.read_bytes().replace(b'"rows": 4', b'"rows": 3', 1))
    assert len(shards.open(copied)) == 4 * COUNT
    assert len(looks["opened"]) == COUNT


def test_what_the_index_does_not_list_is_opened(copied: Path, looks) -> None:
    """A shard that was added, and one of another size."""
    made.shard(copied, made.spec("99.h5"), ("s99",))
    made.shard(copied, made.spec("03.h5"), ("s3",))
    (copied / "04.h5").unlink()
    assert len(shards.open(copied)) == 4 * (COUNT - 2) + 2 + 2
    assert looks["opened"] == ["03.h5", "99.h5"]


def test_a_damaged_shard_is_said_when_it_is_asked_for(copied: Path) -> None:
    path = copied / "00.h5"
    path.write_bytes(b"x" * path.stat().st_size)
    with shards.open(copied) as opened:
        assert opened.facts(4).scene == "s1a"
        with pytest.raises(ValueError, match=r"00\.h5: not a readable shard") as caught:
            opened[0]
        assert "\n" not in str(caught.value)


def test_a_shard_that_was_replaced_is_read_anew(whole: Path, copied: Path, monkeypatch) -> None:
    """Another file under the name of one whose tiles were looked up, and which was closed."""
    monkeypatch.setattr(reader, "HANDLES", 1)
    with shards.open(copied) as opened:
        before = opened.raw(0)
        opened.raw(4)
        (copied / "00.h5").unlink()
        (copied / "00.h5").write_bytes((whole / "00.h5").read_bytes())
        np.testing.assert_array_equal(opened.raw(0), before)


def test_training_opens_one_shard_to_begin(whole: Path, looks) -> None:
    pytest.importorskip("torch")
    from isptools.train import data  # noqa: PLC0415 - needs torch
    from isptools.train.intake import PACKED  # noqa: PLC0415

    with data.open_shards(whole, "train", PACKED, ("restoration",)) as source:
        assert set(looks["opened"]) == {"00.h5"}
        cuts = data.Cuts(source, 16, 0, ("restoration",))
        assert cuts.rooms()["raw"][1] == np.uint16
        i = cuts.item(0).place
        assert len(set(looks["opened"])) == (1 if i < 4 else 2)
