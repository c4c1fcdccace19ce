"""FiveK: its index against what is published of it, and its recipes on the miniature."""

import hashlib
import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import rawpy
import tifffile
from PIL import Image, ImageCms

from isptools import raw, shards
from isptools.build import BuildError, build
from isptools.build.lineup import shifts_between
from isptools.datasets import card as cards
from isptools.datasets import miniature
from isptools.datasets.fivek import icc_profile
from isptools.develop import profile
from isptools.develop.chain import develop
from isptools.recipe import Recipe
from isptools.shards.check import check
from tests import recipes
from tests.recipes import changed, listed

RECIPES = ("fivek", "fivek-invisp", "fivek-cross", "fivek-libraw")
COUNTS = {
    "Canon EOS 5D": 777, "Canon EOS 450D": 627, "Nikon D700": 590, "Nikon D70s": 456,
    "Canon EOS 20D": 365, "Canon EOS 40D": 314, "Canon EOS-1D Mark II": 244, "Nikon D70": 219,
    "Nikon D80": 145, "Canon EOS 30D": 115, "Canon EOS 10D": 111, "Canon EOS DIGITAL REBEL": 104,
    "Sony DSLR-A900": 92, "Canon EOS 5D Mark II": 87, "Leica D-LUX 3": 84, "Nikon D100": 83,
    "Canon EOS-1Ds Mark II": 79, "Canon EOS 400D": 72, "Leica M8": 64, "Canon PowerShot G9": 57,
    "Canon PowerShot G10": 55, "Fujifilm S2Pro": 41, "Canon EOS D60": 35, "Nikon D300": 34,
    "Nikon D40X": 30, "Kodak DCS460D": 28, "Nikon D2H": 20, "Canon PowerShot S70": 17,
    "Canon EOS 350D": 15, "Canon EOS-1D Mark III": 15, "Canon EOS-1D Mark II N": 9,
    "Nikon D200": 6, "Canon EOS D30": 6, "Nikon E990": 3, "Fujifilm F700": 1,
}  # fmt: skip
PHOTOS = "fivek_dataset/raw_photos/HQa1to700/photos"
STRAIGHTENED, CUT, SPACED = "a0929-_DSC3185", "a4459-_DGW0329", "a1379-_DSC5348 (original)"


@pytest.fixture(scope="module")
def index() -> tuple[cards.SceneRow, ...]:
    return cards.load("fivek").scenes


def test_the_index_has_5000_photographs_of_35_cameras(index):
    assert Counter(row.camera for row in index) == COUNTS
    assert [row.scene[:6] for row in index] == [f"a{number:04d}-" for number in range(1, 5001)]
    assert all(re.fullmatch(r"a\d{4}-[\w ()-]+", row.scene) for row in index)
    assert sum(" " in row.scene for row in index) == 29
    assert {"a4125-jmacdscf0006 (1)", SPACED} <= {row.scene for row in index}


def test_licences_and_lists(index):
    assert Counter(row.licence for row in index) == {"Adobe": 2690, "AdobeMIT": 2310}
    d700 = [row for row in index if row.camera == "Nikon D700"]
    assert Counter(row.licence for row in d700) == {"Adobe": 503, "AdobeMIT": 87}
    assert Counter(row.lists for row in d700) == {"invisp:train": 414, "invisp:test": 73, "": 103}
    assert not any(row.lists for row in index if row.camera != "Nikon D700")
    assert cards.load("fivek").redistribution == "forbidden"


@pytest.fixture(scope="module")
def names_only(index, tmp_path_factory) -> Path:
    """The whole data set as empty files, in three folders of the archive."""
    root = tmp_path_factory.mktemp("fivek")
    for row in index:
        low = (int(row.scene[1:5]) - 1) // 2000 * 2000 + 1
        folder = root / f"raw_photos/HQa{low}to{low + 1999}/photos"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row.scene}.dng").touch()
    return root


