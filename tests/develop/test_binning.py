"""Quad and Nona Bayer made Bayer: means, levels and noise against what was drawn."""

from dataclasses import replace

import numpy as np
import pytest

from isptools import raw
from isptools.develop.chain import develop
from isptools.develop.noise import noise_of
from isptools.develop.steps import Balance, Bin, Demosaic, Levels, ToXYZ
from isptools.frame import Capture, Frame, Space, UnsupportedError
from isptools.recipe import Develop, Kept
from tests.raw import tiff

LIGHT = {"R": 0.2, "G": 0.5, "B": 0.35}
WHITE, BLACK = 1023, 64.0
SHOT, READ = 4e-3, 2e-5


def capture(letters: np.ndarray, side: int) -> Capture:
    kind = {2: "quad", 3: "nona"}[side]
    black = (BLACK,) * letters.size
    return Capture(
        kind, "".join(letters.ravel()), black, (int(BLACK),) * letters.size, WHITE,
        (2.0, 1.0, 1.5, 0.0), (2.0, 1.0, 1.5, 0.0), noise_profile=((SHOT, READ),),
        active_area=(8, 4, 400, 600), visible_origin=(8, 4), default_crop=(12.0, 6.0, 360.0, 480.0),
    )  # fmt: skip


def array(cfa: str, side: int, moved=(0, 0)) -> np.ndarray:
    letters = np.kron(np.array([ord(one) for one in cfa]).reshape(2, 2), np.ones((side, side), int))
    return np.vectorize(chr)(np.roll(letters, (-moved[0], -moved[1]), (0, 1)))


def lit(letters: np.ndarray, shape=(361, 481)) -> np.ndarray:
    rows, columns = np.arange(shape[0]) % len(letters), np.arange(shape[1]) % len(letters)
    return np.vectorize(LIGHT.get)(letters[rows][:, columns])


