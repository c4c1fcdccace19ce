"""S-CIELAB by its definition (Zhang and Wandell 1997): kernels written out, and properties."""

import numpy as np
import pytest
from scipy.signal import fftconvolve
from skimage.color import lab2rgb, rgb2lab

from isptools import measure

# as they print them: XYZ to opponent colors, then weight and spread in degrees of exp(-(r / s)^2)
OPPONENT = np.array([[0.279, 0.72, -0.107], [-0.449, 0.29, -0.077], [0.086, -0.59, 0.501]])
TERMS = (
    ((0.921, 0.0283), (0.105, 0.133), (-0.108, 4.336)),
    ((0.531, 0.0392), (0.330, 0.494)),
    ((0.488, 0.0536), (0.371, 0.386)),
)
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip


def linear(picture):
    return np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)


def encoded(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def kernel(terms, per_degree, reach):
    """Sums of Gaussians, each of volume 1 by its weight; all together 1."""
    at = np.arange(-reach, reach + 1)
    square = (at[:, None] ** 2 + at[None] ** 2) / per_degree**2
    total = sum(weight for weight, _ in terms)
    each = [np.exp(-square / spread**2) for _, spread in terms]
    return sum(w / total * one / one.sum() for (w, _), one in zip(terms, each, strict=True))


def seen(picture, per_degree):
    """CIELAB of what the eye sees, by plain convolution; edges mirrored far enough."""
    planes = linear(picture) @ XYZ.T @ OPPONENT.T
    out = []
    for i, terms in enumerate(TERMS):
        reach = int(4.5 * max(spread for _, spread in terms) * per_degree)
        padded = np.pad(planes[..., i], reach, mode="symmetric")
        out.append(fftconvolve(padded, kernel(terms, per_degree, reach), mode="valid"))
    xyz = np.stack(out, -1) @ np.linalg.inv(OPPONENT).T
    light = xyz @ np.linalg.inv(XYZ).T
    t = xyz / XYZ.sum(1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    assert light.min() > -0.2
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]),
                     200 * (f[..., 1] - f[..., 2])], -1)  # fmt: skip


@pytest.mark.parametrize("per_degree", [8.0, 23.0])
def test_it_is_what_the_filters_say(per_degree):
    """Both implementations cut and sample Gaussians their own way: within 2 %."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:60, :70] / 60
    truth = np.clip(np.stack([x, y, 0.5 + 0.4 * np.sin(9 * x)], -1), 0.05, 0.95)
    picture = np.clip(truth + 0.1 * rng.standard_normal(truth.shape), 0, 1)
    expected = np.linalg.norm(seen(picture, per_degree) - seen(truth, per_degree), axis=-1).mean()
    assert measure.s_cielab(picture, truth, per_degree) == pytest.approx(expected, rel=0.02)


def test_fine_stripes_look_like_their_mean():
    """Black and white rows of a pixel at 120 pixels a degree: far apart in CIELAB, alike seen."""
    stripes = np.zeros((48, 48, 3))
    stripes[::2] = 1.0
    gray = np.full_like(stripes, encoded(np.array(0.5)))
    plain = np.linalg.norm(rgb2lab(stripes) - rgb2lab(gray), axis=-1).mean()
    assert plain > 45
    assert measure.s_cielab(stripes, gray, 120.0) < 2  # two rows of one tone meet at the edges
    assert measure.s_cielab(stripes, gray, 4.0) > 20


def test_noise_is_seen_less_from_further_away():
    rng = np.random.default_rng(2)
    gray = np.full((64, 64, 3), 0.5)
    noisy = np.clip(gray + 0.1 * rng.standard_normal(gray.shape), 0, 1)
    found = [measure.s_cielab(noisy, gray, per_degree) for per_degree in (10, 23, 60)]
    assert found[0] > 1.3 * found[1] > 1.3**2 * found[2]


def test_fine_blue_and_yellow_is_seen_less_than_light_and_dark():
    """Gratings of the same difference in CIELAB, four cycles a degree."""
    wave = np.sin(2 * np.pi * 4 * np.arange(60) / 60)[None, :, None]
    flat = np.full((24, 60, 3), (60.0, 0.0, 0.0))
    light = lab2rgb(flat + wave * (6, 0, 0))
    blue = lab2rgb(flat + wave * (0, 0, 6))
    gray = lab2rgb(flat)
    plain = [np.linalg.norm(rgb2lab(one) - rgb2lab(gray), axis=-1).mean() for one in (light, blue)]
    assert plain[0] == pytest.approx(plain[1], rel=0.02)
    assert measure.s_cielab(light, gray, 60.0) > 2 * measure.s_cielab(blue, gray, 60.0)
