"""The compiled pass over blocks gives the numbers of arrays of blocks, to the last bit."""

import numpy as np
import pytest
from scipy.optimize import nnls

from isptools.develop import noise, rough

BLOCK = 8


def roughness(blocks):
    across, along = np.diff(blocks, 2, axis=2), np.diff(blocks, 2, axis=1)
    return np.minimum((across**2).mean((1, 2)), (along**2).mean((1, 2))) / 6


def of_plane(plane, black, white):
    """Mean and variance, as written down."""
    rows, columns = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    cut = plane[: rows * BLOCK, : columns * BLOCK].astype(np.float64)
    blocks = cut.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)
    inside = (blocks.max((1, 2)) < black + 0.98 * (white - black)) & (blocks.min((1, 2)) > 0)
    blocks = (blocks[inside] - black) / (white - black)
    return blocks.mean((1, 2)), roughness(blocks)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(15, 31), (16, 16), (97, 531), (130, 1026), (7, 2)])
@pytest.mark.parametrize("side", [1, 2, 6])
def test_blocks_are_those_of_numpy(shape, dtype, side):
    rng = np.random.default_rng(5)
    pixels = rng.normal(1200, 350, shape).clip(0, 4095).astype(dtype)
    pixels[: shape[0] // 3, : shape[1] // 4] = 4095
    black = tuple(rng.uniform(50, 300, side * side))
    for i, (mean, variance) in enumerate(rough.blocks(pixels, black, 4095)):
        plane = pixels[i // side :: side, i % side :: side]
        expected = of_plane(plane, black[i], 4095)
        np.testing.assert_array_equal(mean, expected[0])
        np.testing.assert_array_equal(variance, expected[1])
        for found, wanted in zip(rough.in_plane(plane, black[i], 4095), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_one_picture_is_looked_at_without_compiled_loops(monkeypatch):
    pixels = np.random.default_rng(2).normal(1200, 350, (64, 96)).clip(0, 4095).astype(np.uint16)
    compiled = rough.blocks(pixels, (200.0,) * 4, 4095)
    monkeypatch.setattr(rough, "is_loaded", lambda: False)
    monkeypatch.setattr(rough, "_blocks", None)
    for one, other in zip(rough.blocks(pixels, (200.0,) * 4, 4095), compiled, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_pure_noise_shows_as_much_at_the_low_tenth():
    blocks = np.random.default_rng(0).standard_normal((20000, BLOCK, BLOCK))
    shown = np.quantile(roughness(blocks), noise.LOW)
    assert pytest.approx(shown, rel=1e-12) == noise.LOW_ON_PURE_NOISE


@pytest.mark.parametrize("count", [2, 15, 32, 511, 513, 1025, 9001])
@pytest.mark.parametrize("steps", [3, 700, 10**9])
def test_groups_are_those_of_a_stable_order(count, steps, monkeypatch):
    """Groups of means that are equal in part, of two sizes."""
    rng = np.random.default_rng(count)
    mean = rng.integers(0, steps, count) / steps
    variance = rng.random(count)
    monkeypatch.setattr(noise, "_line", lambda at, low: (at, low))
    groups = np.array_split(np.argsort(mean, kind="stable"), min(32, max(1, count // 16)))
    at, low = noise._fit(mean, variance)
    np.testing.assert_array_equal(at, [mean[group].mean() for group in groups])
    shown = np.array([np.quantile(variance[group], 0.1) for group in groups])
    np.testing.assert_array_equal(low, shown / noise.LOW_ON_PURE_NOISE)


def test_the_solver_is_scipys() -> None:
    """To the last bit: the numbers stand in shards."""
    random = np.random.default_rng(5)
    for _ in range(200):
        design = random.normal(size=(random.integers(2, 40), 2))
        wanted = random.normal(size=len(design)) * 10.0 ** random.integers(-9, 3)
        np.testing.assert_array_equal(noise._solver()(design, wanted), nnls(design, wanted)[0])