@pytest.mark.parametrize("moved", [(0, 0), (1, 0), (1, 1), (2, 3)])
@pytest.mark.parametrize("side", [2, 3])
@pytest.mark.parametrize("cfa", ["RGGB", "GBRG"])
def test_cells_of_one_color_become_one_pixel(cfa, side, moved):
    """Wherever the visible area begins inside a cell."""
    letters = array(cfa, side, moved)
    pixels = np.rint(BLACK + lit(letters) * (WHITE - BLACK)).astype(np.uint16)
    frame = Bin()(Frame(pixels, Space.SENSOR, capture(letters, side)))
    facts = frame.capture
    assert facts.kind == "bayer"
    assert frame.space is Space.SENSOR
    drop = [-(one % -side) for one in moved]
    assert frame.pixels.shape == ((361 - drop[0]) // side, (481 - drop[1]) // side)
    for i, letter in enumerate(facts.cfa):
        wanted = np.rint(BLACK + LIGHT[letter] * (WHITE - BLACK))
        assert set(np.unique(frame.pixels[i // 2 :: 2, i % 2 :: 2])) == {wanted}
    assert facts.black == (BLACK,) * 4
    assert facts.black_libraw == (int(BLACK),) * 4
    assert facts.white == WHITE


@pytest.mark.parametrize("side", [2, 3])
def test_noise_is_that_of_the_means(side):
    """Variance measured on a drawn frame against the stated one, color by color."""
    letters = array("RGGB", side)
    light = lit(letters, (900, 1200))
    deviation = np.sqrt(SHOT * light + READ)
    noisy = light + deviation * np.random.default_rng(1).standard_normal(light.shape)
    pixels = np.rint(BLACK + noisy * (WHITE - BLACK)).astype(np.uint16)
    frame = Bin()(Frame(pixels, Space.SENSOR, capture(letters, side)))
    stated = noise_of(frame)
    for i, letter in enumerate(frame.capture.cfa):
        plane = (frame.pixels[i // 2 :: 2, i % 2 :: 2] - BLACK) / (WHITE - BLACK)
        variance = stated.shot[i] * LIGHT[letter] + stated.read[i]
        assert plane.mean() == pytest.approx(LIGHT[letter], rel=2e-3)
        added = 1 / 12 / (WHITE - BLACK) ** 2  # of the drawn integers themselves
        assert plane.var() == pytest.approx(variance + added / side**2, rel=0.03)
        assert stated.shot[i] == pytest.approx(SHOT / side**2)


def test_rounding_a_mean_adds_its_own_noise():
    """Read noise of little more than 1 DN: what rounding adds is a fifth of what is left."""
    letters = array("RGGB", 2)
    facts = replace(capture(letters, 2), noise_profile=((0.0, 1.4 / (WHITE - BLACK) ** 2),))
    rng = np.random.default_rng(3)
    light = BLACK + 100 + rng.uniform(0, 1, (400, 400))
    drawn = np.kron(light, np.ones((2, 2))) + np.sqrt(1.4) * rng.standard_normal((800, 800))
    frame = Bin()(Frame(np.rint(drawn).astype(np.uint16), Space.SENSOR, facts))
    stated = noise_of(frame).read[0] * (WHITE - BLACK) ** 2
    assert (frame.pixels - light).var() == pytest.approx(stated + 1 / 12 / 4, rel=0.03)


def test_means_are_rounded_without_a_bias():
    pixels = np.random.default_rng(2).integers(100, 900, (800, 800)).astype(np.uint16)
    letters = array("RGGB", 2)
    frame = Bin()(Frame(pixels, Space.SENSOR, capture(letters, 2)))
    exact = pixels.reshape(400, 2, 400, 2).mean((1, 3))
    error = frame.pixels - exact
    assert abs(error.mean()) < 0.003
    assert np.abs(error).max() <= 0.5
    assert error.var() == pytest.approx((4**2 + 2) / (12 * 4**2), rel=0.01)


def test_levels_of_a_cell_are_averaged():
    letters = array("RGGB", 2)
    black = tuple(60.0 + i for i in range(16))
    facts = replace(capture(letters, 2), black=black, black_libraw=tuple(map(int, black)))
    pixels = np.full((48, 64), 500, np.uint16)
    found = Bin()(Frame(pixels, Space.SENSOR, facts)).capture
    assert found.black == (62.5, 64.5, 70.5, 72.5)  # means of 2x2 of 0 to 15
    assert found.black_libraw == (62, 64, 70, 72)


def test_areas_are_in_pixels_of_the_result():
    letters = array("RGGB", 2)
    pixels = np.full((392, 596), 500, np.uint16)
    facts = Bin()(Frame(pixels, Space.SENSOR, capture(letters, 2))).capture
    assert facts.active_area == (0, 0, 196, 298)
    assert facts.visible_origin == (0, 0)
    assert facts.default_crop == (6.0, 3.0, 180.0, 240.0)


@pytest.mark.parametrize("step", [Levels()])
def test_what_needs_bayer_refuses_larger_arrays_by_name(step):
    letters = array("RGGB", 3)
    frame = Frame(np.full((48, 66), 500, np.uint16), Space.SENSOR, capture(letters, 3))
    with pytest.raises(UnsupportedError, match="this frame is nona: `bin` first"):
        step(frame)


def test_a_bayer_frame_is_not_binned():
    facts = replace(capture(array("RGGB", 2), 2), kind="bayer", cfa="RGGB", black=(BLACK,) * 4)
    with pytest.raises(UnsupportedError, match="this frame is bayer"):
        Bin()(Frame(np.full((48, 64), 500, np.uint16), Space.SENSOR, facts))


def test_from_a_file_to_a_truth():
    """A gray scene in a Quad Bayer DNG comes out gray."""
    letters = array("GRBG", 2)
    neutral = {"R": 0.5, "G": 1.0, "B": 0.6}  # AsShotNeutral of tests.raw.tiff
    rows, columns = np.arange(80) % 4, np.arange(96) % 4
    light = 0.4 * np.vectorize(neutral.get)(letters[rows][:, columns])
    pixels = np.rint(64 + light * (4095 - 64)).astype("<u2")
    codes = tuple("RGB".index(one) for one in letters.ravel())
    data = tiff.dng((80, 96), [pixels.tobytes()], (33421, 3, [4, 4]), (33422, 1, codes),
                    (50714, 3, [64]))  # fmt: skip
    frame = raw.read_bytes(data, "x.dng", larger=True)
    truth = develop(frame, (Bin(), Levels(), Balance(), Demosaic("linear"), ToXYZ())).pixels
    y = truth[10:-10, 10:-10, 1]
    assert truth.shape == (40, 48, 3)
    gray = np.array([0.95047, 1.0, 1.08883])
    assert np.allclose(truth[10:-10, 10:-10] / y[..., None], gray, atol=3e-3)


def test_bin_stands_first_of_prepare():
    kept = Kept("xyz")
    walk = (Levels(), Balance(), Demosaic(), ToXYZ())
    assert Develop(steps=walk, restoration=kept, prepare=(Bin(),)).bins
    with pytest.raises(ValueError, match="first step of `prepare`"):
        Develop(steps=(Bin(), *walk), restoration=kept)
