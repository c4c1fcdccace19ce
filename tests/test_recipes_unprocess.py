"""Photographs made raw: splits, what shards state, and shards that a plain restatement gives."""

import json
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from isptools import shards
from isptools.build import BuildError
from isptools.datasets import miniature
from isptools.recipe import Recipe
from isptools.shards.check import check
from isptools.synth.unprocess import Profile
from tests.recipes import changed, listed, made

QUIET = Profile(((0.0, 0.0),))
ONE = {
    "noise": QUIET, "red": (2.0, 2.0), "blue": (1.6, 1.6), "brightness": (0.8, 0.0),
    "ratio": (4.0, 4.0),
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp("photographs")
    miniature("photographs", out)
    return out


@pytest.fixture(scope="module")
def built(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "out"
    made("unprocess", root, out, small=True)
    assert not check(out)
    return out


def ledger(out):
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


def picture(path, value=120, shape=(200, 300)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*shape, 3), value, np.uint8))


def test_every_split_has_a_photograph_from_three_on(tmp_path):
    """Shares of the number of photographs, at least one each: 8 : 1 : 1 of 3, 5, 11 and 40."""
    for count, want in {3: (1, 1, 1), 5: (3, 1, 1), 11: (9, 1, 1), 40: (32, 4, 4)}.items():
        for n in range(count):
            (tmp_path / str(count)).mkdir(exist_ok=True)
            (tmp_path / str(count) / f"IMG {n}.jpg").touch()
        found = listed("unprocess", tmp_path / str(count)).scenes
        splits = [scene.split for scene in found]
        assert tuple(splits.count(name) for name in ("train", "val", "test")) == want
    whole = changed("unprocess", shares=(1, 0, 0))
    assert {scene.split for scene in listed(whole, tmp_path / "40").scenes} == {"train"}


