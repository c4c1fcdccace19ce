"""Brooks et al. 2019 by hand: each step's numbers worked out from the paper's equations."""

import math

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from isptools.recipe import Recipe
from isptools.synth import unprocess as un

IDENTITY = ((3.2404542, -1.5371385, -0.4985314), (-0.9692660, 1.8760108, 0.0415560),
            (0.0556434, -0.2040259, 1.0572252))  # fmt: skip  # a camera that sees as sRGB does
TAKEN = un.Taken(IDENTITY, red=2.0, blue=1.6, brightness=0.8, ratio=8.0, shot=4e-3, read=1e-5)
SMOOTH = {0.0: 0.0, 0.25: 0.15625, 0.5: 0.5, 0.75: 0.84375, 1.0: 1.0}  # 3 x^2 - 2 x^3


@pytest.mark.parametrize(("x", "y"), SMOOTH.items())
def test_the_tone_curve_and_its_inverse(x: float, y: float) -> None:
    assert un.toned(np.array(x)) == pytest.approx(y, abs=1e-12)
    assert un.untoned(np.array(y)) == pytest.approx(x, abs=1e-9)


def test_the_gamma_and_srgbs_curve() -> None:
    assert un.decoded(np.array(0.5)) == pytest.approx(0.5**2.2)
    assert un.encoded(np.array(0.25)) == pytest.approx(0.25 ** (1 / 2.2))
    assert un.decoded(np.array(0.0)) == pytest.approx(1e-8**2.2, abs=1e-20)
    # IEC 61966-2-1: code 119 of 255 is a linear 0.18448, code 10 lies on the straight part
    assert un.decoded(np.array(119 / 255), "srgb") == pytest.approx(0.184475, abs=1e-6)
    assert un.decoded(np.array(10 / 255), "srgb") == pytest.approx(10 / 255 / 12.92)
    x = np.linspace(0, 1, 300)
    np.testing.assert_allclose(un.encoded(un.decoded(x, "srgb"), "srgb"), x, atol=1e-6)


def test_gains_are_undone_and_highlights_kept() -> None:
    """f(x) = max(x / g, (1 - a) x / g + a x), a = (max(mean - 0.9, 0) / 0.1)^2."""
    gray = un.unbalanced(np.array([0.5, 0.5, 0.5]), TAKEN)
    np.testing.assert_allclose(gray, [0.5 * 0.8 / 2, 0.5 * 0.8, 0.5 * 0.8 / 1.6])
    # mean 0.95: a = 0.25; red 0.25 + 0.75 * 0.4 = 0.55, green 0.25 + 0.75 * 0.8 = 0.85, ...
    light = un.unbalanced(np.array([0.95, 0.95, 0.95]), TAKEN)
    np.testing.assert_allclose(light, [0.95 * 0.55, 0.95 * 0.85, 0.95 * 0.625])
    np.testing.assert_allclose(un.unbalanced(np.ones(3), TAKEN), np.ones(3))
    # a gain below 1 makes brighter, and no mask darkens what it brightened
    bright = un.Taken(IDENTITY, 0.5, 1.0, 1.0, 1.0, 0, 0)
    assert un.unbalanced(np.array([1.0, 1.0, 1.0]), bright)[0] == pytest.approx(2.0)


def test_a_white_stays_white_for_every_camera() -> None:
    """Rows of the matrix add up to 1, so that gains alone color a gray."""
    for matrix in Recipe.load("unprocess").truth.matrices:
        taken = un.Taken(matrix, 2.0, 1.6, 1.0, 1.0, 0, 0)
        seen = un.light(np.full((2, 2, 3), 0.4), taken)
        np.testing.assert_allclose(seen[0, 0], [0.2, 0.4, 0.25], atol=1e-12)


