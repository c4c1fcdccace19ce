"""MSR: built from the miniature, compared with its own files, and spoiled."""

import json
import shutil
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from isptools import datasets, shards
from isptools.build import BuildError, Options, build
from isptools.datasets import card as cards
from isptools.datasets import miniature, msr
from isptools.recipe import Recipe
from isptools.shards.check import check
from tests import twice
from tests.recipes import changed, listed

NOISY = "Dataset_LINEAR_with_noise/bayer_panasonic"
CANON = "Dataset_LINEAR_with_noise/bayer_canon"
RECIPES = ("msr", "msr-canon", "msr-clean")
PARTS = {"msr": NOISY, "msr-canon": CANON, "msr-clean": NOISY.replace("with", "without")}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("msr")
    miniature("msr", out)
    return out


@pytest.fixture
def copy(root, tmp_path) -> Path:
    return shutil.copytree(root, tmp_path / "root")


def made(name: str, source: Path, out: Path, **options):
    return build(Recipe.load(name), source, out, Options(**options))


def ledger(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


def deep(path: Path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_the_manifest_states_what_was_published():
    data_set = cards.load("msr")
    counts = {rule.name: rule.pairs for rule in data_set.rules}
    assert counts == {"panasonic": 500, "canon": 57, "panasonic-clean": 500, "canon-clean": 57}
    assert data_set.redistribution == "forbidden"
    assert "MSR-LA" in data_set.licence
    cfas = {rule.name: rule.sensor.cfa for rule in data_set.rules}
    assert cfas["panasonic"] == cfas["panasonic-clean"] == "RGGB"
    assert cfas["canon"] == cfas["canon-clean"] == ""  # stated nowhere: found from the files


def test_the_published_counts_of_the_lists(tmp_path):
    """500 = 300 for training and validation + 200 for testing, and 57."""
    folder = tmp_path / NOISY
    (folder / "input").mkdir(parents=True)
    for name, ids in (("train", range(270)), ("validation", range(270, 300)),
                      ("test", range(300, 500))):  # fmt: skip
        (folder / f"{name}.txt").write_text("".join(f"{one}\r\n" for one in ids))
    found = listed("msr", tmp_path)
    scenes = [scene.split for scene in found.scenes]
    assert [scenes.count(split) for split in ("train", "val", "test")] == [270, 30, 200]
    assert all(len(scene.shot.inputs) == 1 for scene in found.scenes)
    assert not found.lines  # exactly what was published
    (folder / "test.txt").write_text("300\n301\n")
    lines = listed("msr", tmp_path).lines
    assert [(line.reason, line.number) for line in lines] == [("other-count", 302.0)]


def test_the_miniature_is_laid_out_as_the_data_set_is(root, tmp_path):
    for name in (NOISY, CANON, *(each.replace("with", "without") for each in (NOISY, CANON))):
        assert {path.name for path in (root / name).iterdir()} == {
            "input", "groundtruth", "train.txt", "validation.txt", "test.txt"
        }  # fmt: skip
        mosaics = sorted(path.name for path in (root / name / "input").iterdir())
        assert mosaics == sorted(path.name for path in (root / name / "groundtruth").iterdir())
    mosaic, truth = (deep(root / NOISY / kind / "100.png") for kind in ("input", "groundtruth"))
    assert (mosaic.shape, mosaic.dtype) == ((132, 220), np.uint16)
    assert (truth.shape, truth.dtype) == ((132, 220, 4), np.uint16)
    assert (truth[..., 3] == 65535).all()
    assert truth[..., :3].max() == 65535  # cut off at white
    clean = deep(root / PARTS["msr-clean"] / "input" / "100.png")
    sigma = (mosaic.astype(float) - clean)[clean < 60000].std() / 65535 * 255
    assert 1.4 <= sigma <= 2.9  # as on the data set's own samples
    miniature("msr", tmp_path)
    for path in root.rglob("*.png"):
        assert path.read_bytes() == (tmp_path / path.relative_to(root)).read_bytes()


@pytest.mark.parametrize("name", RECIPES)
def test_shards_hold_the_files_own_numbers(name, root, tmp_path):
    made(name, root, tmp_path / "out")
    assert not check(tmp_path / "out")
    for split in {"msr-canon": ("test",)}.get(name, ("train", "val", "test")):
        listed_ids = {"train": "train", "val": "validation", "test": "test"}[split]
        ids = (root / PARTS[name] / f"{listed_ids}.txt").read_text().split()
        with shards.open(tmp_path / "out", split) as opened:
            assert [opened.facts(i).source for i in range(len(opened))] == [
                f"{PARTS[name]}/input/{one}.png" for one in ids
            ]
            assert opened.tables[0].attrs["redistribution"] == "forbidden"
            for i, one in enumerate(ids):
                mosaic = deep(root / PARTS[name] / "input" / f"{one}.png")
                truth = deep(root / PARTS[name] / "groundtruth" / f"{one}.png")[..., 2::-1]
                np.testing.assert_array_equal(opened.raw(i), mosaic)
                stored, scale = opened.stored(i, "restoration", (0, 0, 132, 220))
                np.testing.assert_array_equal(stored, truth.transpose(2, 0, 1))
                assert scale == 1 / 65535
                facts = opened.facts(i)
                assert (facts.black, facts.white) == ((0.0,) * 4, 65535.0)
                assert facts.cfa == ("GBRG" if name == "msr-canon" else "RGGB")


@pytest.mark.parametrize(
    "name", [RECIPES[0], *(pytest.param(one, marks=pytest.mark.long) for one in RECIPES[1:])]
)
def test_one_command_and_two_jobs(name, root, tmp_path):
    twice.expect(name, root, tmp_path)


@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_the_phase_of_canon_is_found(cfa, copy, tmp_path):
    for one in (1, 2, 7):
        picture = deep(copy / CANON / "groundtruth" / f"{one}.png")[..., 2::-1]
        flat = np.empty(picture.shape[:2], np.uint16)
        for i, letter in enumerate(cfa):
            at = slice(i // 2, None, 2), slice(i % 2, None, 2)
            flat[at] = picture[(*at, "RGB".index(letter))]
        cv2.imwrite(str(copy / CANON / "input" / f"{one}.png"), flat)
    made("msr-canon", copy, tmp_path / "out")
    with shards.open(tmp_path / "out") as opened:
        assert {opened.facts(i).cfa for i in range(3)} == {cfa}
    told = [line for line in ledger(tmp_path / "out") if line["reason"] == "phase"]
    assert told[0]["detail"].startswith(f"color filters {cfa} from 3 pairs")
    assert told[0]["number"] > 1.2


def test_a_phase_that_gray_pictures_do_not_show(copy, tmp_path):
    for one in (1, 2, 7):
        gray = np.full((132, 220, 4), 30000, np.uint16)
        cv2.imwrite(str(copy / CANON / "groundtruth" / f"{one}.png"), gray)
        cv2.imwrite(str(copy / CANON / "input" / f"{one}.png"), gray[..., 0])
    with pytest.raises(BuildError, match="can't be told from 3 pairs; state `cfa`"):
        made("msr-canon", copy, tmp_path / "out")


def small(path: Path) -> None:
    cv2.imwrite(str(path), deep(path)[:-2])


def shallow(path: Path) -> None:
    cv2.imwrite(str(path), (deep(path) >> 8).astype(np.uint8))


def moved(path: Path) -> None:
    cv2.imwrite(str(path), np.roll(deep(path), 1, axis=1))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def gray(path: Path) -> None:
    cv2.imwrite(str(path), deep(path)[..., 0])


@pytest.mark.parametrize(
    ("spoil", "side", "reason", "detail"),
    [
        (Path.unlink, "input", "missing", "the file is not there"),
        (Path.unlink, "groundtruth", "truth-missing", "can't be used (missing)"),
        (small, "input", "wrong-size", "130 x 220, its truth 132 x 220"),
        (small, "groundtruth", "wrong-size", "132 x 220, its truth 130 x 220"),
        (shallow, "input", "unreadable", "white is 65535"),
        (shallow, "groundtruth", "truth-missing", "can't be used (unreadable)"),
        (moved, "input", "wrong-phase", "stated as RGGB, but"),
        (cut_off, "input", "unreadable", "cut off"),
        (cut_off, "groundtruth", "truth-missing", "can't be used (unreadable)"),
        (gray, "groundtruth", "truth-missing", "can't be used (unreadable)"),
    ],
)
def test_a_bad_file_ends_in_the_ledger(copy, tmp_path, spoil, side, reason, detail):
    spoil(copy / NOISY / side / "3.png")
    made("msr", copy, tmp_path / "out", splits=("train",))
    assert not check(tmp_path / "out")
    with shards.open(tmp_path / "out") as opened:
        assert {opened.facts(i).scene for i in range(len(opened))} == {
            f"panasonic/{one}" for one in (1, 2, 5, 8, 13)
        }
    found = [line for line in ledger(tmp_path / "out") if line["scene"] == "panasonic/3"]
    why = {line["reason"]: line["detail"] for line in found}
    assert reason in why, found
    assert detail in why[reason]
    assert not any(str(copy) in line["detail"] for line in found)


def test_pictures_beyond_the_lists_are_told(copy, tmp_path):
    shutil.copy(copy / NOISY / "input" / "3.png", copy / NOISY / "input" / "77.png")
    made("msr", copy, tmp_path / "out")
    unlisted = [line["file"] for line in ledger(tmp_path / "out") if line["reason"] == "unlisted"]
    assert unlisted == [f"{NOISY}/input/77.png"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("test.txt", "100\n3\n", "test.txt:2: 3 stands in two splits"),
        ("train.txt", "1\n../2\n", r"train.txt:2: expected the id of a picture, not '../2'"),
    ],
)
def test_lists_that_can_not_be_right(copy, tmp_path, name, text, message):
    (copy / NOISY / name).write_text(text)
    with pytest.raises(BuildError, match=message):
        made("msr", copy, tmp_path / "out")


def test_what_is_not_there(copy, tmp_path):
    for name in ("train", "validation", "test"):
        (copy / NOISY / f"{name}.txt").unlink()
    with pytest.raises(BuildError, match=r"there is none of train\.txt"):
        made("msr", copy, tmp_path / "out")
    with pytest.raises(BuildError, match="MSR-LA: non-commercial"):
        made("msr", tmp_path / "out", tmp_path / "other")
    wrong = changed("msr", parts=("nikon",))
    with pytest.raises(BuildError, match="no rule 'nikon'; it has: panasonic, canon"):
        build(wrong, copy, tmp_path / "third")


MINE = """
name = "mine"
title = "Mine"
licence = "CC0-1.0"
redistribution = "allowed"
home = "https://example.org/mine"
downloads = []
size = "4 files"
place = "so that --source holds the folders"
roots = ["."]
sensor = { cfa = "RGGB", white = 65535, make = "Own", model = "One" }
"""


def test_own_mosaics_from_a_table(root, tmp_path):
    """PNGs that files.tsv names: the [sensor] table says what they are."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "dataset.toml").write_text(MINE)
    rows = [f"train\tone\t{role}\t{NOISY}/{folder}/1.png\t\t100"
            for role, folder in (("truth", "groundtruth"), ("input", "input"))]  # fmt: skip
    head = "split\tscene\trole\tpath\texposure_s\tiso"
    (tmp_path / "mine" / "files.tsv").write_text("\n".join([head, *rows]) + "\n")
    recipe = changed("msr", name="mine", source={"data_set": "mine"})
    opened = datasets.opened(recipe.source, tmp_path)
    build(recipe, root, tmp_path / "out", Options(data_set=opened))
    assert not check(tmp_path / "out")
    with shards.open(tmp_path / "out") as opened:
        facts = opened.facts(0)
    assert (facts.make, facts.model, facts.cfa, facts.iso) == ("Own", "One", "RGGB", 100)


def test_a_published_truth_takes_no_steps():
    text = Path("recipes/msr.toml").read_text()
    for added in ('steps = [{ step = "levels" }]', 'fuse = "truth"'):
        more = text.replace('"develop"', f'"develop"\n{added}')
        with pytest.raises(ValueError, match=r"is not developed.* - at `\$\.truth`"):
            msgspec.toml.decode(more, type=Recipe)
    more = text.replace('"as-it-comes"', '"as-it-comes"\nat = "xyz"')
    with pytest.raises(ValueError, match=r"unknown field `at` - at `\$\.truth\.restoration`"):
        msgspec.toml.decode(more, type=Recipe)


def test_the_pictures_conversion_is_part_of_the_miniature():
    """A mosaic of the miniature is its truth at one color a pixel."""
    picture = msr.truth("bayer_canon", 7)
    flat = msr.mosaic_of("bayer_canon", picture)
    assert (flat[0::2, 0::2] == picture[0::2, 0::2, 1]).all()
    assert (flat[0::2, 1::2] == picture[0::2, 1::2, 2]).all()
    assert (flat[1::2, 0::2] == picture[1::2, 0::2, 0]).all()
