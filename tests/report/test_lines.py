"""Lines that stand out of an input."""

import numpy as np
import pytest

from isptools.report.lines import lines


def drawn(seed=0, shape=(96, 128)):
    """A scene with an edge and a thin bar right across, its truth, and noise on the input."""
    random = np.random.default_rng(seed)
    scene = np.full(shape, 0.2)
    scene[40:] = 0.5
    scene[70] = 0.9  # a wire
    noisy = scene + random.normal(0, 0.01, shape)
    return noisy.astype(np.float32), np.repeat(scene[None], 3, 0).astype(np.float32)


def test_what_the_truth_shows_is_no_fault():
    assert list(lines(*drawn())) == []


@pytest.mark.parametrize(("name", "axis", "sign"), [("row", 0, 1), ("column", 1, 1), ("row", 0, -1)])  # noqa: E501  # fmt: skip
def test_a_line_that_only_the_input_has_is_named(name, axis, sign):
    light, truth = drawn()
    np.moveaxis(light, axis, 0)[17] += sign * 0.05
    ((what, at, share),) = lines(light, truth)
    assert (what, at) == (name, 17)
    assert share * sign > 0.95


def test_noise_and_banding_below_it_are_none():
    light, truth = drawn(1)
    light += np.random.default_rng(2).normal(0, 0.004, (96, 1)).astype(np.float32)
    assert list(lines(light, truth)) == []
