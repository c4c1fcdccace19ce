"""Both notations of the recipe inside a shard, read against texts written by hand."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from isptools import shards
from isptools.cli import main
from isptools.shards.check import check
from isptools.shards.made import Kept, made_by
from tests.build.tiny import make
from tests.shards.made import changed

FIRST = """{"name":"a","title":"A","manifest":"x","input":"burst","truth":"fused","exclude":["bad"],
"tile":36,"restoration":{"at":"xyz","dtype":"float32","full_scale":1.25,"source":"develop"},
"enhancement":{"at":"srgb","dtype":"uint8","full_scale":1.0,"source":"published"},"sample":true}"""
SECOND = """{"name":"a","title":"A","source":{"data_set":"x","inputs":"burst","exclude":["bad"]},
"storage":{"tile":36},"truth":{"make":"develop","fuse":"truth","restoration":{"from":"kept",
"at":"xyz","dtype":"float32","full_scale":1.25},"enhancement":{"from":"published","at":"srgb",
"dtype":"uint8"}}}"""


@pytest.mark.parametrize(("number", "text"), [(1, FIRST), (2, SECOND)])
def test_both_notations_say_the_same(number, text) -> None:
    made = made_by({"format": number, "recipe": text})
    assert (made.name, made.title, made.tile, made.exclude) == ("a", "A", 36, ("bad",))
    assert (made.fused, made.shaken) == (True, True)
    assert made.pictures == {
        "restoration": Kept("xyz", "float32", 1.25, "develop"),
        "enhancement": Kept("srgb", "uint8", 1.0, "published"),
    }


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"name":1,"title":"A"}', '{"name":"a"}'])
def test_a_text_that_is_no_recipe_is_one_line(number, text) -> None:
    with pytest.raises(ValueError, match=r"^the recipe inside is n[^\n]*$"):
        made_by({"format": number, "recipe": text})


# as the version before 0.2 wrote it into shards of the recipe in tests/build/tiny.py
TINY = (
    '{"name":"tiny","title":"Tiny truths","manifest":"manifest","develop":[{"step":"levels",'
    '"adjust_maximum":0.0},{"step":"balance","by":"camera","gains":null,"highlights":"clip"},'
    '{"step":"demosaic","method":"linear"},{"step":"xyz","matrix":"libraw"},{"step":"encode-srgb"}]'
    ',"restoration":{"at":"xyz","dtype":"uint16","full_scale":1.25,"source":"develop","note":"",'
    '"within":1.0,"reach":0},"enhancement":{"at":"srgb","dtype":"uint8","full_scale":1.0,"source":'
    '"develop","note":"","within":1.0,"reach":0},"prepare":[],"pairs":"all","input":"reference",'
    '"truth":"file","fusion":"truth","results":"","black":null,"scenes":null,"parts":[],"models":[]'
    ',"val":"own","exclude":[],"max_ratio":300.0,"scenes_per_shard":1,"tile":36,"compression":'
    '"bitshuffle-lz4","limit":null,"pair":null,"sample":false}'
)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Shards whose attributes are those of format 1."""
    tiny = make(tmp_path / "tiny")
    tiny.build()
    for path in tiny.out.glob("*.h5"):
        with changed(path) as file:
            file.attrs["format"] = 1
            file.attrs["recipe"] = TINY
            file.attrs["recipe_sha256"] = hashlib.sha256(TINY.encode()).hexdigest()
    shutil.move(tiny.out, tmp_path / "first")
    (tmp_path / "first" / "index.json").unlink()  # it knows other hashes
    tiny.build()
    return tmp_path / "first"


def test_shards_of_format_1_are_read_and_checked(first: Path) -> None:
    told = {(one.what, one.detail) for one in check(first) if one.sure}
    assert {what for what, _ in told} <= {"index", "missing"}, told  # the index was taken away
    with shards.open(first) as old, shards.open(first.parent / "tiny/out") as new:
        assert {table.attrs["format"] for table in old.tables} == {1}
        assert {table.attrs["format"] for table in new.tables} == {2}
        assert len(old) == len(new) == 8
        for one, other in zip(old, new, strict=True):
            assert one.facts == other.facts
            np.testing.assert_array_equal(one.input, other.input)
            np.testing.assert_array_equal(one.restoration, other.restoration)
    for words in (["stats", str(first)], ["inspect", str(next(first.glob("*.h5")))]):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
    assert "tiny: Tiny truths" in done.output


def test_a_format_1_shard_that_is_not_as_its_recipe_says(first: Path) -> None:
    path = next(first.glob("*.h5"))
    wrong = TINY.replace('"dtype":"uint8"', '"dtype":"uint16"')
    with changed(path) as file:
        file.attrs["recipe"] = wrong
        file.attrs["recipe_sha256"] = hashlib.sha256(wrong.encode()).hexdigest()
    said = [one.detail for one in check(first) if one.where == path.name]
    assert "enhancement: dtype is uint8, its recipe says uint16" in said


def test_columns_that_a_later_version_adds_are_passed_over(tmp_path: Path) -> None:
    """Format 2 has room: a reader takes the columns that it knows."""
    tiny = make(tmp_path / "tiny")
    tiny.build()
    path = next(tiny.out.glob("*.h5"))
    with changed(path) as file:
        old = file["meta"][:]
        names = old.dtype.names
        kinds = {"names": [*names, "new"], "formats": [*(old.dtype[one] for one in names), "f8"]}
        wider = np.zeros(len(old), np.dtype(kinds))
        for name in names:
            wider[name] = old[name]
        del file["meta"]
        file["meta"] = wider
    assert not [one for one in check(tiny.out) if one.what == "schema"]
    with shards.open(path) as opened:
        assert opened.facts(0).ratio == 100