def test_forward_mirrors_inverse_where_nothing_clips() -> None:
    """To 1e-6, for every camera of the recipe, below the highlights that are kept."""
    truth = Recipe.load("unprocess").truth
    rng = Generator(PCG64(5))
    compared = 0
    for _ in range(20):
        taken = un.drawn(truth.law, rng)
        picture = rng.uniform(0.05, 0.95, (64, 64, 3))
        linear = un.decoded(un.untoned(picture))
        camera = linear @ un.camera_from_srgb(taken.xyz_to_camera).T
        plain = (camera.mean(-1) < 0.9) & (camera.min(-1) > 0)
        back = un.finished(un.light(linear, taken), taken, "smoothstep", "gamma")
        np.testing.assert_allclose(back[plain], picture[plain], atol=1e-6)
        compared += plain.sum()
    assert compared > 50_000


def test_levels_are_those_of_the_curves() -> None:
    levels = un.levels(255, "smoothstep", "gamma")
    assert levels.shape == (256,)
    # the tone curve leaves 1/2 where it is; 128 of 255 lies 0.00196 above, at a slope of 3/2
    assert levels[128] == pytest.approx((0.5 + 0.5 / 255 / 1.5) ** 2.2, rel=1e-5)
    assert un.levels(65535, "none", "gamma")[32768] == pytest.approx((32768 / 65535) ** 2.2)


@pytest.mark.parametrize("cfa", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_one_color_a_pixel(cfa: str) -> None:
    seen = np.stack([np.full((3, 5), value) for value in (1.0, 2.0, 3.0)], -1)
    want = [["RGB".index(cfa[2 * (y % 2) + x % 2]) + 1 for x in range(5)] for y in range(3)]
    np.testing.assert_array_equal(un.sifted(seen, cfa), want)


def test_noise_has_the_stated_variance() -> None:
    """shot * x + read; half a million draws know a variance to 0.2 %."""
    for level in (0.0, 0.1, 0.6):
        made = un.noisy(np.full((1000, 500), level), TAKEN, Generator(PCG64(1)))
        assert made.mean() == pytest.approx(level, abs=4e-4)
        assert made.var() == pytest.approx(4e-3 * level + 1e-5, rel=0.01)


def test_the_line_of_many_cameras() -> None:
    """log read = 2.18 log shot + 1.20 +- 0.26, log shot uniform from 1e-4 to 0.012."""
    rng = Generator(PCG64(2))
    shot, read = np.log(np.array([un.Line().drawn(rng) for _ in range(20_000)])).T
    assert shot.min() >= math.log(1e-4)
    assert shot.max() <= math.log(0.012)
    middle, width = (math.log(1e-4) + math.log(0.012)) / 2, math.log(120)
    assert shot.mean() == pytest.approx(middle, abs=0.05)
    assert shot.std() == pytest.approx(width / math.sqrt(12), rel=0.02)
    slope, offset = np.polyfit(shot, read, 1)
    assert slope == pytest.approx(2.18, abs=0.01)
    assert offset == pytest.approx(1.20, abs=0.1)
    assert (read - 2.18 * shot - 1.20).std() == pytest.approx(0.26, rel=0.03)


def test_a_profile_is_taken_as_it_is() -> None:
    pairs = ((1e-4, 1e-7), (8e-4, 3e-6))
    rng = Generator(PCG64(3))
    assert {un.Profile(pairs).drawn(rng) for _ in range(50)} == set(pairs)


def test_what_is_drawn_lies_where_the_recipe_says() -> None:
    law = Recipe.load("unprocess").truth.law
    rng = Generator(PCG64(4))
    takens = [un.drawn(law, rng) for _ in range(4000)]
    red, blue = ([getattr(one, name) for one in takens] for name in ("red", "blue"))
    assert (min(red) >= 1.9, max(red) <= 2.4, min(blue) >= 1.5, max(blue) <= 1.9) == (True,) * 4
    assert np.mean(red) == pytest.approx(2.15, abs=0.01)
    brightness = [one.brightness for one in takens]
    assert np.mean(brightness) == pytest.approx(0.8, abs=0.01)
    assert np.std(brightness) == pytest.approx(0.1, abs=0.01)
    assert min(brightness) >= 0.5 - 1e-9  # three deviations
    low, high = (np.min(law.matrices, axis=0), np.max(law.matrices, axis=0))
    for one in takens[:50]:  # convex: between the cameras in every entry
        assert (np.array(one.xyz_to_camera) >= low - 1e-12).all()
        assert (np.array(one.xyz_to_camera) <= high + 1e-12).all()
