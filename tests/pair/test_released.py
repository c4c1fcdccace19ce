"""DPED's and Zurich's released patches: counts, numbers, levels, filters, and what is flat."""

import json

import cv2
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from isptools import datasets, shards
from isptools.build import Options, build
from isptools.build.plan import Choice, plan
from isptools.cli import main
from isptools.datasets import card as cards
from isptools.datasets import miniature
from isptools.recipe import Recipe, Released
from tests.recipes import changed


def planned(name, source):
    recipe = Recipe.load(name)
    opened = datasets.opened(recipe.source)
    return plan(recipe, opened, opened.room.find(opened.card, opened.select, source), Choice())


def touched(root, folders, numbers, suffixes):
    for folder, suffix in zip(folders, suffixes, strict=True):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            (root / folder / f"{number}.{suffix}").touch()


def ledger(out):
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


def test_zurich_counts_are_the_paper_s():
    """Ignatov et al. 2020: 48,043 pairs; numbered 0 to 46838 and 0 to 1203 as released."""
    rules = {rule.name: rule for rule in cards.load("zurich").rules}
    assert rules["train"].pairs + rules["test"].pairs == 48043
    assert (rules["train"].pairs, rules["test"].pairs) == (46839, 1204)
    assert all(rule.numbered for rule in rules.values())


def test_a_whole_split_is_taken_and_a_part_of_one_is_noted(tmp_path):
    root = tmp_path / "raw_images"
    touched(root, ("test/huawei_raw", "test/canon"), range(1204), ("png", "jpg"))
    touched(root, ("train/huawei_raw", "train/canon"), [0, 1, 2, 4, 5, 9], ("png", "jpg"))
    found = planned("zurich", tmp_path)
    assert found.root == root
    sizes = {
        split: sum(u.rows for u in found.units if u.split == split) for split in ("train", "test")
    }
    assert sizes == {"train": 6, "test": 1204}
    names = [task.inputs[0].named.path for unit in found.units if unit.split == "test"
             for task in unit.tasks]  # fmt: skip
    assert names == [f"test/huawei_raw/{number}.png" for number in range(1204)]
    assert found.ledger["test"] == ()
    noted = {line.reason: line for line in found.ledger["train"]}
    assert set(noted) == {"gaps", "count"}
    assert noted["gaps"].number == 4  # 3, 6, 7, 8
    assert "the first is 3" in noted["gaps"].detail
    assert "6 pairs are here, 46839 were published" in noted["count"].detail


def test_full_size_pictures_without_another_side_are_named(tmp_path):
    touched(tmp_path, ("iphone/test_data/patches/iphone", "iphone/test_data/patches/canon"),
            range(3), ("jpg", "jpg"))  # fmt: skip
    touched(tmp_path, ("iphone/test_data/full_size_test_images",), range(29), ("jpg",))
    found = planned("dped", tmp_path)
    assert [unit.rows for unit in found.units] == [3]
    apart = [line for line in found.ledger[""] if line.reason == "no-other-side"]
    assert len(apart) == 29
    assert {line.kind for line in apart} == {"excluded"}
    assert all("29 were published" in line.detail for line in apart)


@pytest.fixture(scope="module")
def zurich(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zurich")
    miniature("zurich", folder)
    return folder


@pytest.mark.parametrize(
    ("name", "cfa", "levels"),
    [
        ("zurich", "RGGB", (63, 1020)),
        ("zurich-pynet", "RGGB", (0, 1020)),
        ("zurich", "BGGR", (63, 1020)),
    ],
)
def test_levels_and_filters_are_the_recipe_s(name, cfa, levels, zurich, tmp_path):
    recipe = changed(name, cfa=cfa, limit=1)
    build(recipe, zurich, tmp_path / "out", Options())
    with shards.open(tmp_path / "out", "test") as opened:
        facts, sample, raw = opened.facts(0), opened[0], opened.raw(0)
    assert (facts.cfa, facts.black, facts.white) == (cfa, (float(levels[0]),) * 4, levels[1])
    png = cv2.imread(str(zurich / facts.source), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(raw, png)
    scaled = (png.astype(np.float32) - levels[0]) / (levels[1] - levels[0])
    np.testing.assert_allclose(sample.input, scaled, atol=1e-6)


def test_filters_that_no_sensor_has_are_refused():
    with pytest.raises(ValueError, match=r"Invalid enum value 'RGB' - at `\$\.cfa`"):
        msgspec.convert({"make": "released", "white": 1020.0, "cfa": "RGB"}, Released)


def test_red_is_where_pynet_has_it(zurich):
    """R at rows 0, 2, ... and columns 0, 2, ...; B at rows and columns 1, 3, ..."""
    raw = cv2.imread(str(zurich / "test/huawei_raw/0.png"), cv2.IMREAD_UNCHANGED).astype(float)
    blue, _, red = cv2.imread(str(zurich / "test/canon/0.jpg")).astype(float).transpose(2, 0, 1)
    own = np.log((raw[0::2, 0::2] - 50) / (raw[1::2, 1::2] - 50))
    other = np.log((red[0::2, 0::2] + 8) / (blue[0::2, 0::2] + 8))
    assert np.corrcoef(own.ravel(), other.ravel())[0, 1] > 0.7


@pytest.mark.parametrize("name", ["dped", "zurich"])
def test_shards_say_that_they_may_not_be_passed_on(name, tmp_path):
    miniature(name, tmp_path / "files")
    recipe = changed(name, limit=1)
    build(recipe, tmp_path / "files", tmp_path / "out", Options())
    shard = next((tmp_path / "out").glob("*.h5"))
    told = CliRunner().invoke(main, ["inspect", str(shard)])
    assert told.exit_code == 0, told.output
    assert "forbidden" in told.output
    assert cards.load("dped-originals").redistribution == "forbidden"


def test_real_patches_of_dped(shared_data, tmp_path):
    """300 of the released ones: 103, 177 and 221 are black; how well they fit was counted apart."""
    for side in ("iphone", "canon"):
        folder = tmp_path / "files/dped/iphone/test_data/patches"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / side).symlink_to(shared_data / "dped/patches" / side)
    build(Recipe.load("dped"), tmp_path / "files", tmp_path / "out", Options())
    lines = ledger(tmp_path / "out")
    flat = {line["file"].rsplit("/")[-1] for line in lines if line["reason"] == "flat"}
    assert flat == {"103.jpg", "177.jpg", "221.jpg"}
    assert [line["number"] for line in lines if line["reason"] == "count"] == [300]
    with shards.open(tmp_path / "out") as opened:
        fits = [row.correlation for table in opened.tables for row in table.pairs]
    assert len(fits) == 297
    assert np.percentile(fits, 5) == pytest.approx(0.906, abs=0.01)
    assert np.median(fits) == pytest.approx(0.954, abs=0.005)
