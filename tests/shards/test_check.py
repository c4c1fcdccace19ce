"""Each kind of damage is found and named, and nothing is said of what is whole."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from isptools.shards import tiles
from isptools.shards.check import Problem, check, examined
from isptools.shards.read import load
from tests.shards.made import changed, earlier, relist
from tests.shards.planted import alone

TRAIN = "sid-train-384x512-0000.h5"


def spoil(folder: Path, change: Callable[[h5py.File], Any], name: str = TRAIN) -> list[Problem]:
    """Change a shard behind the index's back but with its blessing, and check."""
    with changed(folder / name) as file:
        change(file)
    relist(folder, name)
    return check(folder)


def found(problems: list[Problem]) -> set[tuple[str, str]]:
    return {(problem.where, problem.what) for problem in problems}


def put(file: h5py.File, table: str, column: str, value: Any, row: int = 0) -> None:
    rows = file[table][:]
    rows[column][row] = value
    file[table][...] = rows


@pytest.mark.long  # make demo checks one, every data set its own
def test_the_miniatures_are_whole(sony: Path, fuji: Path) -> None:
    assert check(sony) == []
    assert check(fuji) == []


def test_one_flipped_bit(copy: Path) -> None:
    data = bytearray((copy / TRAIN).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / TRAIN).write_bytes(data)
    assert (TRAIN, "sha256") in found(check(copy))


def test_damage_that_breaks_hdf5_is_a_line_and_no_crash(copy: Path) -> None:
    data = bytearray((copy / TRAIN).read_bytes())
    random = np.random.default_rng(0)
    for place in random.integers(64, 20_000, 400):
        data[place] = 255 - data[place]
    (copy / TRAIN).write_bytes(data)
    assert found(check(copy)) == {(TRAIN, "sha256"), (TRAIN, "unreadable")}


def test_a_cut_off_shard(copy: Path) -> None:
    data = (copy / TRAIN).read_bytes()
    (copy / TRAIN).write_bytes(data[: len(data) // 3])
    assert (TRAIN, "unreadable") in found(check(copy))


def test_missing_and_extra_shards(copy: Path) -> None:
    (copy / TRAIN).rename(copy / "other.h5")
    assert {(TRAIN, "missing"), ("other.h5", "extra")} <= found(check(copy))


def test_an_unfinished_build(copy: Path) -> None:
    (copy / "index.json").unlink()
    assert found(check(copy)) == {("index.json", "missing")}


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes of that kind")
def test_a_pipe_in_the_place_of_a_shard_is_not_waited_for(copy: Path) -> None:
    shard = min(copy.glob("*.h5"))
    shard.unlink()
    os.mkfifo(shard)
    assert (shard.name, "unreadable") in found(check(copy))


@pytest.mark.parametrize("data", [b"", b'\xe1"split": "train"}\n', b"[" * 99999])
def test_another_ledger(data: bytes, copy: Path) -> None:
    (copy / "ledger.jsonl").write_bytes(data)
    assert found(check(copy)) == {("ledger.jsonl", "sha256")}


def test_an_index_that_counts_wrong(copy: Path) -> None:
    index = json.loads((copy / "index.json").read_text())
    index["counts"]["train"]["inputs"] += 1
    index["recipe"]["json"] += " "
    (copy / "index.json").write_bytes(earlier(index))
    assert found(check(copy)) == {("index.json", "counts"), ("index.json", "recipe")}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda f: f.__delitem__("meta"), "schema"),
        (lambda f: f.__delitem__("restoration"), "schema"),
        (lambda f: f.attrs.__delitem__("licence"), "schema"),
        (lambda f: f.attrs.__setitem__("recipe", f.attrs["recipe"] + " "), "schema"),
        (lambda f: f.attrs.__setitem__("kind", "foveon"), "schema"),
        (lambda f: f["restoration"].attrs.__setitem__("full_scale", 1.0), "schema"),
        (lambda f: f["restoration"].attrs.__setitem__("space", "srgb"), "schema"),
        (lambda f: f["input"].resize(4, axis=0), "schema"),
        (lambda f: f["input"].resize(7, axis=0), "unreadable"),
        (lambda f: f["restoration"].attrs.__delitem__("space"), "schema"),
        (lambda f: f.attrs.__setitem__("split", "test"), "index"),
        (lambda f: put(f, "meta", "restoration", 9), "pointer"),
        (lambda f: put(f, "meta", "enhancement", -1), "pointer"),
        (lambda f: put(f, "meta", "scene", b"other"), "scene"),
        (lambda f: put(f, "meta", "key", f["meta"]["key"][1]), "key"),
        (lambda f: put(f, "meta", "white", 100.0), "facts"),
        (lambda f: put(f, "meta", "shot", np.nan), "facts"),
        (lambda f: put(f, "meta", "ratio", -2.0), "facts"),
        (lambda f: put(f, "meta", "cfa", b"RGEB"), "facts"),
    ],
)
def test_what_is_wrong_inside_is_named(copy: Path, change: Any, what: str) -> None:
    assert (TRAIN, what) in found(spoil(copy, change))