@pytest.mark.parametrize(
    ("name", "splits", "cameras"),
    [
        ("fivek", (454, 0, 136), {"Nikon D700": 590}),  # 500 + 150 scaled to 590
        ("fivek-invisp", (414, 0, 73), {"Nikon D700": 487}),
        ("fivek-libraw", (390, 24, 73), {"Nikon D700": 487}),  # 80 : 5 : 15
        (
            "fivek-cross",
            (0, 0, 150),
            {"Sony DSLR-A900": 50, "Canon EOS 5D": 50, "Canon EOS 40D": 50},
        ),
    ],
)
def test_recipes_choose_what_they_promise(name, splits, cameras, names_only, index):
    listing = listed(name, names_only)
    assert not listing.lines
    camera = {row.scene: row.camera for row in index}
    for scene in listing.scenes:  # its raw is input and, developed, truth
        assert [one.path for one in scene.shot.inputs] == [scene.shot.truth.path]
    found = Counter(scene.split for scene in listing.scenes)
    assert tuple(found[split] for split in ("train", "val", "test")) == splits
    assert Counter(camera[scene.name] for scene in listing.scenes) == cameras


def test_shares_are_by_hash_alone(names_only):
    """The first 136 of the 590 names in the order of their sha256 are for testing."""
    split = {scene.name: scene.split for scene in listed("fivek", names_only).scenes}
    ordered = sorted(split, key=lambda name: hashlib.sha256(name.encode()).digest())
    assert {name for name in split if split[name] == "test"} == set(ordered[:136])
    both = [listed(name, names_only).scenes for name in ("fivek-libraw", "fivek-invisp")]
    test = [{one.name for one in scenes if one.split == "test"} for scenes in both]
    assert test[0] == test[1]


def test_rotated_sensors_are_refused_by_reason(names_only):
    listing = listed(changed("fivek", cameras=(), shares=(8, 1, 1)), names_only)
    lines = listing.lines
    assert Counter(line.reason for line in lines) == {"rotated-sensor": 42}
    assert "a0009-kme_372" in {line.scene for line in lines}
    assert len({scene.name for scene in listing.scenes}) == 5000 - 42


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("miniature")
    miniature("fivek", out)
    return out


def made(recipe: str | Recipe, source: Path, out: Path, **how):
    return recipes.made(recipe, source, out, small=True, **how)


def ledger(out: Path) -> dict[str, tuple[str, str, float | None]]:
    lines = [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]
    return {line["scene"]: (line["kind"], line["reason"], line["number"]) for line in lines}


def digests(out: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.glob("*.h5"))}


@pytest.fixture(scope="module")
def built(root, tmp_path_factory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("built")
    for name in RECIPES:
        made(name, root, out / name)
        assert not check(out / name)
    return {name: out / name for name in RECIPES}


def test_the_miniature_has_the_data_sets_names(root, index, tmp_path):
    known = {row.scene for row in index}
    for path in root.rglob("*.*"):
        assert path.stem in known
        folder = path.relative_to(root).parent.as_posix()
        assert folder == PHOTOS or re.fullmatch("tiff16_[a-e]", folder)
    assert len(list(root.glob("tiff16_?/a0002-dgw_005.tif"))) == 5
    miniature("fivek", tmp_path)
    for path in root.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / path.relative_to(root)).read_bytes()


@pytest.mark.long
def test_two_jobs_give_the_same_bytes(root, built, tmp_path):
    made("fivek", root, tmp_path, jobs=2)
    assert digests(tmp_path) == digests(built["fivek"])
    assert {name.split("-")[1] for name in digests(tmp_path)} == {"train", "test"}


def test_experts_pictures_that_do_not_fit_are_refused_with_numbers(built):
    told = ledger(built["fivek"])
    assert told.keys() == {STRAIGHTENED, CUT}
    assert told[CUT] == ("refused", "wrong-size", 2.0)
    assert told[STRAIGHTENED][1] == "misaligned"
    assert told[STRAIGHTENED][2] > 5


