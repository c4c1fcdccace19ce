"""Noise under a picture: stripes that only look rough where blocks are cut wrongly."""

import numpy as np
import pytest

from isptools.measure.residual import noise_variance


@pytest.mark.parametrize("across", [False, True])
def test_noise_is_seen_along_the_smooth_way(across):
    """Stripes of 16 pixels with noise of a hundredth: down the stripes there is noise alone."""
    line = 0.5 + 0.3 * np.sin(2 * np.pi * np.arange(256) / 16)
    picture = np.tile(line, (256, 1))
    picture = picture.T if across else picture
    noisy = picture + np.random.default_rng(0).normal(0, 0.01, picture.shape)
    assert noise_variance(noisy) == pytest.approx(1e-4, rel=0.15)
