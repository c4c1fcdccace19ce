"""Defects that one picture shows: drawn scenes, and a public frame with injected ones."""

from dataclasses import replace

import numpy as np
import pytest

from isptools import raw
from isptools.develop.chain import develop
from isptools.develop.defects import outliers_of
from isptools.develop.steps import BadPixels
from isptools.frame import Capture, Frame, Space
from tests.develop.libraw import PHASES

ONES = (1.0, 1.0, 1.0, 1.0)
SHOT, READ = 2e-4, 1e-6


def frame(light: np.ndarray, cfa: str = "RGGB", seed: int = 0, **facts) -> Frame:
    """Light from 0 to 1 with the noise that the file states, black 512 and white 16383."""
    noisy = light + np.random.default_rng(seed).normal(size=light.shape) * np.sqrt(
        SHOT * np.maximum(light, 0) + READ
    )
    pixels = np.clip(np.rint(512 + noisy * 15871), 0, 16383).astype(np.uint16)
    stated = {"noise_profile": ((SHOT, READ),)} | facts
    capture = Capture("bayer", cfa, (512.0,) * 4, (512,) * 4, 16383, ONES, ONES, **stated)
    return Frame(pixels, Space.SENSOR, capture)


def scene(cfa: str, shape=(200, 240)) -> np.ndarray:
    """Edges, fine stripes and stars of a lens (deviation 0.7 pixels), in three colors."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    gray = (
        0.1 + 0.25 * ((x + 2 * y) // 97 % 2) + 0.05 * np.sin(x * 1.9) * np.sin(y * 1.7) * (y > 140)
    )
    for row in range(15, shape[0], 40):
        for column in range(22, shape[1], 40):
            at = (row + row % 3 / 3, column + column % 5 / 5)
            gray = gray + 0.5 * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * 0.49))
    letters = np.array(["RGB".index(c) for c in cfa]).reshape(2, 2)[y % 2, x % 2]
    return gray * np.array([0.5, 1.0, 0.6])[letters]


@pytest.mark.parametrize("cfa", PHASES)
def test_planted_defects_are_found_and_the_picture_is_not_taken_for_any(cfa: str) -> None:
    light = scene(cfa)
    clean = frame(light, cfa)
    alarms = outliers_of(clean)
    assert len(alarms) <= 4  # of 48000 pixels, 30 of them stars
    bright = np.argwhere(light[:140] > 0.2)  # a dead site does not show in the dark
    y, x = np.random.default_rng(3).permutation(bright)[:60].T
    pixels = clean.pixels.copy()
    pixels[y[:30], x[:30]] = 16383
    pixels[y[30:], x[30:]] = 512  # no response
    found = set(map(tuple, outliers_of(replace(clean, pixels=pixels))))
    hits = [tuple(place) in found for place in np.stack([y, x], 1).tolist()]
    assert np.mean(hits[:30]) >= 0.85
    assert np.mean(hits[30:]) >= 0.55  # beside an edge the dark side hides them
    assert len(found) <= len(alarms) + 60 + 6


def test_injected_defects_of_a_public_frame(shared_data) -> None:
    """400 sites were changed by its authors; those by 800 of 65535 and more can be seen."""
    folder = shared_data / "bayer_dump/nikon_dsc1339"
    clean, bad = (
        np.fromfile(folder / name, "<u2").reshape(512, 768)
        for name in ("DSC_1339_768x512_rggb.raw", "DSC_1339_768x512_rggb_bpc_test.raw")
    )
    facts = Capture("bayer", "RGGB", (0.0,) * 4, (0,) * 4, 65535, ONES, ONES)
    strong = np.abs(bad.astype(int) - clean) > 800
    found = np.zeros(bad.shape, bool)
    found[tuple(outliers_of(Frame(bad, Space.SENSOR, facts)).T)] = True
    assert strong.sum() > 200
    assert found[strong].mean() > 0.88
    assert found[clean == bad].mean() < 1e-4


def test_a_real_raw_keeps_its_texture(shared_data) -> None:
    """rawpy's finder marks a third of this picture; a sensor has a handful of defects."""
    made = raw.read(shared_data / "raw/gopro_hero7black_pair/gopro_hero7black_8508_full.dng")
    assert len(outliers_of(made)) < 100


def test_the_step_repairs_what_it_finds_and_says_how_many() -> None:
    clean = frame(scene("RGGB"))
    pixels = clean.pixels.copy()
    pixels[50, 60] = 16383
    made = develop(replace(clean, pixels=pixels), (BadPixels(find="outliers"),))
    count = dict(made.history[0].found)["repaired"][0]
    assert 1 <= count <= 5
    assert abs(int(made.pixels[50, 60]) - int(clean.pixels[50, 60])) < 2500
    assert np.count_nonzero(made.pixels != pixels) <= count