def rows(out: Path):
    with shards.open(out) as opened:
        for i in range(len(opened)):
            yield opened[i], opened.truth_facts(i)


@pytest.mark.parametrize("name", ["fivek", "fivek-cross"])
def test_truths_are_the_experts_and_the_raw_itself(name, root, built):
    """Turned and placed by hand; colors as tests/develop/test_profile.py holds them."""
    turned = {1: 0, 6: 1, 8: -1}  # quarter turns that lay an upright picture onto the sensor
    seen = set()
    for row, facts in rows(built[name]):
        scene = row.facts.scene
        frame = raw.read(root / PHOTOS / f"{scene}.dng")
        path = root / f"tiff16_c/{scene}.tif"
        stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]
        own = profile.parse(icc_profile()) if embedded(path) else profile.prophoto()
        shown = profile.to_srgb(np.ascontiguousarray(stored), own)
        laid = np.rot90(shown, turned[frame.capture.orientation]) / 65535
        top, left, high, wide = (int(value) for value in frame.capture.default_crop)
        assert laid.shape == (high, wide, 3)
        found = row.enhancement.transpose(1, 2, 0)[top : top + high, left : left + wide]
        assert np.abs(found - laid).max() < 0.51 / 255
        assert (row.enhancement[:, 0] == row.enhancement[:, top]).all()  # the border repeats
        truth = Recipe.load(name).truth
        xyz = develop(frame, (*truth.prepare, *truth.steps)).pixels.transpose(2, 0, 1)
        np.testing.assert_allclose(row.restoration, np.clip(xyz, 0, 1.25), atol=2e-5)
        repaired = develop(frame, truth.prepare).pixels
        assert (repaired != frame.pixels).mean() < 1e-3
        light = (repaired - frame.capture.black[0]) / (frame.capture.white - frame.capture.black[0])
        np.testing.assert_allclose(row.input, light, atol=1e-6)
        assert facts.enhanced == path.relative_to(root).as_posix()
        assert facts.enhanced_turned == (frame.capture.orientation != 1)
        assert row.facts.ratio == 1
        seen.add((frame.capture.orientation, scene))
    assert {orientation for orientation, _ in seen} >= {1, 6}


def embedded(path: Path) -> bytes:
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages[0].tags.get("InterColorProfile")
        return b"" if tag is None else bytes(tag.value)


def test_the_miniature_has_both_kinds_of_pictures(root):
    assert embedded(root / "tiff16_c/a0002-dgw_005.tif") == icc_profile()
    path = root / f"tiff16_c/{SPACED}.tif"
    assert not embedded(path)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].compression == 5  # LZW, which tifffile alone can't read


def test_the_libraw_truth_is_what_libraw_makes(root, built):
    for row, _ in rows(built["fivek-libraw"]):
        assert row.restoration is None
        with rawpy.imread(str(root / PHOTOS / f"{row.facts.scene}.dng")) as opened:
            wanted = opened.postprocess(
                use_camera_wb=True, no_auto_bright=True, output_bps=16, user_flip=0
            )
        expected = np.rint(wanted / 257).transpose(2, 0, 1)
        np.testing.assert_array_equal(np.rint(row.enhancement * 255), expected)
    assert STRAIGHTENED not in ledger(built["fivek-libraw"])


def test_single_files_and_other_cameras(root, tmp_path):
    """The flat folders of single downloads; a crop at an odd place, BGGR, held upright."""
    flat = tmp_path / "flat"
    shutil.copytree(root / PHOTOS, flat / "dng")
    shutil.copytree(root / "tiff16_c", flat / "tiff16_c")
    recipe = changed("fivek", cameras=("Nikon D70", "Fujifilm S2Pro"), shares=(1, 0, 0))
    made(recipe, flat, tmp_path / "out")
    assert not check(tmp_path / "out")
    ((row, facts),) = rows(tmp_path / "out")
    assert (row.facts.cfa, row.facts.flip, facts.enhanced_turned) == ("BGGR", 5, 1)
    assert row.facts.default_crop == (7, 15, 256, 370)
    assert ledger(tmp_path / "out")["a0009-kme_372"][:2] == ("refused", "rotated-sensor")


