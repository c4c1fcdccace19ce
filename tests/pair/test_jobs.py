"""Pairs of photographs: the same bytes for any number of workers, memory for one at a time."""

import tracemalloc

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from isptools.build import Options, build
from isptools.cli import main
from isptools.cli.codes import LOOK
from isptools.recipe import Recipe
from tests.pair import views

PAIRS = 4
FOLDERS = {"pairs": ("phone", "dslr"), "dped-originals": ("iphone/phone", "iphone/canon")}


@pytest.fixture(scope="module")
def photographs():
    """Four pairs, one of which is none."""
    made = []
    for number in range(PAIRS):
        phone = np.ascontiguousarray(views.scene(420, 560, 30 + number)[:, :: 1 - 2 * (number % 2)])
        h, size = views.mapping(phone.shape, turn=1 + number, scale=1.1, tilt=(0, 0))
        shown = phone[::-1] if number == 3 else phone
        made.append((phone, views.other(np.ascontiguousarray(shown), h, size)))
    return made


def lay_out(photographs, folder, sides):
    """The files, and a table that puts every second pair into the test split."""
    lines = ["phone,dslr,split"]
    for side, name in enumerate(sides):
        (folder / name).mkdir(parents=True)
        for number, pair in enumerate(photographs):
            cv2.imwrite(str(folder / name / f"{number}.png"), pair[side][..., ::-1])
    for number in range(len(photographs)):
        split = ("train", "test")[number % 2]
        lines.append(",".join([*(f"{name}/{number}.png" for name in sides), split]))
    (folder / "pairs.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("name", ["pairs", pytest.param("dped-originals", marks=pytest.mark.long)])
def test_the_same_bytes_for_one_and_two_jobs(name, photographs, tmp_path):
    source = lay_out(photographs, tmp_path / "source", FOLDERS[name])
    for jobs in (1, 2):
        words = ["--source", source, "--out", tmp_path / str(jobs), "--jobs", jobs]
        done = CliRunner().invoke(main, ["build", name, *map(str, words)])
        assert done.exit_code == LOOK, done.output  # one pair is refused
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / jobs).iterdir() if path.is_file()}
        for jobs in "12"
    )
    shards = [path for path in one if path.endswith(".h5")]
    assert len(shards) == 2  # or two workers have nothing to share
    assert b'"alignment"' in one["ledger.jsonl"]
    assert one == two
    checked = CliRunner().invoke(main, ["check", str(tmp_path / "2")])
    assert checked.exit_code == 0, checked.output


@pytest.mark.long
def test_memory_holds_one_pair_at_a_time(photographs, tmp_path):
    def peak(count, name):
        folder = tmp_path / name
        source = lay_out([photographs[0]] * count, folder, FOLDERS["pairs"])
        table = (source / "pairs.csv").read_text()
        (source / "pairs.csv").write_text(table.replace(",test", ",train"))
        tracemalloc.start()
        build(Recipe.load("pairs"), source, folder / "out", Options())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1, "warm")  # what is loaded once
    assert peak(3, "three") < 1.2 * peak(1, "one")
