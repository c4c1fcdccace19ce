"""What happens where a file states no white balance: what the recipe says, and it is noted."""

import io
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import rawpy

from isptools.develop.chain import develop
from isptools.develop.steps import Balance, Levels, Step
from isptools.frame import UnsupportedError, usable
from tests.develop.libraw import probe, written

UNSTATED = [
    (0.0, 1.0, 0.0, 0.0), (-1.0, -1.0, -1.0, -1.0), (0.0, 0.0, 0.0, 0.0), (2.0, 1.0, 0.0, 0.0),
    (float("nan"), 1.0, 1.5, 0.0), (float("inf"), 1.0, 1.5, 0.0), (2.0, 1.0, 4e9, 0.0),
    (2.0, 1e-38, 1.5, 0.0),
]  # fmt: skip


def frame(as_shot):
    made = written(probe("GRBG"))[1]
    return replace(made, capture=replace(made.capture, as_shot=as_shot))


@pytest.mark.parametrize("gains", UNSTATED)
def test_numbers_that_are_no_white_balance(gains):
    assert not usable(gains)
    with pytest.raises(UnsupportedError, match="the file states no white balance"):
        develop(frame(gains), (Levels(), Balance(otherwise="refuse")))


@pytest.mark.parametrize(
    "gains", [(2.0, 1.0, 1.5, 0.0), (2.0, 0.0, 1.5, 0.0), (1.0, 1.0, 1.0, 1.0), (480, 256, 390, 0)]
)
def test_numbers_that_are_one(gains):
    assert usable(gains)
    made = develop(frame(gains), (Levels(), Balance(otherwise="refuse")))
    assert made.balance_origin == "as_shot"


def test_daylight_in_its_place():
    made = develop(frame(UNSTATED[0]), (Levels(), Balance(otherwise="daylight")))
    plain = develop(frame(UNSTATED[0]), (Levels(), Balance("daylight")))
    assert np.array_equal(made.pixels, plain.pixels)
    assert (made.balance_origin, plain.balance_origin) == ("daylight", "daylight")


def test_daylight_needs_a_matrix():
    bare = frame(UNSTATED[0])
    bare = replace(bare, capture=replace(bare.capture, camera_to_srgb=None))
    with pytest.raises(UnsupportedError, match="without a color matrix"):
        develop(bare, (Levels(), Balance(otherwise="daylight")))


@pytest.mark.parametrize("step", [Balance(), Balance(otherwise="gray-world"), Balance("auto")])
def test_gray_world_is_libraws(step):
    made = develop(frame(UNSTATED[0]), (Levels(), step))
    data, _ = written(probe("GRBG"))
    with rawpy.imread(io.BytesIO(data)) as opened:
        theirs = opened.postprocess(
            half_size=True, use_auto_wb=True, output_color=rawpy.ColorSpace.raw, gamma=(1, 1),
            no_auto_bright=True, adjust_maximum_thr=0.0, output_bps=16, user_flip=0,
        )  # fmt: skip
    assert made.balance_origin == "gray_world"
    red = made.pixels[0::2, 1::2]
    assert np.array_equal(red[: len(theirs), : theirs.shape[1]], theirs[..., 0])


def test_own_gains_are_the_recipes():
    own = Balance("user", (2.0, 1.0, 1.5, 1.0))
    assert develop(frame(UNSTATED[0]), (Levels(), own)).balance_origin == "recipe"


def test_a_white_from_xy_says_so():
    made = frame((2.0, 1.0, 1.5, 0.0))
    facts = replace(made.capture, origins=(("as_shot", "tag AsShotWhiteXY"),))
    made = develop(replace(made, capture=facts), (Levels(), Balance()))
    assert made.balance_origin == "as_shot_xy"


def test_a_recipe_that_says_nothing_keeps_its_text():
    assert b"else" not in msgspec.json.encode(Balance())
    told = msgspec.json.encode(Balance(otherwise="refuse"))
    assert b'"else":"refuse"' in told
    assert msgspec.json.decode(told, type=Step) == Balance(otherwise="refuse")
    with pytest.raises(ValueError, match='`else` goes with by = "camera"'):
        Balance("auto", otherwise="refuse")
