"""The compiled passes of `check` beside the same in NumPy."""

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from isptools.shards import agree, passes
from isptools.shards.read import normalized
from isptools.shards.schema import Picture, decode
from isptools.shards.seen.blocks import _in_strips, _looked_up
from isptools.shards.seen.light import Backwards, _gamma
from isptools.shards.sides import Truth
from tests.shards import made

SHAPES = {"RGGB": ((70, 94), 16), made.XTRANS: ((75, 101), 18)}


@pytest.mark.parametrize("cfa", SHAPES, ids=["bayer", "xtrans"])
@pytest.mark.parametrize("shaded", [False, True])
def test_an_input_by_cells_and_blocks(cfa: str, shaded: bool) -> None:
    shape, side = SHAPES[cfa]
    every = {4: 2, 36: 6}[len(cfa)]
    row, pixels = made.input_row("k", "s", cfa), made.mosaic(1, shape)
    gains = np.linspace(1, 2, pixels.size, dtype=np.float32).reshape(shape) if shaded else None
    found = passes.own(pixels, row, agree.weights(row), side, gains)
    light = normalized(pixels, row)
    cells = agree.input_cells(light if gains is None else light * gains, row)
    np.testing.assert_allclose(found.cells, cells, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(found.counts, np.bincount(pixels.ravel(), minlength=65536))
    rows, columns = (length // side for length in shape)
    cut = light[: rows * side, : columns * side]
    np.testing.assert_array_equal(found.peak, cut.reshape(rows, side, columns, side).max((1, 3)))
    for p in range(every):
        for q in range(every):
            plane = cut[p::every, q::every].astype(np.float64)
            each = plane.reshape(rows, side // every, columns, side // every).mean((1, 3))
            np.testing.assert_allclose(found.means[p * every + q], each, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("space", ["xyz", "srgb", "srgb_linear"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_truths_luminance_by_cells(space: str, dtype: str) -> None:
    meaning = Picture(space, dtype, 1.25, "", "develop")
    planes = np.random.default_rng(0).integers(0, 250, (3, 41, 37)).astype(dtype)
    planes = planes / np.float32(200) if dtype == "float32" else planes
    physical = decode(planes, meaning)
    light = agree.luminance(lambda channel: physical[channel], space)
    shown = Truth(planes, meaning, "RGGB").shown
    np.testing.assert_allclose(shown.cells, agree.truth_cells(light, "RGGB"), rtol=1e-6)
    assert shown.middle == pytest.approx(float(np.median(shown.cells)), rel=1e-15)


@pytest.mark.parametrize("curve", [None, _gamma(2.4, 12.92)], ids=["linear", "srgb"])
def test_a_truth_looked_up_is_a_truth_computed(curve: Any) -> None:
    """By blocks: means in balanced camera RGB, largest values, and what is clipped."""
    planes = np.random.default_rng(1).integers(0, 65536, (3, 70, 90)).astype(np.uint16)
    planes[:, 3:9, 5:60] = 65535
    planes[1, 40:44] = 0
    truth = Truth(planes, Picture("srgb", "uint16", 1.25, "", "develop"), "RGGB")
    how = Backwards(curve, np.array([[1.2, -0.1, 0.3], [0.2, 0.8, 0], [0, -0.4, 1.5]]),
                    np.ones(3), 1.25)  # fmt: skip
    assert truth.values is not None
    one, other = _looked_up(planes, truth.values, how, 16), _in_strips(truth, how, 16, None)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-6)
    np.testing.assert_allclose(one.bright, other.bright, rtol=1e-6)
    np.testing.assert_allclose(one.clipped, other.clipped, atol=1e-12)
    assert 0 < one.clipped.max() <= 1


def test_blocks_of_a_checkerboard() -> None:
    cells = np.random.default_rng(2).uniform(-0.1, 0.9, (27, 35))
    black, white = passes.halves(cells, 1.5, 1.0, 4)
    y, x = np.mgrid[:24, :32]
    cut = np.minimum(cells * 1.5, 1)[:24, :32]
    for found, parity in ((black, 0), (white, 1)):
        kept = np.where((y + x) % 2 == parity, cut, 0).reshape(6, 4, 8, 4).sum((1, 3)) / 8
        np.testing.assert_allclose(found, kept, rtol=1e-12, atol=1e-15)
    means = cells[:25, :35].reshape(5, 5, 7, 5).mean((1, 3))
    np.testing.assert_allclose(passes.means(cells, 5), means, rtol=1e-12, atol=1e-15)
    fine = means - uniform_filter(means, 3, mode="reflect")
    np.testing.assert_allclose(agree.detail(means), fine, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 10, 1001])
def test_the_median_is_numpys(size: int) -> None:
    random = np.random.default_rng(size)
    for values in (
        random.normal(size=size), -random.uniform(0, 1e-9, size), np.zeros(size),
        random.integers(-2, 2, size).astype(float), np.where(random.random(size) < 0.5, -5.0, 7.0),
    ):  # fmt: skip
        assert passes.median(values) == np.median(values)