@pytest.mark.parametrize("leak", ["scene", "source_sha256"])
def test_a_scene_or_a_file_in_two_splits(copy: Path, leak: str) -> None:
    test = "sid-test-384x512-0000.h5"
    with h5py.File(copy / test) as file:
        value = file["truth_meta"][leak][0]
    problems = spoil(copy, lambda f: put(f, "truth_meta", leak, value))
    assert (TRAIN, "split-leak") in found(problems)


def test_numbers_that_are_none(copy: Path) -> None:
    """A float truth with a NaN inside; the recipe inside is made to agree."""

    def as_floats(file: h5py.File) -> None:
        stored = file["restoration"][:].astype(np.float32) * np.float32(1.25 / 65535)
        stored[1, 2, 30, 40] = np.nan
        attrs = dict(file["restoration"].attrs)
        del file["restoration"]
        file["restoration"] = stored
        for name, value in attrs.items():
            file["restoration"].attrs[name] = value
        recipe = json.loads(file.attrs["recipe"])
        recipe["truth"]["restoration"]["dtype"] = "float32"
        file.attrs["recipe"] = json.dumps(recipe)
        digest = hashlib.sha256(file.attrs["recipe"].encode()).hexdigest()
        file.attrs["recipe_sha256"] = digest

    assert (TRAIN, "not-finite") in found(spoil(copy, as_floats))


def swap(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        first, second = file[name][0], file[name][1]
        file[name][0], file[name][1] = second, first

    return change


def pairings(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.what == "pairing" and problem.sure]


@pytest.mark.parametrize("name", ["restoration", "enhancement"])
def test_swapped_truths_are_found_and_the_right_ones_named(copy: Path, name: str) -> None:
    wrong = pairings(spoil(copy, swap(name)))
    assert len(wrong) == 5  # three inputs of the first scene, two of the second
    assert all(name in problem.detail for problem in wrong)
    assert sum("sid/00102/00102_00_30s" in problem.detail for problem in wrong) == 3


def test_swapped_pointers_are_found(copy: Path) -> None:
    def change(file: h5py.File) -> None:
        rows = file["meta"][:]
        for column in ("restoration", "enhancement"):
            rows[column] = 1 - rows[column]
        file["meta"][...] = rows

    problems = spoil(copy, change)
    assert (TRAIN, "scene") in found(problems)
    assert len(pairings(problems)) == 10


@pytest.mark.long
def test_swapped_inputs_are_found_for_xtrans(fuji: Path, tmp_path: Path) -> None:
    name = "sid-fuji-train-xtrans-516x612-0000.h5"
    folder = Path(shutil.copytree(fuji, tmp_path / "fuji"))
    with h5py.File(folder / name) as shard:
        last = len(shard["input"]) - 1

    def change(shard: h5py.File) -> None:
        first, other = shard["input"][0], shard["input"][last]
        shard["input"][0], shard["input"][last] = other, first

    assert len(pairings(spoil(folder, change, name))) == 4  # two inputs, two truths each


def test_an_input_too_dark_to_tell_is_not_called_wrong(copy: Path) -> None:
    def change(file: h5py.File) -> None:
        random = np.random.default_rng(0)
        shape = file["input"].shape[1:]
        file["input"][0] = np.rint(random.normal(512, 40, shape)).clip(0).astype(np.uint16)

    problems = spoil(copy, change)
    assert pairings(problems) == []
    assert {(p.where, p.what) for p in problems if not p.sure} == {(TRAIN, "pairing")}


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no such folder"):
        check("nowhere")


def test_every_tile_is_read_once(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiles of all inputs and truths, by `check`; none of them twice."""
    read: list[tuple[Any, ...]] = []
    stored = tiles.Tiles._stored

    def counted(self: tiles.Tiles, at: tuple[int, ...]) -> Any:
        read.append((self.map.file, self.map.name, at))
        return stored(self, at)

    monkeypatch.setattr(tiles.Tiles, "_stored", counted)
    assert check(copy) == []
    here = 0
    for path in copy.glob("*.h5"):
        table = load(path)
        each = [len(table.rows), *(3 * len(table.truths) for _ in table.pictures)]
        down, across = (-(-side // 252) for side in table.shape)
        here += sum(each) * down * across
    assert len(read) == len(set(read)) == here


def test_two_processes_find_what_one_finds(copy: Path) -> None:
    """One shard of two scenes; and of one that can't be read nothing is measured."""
    alone(copy)
    (path,) = copy.glob("*.h5")
    steps: list[tuple[int, int]] = []
    one, two = examined(copy), examined(copy, lambda *count: steps.append(count), 2)
    assert one.seen
    assert one.problems == two.problems
    assert [str(pair) for pair in one.seen] == [str(pair) for pair in two.seen]
    assert steps[0] == (0, 1)
    assert steps[-1] == (1, 1)
    with h5py.File(path, "r+") as file:
        file["input"].id.write_direct_chunk((0, 0, 0), b"x" * 99)
    broken = examined(copy)
    assert broken.seen == []
    assert {"sha256", "unreadable"} <= {problem.what for problem in broken.problems}
