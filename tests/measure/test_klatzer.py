"""MSR's scores against values worked out by hand."""

import math

import numpy as np
import pytest

from isptools.measure import klatzer, linear_psnr, srgb_psnr


def by_hand(x: float) -> float:
    """The fitted tone curve and the offset, for a gray of 0 to 255."""
    t = 65535 * x / 255
    y = 255 * ((1 + 48.4867256075) * t ** (1 / 1.3398382033) - 48.4867256075 - 1.966657821 * t)
    return (y / 65535 if x > 0 else 0.0) - 255 * 15 / 65535


def test_the_matrix_keeps_gray():
    np.testing.assert_allclose(klatzer.MATRIX.sum(axis=0), 1, atol=2e-6)
    grays = np.array([0.0, 1.0, 17.0, 128.0, 254.0, 255.0])
    out = klatzer.to_srgb(np.repeat(grays, 3).reshape(1, -1, 3))
    np.testing.assert_allclose(np.ptp(out, axis=2), 0, atol=2e-3)
    np.testing.assert_allclose(out[0, :, 1], [by_hand(gray) for gray in grays], rtol=1e-5)
    assert out[0, 0, 0] == pytest.approx(-0.0583658, abs=1e-7)  # black: the offset alone


def test_one_color_by_hand():
    """R 100, G 60, B 20: each output is a column of the matrix times them."""
    out = klatzer.to_srgb(np.array([[[100.0, 60.0, 20.0]]]))[0, 0]
    linear = (
        1.585846 * 100 - 0.413732 * 60 - 0.172114 * 20,
        -0.093656 * 100 + 1.647805 * 60 - 0.554149 * 20,
        0.05195 * 100 - 0.567052 * 60 + 1.515102 * 20,
    )
    assert linear == pytest.approx((130.3184, 78.41972, 1.47392))
    np.testing.assert_allclose(out, [by_hand(x) for x in linear], rtol=1e-9)
    outside = klatzer.to_srgb(np.array([[[0.0, 200.0, 0.0]]]))[0, 0]  # red would be negative
    assert outside[0] == pytest.approx(-255 * 15 / 65535)


def test_linear_psnr_rounds_the_picture_only():
    truth = np.full((40, 50, 3), 100.25 / 255)
    assert linear_psnr(truth, truth) == pytest.approx(20 * math.log10(255 / 0.25))
    assert linear_psnr(truth + 0.3 / 255, truth) == pytest.approx(20 * math.log10(255 / 0.75))
    assert linear_psnr(truth + 9, truth) == pytest.approx(20 * math.log10(255 / 154.75))


def test_srgb_psnr_by_hand():
    truth = np.full((40, 50, 3), 100 / 255)
    ours = np.full((40, 50, 3), 90 / 255)
    expected = 20 * math.log10(255 / (by_hand(100) - by_hand(90)))
    assert srgb_psnr(ours, truth) == pytest.approx(expected, rel=1e-6)
    assert srgb_psnr(truth, truth) == math.inf
    bright = 20 * math.log10(255 / (255 - by_hand(90)))  # white comes out above 255: clipped
    assert srgb_psnr(np.full((40, 50, 3), 7.0), ours) == pytest.approx(bright, rel=1e-6)


def test_light_is_cut_before_colors_are_mixed():
    """A red beyond white takes no more from green than white's does; nothing is below black."""
    truth = np.full((16, 16, 3), 0.4)
    for beyond, shown in (((2.0, 0.5, 0.3), (1.0, 0.5, 0.3)), ((0.5, -0.4, 0.3), (0.5, 0.0, 0.3))):
        ours, cut = (np.tile(color, (16, 16, 1)) for color in (beyond, shown))
        assert srgb_psnr(ours, truth) == srgb_psnr(cut, truth)
        assert srgb_psnr(truth, ours) == srgb_psnr(truth, cut)


@pytest.mark.parametrize("score", [linear_psnr, srgb_psnr])
def test_the_border_does_not_count(score):
    rng = np.random.default_rng(0)
    truth, ours = rng.uniform(0, 1, (2, 30, 40, 3))
    inner = score(ours, truth)
    ours[:7], ours[-7:], ours[:, :7], ours[:, -7:] = 0, 1, 0, 1
    assert score(ours, truth) == inner
    ours[7, 7] = 1 - truth[7, 7].round()
    assert score(ours, truth) < inner
    with pytest.raises(ValueError, match="sides above 14"):
        score(ours[:14], truth[:14])
