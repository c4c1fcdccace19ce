"""Different scenes that share one identical region are no pair; one scene with foreign content is.

The region is a part of the one picture, resized and pasted into the other, which is then made
another camera's picture. The mapping that is found is right inside of the region: only what the
rest of the frame shows can tell.
"""

from functools import cache

import cv2
import numpy as np
import pytest

from isptools.pair import plane
from isptools.pair.align import align
from isptools.pair.cover import cover
from isptools.pair.light import gray
from tests.pair import views


@cache
def painted(number):
    """Painted scenes have one layout; turned and moved round they have none in common."""
    picture = views.scene(450, 600, 60 + number)
    picture = picture[:: -1 if number & 1 else 1, :: -1 if number & 2 else 1]
    return np.roll(picture, (140 * number, 210 * number), (0, 1))


def shared(one, other, share, scale, same_place, seed):
    """The other scene with `share` of it showing a part of the one, `scale` times as large.

    The part is at most `share` of either picture.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    height, width = one.shape[:2]
    size = np.array([height, width]) * share**0.5
    own, pasted = (size / max(1.0, scale)).astype(int), (size * min(1.0, scale)).astype(int)
    top, left = (int(rng.integers(room)) for room in (height, width) - own)
    part = cv2.resize(one[top : top + own[0], left : left + own[1]], pasted[::-1].tolist())
    room = np.array(other.shape[:2]) - pasted
    at = (np.minimum((top, left), room) if same_place else rng.integers(room)).astype(int)
    made = other.copy()
    made[at[0] : at[0] + pasted[0], at[1] : at[1] + pasted[1]] = part
    return views.other(made, np.eye(3), made.shape[1::-1], seed)


CASES = [
    (0.1, 1.0, False), (0.2, 1.0, True), (0.2, 1.0, False), (0.3, 1.0, True), (0.3, 1.25, False),
    (0.4, 1.0, True), (0.4, 1.25, False),
]  # fmt: skip
# of a frame, scale, at the same place


@pytest.mark.parametrize(("share", "scale", "same_place"), CASES)
def test_painted_scenes_that_share_a_region_fail(share, scale, same_place):
    seed = round(100 * share + 10 * scale) + same_place
    one, other = painted(seed % 3), painted(3 + seed % 2)
    found = align(one, shared(one, other, share, scale, same_place, seed))
    assert not found.passed
    assert all(found.reasons)


@pytest.mark.parametrize(("share", "scale", "same_place"), CASES[1::2])
def test_photographs_that_share_a_region_fail(share, scale, same_place, shared_data):
    seed = round(100 * share + 10 * scale) + same_place
    names = (("01", "08"), ("13", "05"), ("20", "23"), ("07", "22"))[seed % 4]
    one, other = (
        cv2.imread(str(shared_data / f"testsets/kodak24/kodim{name}.png")) for name in names
    )
    found = align(one, shared(one, other, share, scale, same_place, seed))
    assert not found.passed
    assert all(found.reasons)


def test_it_is_the_content_that_fails_not_the_mapping():
    """A large region gives a mapping that nothing else speaks against."""
    one, other = painted(0), painted(3)
    found = align(one, shared(one, other, 0.4, 1.0, True, 8))
    assert [reason.split(":")[0] for reason in found.reasons] == ["other content"]
    assert found.numbers["frame"] == pytest.approx(0.4, abs=0.08)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_scene_with_foreign_content_on_30_percent_passes(seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    one, foreign = painted(seed % 3), painted(3 + seed % 2)
    h, size = views.mapping(one.shape, turn=3, scale=1.1, tilt=(0, 0))
    made = views.other(one, h, size, seed)
    scene = cv2.warpPerspective(np.ones(one.shape[:2], np.uint8), h, size)
    height, width = 170, 230
    while (scene == 1).mean() > 0.7 * (scene > 0).mean():
        top, left = (int(rng.integers(side - part)) for side, part in
                     zip(made.shape[:2], (height, width), strict=True))  # fmt: skip
        area = slice(top, top + height), slice(left, left + width)
        if (scene[area] == 1).all():
            made[area] = foreign[:height, :width]
            scene[area] = 2
            height, width = 100, 140
    found = align(one, made)
    assert found.passed, found.reasons
    assert views.corner_error(found.mapping.h, h, one.shape) < 0.8
    assert found.numbers["frame"] == pytest.approx(0.66, abs=0.12)


def test_a_part_of_the_scene_taken_nearer_passes():
    """The whole of the one picture counts where it lies in the other, and both clean overlaps."""
    one = views.scene(700, 1000, 9)
    near = views.other(one[150:550, 300:850].copy(), np.diag([1.4, 1.4, 1]), (770, 560))
    found = align(one, near)
    assert found.passed, found.reasons
    assert found.numbers["overlap"] < 0.4
    assert found.numbers["frame"] > 0.9
    beside = views.other(one[:, 520:].copy(), np.eye(3), (480, 700))
    found = align(one[:, :780].copy(), beside)
    assert found.passed, found.reasons
    assert found.numbers["frame"] < 0.6
    assert found.numbers["shared"] > 0.9


def test_windows_tell_where_the_pictures_differ():
    one, other = gray(painted(1)), gray(painted(4))
    half = one.copy()
    half[:, 300:] = other[:, 300:]
    found = cover(one, half, np.eye(3), None)
    right = found.places[:, 0] > 320
    left = found.places[:, 0] < 280
    assert found.same[left & found.textured].mean() > 0.99
    assert found.same[right & found.textured].mean() < 0.12
    assert found.share == pytest.approx(0.5, abs=0.1)
    assert plane.scale(np.eye(3), found.places) == 1


def test_noise_and_blank_walls_say_nothing():
    """Windows in which neither side shows anything count neither for nor against."""
    rng = np.random.default_rng(5)
    wall = np.full((400, 600), 120.0)
    wall[100:300, 200:400] = gray(painted(2))[100:300, 200:400]
    sides = [np.clip(wall + rng.normal(0, 3, wall.shape), 0, 255).astype(np.uint8) for _ in "ab"]
    found = cover(*sides, np.eye(3), None)
    assert found.share > 0.95
    inside = (abs(found.places - (299.5, 199.5)) < 85).all(1)
    outside = (abs(found.places - (299.5, 199.5)) > 120).any(1)
    assert found.textured[inside].mean() > 0.9
    assert found.textured[outside].mean() < 0.1
