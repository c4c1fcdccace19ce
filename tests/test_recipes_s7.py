"""S7-ISP: its layout and split, black level and turned JPEGs, on the miniature."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import imageio.v3 as imageio
import msgspec
import numpy as np
import pytest
import rawpy
from click.testing import CliRunner

from isptools import datasets, raw, shards
from isptools.build import BuildError
from isptools.cli import main
from isptools.datasets import card as cards
from isptools.datasets import miniature
from isptools.develop.chain import develop
from isptools.recipe import Recipe
from isptools.shards.check import check
from tests import recipes
from tests.recipes import changed, listed

TWIN, TWINS = "20161109_131033", ("20161109_224805_0", "20161109_224805_1")
UNTOLD, TOLD = "20161108_181533", "20161108_190210"  # portraits


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("s7")
    miniature("s7-isp", out)
    return out


def made(recipe: str | Recipe, source: Path, out: Path, **how):
    return recipes.made(recipe, source, out, small=True, **how)


def ledger(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


def rows(out: Path):
    with shards.open(out) as opened:
        return {
            opened[i].facts.scene: (opened[i], opened.truth_facts(i)) for i in range(len(opened))
        }


@pytest.fixture(scope="module")
def built(root, tmp_path_factory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("built")
    for name in ("s7-isp", "s7-isp-mimic"):
        made(name, root, out / name)
        assert not check(out / name)
    return {name: out / name for name in ("s7-isp", "s7-isp-mimic")}


def test_curls_list_has_ten_and_ten():
    known = cards.load("s7-isp").scenes
    assert Counter(row.lists for row in known) == {"curl:val": 10, "curl:test": 10}
    assert cards.load("s7-isp").redistribution == "unknown"


def scene_names() -> list[str]:
    """110 of them: CURL's twenty, nine of one time, and 81 of other times."""
    curl = [row.scene for row in cards.load("s7-isp").scenes]
    burst = [f"20161109_224805_{k}" for k in range(9)]
    return curl + burst + [f"20161111_1{k:05d}" for k in range(81)]


def listing(tmp_path: Path, scenes: list[str], recipe: str | Recipe):
    for scene in scenes:
        (tmp_path / "S7-ISP-Dataset" / scene).mkdir(parents=True)
        for name in (
            "medium_exposure.dng", "medium_exposure.jpg", "short_exposure1.dng",
            "short_exposure.jpg",
        ):  # fmt: skip
            (tmp_path / "S7-ISP-Dataset" / scene / name).touch()
    return listed(recipe, tmp_path)


def test_110_scenes_are_90_10_10(tmp_path):
    found = listing(tmp_path, scene_names(), "s7-isp")
    assert not found.lines
    assert Counter(one.split for one in found.scenes) == {"train": 90, "val": 10, "test": 10}
    shot = found.scenes[0].shot
    names = [Path(one.path).name for one in (shot.truth, *shot.inputs, shot.final)]
    assert names == ["medium_exposure.dng", "short_exposure1.dng", "medium_exposure.jpg"]


def test_shares_keep_scenes_of_one_time_together(tmp_path):
    recipe = changed("s7-isp", published="", shares=(90, 10, 10))
    split = {one.name: one.split for one in listing(tmp_path, scene_names(), recipe).scenes}
    assert len({split[f"20161109_224805_{k}"] for k in range(9)}) == 1
    counts = Counter(split.values())
    assert 10 <= counts["test"] < 19
    assert 10 <= counts["val"] < 19
    assert sum(counts.values()) == 110


def test_a_twin_follows_the_listed_scene(built):
    found = rows(built["s7-isp"])
    assert {scene: row.split for scene, (row, _) in found.items()} == {
        "20161107_234316": "val", TWIN: "test", f"{TWIN}_1": "test", UNTOLD: "train",
        TOLD: "train", TWINS[0]: "train", TWINS[1]: "train",
    }  # fmt: skip
    (line,) = ledger(built["s7-isp"])
    assert (line["scene"], line["kind"], line["reason"]) == (
        f"{TWIN}_1", "noted", "near-duplicate"
    )  # fmt: skip


def test_a_group_that_the_list_would_split_goes_to_test(tmp_path):
    known = tuple(
        cards.SceneRow(scene, lists=f"curl:{split}")
        for scene, split in (("20161109_100000", "val"), ("20161109_100000_1", "test"))
    )
    official = msgspec.structs.replace(cards.load("s7-isp"), scenes=known)
    for scene in (*(row.scene for row in known), "20161109_100000_2", "20161109_100001"):
        (tmp_path / scene).mkdir()
        for name in ("medium_expusure.dng", "short_expusure1.dng"):
            (tmp_path / scene / name).touch()
    opened = datasets.selected(official, {"published": "curl"})
    found = opened.room.find(official, opened.select, tmp_path)
    lines, split = found.lines, {one.name: one.split for one in found.scenes}
    assert split == {
        "20161109_100000": "test", "20161109_100000_1": "test", "20161109_100000_2": "test",
        "20161109_100001": "train",
    }  # fmt: skip
    assert [line.scene for line in lines] == ["20161109_100000", "20161109_100000_2"]


def test_the_ratio_comes_of_the_tags(built):
    for row, _ in rows(built["s7-isp"]).values():
        assert row.facts.ratio == pytest.approx(125 / 30)
        assert row.facts.ratio_origin == "exif"
        assert row.facts.cfa == "GRBG"
    for row, facts in rows(built["s7-isp-mimic"]).values():
        assert row.facts.ratio == 1
        assert row.restoration is None
        assert row.facts.source == facts.source
        assert "medium" in row.facts.source


