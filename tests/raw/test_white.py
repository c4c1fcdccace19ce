"""AsShotWhiteXY by chapter 6 of DNG 1.7, restated here with the CIE's own temperatures."""

import io

import numpy as np
import pytest
import rawpy

from isptools import raw
from isptools.develop.chain import develop
from isptools.develop.steps import Balance, Demosaic, Levels, ToSpace
from isptools.raw.white import temperature
from tests.raw import tiff
from tests.raw.mosaics import written

COOL = np.array(tiff.MATRIX).reshape(3, 3)  # D65
WARM = np.array([[0.9, -0.3, -0.1], [-0.45, 1.3, 0.15], [-0.02, 0.2, 0.45]])  # standard light A
CHROMATICITIES = {  # CIE 15: x, y and correlated color temperature
    "A": (0.44757, 0.40745, 2856), "D50": (0.34567, 0.35850, 5003), "D55": (0.33242, 0.34743, 5503),
    "D65": (0.31271, 0.32902, 6504), "D75": (0.29902, 0.31485, 7504), "E": (1 / 3, 1 / 3, 5455),
}  # fmt: skip
NO_NEUTRAL = (50728, 5, [])
A, D65 = 17, 21


@pytest.mark.parametrize("name", CHROMATICITIES)
def test_temperatures_are_the_cies(name):
    x, y, kelvin = CHROMATICITIES[name]
    assert temperature(x, y) == pytest.approx(kelvin, rel=5e-4)


def test_temperatures_end_where_the_method_does():
    assert temperature(0.6, 0.38) == pytest.approx(1667, abs=1)
    assert temperature(0.24, 0.23) == 1e6


def file(white, *tags, pixels=None) -> bytes:
    pixels = np.full((48, 64), 900, "<u2") if pixels is None else pixels.astype("<u2")
    return tiff.dng(pixels.shape, [pixels.tobytes()], NO_NEUTRAL,
                    (50729, 5, tiff.fractions(white)), *tags)  # fmt: skip


def gains(data: bytes) -> np.ndarray:
    found = np.array(raw.read_bytes(data, "x.dng").capture.as_shot[:3])
    return found / found[1]


def by_rule(matrix, white) -> np.ndarray:
    x, y = white
    neutral = matrix @ [x / y, 1, (1 - x - y) / y]
    return neutral[1] / neutral


@pytest.mark.parametrize("name", CHROMATICITIES)
def test_one_matrix(name):
    white = CHROMATICITIES[name][:2]
    assert np.allclose(gains(file(white)), by_rule(COOL, white), rtol=1e-5)


def two(first, second) -> tuple[tiff.Tag, ...]:
    """Both matrices, each under its illuminant."""
    matrices = {A: WARM, D65: COOL}
    return (
        (50721, 10, tiff.fractions(matrices[first].ravel())), (50778, 3, [first]),
        (50722, 10, tiff.fractions(matrices[second].ravel())), (50779, 3, [second]),
    )  # fmt: skip


@pytest.mark.parametrize("order", [(A, D65), (D65, A)])
@pytest.mark.parametrize("name", CHROMATICITIES)
def test_two_matrices_are_mixed_by_reciprocal_temperature(name, order):
    *white, kelvin = CHROMATICITIES[name]
    share = (1 / kelvin - 1 / 6500) / (1 / 2850 - 1 / 6500)  # of the warm one
    share = min(max(share, 0), 1)
    mixed = share * WARM + (1 - share) * COOL
    assert np.allclose(gains(file(white, *two(*order))), by_rule(mixed, white), rtol=3e-4)


def test_an_illuminant_that_is_not_known_leaves_the_first_matrix():
    white = CHROMATICITIES["D50"][:2]
    data = file(white, *two(A, D65), (50779, 3, [0]))
    assert np.allclose(gains(data), by_rule(WARM, white), rtol=1e-5)


def test_analog_balance_and_calibration_multiply():
    white = CHROMATICITIES["D65"][:2]
    balance, calibration = np.array([1.2, 1.0, 0.9]), np.diag([0.95, 1.0, 1.05])
    parts = (
        (50727, 5, tiff.fractions(balance)),
        (50723, 10, tiff.fractions(calibration.ravel())),
    )
    wanted = by_rule(np.diag(balance) @ calibration @ COOL, white)
    assert np.allclose(gains(file(white, *parts)), wanted, rtol=1e-5)
    same = ((50931, 2, b"com.x\0"), (50932, 2, b"com.x\0"))
    assert np.allclose(gains(file(white, *parts, *same)), wanted, rtol=1e-5)
    other = ((50931, 2, b"com.x\0"), (50932, 2, b"com.y\0"))
    plain = by_rule(np.diag(balance) @ COOL, white)
    assert np.allclose(gains(file(white, *parts, *other)), plain, rtol=1e-5)


