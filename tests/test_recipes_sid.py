"""The SID recipes: what they choose, and that their truths are the ones they name."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rawpy

from isptools import datasets, raw
from isptools.datasets import card as cards
from isptools.datasets import miniature, sid
from isptools.develop.chain import develop, stations, walk
from isptools.frame import Frame, Space
from isptools.recipe import Recipe, find
from tests.recipes import listed

RECIPES = (
    "sid", "sid-first", "sid-cameranet", "sid-fuji", "sid-paper2018", "sid-fuji-paper2018",
)  # fmt: skip
TONED = RECIPES[:4]
WHITE = np.array([0.95047, 1.0, 1.08883])  # XYZ of D65
XYZ_FROM_SRGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = {name: tmp_path_factory.mktemp(name) for name in sid.MINIATURES}
    for name, root in out.items():
        miniature(name, root)
    return out


def truths(name: str) -> list[cards.FileRow]:
    return [row for row in sid.small(cards.load(name)).files if row.role == "truth"]


@pytest.mark.parametrize("name", RECIPES)
def test_loads_under_its_own_name_and_says_what_it_builds(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert find(name).read_text().startswith("# See-in-the-Dark, ")


def test_hashes_differ() -> None:
    assert len({Recipe.load(name).sha256 for name in RECIPES}) == len(RECIPES)


# the counts of the official lists, of CameraNet (181/50) and of its published code (280/93)
@pytest.mark.parametrize(
    ("name", "pairs", "scenes"),
    [
        ("sid", (1865, 234, 598 - 12 - 14 - 10), (161, 20, 47)),
        ("sid-paper2018", (1865, 234, 598), (161, 20, 50)),
        ("sid-first", (280, 36, 93), (161, 20, 50)),
        ("sid-cameranet", (181, 0, 50), (181, 0, 50)),
        ("sid-fuji", (1655, 218, 524 - 14), (135, 17, 40)),
        ("sid-fuji-paper2018", (1655, 218, 524), (135, 17, 41)),
    ],
)
def test_chooses_the_pairs_it_promises(
    name: str, pairs: tuple[int, int, int], scenes: tuple[int, int, int], tmp_path: Path
) -> None:
    recipe = Recipe.load(name)
    opened = datasets.opened(recipe.source)
    files = {row.path for row in opened.card.files}
    for path in files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    chosen = listed(name, tmp_path).scenes
    splits = ("train", "val", "test")
    inputs = Counter(scene.split for scene in chosen for _ in scene.shot.inputs)
    assert tuple(inputs[split] for split in splits) == pairs
    found = Counter(scene.split for scene in chosen)
    assert tuple(found[split] for split in splits) == scenes
    assert recipe.truth.max_ratio == 300


@pytest.mark.parametrize("name", TONED)
def test_restoration_is_linear_xyz_that_holds_white(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.truth.restoration is not None
    assert (recipe.truth.restoration.at, recipe.truth.restoration.dtype) == (Space.XYZ, "uint16")
    assert recipe.truth.restoration.full_scale > WHITE.max()
    assert stations(recipe.truth.steps)[-1] == Space.SRGB


@pytest.mark.parametrize("name", TONED)
def test_enhancement_says_that_it_is_a_substitute(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.truth.enhancement is not None
    assert (recipe.truth.enhancement.at, recipe.truth.enhancement.dtype) == (Space.SRGB, "uint8")
    assert "Photoshop" in recipe.truth.enhancement.note
    assert "can't be had" in recipe.truth.enhancement.note


@pytest.mark.parametrize("name", ["sid", "sid-fuji"])
def test_white_level_is_fixed(name: str, roots: dict[str, Path]) -> None:
    """A frame that peaks at 85 % of white keeps its scale; LibRaw's default would stretch it."""
    recipe = Recipe.load(name)
    frame = raw.read(roots[name] / truths(name)[0].path)
    white, black = frame.capture.white, frame.capture.black_libraw[0]
    dim = np.minimum(frame.pixels, round(black + 0.85 * (white - black))).astype(np.uint16)
    mosaic = develop(Frame(dim, Space.SENSOR, frame.capture), recipe.truth.steps[:1])
    assert mosaic.white == white - black
    stretched = develop(
        Frame(dim, Space.SENSOR, frame.capture), Recipe.load("sid-paper2018").truth.steps[:1]
    )
    assert stretched.white == pytest.approx(0.85 * (white - black), abs=1)


@pytest.mark.parametrize(
    ("name", "data_set"), [("sid-paper2018", "sid"), ("sid-fuji-paper2018", "sid-fuji")]
)
def test_paper2018_is_rawpys_rendering_to_the_integer(
    name: str, data_set: str, roots: dict[str, Path]
) -> None:
    """All long exposures, with the call that SID's authors wrote but for turning them upright."""
    recipe = Recipe.load(name)
    for entry in truths(data_set):
        path = roots[data_set] / entry.path
        with rawpy.imread(str(path)) as opened:
            wanted = opened.postprocess(
                use_camera_wb=True, half_size=False, no_auto_bright=True, output_bps=16, user_flip=0
            )
        found = develop(raw.read(path), recipe.truth.steps)
        assert found.space == Space.SRGB
        np.testing.assert_array_equal(found.pixels, wanted)


@pytest.mark.parametrize("name", ["sid", "sid-fuji"])
def test_restoration_is_the_scene_that_stood_before_the_camera(
    name: str, roots: dict[str, Path]
) -> None:
    """Means over 12 x 12 pixels of the XYZ truth against the known scene, and what 16 bit clip:
    below 0 up to 0.8 % of the pixels (saturated signs and lamps; 3 % at ISO 25600), above 1.25
    up to 0.003 %."""
    recipe = Recipe.load(name)
    assert recipe.truth.restoration is not None
    for entry in truths(name):
        scene = sid.scene(name, entry.scene)
        frame = raw.read(roots[name] / entry.path)
        (xyz,) = (
            step.pixels for step in walk(frame, recipe.truth.steps) if step.space == Space.XYZ
        )
        open_ = blocks(scene.max(axis=2, keepdims=True) > 0.9)[..., 0] == 0
        error = np.abs(blocks(xyz) - blocks(scene @ XYZ_FROM_SRGB.T))[open_]
        noisy = entry.iso == 25600
        assert np.median(error) < (0.004 if noisy else 0.001), entry.path
        assert np.quantile(error, 0.99) < (0.04 if noisy else 0.015), entry.path
        assert (xyz > recipe.truth.restoration.full_scale).any(axis=2).mean() < 1e-4, entry.path
        assert (xyz < 0).any(axis=2).mean() < (0.05 if noisy else 0.01), entry.path


def blocks(picture: np.ndarray) -> np.ndarray:
    high, wide = (length // 12 for length in picture.shape[:2])
    cut = picture[: high * 12, : wide * 12].reshape(high, 12, wide, 12, -1)
    return np.asarray(cut.mean(axis=(1, 3), dtype=np.float64))


@pytest.mark.parametrize("name", ["sid", "sid-fuji"])
def test_enhancement_uses_the_whole_range(name: str, roots: dict[str, Path]) -> None:
    recipe = Recipe.load(name)
    for entry in truths(name):
        shown = develop(raw.read(roots[name] / entry.path), recipe.truth.steps)
        assert shown.space == Space.SRGB
        light = shown.pixels @ np.array([0.2126, 0.7152, 0.0722]) / 65535
        assert np.quantile(light, 0.001) < 0.05, entry.path
        assert np.quantile(light, 0.999) > 0.95, entry.path
        assert 0.35 < np.median(light) < 0.55, entry.path
