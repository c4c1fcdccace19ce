"""Faults that are planted into the miniature of one recipe are found, and named: one of each word.

`python benchmarks/planted.py` plants all of them.
"""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from isptools.shards.check import check, examined
from isptools.shards.read import load
from isptools.shards.seen import seen
from tests.shards import reals
from tests.shards.faults import FAULTS
from tests.shards.made import changed
from tests.shards.planted import alone, planted, truths

ONE_EACH = {fault.named[0]: fault for fault in FAULTS if fault.recipe == "sid"}


@pytest.fixture(scope="module")
def shard(sony: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one shard of two scenes; not to be written on."""
    folder = tmp_path_factory.mktemp("one") / "shards"
    alone(Path(shutil.copytree(sony, folder)))
    return folder


@pytest.mark.parametrize("word", ONE_EACH)
def test_a_fault_is_found_and_named(shard: Path, tmp_path: Path, word: str) -> None:
    fault = ONE_EACH[word]
    problems = planted(fault, Path(shutil.copytree(shard, tmp_path / "shards")))
    told = Counter(problem.what for problem in problems if problem.sure)
    assert told, fault.about
    assert told.most_common(1)[0][0] in fault.named, problems


def test_an_honest_shard_has_numbers_and_no_alarm(shard: Path) -> None:
    found = examined(shard)
    assert found.problems == []
    kinds = {number.kind for pair in found.seen for number in pair.numbers}
    assert {"turned", "phase", "place", "level", "black", "light", "noise", "white"} <= kinds
    assert all(0 <= number.share <= 1 for pair in found.seen for number in pair.numbers)


def test_the_measured_ratio_is_the_stated_one(shard: Path) -> None:
    table = load(next(shard.glob("*.h5")))
    rows = {row.key: row for row in table.rows}
    for pair in seen(table):
        assert pair.ratio == pytest.approx(rows[pair.key].ratio, rel=0.01)
        assert rows[pair.key].ratio_measured == pytest.approx(rows[pair.key].ratio, rel=0.01)


def test_a_black_level_is_told_in_its_numbers(shard: Path, tmp_path: Path) -> None:
    """7 DN are added to every pixel: each plane's black is off by just so much."""
    folder = Path(shutil.copytree(shard, tmp_path / "shards"))
    path = next(folder.glob("*.h5"))
    with changed(path) as file:
        for i in range(len(file["input"])):
            file["input"][i] = file["input"][i] + np.uint16(7)
    for pair in seen(load(path)):
        number = next(number for number in pair.wrong if number.kind == "black")
        assert number.value == pytest.approx(7, abs=0.7)


def test_a_level_is_told_in_its_numbers(shard: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shard, tmp_path / "shards"))
    path = next(folder.glob("*.h5"))
    with changed(path) as file:
        truths(lambda picture: 0.6 * picture)(file)
    for pair in seen(load(path)):
        if pair.name == "restoration":
            number = next(number for number in pair.wrong if number.kind == "level")
            assert number.value == pytest.approx(np.log(1 / 0.6), abs=0.02)


def test_a_black_frame_tells_nothing_and_is_no_problem(shard: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shard, tmp_path / "shards"))
    path = next(folder.glob("*.h5"))
    with changed(path) as file:
        random = np.random.default_rng(0)
        noise = random.normal(512, 3, file["input"].shape[1:])
        file["input"][0] = np.rint(noise).astype(np.uint16)
    pairs = [pair for pair in seen(load(path)) if pair.key == load(path).rows[0].key]
    assert [pair.wrong for pair in pairs] == [[], []]


def test_real_raws_give_no_alarm(shared_data: Path, tmp_path: Path) -> None:
    for _, folder in reals.built(shared_data / "raw", tmp_path):
        assert [problem for problem in check(folder) if problem.sure] == []
