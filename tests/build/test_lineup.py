"""Published pictures laid onto the sensor: every turn, crops, and what does not lie there."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import cv2
import imageio.v3 as imageio
import numpy as np
import pytest

from isptools import raw
from isptools.build.lineup import Fit, MisfitError, laid_picture
from isptools.develop.chain import develop
from isptools.develop.orient import onto_sensor
from isptools.develop.steps import Balance, Demosaic, Levels, ToXYZ
from isptools.frame import Capture
from isptools.synth import scenes

FACTS = Capture("bayer", "RGGB", (0.0,) * 4, (0,) * 4, 1023, (1, 1, 1, 0), (1, 1, 1, 0))
# what turns a sensor picture upright, by LibRaw's code, from EXIF's definition
UPRIGHT = {
    0: lambda p: p,
    1: lambda p: p[:, ::-1],
    2: lambda p: p[::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p.swapaxes(0, 1),
    5: lambda p: np.rot90(p, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
}


@pytest.fixture(scope="module")
def developed() -> np.ndarray:
    return scenes.paint(np.random.default_rng(3), 264, 396)


def saved(path: Path, developed: np.ndarray) -> np.ndarray:
    """A brighter picture of it, 8 bit, without loss; as it lies."""
    shown = np.rint(255 * np.clip(developed, 0, 1) ** 0.45).astype(np.uint8)
    assert cv2.imwrite(str(path), np.ascontiguousarray(shown[..., ::-1]))
    return shown


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("flip", UPRIGHT)
def test_every_turn(flip, told, developed, tmp_path):
    """As the raw says; where it says nothing, quarter turns are found, mirrored pictures not."""
    path = tmp_path / "a.png"
    shown = saved(path, UPRIGHT[flip](developed))
    capture = replace(FACTS, flip=flip if told else 0)
    if not told and flip in {1, 2, 4, 7}:
        with pytest.raises(MisfitError):
            laid_picture(path, developed, capture)
        return
    found = laid_picture(path, developed, capture)
    np.testing.assert_array_equal(UPRIGHT[flip](found.pixels), shown)
    assert found.turned == (flip != 0)


@pytest.mark.parametrize("flip", [0, 5, 6])
def test_a_crop_lies_where_the_tags_say(flip, developed, tmp_path):
    """Relative to an active area that does not begin where the visible pixels do."""
    path = tmp_path / "a.png"
    part = developed[9:-10, 17:-14]
    saved(path, UPRIGHT[flip](part))
    crop = (7.0, 15.0, float(part.shape[0]), float(part.shape[1]))
    capture = replace(
        FACTS, flip=flip, default_crop=crop, active_area=(6, 12, 300, 400), visible_origin=(4, 10)
    )
    found = laid_picture(path, developed, capture).pixels
    shown = saved(tmp_path / "whole.png", developed)
    np.testing.assert_array_equal(found[9:-10, 17:-14], shown[9:-10, 17:-14])
    assert (found[:9] == found[9]).all()
    assert (found[:, -14:] == found[:, -15:-14]).all()
    with pytest.raises(MisfitError) as caught:
        laid_picture(path, developed, replace(capture, default_crop=(9.0, 15.0, *crop[2:])))
    assert caught.value.reason == "misaligned"
    assert caught.value.number == pytest.approx(2, abs=0.7)
    with pytest.raises(MisfitError) as caught:
        laid_picture(path, developed, replace(capture, default_crop=None))
    assert (caught.value.reason, caught.value.number) == ("wrong-size", 19 + 31)


def test_another_picture_is_refused(developed, tmp_path):
    for other in (np.full_like(developed, 0.4), scenes.paint(np.random.default_rng(4), 264, 396)):
        saved(tmp_path / "a.png", other)
        with pytest.raises(MisfitError, match=r"a\.png"):
            laid_picture(tmp_path / "a.png", developed, FACTS)


def test_a_real_raw_and_its_jpeg(shared_data):
    """Stored mirrored; the two are known to lie (8, -4) pixels apart."""
    folder = shared_data / "raw/gopro_hero7black_pair"
    frame = raw.read(folder / "gopro_hero7black_8508_full.dng")
    steps = (Levels(), Balance(), Demosaic("linear"), ToXYZ())
    developed = develop(frame, steps).pixels
    found = laid_picture(folder / "GOPR8508.JPG", developed, frame.capture, Fit(within=2, reach=12))
    assert found.turned
    picture = onto_sensor(imageio.imread(folder / "GOPR8508.JPG"), frame.capture.flip)
    here = found.pixels[20:220, 20:-20]
    moved = {
        (abs(y), abs(x))
        for y, x in product((-8, -4, 0, 4, 8), repeat=2)
        if np.array_equal(here, picture[20 + y : 220 + y, 20 + x : 20 + x + here.shape[1]])
    }
    assert moved == {(4, 8)}