@pytest.mark.parametrize("name", ["s7-isp", "s7-isp-mimic"])
def test_portraits_are_turned_onto_the_sensor(name, root, built):
    for scene, (row, facts) in rows(built[name]).items():
        (path,) = (root / scene).glob("medium_*.jpg")
        picture = imageio.imread(path)
        upright = scene in {UNTOLD, TOLD}
        assert picture.shape == ((384, 288, 3) if upright else (288, 384, 3))
        laid = np.rot90(picture) if upright else picture
        np.testing.assert_array_equal(np.rint(row.enhancement * 255), laid.transpose(2, 0, 1))
        assert facts.enhanced_turned == upright
        assert facts.flip == (6 if scene == TOLD else 0)


def test_truths_are_the_well_lit_raw(root, built):
    steps = Recipe.load("s7-isp").truth.steps
    for scene, (row, _) in rows(built["s7-isp"]).items():
        (well_lit,) = (root / scene).glob("medium_*.dng")
        (dark,) = (root / scene).glob("short_*.dng")
        xyz = develop(raw.read(well_lit), steps).pixels.transpose(2, 0, 1)
        np.testing.assert_allclose(row.restoration, np.clip(xyz, 0, 1.25), atol=2e-5)
        with rawpy.imread(str(dark)) as opened:
            light = (opened.raw_image_visible.astype(float) - 64) / (1023 - 64)
        np.testing.assert_allclose(row.input, light, atol=1e-6)


@pytest.mark.parametrize("black", [0.0, 60.0])
def test_black_is_the_recipes_choice(black, root, tmp_path):
    recipe = changed("s7-isp", black=black)
    assert recipe.sha256 != Recipe.load("s7-isp").sha256
    summary = made(recipe, root, tmp_path)
    assert sum(shard.rows for shard in summary.shards) == 7
    for scene, (row, _) in rows(tmp_path).items():
        assert row.facts.black == (black,) * 4
        (dark,) = (root / scene).glob("short_*.dng")
        (well_lit,) = (root / scene).glob("medium_*.dng")
        with rawpy.imread(str(dark)) as opened:
            light = (opened.raw_image_visible - black) / (1023 - black)
        np.testing.assert_allclose(row.input, light, atol=1e-6)
        with rawpy.imread(str(well_lit)) as opened:
            green = opened.postprocess(
                use_camera_wb=True, no_auto_bright=True, output_bps=16, user_flip=0,
                user_black=int(black), adjust_maximum_thr=0.0, gamma=(1, 1),
                output_color=rawpy.ColorSpace.XYZ,
            )[..., 1]  # fmt: skip
        unclipped = np.clip(row.restoration[1], 0, 1)  # LibRaw's ends at 1
        np.testing.assert_allclose(unclipped, green / 65535, atol=5e-5)


def test_a_black_level_above_white_is_refused(root, tmp_path):
    made(changed("s7-isp", black=2000.0), root, tmp_path)
    reasons = Counter(line["reason"] for line in ledger(tmp_path))
    assert reasons["black-level"] == 7
    done = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert isinstance(done.exception, SystemExit)
    assert "there are no shards" in done.output.splitlines()[-1]


def test_two_jobs_give_the_same_bytes(root, built, tmp_path):
    made("s7-isp", root, tmp_path, jobs=2)
    digests = [
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("*.h5")}
        for out in (tmp_path, built["s7-isp"])
    ]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 3


def test_what_is_wrong_is_told(root, tmp_path):
    part = tmp_path / "part"
    for scene in ("20161107_234316", UNTOLD, *TWINS):
        shutil.copytree(root / scene, part / scene)
    (part / "20161107_234316/short_exposure1.dng").unlink()
    (part / TWINS[0] / "medium_exposure.jpg").unlink()
    shutil.copy(part / TWINS[1] / "short_exposure1.dng", part / TWINS[1] / "short_expusure1.dng")
    picture = imageio.imread(part / UNTOLD / "medium_exposure.jpg")
    imageio.imwrite(part / UNTOLD / "medium_exposure.jpg", np.roll(picture, 9, axis=0))
    with pytest.raises(BuildError, match="is not in"):
        made("s7-isp", tmp_path / "nothing", tmp_path / "none")
    made("s7-isp", part, tmp_path / "out")
    told = {(line["scene"], line["reason"]): line for line in ledger(tmp_path / "out")}
    assert told.keys() == {
        ("20161107_234316", "missing"), (TWIN, "missing"), (TWINS[0], "final-missing"),
        (TWINS[1], "two-files"), (TWINS[1], "missing"), (UNTOLD, "misaligned"),
    }  # fmt: skip
    numbers = [line["number"] for line in ledger(tmp_path / "out") if line["number"] is not None]
    assert numbers == [pytest.approx(9, abs=0.5)]


def test_a_wider_limit_is_the_recipes_choice(root, tmp_path):
    part = tmp_path / "part"
    shutil.copytree(root / UNTOLD, part / UNTOLD)
    picture = imageio.imread(part / UNTOLD / "medium_exposure.jpg")
    imageio.imwrite(part / UNTOLD / "medium_exposure.jpg", np.roll(picture, 3, axis=0))
    recipe = Recipe.load("s7-isp")
    wider = msgspec.structs.replace(recipe.truth.enhancement, within=4.0)
    summary = made(changed(recipe, enhancement=wider), part, tmp_path / "out")
    assert sum(shard.rows for shard in summary.shards) == 1