def test_what_is_not_there_or_not_known_is_told(root, tmp_path):
    part = tmp_path / "part"
    for name in ("a0002-dgw_005", "a0024-_DSC8932", "a0035-dgw_048"):
        (part / "dng").mkdir(parents=True, exist_ok=True)
        shutil.copy(root / PHOTOS / f"{name}.dng", part / "dng")
    (part / "tiff16_e").mkdir()
    shutil.copy(root / "tiff16_e/a0002-dgw_005.tif", part / "tiff16_e/a0002-dgw_005.TIFF")
    shutil.copy(root / PHOTOS / "a0024-_DSC8932.dng", part / "dng/a9999-mine.dng")
    (part / "fivek_dataset/dng").mkdir(parents=True)
    shutil.copy(root / PHOTOS / "a0035-dgw_048.dng", part / "fivek_dataset/dng")
    summary = made(changed("fivek", expert="e"), part, tmp_path / "out")
    assert sum(shard.rows for shard in summary.shards) == 1
    told = ledger(tmp_path / "out")
    assert told["a0024-_DSC8932"][:2] == ("refused", "final-missing")
    assert told["a0040-_DSC5693"][:2] == ("missing", "missing")
    assert told[""][:2] == ("unlisted", "unlisted")
    assert summary.refusals["unlisted"] == {"second-copy": 1, "unlisted": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"cameras": ("Nikon D7",)}, "the index has no camera 'Nikon D7'; it has: Canon"),
        ({"published": "invsip"}, "the index has no list 'invsip'"),
    ],
)
def test_a_wrong_choice_is_one_line(words, message, root, tmp_path):
    with pytest.raises(BuildError, match=message) as caught:
        made(changed("fivek", **words), root, tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(BuildError, match="is not in"):
        made("fivek", tmp_path, tmp_path / "none")


@pytest.mark.parametrize(
    ("recipe", "words", "message"),
    [
        ("sid", {"shares": (1, 0, 0)}, "sid: Object contains unknown field `shares` - at `source`"),
        ("fivek", {"pairs": "first"}, "fivek: Object contains unknown field `pairs`"),
        ("fivek", {"expert": "f"}, "fivek: Invalid enum value 'f' - at `source.expert`"),
        ("fivek", {"shares": (0, 0, 0)}, "must not all be 0"),
    ],
)
def test_a_word_that_does_nothing_is_refused_with_its_path(recipe, words, message, tmp_path):
    with pytest.raises(BuildError, match=message):
        build(changed(recipe, **words), tmp_path, tmp_path / "out")


def test_real_experts_pictures(shared_data):
    """Reduced pictures of a0001: their ProPhoto profile as LittleCMS reads it; B to E line up."""
    pictures = {}
    for expert in "ABCDE":
        opened = Image.open(shared_data / f"fivek/a0001-jmac_DSC1459_{expert}.jpg")
        own, stored = opened.info["icc_profile"], np.asarray(opened)
        found = profile.to_srgb(stored, profile.parse(own)) / 257
        wanted = ImageCms.profileToProfile(
            opened, ImageCms.ImageCmsProfile(io.BytesIO(own)), ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )  # fmt: skip
        assert np.abs(found - np.asarray(wanted)).max() < 1
        assert np.abs(profile.parse(own).to_xyz - profile.prophoto().to_xyz).max() < 1e-4
        pictures[expert] = found.astype(np.uint8)
    for expert in "BDE":
        shifts = shifts_between(pictures[expert], pictures["C"])
        assert len(shifts) > 50
        assert np.quantile(np.hypot(*shifts.T), 0.75) < 0.2
