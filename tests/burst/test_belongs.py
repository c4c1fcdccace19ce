"""Frames of other scenes are refused, frames of the same one are kept, whatever they show."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy import ndimage

from isptools.burst import BurstError, Options, fuse
from tests.burst import made

SHIFTS = [(0.0, 0.0), (3.3, -5.7), (-1.25, 2.6), (7.5, 4.1), (-5.3, -6.6)]
H, W = 288, 352
BOTH = pytest.mark.parametrize("method", ["view", "truth"])
PROFILE = pytest.mark.parametrize("profile", [True, False])


def colored(gray):
    return np.stack([0.6 * gray, gray, 0.7 * gray], -1).astype(np.float32)


def frames_of(lights, profile=True, read=6.0):
    facts = made.capture(read=read)
    facts = facts if profile else replace(facts, noise_profile=None)
    return [made.exposed(light, facts, 500 + k, read) for k, light in enumerate(lights)]


def photograph(shared_data, number, scale):
    photo = cv2.imread(str(shared_data / f"testsets/kodak24/kodim{number:02d}.png"))
    light = (photo[:H, :W, ::-1].astype(np.float32) / 255) ** 2.2
    return cv2.GaussianBlur(light, (0, 0), 1.0) * scale


@BOTH
@PROFILE
@pytest.mark.parametrize("scale", [800, 60])
def test_other_scenes_are_refused(shared_data, scale, profile, method):
    """As bright as the reference and with the same noise."""
    scenes = [photograph(shared_data, number, scale) for number in (1, 5, 8, 13, 19, 23)]
    own = made.mosaic(scenes[0])
    others = [made.mosaic(each) for each in scenes[1:]]
    others = [each * np.median(own) / np.median(each) for each in others]
    frames = frames_of([own, made.mosaic(scenes[0], (2.5, -3.4)), *others], profile)
    found = fuse(frames, Options(reference=0, method=method))
    assert [each.frame for each in found.refused] == [2, 3, 4, 5, 6]
    assert {each.reason for each in found.refused} <= {"unlike", "brightness"}
    assert found.effective_frames < 2.1


@BOTH
def test_the_sharpest_frame_may_be_the_one_that_does_not_belong(method):
    scene, other = made.texture(1, H - 64, W - 64), made.texture(2, H - 64, W - 64)
    soft = cv2.GaussianBlur(scene, (0, 0), 1.5)
    lights = [made.mosaic(soft), made.mosaic(other), *(made.mosaic(soft, s) for s in SHIFTS[1:4])]
    found = fuse(frames_of(lights), Options(method=method))
    assert found.reference != 1
    assert [each.frame for each in found.refused] == [1]


def sky(y, _x):
    return 500 - 200 * y / H


def wall(_y, _x):
    return np.full((H, W), 300.0)


def shaded(y, x):
    return 400 * (1 - 0.3 * ((y - H / 2) ** 2 + (x - W / 2) ** 2) / (H * H / 2))


def stripes(_y, x):
    return 300 + 100 * np.sin(2 * np.pi * x / 12)


def bricks(y, x):
    joints = (y % 24 < 3) | ((x + 12 * (y // 24 % 2)) % 48 < 3)
    return ndimage.gaussian_filter(300 - 150.0 * joints, 1.2)


def lamp(y, x):
    lit = (abs(y - 144) < 20) & (abs(x - 176) < 30)
    return ndimage.gaussian_filter(3 + 400.0 * lit, 1.5)


@BOTH
@PROFILE
@pytest.mark.parametrize("draw", [sky, wall, shaded, stripes, bricks, lamp])
def test_plain_scenes_are_kept(draw, profile, method):
    y, x = np.mgrid[:H, :W].astype(np.float32)
    scene = colored(draw(y, x))
    found = fuse(frames_of([made.mosaic(scene, s) for s in SHIFTS], profile),
                 Options(reference=0, method=method))  # fmt: skip
    assert found.refused == ()
    assert found.effective_frames > 0.8 * len(SHIFTS)


@BOTH
@pytest.mark.parametrize("scale", [0.03, 0.01])
def test_the_dark_is_kept(scale, method):
    """8 and 3 DN of light under noise of 6."""
    scene = made.texture(3, H - 64, W - 64) * scale
    found = fuse(frames_of([made.mosaic(scene, s) for s in SHIFTS]),
                 Options(reference=0, method=method))  # fmt: skip
    assert found.refused == ()


@BOTH
def test_large_moves_are_kept(shared_data, method):
    moves = [(0, 0), (26, -20), (-22, 24), (28, 15), (-12, -27)]
    scene = photograph(shared_data, 5, 800)
    found = fuse(frames_of([made.mosaic(scene, s) for s in moves]),
                 Options(reference=0, method=method))  # fmt: skip
    assert found.refused == ()


@BOTH
def test_a_scene_that_moves_by_a_third_is_kept(method):
    scene, thing = made.texture(4, H - 64, W - 64), made.texture(5, H - 64, W - 64)
    lights = [made.mosaic(scene, shift) for shift in SHIFTS]
    for k, light in enumerate(lights):
        light[:, :96] = made.mosaic(np.roll(thing, 37 * k, 1))[:, :96]
    found = fuse(frames_of(lights), Options(reference=0, method=method))
    assert found.refused == ()


@BOTH
def test_one_file_twice_counts_once(method):
    frames = frames_of([made.mosaic(made.texture(6, 128, 160), s) for s in SHIFTS[:3]])
    once = fuse(frames, Options(reference=0, method=method))
    found = fuse([*frames, frames[1], frames[0]], Options(reference=0, method=method))
    assert [(each.frame, each.reason, each.number) for each in found.refused] == [
        (3, "same-file", 1), (4, "same-file", 0)
    ]  # fmt: skip
    np.testing.assert_array_equal(found.frame.pixels, once.frame.pixels)
    with pytest.raises(BurstError, match="one file twice"):
        fuse([frames[0], frames[0]], Options(reference=0, method=method))
