"""The common grid: which pixels stay, and where the others come from."""

import cv2
import numpy as np
import pytest

from isptools.pair import plane, warp
from isptools.pair.local import Mapping
from isptools.pair.warp import Choice
from tests.pair import views


def smooth(height, width):
    """A picture that any good interpolation gets right."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 17 + i) * np.cos(y / 23 - i) for i in range(3)]
    return views.encoded(0.4 + 0.3 * np.stack(waves, -1))


@pytest.fixture(scope="module")
def case():
    picture = smooth(500, 700)
    h, size = views.mapping(picture.shape, turn=4, scale=1.5)
    other = views.encoded(
        cv2.warpPerspective(views.linear(picture), h, size, flags=cv2.INTER_CUBIC)
    )
    return picture, other, Mapping(h)


def test_the_reference_keeps_its_pixels_and_the_other_lies_on_them(case):
    picture, other, mapping = case
    on = warp.canvas(mapping, picture.shape, other.shape, Choice("phone"))
    pair = warp.warp(picture, other, mapping, on)
    rows, columns = slice(on.top, on.top + on.height), slice(on.left, on.left + on.width)
    np.testing.assert_array_equal(pair.phone, picture[rows, columns])
    off = np.abs(pair.dslr.astype(int) - pair.phone)
    assert np.percentile(off, 99) <= 3


def test_the_coarser_side_is_the_reference_by_default(case):
    picture, other, mapping = case
    assert warp.canvas(mapping, picture.shape, other.shape, Choice()).reference == "phone"
    turned = Mapping(np.linalg.inv(mapping.h))
    assert warp.canvas(turned, other.shape, picture.shape, Choice()).reference == "dslr"


def test_the_rectangle_lies_in_both_and_has_the_aspect(case):
    picture, other, mapping = case
    on = warp.canvas(mapping, picture.shape, other.shape, Choice("phone", aspect=1.35, every=2))
    assert on.width / on.height == pytest.approx(1.35, abs=0.02)
    assert on.top % 2 == on.left % 2 == on.height % 2 == on.width % 2 == 0
    right, bottom = on.left + on.width - 1, on.top + on.height - 1
    corners = np.array([[on.left, on.top], [right, on.top], [right, bottom], [on.left, bottom]])
    mapped = plane.apply(mapping.h, corners.astype(float))
    assert (mapped >= 0).all()
    assert (mapped <= (other.shape[1] - 1, other.shape[0] - 1)).all()


def test_the_largest_rectangle_in_a_diamond_and_in_a_square():
    diamond = np.array([[0.0, -10], [10, 0], [0, 10], [-10, 0]])
    left, top, right, bottom = warp.rectangle(diamond, None)
    assert (right - left) * (bottom - top) == pytest.approx(100, rel=1e-3)  # by calculus: 10 x 10
    left, top, right, bottom = warp.rectangle(diamond, 3.0)
    assert (right - left, bottom - top) == pytest.approx((15, 5), rel=1e-3)


def test_resizing_is_the_mean_over_areas_in_linear_light():
    """Two by two to one is the mean of four, and a light mean at that."""
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    made = warp.resample(picture, lambda points: points * 2 + 0.5, (32, 32))
    light = warp.decode(picture).reshape(32, 2, 32, 2, 3).mean((1, 3))
    off = np.abs(made.astype(int) - warp.encode(light, np.uint8))
    assert np.percentile(off[1:-1, 1:-1], 95) <= 12  # the places are half way between pixels
    assert abs(warp.decode(made).mean() - light.mean()) < 1e-3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_encoding_goes_back(dtype):
    values = np.arange(0, np.iinfo(dtype).max + 1, 1 if dtype == np.uint8 else 97).astype(dtype)
    back = warp.encode(warp.decode(values), dtype)
    assert np.abs(back.astype(int) - values).max() <= (0 if dtype == np.uint8 else 8)


def test_a_size_resamples_both(case):
    picture, other, mapping = case
    on = warp.canvas(mapping, picture.shape, other.shape, Choice(size=(200, 270)))
    pair = warp.warp(picture, other, mapping, on)
    assert pair.phone.shape == pair.dslr.shape == (200, 270, 3)
    assert np.percentile(np.abs(pair.phone.astype(int) - pair.dslr), 99) <= 4


def test_no_overlap_is_refused():
    h = np.array([[1.0, 0, 5000], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="overlap"):
        warp.canvas(Mapping(h), (500, 700), (500, 700), Choice())
