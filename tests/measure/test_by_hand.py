"""What each measure says at its limits, and of pictures whose numbers are worked out by hand."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.signal import convolve2d

from isptools import measure
from isptools.measure import phase, slope
from isptools.measure.line import Line, line
from isptools.measure.residual import noise_variance
from isptools.measure.shift import shift

SIDE = np.arange(-5, 6)
KERNEL = np.exp(-(SIDE[:, None] ** 2 + SIDE**2) / (2 * 1.5**2))
KERNEL /= KERNEL.sum()
POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, Table 1


# -- fidelity --------------------------------------------------------------------------------------


def test_psnr_takes_any_numbers_and_one_plane():
    dark, light = np.zeros((3, 4), np.uint8), np.full((3, 4), 10, np.uint8)
    assert measure.psnr(dark, light, 100) == pytest.approx(20), "bytes don't wrap around"
    half = light.copy()
    half[:, :2] = 0  # half of the pixels are off by 10: 3 dB more
    assert measure.psnr(half, light, 100) == pytest.approx(20 + 10 * math.log10(2))
    assert measure.psnr(np.ones((2, 2, 1)), np.zeros((2, 2, 1))) == 0


@pytest.mark.parametrize("shape", [(8,), (2, 8, 8, 3), (0, 8), (8, 0, 3)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match=r"a picture is \(H, W\) or"):
        measure.psnr(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize("name", ["s_cielab", "color_angle"])
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 4), (8, 8, 3, 1)])
def test_colors_are_three_channels(name, shape):
    with pytest.raises(ValueError, match=r"expected two \(H, W, 3\)"):
        getattr(measure, name)(np.zeros(shape), np.zeros(shape))


def similarity(x, y, peak=1.0):
    """Wang et al. 2004, eqs. 5 to 13, of whole windows: the light term, contrast x structure."""

    def mean(z):
        return convolve2d(z, KERNEL, "valid")

    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    return (2 * mx * my + c1) / (mx**2 + my**2 + c1), (2 * both + c2) / (vx + vy + c2)


def test_ssim_of_a_single_window():
    x, y = np.random.default_rng(0).random((2, 11, 11))
    light, rest = similarity(x, y)
    assert light.shape == (1, 1)
    assert measure.ssim(x, y) == pytest.approx((light * rest).item(), rel=1e-12)
    assert measure.ssim(200 * x, 200 * y, 200) == pytest.approx((light * rest).item(), rel=1e-12)
    for shape in ((10, 30), (30, 10)):
        with pytest.raises(ValueError, match="11 pixels a side"):
            measure.ssim(np.zeros(shape), np.zeros(shape))


def halved(x):
    x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
    return x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2).mean((1, 3))


def test_ms_ssim_of_five_scales_and_odd_sides():
    """Contrast x structure of four scales, all of the fifth, to their powers."""
    rng = np.random.default_rng(1)
    x = gaussian_filter(rng.random((177, 203)), 3)
    y = x + 0.1 * rng.standard_normal(x.shape)
    expected, one, two = 1.0, x, y
    for scale, power in enumerate(POWERS):
        light, rest = similarity(one, two)
        expected *= ((light * rest) if scale == 4 else rest).mean() ** power
        one, two = halved(one), halved(two)
    assert 0.1 < expected < 0.95
    assert measure.ms_ssim(x, y) == pytest.approx(expected, rel=1e-9)
    noise = rng.random((176, 180))
    assert measure.ms_ssim(noise, 1 - noise) == 0, "contrast turned around"
    for cut in ((slice(175), slice(None)), (slice(None), slice(175))):
        with pytest.raises(ValueError, match="176 pixels a side"):
            measure.ms_ssim(x[cut], y[cut])


# -- colors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("color", "counts"),
    [((0, 0, 0.68), False), ((0, 0, 0.71), True), ((0.23, 0, 0), False), ((0.24, 0, 0), True),
     ((0, 0.069, 0), False), ((0, 0.071, 0), True), ((0.94,) * 3, True), ((0.96,) * 3, False)],
)  # fmt: skip
def test_angles_count_between_two_lights(color, counts):
    """Rec. 709 luma of the truth, 0.05 to 0.95: blue 0.05 / 0.0722 = 0.693, and so on."""
    truth = np.array([[color]], np.float32)
    found = measure.color_angle(np.zeros_like(truth), truth)
    assert found == 90 if counts else math.isnan(found), "black is at right angles to all"
    assert not counts or measure.color_angle(truth / 2, truth) == pytest.approx(0, abs=1e-3)


def test_neither_end_of_the_lights_counts():
    truth = np.array([[[0.2, 0.4, 0.7]]])
    light = float(np.array([0.2126, 0.7152, 0.0722]) @ truth[0, 0])
    around = {"low": light - 1e-9, "high": light + 1e-9}
    assert measure.color_angle(truth, truth, **around) == pytest.approx(0, abs=1e-5)
    for end in around:
        assert math.isnan(measure.color_angle(truth, truth, **around | {end: light}))


def test_a_screen_has_23_pixels_a_degree_where_nothing_is_said():
    rng = np.random.default_rng(2)
    truth = rng.random((20, 24, 3))
    picture = np.clip(truth + 0.2 * rng.standard_normal(truth.shape), 0, 1)
    assert measure.s_cielab(picture, truth) == measure.s_cielab(picture, truth, 23.0)
    beyond = truth + np.array([2.0, 0, 0]) * (truth[..., :1] > 0.5)  # what no screen shows is cut
    shown = np.where(truth[..., :1] > 0.5, np.maximum(truth, [1.0, 0, 0]), truth)
    assert measure.s_cielab(beyond, truth) == pytest.approx(measure.s_cielab(shown, truth))


# -- lines -----------------------------------------------------------------------------------------

X = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20])
VARIANCE = np.array([1.0, 2, 1, 4, 1, 2, 3, 1, 2, 1, 1, 9])


def test_points_on_a_line_have_the_errors_of_their_variances():
    """Weighted least squares in closed form; on the line nothing is robust about it."""
    found = line(X, 3 * X - 2, VARIANCE)
    w = 1 / VARIANCE
    total, first, second = w.sum(), w @ X, w @ X**2
    below = total * second - first**2  # the determinant of the normal equations
    assert (found.slope, found.offset) == pytest.approx((3, -2))
    assert found.slope_error == pytest.approx(math.sqrt(total / below))
    assert found.offset_error == pytest.approx(math.sqrt(second / below))
    assert (found.scatter, found.count) == (1, 12)
    assert found.explained == pytest.approx(1)


def test_the_line_of_unequal_variances_is_the_weighted_one():
    """Two points that differ by little move the line by their weights."""
    y = 3 * X - 2
    y[[3, 11]] += (0.02, -0.03)  # deviations of 2 and 3: the biweight is 1 to 1e-4
    found = line(X, y, VARIANCE)
    expected = np.polyfit(X, y, 1, w=1 / np.sqrt(VARIANCE))
    assert (found.slope, found.offset) == pytest.approx(tuple(expected), abs=2e-6)


def test_scatter_and_what_is_explained_by_hand():
    """Residuals of 2 deviations, up and down about a line: all weights are equal."""
    x = np.repeat(np.arange(10.0), 4)
    away = np.tile([0.2, -0.2, -0.2, 0.2], 10)
    found = line(x, 5 * x + 1 + away, np.full(40, 0.01))
    scatter = 1.4826 * 2
    inside = 1 - (2 / (4.685 * scatter)) ** 2
    weight = inside**2 / 0.01
    spread = weight * ((x - 4.5) ** 2).sum()
    assert (found.slope, found.offset) == pytest.approx((5, 1))
    assert found.scatter == pytest.approx(scatter)
    assert found.slope_error == pytest.approx(scatter / math.sqrt(spread))
    assert found.offset_error == pytest.approx(
        scatter * math.sqrt(1 / (40 * weight) + 4.5**2 / spread)
    )
    varies = 25 * ((x - 4.5) ** 2).mean() + 0.04 - 0.01
    assert found.explained == pytest.approx(1 - 0.03 / varies)
    flat = line(x, 1 + away * 0.4, np.full(40, 0.01))  # no more than the noise that is stated
    assert flat.explained == 0


def test_points_beyond_the_biweight_count_nothing():
    for deviations, count in ((4.6, 40), (4.8, 39)):
        x = np.arange(40.0)
        y = 2 * x
        y[20] += deviations  # near the middle: it hardly moves the line
        assert line(x, y, np.ones(40)).count == count


def test_points_that_tell_nothing():
    x = np.arange(12.0)
    assert line(x, x, np.ones(12)).slope == pytest.approx(1), "twelve are enough"
    assert line(x[1:], x[1:], np.ones(11)) is None
    for spoiled in (np.nan, np.inf):
        y = x.copy()
        y[3] = spoiled
        assert line(x, y, np.ones(12)) is None
        assert line(y, x, np.ones(12)) is None
    assert line(x, x, np.where(x == 4, 0, 1.0)) is None, "no variance, no weight"
    assert line(np.full(20, 7.0), np.arange(20.0), np.ones(20)) is None
    assert line(np.zeros(20), np.arange(20.0), np.ones(20)) is None
    one_x = line(np.r_[np.zeros(14), 1, 1, 1], np.r_[np.zeros(14), 1000, -1000, 400], np.ones(17))
    assert (one_x.slope, one_x.offset, one_x.slope_error) == (0, 0, math.inf)
    assert (one_x.offset_error, one_x.explained, one_x.count) == (math.inf, 0, 14)


# -- blocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "positions", "side"),
    [((320, 400), 4, 16), ((320, 399), 4, 8), ((320, 400), 36, 18), ((320, 399), 36, 12),
     ((4000, 6000), 1, 16)],
)  # fmt: skip
def test_blocks_of_a_ratio(shape, positions, side):
    """16 pixels, 8 where there would be fewer than 500 blocks; whole cells of X-Trans."""
    assert slope.block_side(shape, positions) == side


def test_means_of_blocks_are_between_black_and_white():
    pixels = np.full((17, 33), 100, np.uint16)  # what is over at the edges is left out
    pixels[:16, 16:32] = 600
    pixels[3, 20] = 1100
    found, peak = slope._means(slope.Side(pixels, (100.0, 101, 99, 100), 1100), 16)
    assert found.tolist() == pytest.approx([0, 0.5 + 0.5 / 256])
    assert peak.tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"\(17, 33\) and \(17, 32\)"):
        slope.measured_ratio(slope.Side(pixels, (0.0,), 1), slope.Side(pixels[:, 1:], (0.0,), 1))


def test_what_a_ratio_is_fitted_to(monkeypatch):
    """Variance of a block's mean: (shot x + read) / pixels, and a fiftieth of it for optics.

    Blocks with a pixel from 95 % of white on are left out, on either side.
    """
    asked, found = [], Line(0.25, 0.0, 0.01, 0.0, 1.0, 1.0, 30)
    monkeypatch.setattr(slope, "line", lambda *words: asked.append(words) or found)
    own, truth = np.zeros((16, 64)), np.full((16, 64), 10.0)
    own[:, 16:32], own[:, 32:48], own[:, 48:] = 40.0, -8.0, 16.0
    truth[:, :16] = 80.0
    truth[0, 20], own[3, 50] = 95.0, 96.0
    sides = [slope.Side(own, (0.0,), 100.0, (0.02, 0.04), (1e-3, 3e-3)),
             slope.Side(truth, (0.0,), 100.0)]  # fmt: skip
    assert (sides[1].shot, sides[1].read) == ((0.0,), (0.0,))
    measured = slope.measured_ratio(*sides)
    assert (measured.ratio, measured.error) == (4, 0.04)
    (x, y, variance) = asked[0]
    lit, dark = np.array([80.0, 80, 10, 10, 10, 10, 10, 10]), [0.0, 0, 40, 40, -8, -8, 16, 16]
    kept = np.ones((2, 8), bool)  # two rows of eight blocks of 8 x 8 pixels
    kept[0, [2, 6]] = False
    np.testing.assert_allclose(x, np.tile(lit / 100, (2, 1))[kept])
    np.testing.assert_allclose(y, np.tile(np.array(dark) / 100, (2, 1))[kept])
    light = np.maximum(y, 0)
    expected = (0.03 * light + 2e-3) / 64 + (0.02 * y) ** 2
    np.testing.assert_allclose(variance, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "told"),
    [((0.5, 0.0, 0.024, 0.0, 1.0, 0.81, 30), True), ((0.5, 0.0, 0.026, 0.0, 1.0, 0.81, 30), False),
     ((0.5, 0.0, 0.01, 0.0, 1.0, 0.79, 30), False), ((-0.5, 0.0, 0.01, 0.0, 1.0, 1.0, 30), False),
     ((0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 30), False)],
)  # fmt: skip
def test_a_ratio_is_told_where_it_is_sure(words, told, monkeypatch):
    """To a twentieth, of a line that explains four fifths and rises."""
    monkeypatch.setattr(slope, "line", lambda *_: Line(*words))
    side = slope.Side(np.zeros((16, 16)), (0.0,), 1.0)
    found = slope.measured_ratio(side, side)
    assert (found is not None) == told
    assert not told or (found.ratio, found.error) == (2, pytest.approx(0.048))


def noise(rows, columns):
    rng = np.random.default_rng(3)
    return 0.5 + 0.01 * rng.standard_normal((8 * rows, 8 * columns))


def test_noise_needs_64_blocks_that_are_neither_black_nor_white():
    enough = noise(8, 8)
    assert noise_variance(enough) == pytest.approx(1e-4, rel=0.3)
    assert noise_variance(noise(7, 9)) is None
    for spoiled in (0.0, 0.985):
        picture = enough.copy()
        picture[20, 31] = spoiled
        assert noise_variance(picture) is None
    almost = enough.copy()
    almost[20, 31] = 0.975
    assert noise_variance(almost) is not None
    assert noise_variance(np.pad(enough, ((0, 7), (0, 7)))) == noise_variance(enough)


def test_noise_is_found_at_every_brightness():
    """A hundredth in the dark half, a fiftieth in the light one: the mean of both variances."""
    rng = np.random.default_rng(4)
    picture = np.repeat([[0.2, 0.7]], 256, 0).repeat(128, 1)
    deviation = np.where(picture < 0.5, 0.01, 0.02)
    found = noise_variance(picture + deviation * rng.standard_normal(picture.shape))
    assert found == pytest.approx((0.01**2 + 0.02**2) / 2, rel=0.1)


# -- phases and shifts -----------------------------------------------------------------------------


def test_residuals_of_phases_by_hand():
    """Each pixel of the mosaic against the color that a phase says it is, at its own place."""
    picture = np.random.default_rng(6).random((6, 8, 3))
    rows, columns = np.indices((6, 8))
    names = {"RGGB": [[0, 1], [1, 2]], "GRBG": [[1, 0], [2, 1]], "GBRG": [[1, 2], [0, 1]],
             "BGGR": [[2, 1], [1, 0]]}  # fmt: skip
    mosaic = picture[rows, columns, np.array(names["GBRG"])[rows % 2, columns % 2]]
    found = phase.residuals_of_phases(mosaic, picture)
    for name, cell in names.items():
        said = picture[rows, columns, np.array(cell)[rows % 2, columns % 2]]
        assert found[name] == pytest.approx(np.abs(mosaic - said).mean(), abs=1e-6)
    assert found["GBRG"] == 0
    assert list(found) == ["RGGB", "GRBG", "GBRG", "BGGR"]
    assert phase.residual_ratio({"RGGB": 3.0, "GRBG": 2.0, "GBRG": 2.5}, "RGGB") == 1.5
    assert phase.residual_ratio({"RGGB": 1.0, "GRBG": 3.0, "GBRG": 4.0}, "RGGB") == 0.333333
    assert phase.contradicts({"RGGB": 1.21, "GRBG": 1.0}, "RGGB")
    assert not phase.contradicts({"RGGB": 1.2, "GRBG": 1.0}, "RGGB"), "a little is chance"
    assert phase.contradiction({"RGGB": 3.0, "GRBG": 2.0}, "RGGB").startswith(
        "stated as RGGB, but GRBG fits"
    )


@pytest.mark.parametrize("shape", [(64, 80), (75, 81), (61, 101)])
def test_a_shift_is_right_and_down(shape):
    """OpenCV transforms 75 and 81 at odd lengths, where it finds half a pixel too much."""
    scene = np.random.default_rng(5).random((120, 140)).astype(np.float32)
    height, width = shape
    one = scene[10 : 10 + height, 10 : 10 + width]
    other = scene[8 : 8 + height, 13 : 13 + width]  # what it shows lies 2 lower, 3 further left
    (right, down), peak = shift(one, other)
    assert (right, down) == pytest.approx((-3, 2), abs=0.1)
    assert 0.8 < peak < 0.99
    here, same = shift(one, one)
    assert here == pytest.approx((0, 0), abs=1e-3)
    assert same == pytest.approx(1, abs=1e-3)
