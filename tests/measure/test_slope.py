"""Lines and light ratios of drawn scenes, whose numbers are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from isptools.measure.line import line
from isptools.measure.residual import noise_variance
from isptools.measure.slope import Side, measured_ratio

BLACK, WHITE = (60.0, 61.0, 62.0, 63.0), 4095.0


def scene(seed: int, shape: tuple[int, int] = (256, 320)) -> NDArray[np.float64]:
    """Patches between 2 % and 70 % of white."""
    random = np.random.default_rng(seed)
    return np.kron(random.uniform(0.02, 0.7, (shape[0] // 16, shape[1] // 16)), np.ones((16, 16)))


def side(light: NDArray[np.float64], seed: int, electrons: float = 4000, offset: float = 0) -> Side:
    """As a sensor of so many electrons sees it; `offset` DN are added that nobody states."""
    random = np.random.default_rng(seed)
    seen = random.poisson(np.maximum(light, 0) * electrons) / electrons
    black = np.tile(np.reshape(BLACK, (2, 2)), (light.shape[0] // 2, light.shape[1] // 2))
    numbers = seen * (WHITE - 61.5) + black + offset + random.normal(0, 2, light.shape)
    pixels = np.clip(np.rint(numbers), 0, WHITE).astype(np.uint16)
    return Side(pixels, BLACK, WHITE, (1 / electrons,) * 4, ((2 / 4033.5) ** 2,) * 4)


@pytest.mark.parametrize("times", [0.5, 1, 3, 30, 100])
@pytest.mark.parametrize("offset", [0, 6])
def test_the_ratio_is_that_of_the_light(times: float, offset: float) -> None:
    light = scene(1) * min(1, times)
    found = measured_ratio(side(light / times, 2, offset=offset), side(light, 3))
    assert found is not None
    assert abs(np.log(found.ratio / times)) < max(4 * found.error, 0.003)


def test_what_moved_does_no_harm() -> None:
    light = scene(1)
    other = light.copy()
    other[:120, :80] = 0.6
    found = measured_ratio(side(other / 10, 2), side(light, 3))
    assert found is not None
    assert found.ratio == pytest.approx(10, rel=0.01)


def test_clipped_blocks_do_no_harm() -> None:
    light = scene(1) * 2  # a third of it is beyond white
    found = measured_ratio(side(light / 20, 2), side(light, 3))
    assert found is not None
    assert found.ratio == pytest.approx(20, rel=0.01)


@pytest.mark.parametrize("light", [scene(9) / 10, np.full((256, 320), 0.05), np.zeros((256, 320))])
def test_other_scenes_flat_ones_and_the_dark_tell_nothing(light: NDArray[np.float64]) -> None:
    assert measured_ratio(side(light, 2), side(scene(1), 3)) is None


def test_xtrans_blocks_hold_whole_cells() -> None:
    light = scene(4, (288, 288))
    pixels = [np.rint(light * times * 4000 + 100).astype(np.uint16) for times in (0.25, 1)]
    sides = [Side(each, (100.0,) * 36, 4100) for each in pixels]
    found = measured_ratio(*sides)
    assert found is not None
    assert found.ratio == pytest.approx(4, rel=1e-3)


def test_errors_are_those_of_repeated_measurements() -> None:
    random, x = np.random.default_rng(0), np.linspace(0, 1, 200)
    variance = np.full(200, 0.01)
    found = [line(x, 2 * x + 1 + random.normal(0, 0.1, 200), variance) for _ in range(300)]
    slopes = np.array([one.slope for one in found if one])
    assert slopes.mean() == pytest.approx(2, abs=0.01)
    assert np.mean([one.slope_error for one in found if one]) == pytest.approx(slopes.std(), rel=0.2)


def test_a_fifth_of_outliers_is_left_out() -> None:
    random, x = np.random.default_rng(0), np.linspace(0, 1, 200)
    y = 2 * x + 1 + random.normal(0, 0.01, 200)
    y[::5] += 3
    found = line(x, y, np.full(200, 1e-4))
    assert found is not None
    assert (found.slope, found.offset) == pytest.approx((2, 1), abs=0.01)


@pytest.mark.parametrize("deviation", [0.002, 0.01, 0.05])
def test_noise_is_measured_on_a_drawn_picture(deviation: float) -> None:
    picture = scene(5) * 0.5 + 0.2
    noisy = picture + np.random.default_rng(1).normal(0, deviation, picture.shape)
    found = noise_variance(noisy)
    assert found is not None
    assert found**0.5 == pytest.approx(deviation, rel=0.1)
    assert noise_variance(np.zeros((256, 256))) is None
