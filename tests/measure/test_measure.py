"""Against scikit-image, torchmetrics, and cases computed by hand."""

import math

import numpy as np
import pytest
from skimage.color import rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from isptools import measure
from isptools.measure.color import OPPONENT, SEEN, XYZ_FROM_SRGB


@pytest.fixture(scope="module")
def pair():
    random = np.random.default_rng(3)
    y, x = np.mgrid[:190, :210] / 200
    truth = np.stack([x, y, (np.sin(30 * x) * np.cos(20 * y) + 1) / 2], -1)
    picture = np.clip(truth * 0.9 + 0.08 * random.standard_normal(truth.shape), 0, 1)
    return picture, np.clip(truth, 0, 1)


def test_psnr(pair):
    assert measure.psnr(*pair) == pytest.approx(peak_signal_noise_ratio(pair[1], pair[0]))
    assert measure.psnr(pair[0], pair[0]) == math.inf
    assert measure.psnr(np.full((4, 4), 10.0), np.zeros((4, 4)), 100) == pytest.approx(20)


def test_ssim(pair):
    theirs = structural_similarity(
        pair[1], pair[0], gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=1, channel_axis=-1,
    )  # fmt: skip
    assert measure.ssim(*pair) == pytest.approx(theirs, abs=1e-12)
    assert measure.ssim(pair[0] * 255, pair[1] * 255, 255) == pytest.approx(theirs, abs=1e-12)


def test_ms_ssim(pair):
    torch = pytest.importorskip("torch", reason="MS-SSIM is compared with torchmetrics")
    metrics = pytest.importorskip("torchmetrics.functional.image", reason="needs torchmetrics")
    ours, theirs = (torch.tensor(one).permute(2, 0, 1) for one in pair)
    channels = [
        metrics.multiscale_structural_similarity_index_measure(
            ours[None, c : c + 1], theirs[None, c : c + 1], data_range=1.0, normalize="relu"
        )
        for c in range(3)
    ]
    # torchmetrics takes mirrored edges into its coarsest mean, we take whole windows alone
    assert measure.ms_ssim(*pair) == pytest.approx(float(sum(channels)) / 3, abs=3e-4)


def test_lab(pair):
    np.testing.assert_allclose(measure.lab_of_srgb(pair[1]), rgb2lab(pair[1]), atol=0.02)


def test_s_cielab_of_flat_colors_is_cielab():
    one, two = (np.full((40, 50, 3), color) for color in ((0.5, 0.5, 0.5), (0.6, 0.45, 0.5)))
    expected = np.linalg.norm(rgb2lab(one[:1, :1]) - rgb2lab(two[:1, :1]))
    assert measure.s_cielab(one, two) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("cycles", [1, 4])
def test_s_cielab_attenuates_a_grating_as_the_filters_say(cycles):
    """The transform of exp(-(r/s)^2) is exp(-(pi f s)^2): a grating in gray keeps its shape."""
    side, per_degree, depth = 240, 60.0, 0.02
    wave = np.sin(2 * np.pi * cycles * (np.arange(side) + 0.5) / per_degree)
    linear = np.repeat(0.4 * (1 + depth * wave)[None, :, None], 24, 0).repeat(3, 2)
    encode = lambda x: 1.055 * x ** (1 / 2.4) - 0.055  # noqa: E731 - a formula
    grating, flat = encode(linear), encode(np.full_like(linear, 0.4))
    gains = [
        sum(w * math.exp(-((math.pi * cycles * s) ** 2)) for w, s in terms)
        / sum(w for w, _ in terms)
        for terms in SEEN
    ]
    white = XYZ_FROM_SRGB.sum(1)
    opponent = OPPONENT @ white * 0.4
    xyz = np.linalg.inv(OPPONENT) @ (opponent[:, None] * (1 + depth * np.outer(gains, wave)))
    f = np.cbrt(xyz / white[:, None])
    lab = np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])
    level = np.cbrt(0.4)
    expected = np.linalg.norm(lab - np.array([[116 * level - 16], [0], [0]]), axis=0)
    found = measure.s_cielab(grating, flat, per_degree)
    assert found == pytest.approx(expected.mean(), rel=0.03)


def test_color_angle_by_hand():
    truth = np.full((2, 2, 3), 0.5)
    picture = truth.copy()
    picture[0] = (0.5, 0.5, 0.0)  # acos(1 / sqrt(1.5)) = 35.264 degrees from gray
    assert measure.color_angle(picture, truth) == pytest.approx(35.2643897 / 2)
    truth[1] = 0.99  # too light to count
    assert measure.color_angle(picture, truth) == pytest.approx(35.2643897)
    assert math.isnan(measure.color_angle(picture, np.zeros((2, 2, 3))))


def test_bits_per_pixel():
    assert measure.bits_per_pixel(1000, (100, 200, 3)) == pytest.approx(0.4)


@pytest.mark.parametrize("name", ["psnr", "ssim", "ms_ssim", "s_cielab", "color_angle"])
def test_unequal_shapes_are_refused(name):
    with pytest.raises(ValueError, match=r"shape|expected"):
        getattr(measure, name)(np.zeros((8, 8, 3)), np.zeros((8, 9, 3)))