def test_one_calibration_of_two_matrices_is_mixed_with_unity():
    *white, kelvin = CHROMATICITIES["D50"]
    share = (1 / kelvin - 1 / 6500) / (1 / 2850 - 1 / 6500)
    calibration = np.diag([0.9, 1.0, 1.1])
    data = file(white, *two(A, D65), (50723, 10, tiff.fractions(calibration.ravel())))
    mixed = share * WARM + (1 - share) * COOL
    between = share * calibration + (1 - share) * np.eye(3)
    assert np.allclose(gains(data), by_rule(between @ mixed, white), rtol=3e-4)


@pytest.mark.parametrize(
    "white", [(0.0, 0.33), (0.31, 0.0), (0.7, 0.5), (0.5, 0.0)], ids=lambda w: f"{w[0]} {w[1]}"
)
def test_what_is_no_chromaticity_states_nothing(white):
    facts = raw.read_bytes(file(white), "x.dng").capture
    assert facts.as_shot == (0.0, 1.0, 0.0, 0.0)
    assert facts.departures == ()


def test_without_a_matrix_nothing_can_be_made_of_it():
    facts = raw.read_bytes(file((0.3127, 0.329), (50721, 10, [])), "x.dng").capture
    assert facts.as_shot == (0.0, 1.0, 0.0, 0.0)


def test_a_neutral_stands_before_a_chromaticity():
    data = file((0.4476, 0.4074), (50728, 5, tiff.fractions([0.5, 1.0, 0.8])))
    assert np.allclose(gains(data), [2, 1, 1.25])


def test_a_neutral_of_zeros_leaves_it_to_the_chromaticity():
    white = (0.4476, 0.4074)
    data = file(white, (50728, 5, [(0, 1), (0, 1), (0, 1)]))
    assert np.allclose(gains(data), by_rule(COOL, white), rtol=1e-5)


@pytest.mark.parametrize("matrices", [(), two(A, D65)], ids=["one matrix", "two"])
def test_the_same_light_in_other_words_is_the_same_file(matrices):
    """Every color fact, and the truth, of the white stated as xy and as a neutral."""
    white = (0.38, 0.37)
    pixels = np.random.default_rng(0).integers(200, 3000, (48, 64))
    told = raw.read_bytes(file(white, *matrices, pixels=pixels), "x.dng")
    neutral = tiff.fractions(1 / gains(file(white, *matrices)))
    other = raw.read_bytes(
        tiff.dng(pixels.shape, [pixels.astype("<u2").tobytes()], (50728, 5, neutral), *matrices),
        "y.dng",
    )
    for fact in ("as_shot", "daylight", "camera_to_srgb", "xyz_to_camera"):
        ours, theirs = getattr(told.capture, fact), getattr(other.capture, fact)
        assert np.allclose(ours, theirs, rtol=2e-6), fact
    steps = (Levels(), Balance(), Demosaic("linear"), ToSpace("srgb"))
    both = [develop(one, steps).pixels.astype(int) for one in (told, other)]
    assert np.abs(both[0] - both[1]).max() <= 4  # of 65535


def test_what_was_read_is_what_is_written():
    frame = raw.read_bytes(file((0.4476, 0.4074)), "x.dng")
    again = raw.read_bytes(written(frame), "y.dng").capture
    ours, theirs = (np.array(one.as_shot[:3]) for one in (frame.capture, again))
    assert np.allclose(ours / ours[1], theirs / theirs[1], rtol=1e-6)
    assert np.allclose(frame.capture.camera_to_srgb, again.camera_to_srgb, atol=1e-6)
    assert again.departures == ()


def test_libraw_states_none_and_its_own_numbers_can_be_had():
    data = file((0.3127, 0.329))
    with rawpy.imread(io.BytesIO(data)) as opened:
        assert opened.camera_whitebalance[0] == 0
        theirs = tuple(opened.daylight_whitebalance)
    frame = raw.read_bytes(data, "x.dng", trust="libraw")
    assert frame.capture.as_shot[0] == 0
    assert frame.capture.daylight == theirs
    (line,) = frame.capture.departures
    assert "AsShotWhiteXY 0.3127 0.329 makes gains 2.5255 1 1.3727" in line
