"""The procedural scenes: what is in them, and that they are the same on every machine."""

import hashlib

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from isptools.datasets import card as cards
from isptools.datasets import sid
from isptools.synth import glyphs, scenes

REC709 = np.array([0.2126, 0.7152, 0.0722])


def luminance(name: str, scene: str) -> np.ndarray:
    return sid.scene(name, scene) @ REC709


@pytest.mark.parametrize(
    ("name", "scene", "digest"),
    [
        ("sid", "00001", "46830f3f21bcf606"),
        ("sid", "00179", "aa3b64e390da8f7c"),
        ("sid-fuji", "10172", "04e218d4699acba4"),
    ],
)
def test_scene_has_the_recorded_bytes(name: str, scene: str, digest: str) -> None:
    found = sid.scene(name, scene)
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize(("name", "shape"), [("sid", (384, 512, 3)), ("sid-fuji", (516, 612, 3))])
def test_scenes_are_linear_light_of_one_size(name: str, shape: tuple[int, ...]) -> None:
    for entry in sid.small(cards.load(name)).files:
        if entry.role == "truth":
            found = sid.scene(name, entry.scene)
            assert (found.shape, found.dtype) == (shape, np.float32)
            assert np.isfinite(found).all()
            assert found.min() > 0
            assert found.max() < 12


@pytest.mark.parametrize("name", tuple(sid.MINIATURES))
def test_scenes_hold_what_a_night_scene_needs(name: str) -> None:
    for scene in sid.MINIATURES[name].scenes:
        light = luminance(name, scene)
        assert 0.001 < (light > 1).mean() < 0.05  # lamps beyond white, but few
        assert (light < 0.02).mean() > 0.005  # near black
        assert 0.1 < light.mean() < 0.4
        picture = sid.scene(name, scene)
        hue = picture / picture.sum(axis=2, keepdims=True)
        assert hue.max(axis=(0, 1)).min() > 0.6  # saturated colors of all three primaries


def test_scenes_have_detail_at_several_scales() -> None:
    light = np.minimum(luminance("sid", "00001"), 1.0)
    for scale in (1, 2, 4, 8, 16):
        smaller = light[::scale, ::scale]
        assert np.abs(np.diff(smaller, axis=1)).mean() > 0.005


def test_scenes_differ_by_name_scene_and_seed() -> None:
    pictures = [
        sid.scene("sid", "00001"),
        sid.scene("sid", "00102"),
        sid.scene("sid", "00001", seed=1),
    ]
    for i, first in enumerate(pictures):
        for second in pictures[i + 1 :]:
            assert np.mean(first != second) > 0.9


@pytest.mark.parametrize("size", [(64, 96), (100, 60), (257, 333)])
def test_paint_takes_any_size(size: tuple[int, int]) -> None:
    picture = scenes.paint(Generator(PCG64(3)), *size)
    assert picture.shape == (*size, 3)
    assert np.isfinite(picture).all()


def test_value_noise_interpolates_between_its_grid() -> None:
    grid = Generator(PCG64(5)).random((100 // 16 + 2, 70 // 16 + 2))
    noise = scenes.value_noise(Generator(PCG64(5)), 100, 70, 16)
    assert noise.shape == (100, 70)
    np.testing.assert_array_equal(noise[::16, ::16], grid[:7, :5])
    np.testing.assert_allclose(noise[8, 0], (grid[0, 0] + grid[1, 0]) / 2)
    assert grid.min() <= noise.min()
    assert noise.max() <= grid.max()


def test_fill_leans_by_columns_a_row() -> None:
    canvas = np.zeros((40, 60, 3))
    scenes.fill(canvas, scenes.Box(5, 10, 30, 20, 0.5), (1.0, 0.5, 0.25))
    painted = canvas[..., 0] > 0
    assert painted[:5].sum() == painted[35:].sum() == 0
    for row in range(5, 35):
        columns = np.flatnonzero(painted[row])
        assert len(columns) == 20
        assert columns[0] == int(np.ceil(10 + (row - 5) * 0.5))
    assert set(map(tuple, canvas[painted])) == {(1.0, 0.5, 0.25)}


def test_fill_and_write_are_cut_off_at_the_edges() -> None:
    canvas = np.zeros((20, 20, 3))
    scenes.fill(canvas, scenes.Box(-3, -4, 8, 8), (1.0, 1.0, 1.0))
    assert (canvas[..., 0] > 0).sum() == 5 * 4
    scenes.write(canvas, np.ones((7, 7), bool), 16, 15, (2.0, 2.0, 2.0))
    assert (canvas[..., 0] > 1).sum() == 4 * 5


def test_glyphs_are_five_by_seven_and_all_different() -> None:
    shapes = {letter: glyphs.line(letter) for letter in glyphs.ROWS}
    assert {mask.shape for mask in shapes.values()} == {(7, 5)}
    assert len({mask.tobytes() for mask in shapes.values()}) == len(shapes)
    for text in (*scenes.WORDS, *scenes.TITLES):
        assert set(text) <= set(glyphs.ROWS)


def test_a_line_is_its_glyphs_side_by_side() -> None:
    mask = glyphs.line("IT", 3)
    assert mask.shape == (21, 33)
    np.testing.assert_array_equal(mask[::3, ::3][:, :5], glyphs.line("I"))
    np.testing.assert_array_equal(mask[::3, ::3][:, 6:], glyphs.line("T"))
    assert not mask[:, 15:18].any()
