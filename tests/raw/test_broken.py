"""Compressed pixels that are damaged and decode: what no sensor gives is refused."""

import numpy as np
import pytest

from isptools.raw.integrity import broken_rows, missing_bytes
from isptools.raw.tags import Tags
from tests.raw.mosaics import capture

RANDOM = np.random.default_rng(3)
FACTS = capture(black=(512.0,) * 4)
PACKED = Tags({}, {259: (7,)})


def noisy() -> np.ndarray:
    return RANDOM.normal(3000, 30, (200, 300)).astype(np.uint16)


def test_what_a_sensor_gives_is_whole() -> None:
    assert broken_rows(noisy(), FACTS, PACKED) == ""
    assert broken_rows(noisy(), FACTS, None) == ""


@pytest.mark.parametrize("tags", [None, PACKED])
def test_rows_that_repeat(tags: Tags | None) -> None:
    pixels = noisy()
    for row in range(100, 130):
        pixels[row] = pixels[row - 2]
    assert "30 of 200 rows repeat the row before" in broken_rows(pixels, FACTS, tags)


def test_rows_of_one_value_for_each_filter() -> None:
    pixels = noisy()
    pixels[60:90] = RANDOM.integers(2000, 4000, (30, 1))  # each row another value
    assert "30 of 200 rows hold one value" in broken_rows(pixels, FACTS, PACKED)


@pytest.mark.parametrize("value", [0, 512, 16383, 65535])
def test_black_and_clipped_rows_are_a_cameras(value: int) -> None:
    pixels = noisy()
    pixels[60:120] = value
    assert broken_rows(pixels, FACTS, PACKED) == ""


def test_some_equal_rows_and_equal_samples_are_chance() -> None:
    pixels = noisy()
    for row in range(100, 114):
        pixels[row] = pixels[row - 2]
    assert broken_rows(pixels, FACTS, PACKED) == ""
    pixels = noisy()
    pixels[:, ::4] = 3000  # the columns that are looked at first
    assert broken_rows(pixels, FACTS, PACKED) == ""


def test_drawn_pixels_without_compression_are_taken() -> None:
    pixels = np.tile(np.arange(1000, 1300, dtype=np.uint16), (200, 1))
    assert broken_rows(pixels, FACTS, Tags({}, {259: (1,)})) == ""


def test_a_dng_that_does_not_say_where_its_pixels_lie() -> None:
    raw = {256: (4000,), 257: (3000,), 262: (32803,), 278: (1,)}
    assert "does not say where" in missing_bytes(Tags({50706: (1, 4, 0, 0)}, raw), 1000)
    assert missing_bytes(Tags({}, raw), 1000) == ""  # other raws may keep it elsewhere