def test_the_users_own_splits_hold(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").touch()
    (tmp_path / "splits.tsv").write_text("scene\tsplit\na\ttest\nb\ttrain\n")
    found = listed("unprocess", tmp_path)
    assert {scene.name: scene.split for scene in found.scenes} == {"a": "test", "b": "train"}
    assert [(line.scene, line.reason) for line in found.lines] == [("c", "not-listed")]


def test_what_can_not_be_used_goes_to_the_ledger(tmp_path):
    source = tmp_path / "source"
    picture(source / "one.jpg")
    picture(source / "deep" / "two.PNG".lower())
    picture(source / "small.png", shape=(100, 300))
    picture(source / "twin.jpg")
    picture(source / "twin.png")
    picture(source / ".cache" / "hidden.png")
    (source / "broken.jpg").write_bytes(b"no picture")
    cut = (source / "one.jpg").read_bytes()[:500]
    (source / "cut.jpg").write_bytes(cut)
    (source / "notes.txt").write_text("not asked")
    made(changed("unprocess", shares=(1, 0, 0)), source, tmp_path / "out")
    assert {(line["file"], line["reason"]) for line in ledger(tmp_path / "out")} == {
        ("small.png", "too-small"), ("twin.jpg", "two-files"), ("broken.jpg", "unreadable"),
        ("cut.jpg", "unreadable"),
    }  # fmt: skip
    with shards.open(tmp_path / "out") as opened:
        keys = {opened.facts(i).key for i in range(len(opened))}
    assert keys == {"photographs/one", "photographs/deep/two"}


def test_no_photograph_is_said_in_one_message(tmp_path):
    with pytest.raises(BuildError, match="so that --source holds JPEG, PNG or TIFF files"):
        listed("unprocess", tmp_path)


def test_shards_hold_what_the_papers_steps_give(root, tmp_path):
    """Without noise: every pixel from the picture by the equations, written out once more."""
    made(changed("unprocess", **ONE), root, tmp_path / "out", small=True)
    with shards.open(tmp_path / "out", "test") as opened:
        facts, mosaic = opened.facts(0), opened.raw(0)
        sample = opened[0]
        file = root / facts.source
    y = cv2.imread(str(file))[..., ::-1] / 255
    x = (0.5 - np.sin(np.arcsin(1 - 2 * y) / 3)).clip(1e-8) ** 2.2
    xyz = x @ np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                        [0.0193339, 0.1191920, 0.9503041]]).T  # fmt: skip
    np.testing.assert_allclose(sample.restoration.transpose(1, 2, 0), xyz, atol=1.25 / 65535)
    np.testing.assert_array_equal(np.rint(sample.enhancement.transpose(1, 2, 0) * 255), y * 255)
    camera = x @ np.linalg.inv(np.array(facts.camera_to_srgb)).T
    gray = camera.mean(-1, keepdims=True)
    mask = ((gray - 0.9).clip(0) / 0.1) ** 2
    inverse = 0.8 / np.array([2.0, 1.0, 1.6])
    seen = (camera * np.maximum(mask + (1 - mask) * inverse, inverse)).clip(0, 1) / 4
    for i, color in enumerate((0, 1, 1, 2)):
        at = slice(i // 2, None, 2), slice(i % 2, None, 2)
        want = seen[(*at, color)] * (16383 - 512) + 512
        np.testing.assert_allclose(mosaic[at], want, atol=0.51)
    assert (facts.cfa, facts.black, facts.white) == ("RGGB", (512.0,) * 4, 16383)
    assert facts.as_shot == (2.0, 1.0, 1.6, 0.0)
    assert (facts.ratio, facts.ratio_origin) == (pytest.approx(4.0 / 0.8), "recipe")
    assert facts.noise_origin == "recipe"
    assert facts.read == pytest.approx((1 / 12 / (16383 - 512) ** 2,) * 4)


def test_matrices_are_librawss_own_way_from_xyz(built):
    """camera_to_srgb is the inverse of the rows, brought to sum 1, of xyz_to_camera times sRGB."""
    with shards.open(built) as opened:
        facts = [opened.facts(i) for i in range(len(opened))]
    srgb = np.linalg.inv([[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560],
                          [0.0556434, -0.2040259, 1.0572252]])  # fmt: skip
    for one in facts:
        rows = np.array(one.xyz_to_camera) @ srgb
        back = np.linalg.inv(rows / rows.sum(1, keepdims=True))
        np.testing.assert_allclose(one.camera_to_srgb, back, atol=1e-4)
        np.testing.assert_allclose(one.daylight[:3], 1 / rows.sum(1), rtol=1e-4)
    assert len({one.xyz_to_camera for one in facts}) == len(facts)  # each has a camera of its own


def test_noise_of_the_mosaic_is_what_the_row_states(tmp_path):
    """A flat gray: the spread over half a million pixels is the stated line's."""
    picture(tmp_path / "source" / "flat.png", 128, (800, 800))
    made(changed("unprocess", shares=(1, 0, 0)), tmp_path / "source", tmp_path / "out")
    with shards.open(tmp_path / "out") as opened:
        facts, mosaic = opened.facts(0), opened.raw(0)
    for i in range(4):
        x = (mosaic[i // 2 :: 2, i % 2 :: 2] - 512.0) / (16383 - 512)
        assert x.var() == pytest.approx(facts.shot[i] * x.mean() + facts.read[i], rel=0.02)
    assert 1e-4 <= facts.shot[0] <= 1.2e-2


def test_an_upright_portrait_is_made_upright(tmp_path):
    """EXIF orientation 6: the stored picture lies, the shard's stands."""
    source = tmp_path / "source"
    source.mkdir()
    lying = np.zeros((160, 240, 3), np.uint8)
    lying[:, :120] = 200  # left half; upright it is the top half
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(lying).save(source / "turned.jpg", quality=100, exif=exif)
    made(changed("unprocess", shares=(1, 0, 0)), source, tmp_path / "out")
    with shards.open(tmp_path / "out") as opened:
        truth = opened[0].enhancement
    assert truth.shape == (3, 240, 160)
    assert truth[:, :110].mean() > 0.7
    assert truth[:, 130:].mean() < 0.05


def test_a_scenes_chance_is_its_own(root, tmp_path):
    """Neither the other photographs nor the order change it; the recipe's seed does."""
    some = tmp_path / "some"
    (some / "city").mkdir(parents=True)
    for name in ("city/picture-03.png", "picture-02.png"):
        shutil.copy(root / name, some / name)
    found = {}
    for out, source, seed in (("a", root, 0), ("b", some, 0), ("c", some, 1)):
        made(changed("unprocess", seed=seed, shares=(1, 0, 0)), source, tmp_path / out)
        with shards.open(tmp_path / out) as opened:
            keys = [opened.facts(i).key for i in range(len(opened))]
            found[out] = opened.raw(keys.index("photographs/city/picture-03"))
    np.testing.assert_array_equal(found["a"], found["b"])
    assert (found["a"] != found["c"]).mean() > 0.5


@pytest.mark.parametrize(
    ("word", "value", "said"),
    [
        ("red", (2.0, 1.0), "least, largest"),
        ("black", 16383, "must be above"),
        ("brightness", (0.2, 0.1), "three times"),
        ("matrices", (((1.0, 1, 1), (1, 1, 1), (1, 1, 1)),), "no inverse"),
    ],
)
def test_words_that_make_no_raw_are_refused(word, value, said):
    with pytest.raises(ValueError, match=said):
        changed("unprocess", **{word: value})


def test_the_papers_numbers_are_the_recipes():
    """As printed: CVPR 2019, sections 3.1 to 3.4."""
    truth = Recipe.load("unprocess").truth
    assert (truth.noise.shot, truth.noise.slope, truth.noise.offset, truth.noise.deviation) == (
        (1e-4, 0.012), 2.18, 1.20, 0.26,
    )  # fmt: skip
    assert (truth.red, truth.blue, truth.brightness) == ((1.9, 2.4), (1.5, 1.9), (0.8, 0.1))
    assert (truth.tone, truth.curve, len(truth.matrices)) == ("smoothstep", "gamma", 4)
