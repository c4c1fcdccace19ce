"""Color filter arrays as tags state them: any repeat, any order of planes (DNG 1.7, TIFF/EP)."""

import numpy as np
import pytest

from isptools import raw
from isptools.develop.chain import develop
from isptools.develop.steps import Balance, Demosaic, Levels, ToSpace
from tests.raw import tiff
from tests.raw.mosaics import PHASES, XTRANS

SHAPE = (48, 60)
LIGHT = {"R": 1000, "G": 2000, "B": 3000}


def grid(text: str, rows: int) -> np.ndarray:
    return np.array(list(text)).reshape(rows, -1)


def codes(letters: np.ndarray) -> tuple[int, ...]:
    return tuple("RGBCMYW".index(letter) for letter in letters.ravel())


def lit(letters: np.ndarray, corner=(0, 0), shape=SHAPE) -> np.ndarray:
    """Each filter's own light; the pattern begins at the active area's corner."""
    y = (np.arange(shape[0]) - corner[0]) % len(letters)
    x = (np.arange(shape[1]) - corner[1]) % letters.shape[1]
    return np.vectorize(lambda one: LIGHT.get(one, 500))(letters[y][:, x]).astype("<u2")


def file(letters: np.ndarray, *tags, corner=(0, 0)) -> bytes:
    return tiff.dng(SHAPE, [lit(letters, corner).tobytes()], (33421, 3, letters.shape),
                    (33422, 1, codes(letters)), (50829, 4, [*corner, *SHAPE]), *tags)  # fmt: skip


def cells(cfa: str, side: int) -> np.ndarray:
    return np.repeat(np.repeat(grid(cfa, 2), side, 0), side, 1)


@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (3, 3)])
@pytest.mark.parametrize("repeat", [(1, 1), (1, 4), (4, 1), (2, 2), (3, 1)])
@pytest.mark.parametrize("cfa", PHASES)
def test_bayer_in_whatever_repeat_it_is_written(cfa, repeat, corner):
    """2x2, 2x8, 8x2, 4x4, 6x2; LibRaw keeps a part of the larger ones."""
    frame = raw.read_bytes(file(np.tile(grid(cfa, 2), repeat), corner=corner), "x.dng")
    assert frame.capture.kind == "bayer"
    for i, letter in enumerate(frame.capture.cfa):
        assert set(np.unique(frame.pixels[i // 2 :: 2, i % 2 :: 2])) == {LIGHT[letter]}


@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (2, 3)])
def test_xtrans_keeps_its_phase(corner):
    frame = raw.read_bytes(file(grid(XTRANS, 6), corner=corner), "x.dng")
    assert frame.capture.kind == "xtrans"
    for i, letter in enumerate(frame.capture.cfa):
        assert set(np.unique(frame.pixels[i // 6 :: 6, i % 6 :: 6])) == {LIGHT[letter]}


ODD = {
    "Quad Bayer": cells("RGGB", 2),
    "Tetracell": np.roll(cells("BGGR", 2), (1, 1), (0, 1)),
    "Nona Bayer": cells("GRBG", 3),
    "Nonacell": np.roll(cells("RGGB", 3), (2, 1), (0, 1)),
    "Hexadeca": cells("RGGB", 4),
    "2x4 pattern": grid("RGBGGBGR", 2),
    "3x3 pattern": grid("RGBGBRBRG", 3),
    "2x2 pattern": grid("RBGG", 2),
    "8x8 pattern": np.random.default_rng(0).permutation(list("RGGB" * 16)).reshape(8, 8),
    "colors.* R, G, B, W": grid("RGWB", 2),
    "filters are C, M, Y|filters are R, G, B, C, M, Y": grid("CMYC", 2),
}


@pytest.mark.parametrize("name", ODD)
def test_other_arrays_are_refused_by_name(name, tmp_path):
    path = tmp_path / "x.dng"
    path.write_bytes(file(ODD[name]))
    with pytest.raises(raw.RawError, match=name.replace("colors.*", "color filters are")):
        raw.read(path)
    if name.split()[0] not in {"Quad", "Tetracell", "Nona", "Nonacell"}:
        with pytest.raises(raw.RawError):
            raw.header(path)


@pytest.mark.parametrize("corner", [(1, 0), (0, 1), (3, 5)])
@pytest.mark.parametrize("side", [2, 3])
def test_larger_arrays_keep_their_phase(side, corner):
    letters = cells("GBRG", side)
    frame = raw.read_bytes(file(letters, corner=corner), "x.dng", larger=True)
    period = 2 * side
    for i, letter in enumerate(frame.capture.cfa):
        seen = frame.pixels[i // period :: period, i % period :: period]
        assert set(np.unique(seen)) == {LIGHT[letter]}


@pytest.mark.parametrize("side", [2, 3])
def test_larger_arrays_are_read_where_they_are_asked_for(side):
    letters = cells("GBRG", side)
    frame = raw.read_bytes(file(letters), "x.dng", larger=True)
    assert frame.capture.kind == {2: "quad", 3: "nona"}[side]
    assert frame.capture.cfa == "".join(letters.ravel())
    assert np.array_equal(frame.pixels, lit(letters))
    assert len(frame.capture.black) == len(frame.capture.cfa)


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ((33421, 3, [2, 3]), "CFAPattern of 4 does not fill 2x3"),
        ((33422, 1, [0, 1, 1, 9]), "names a color 9"),
        ((50711, 3, [2]), r"staggered \(CFALayout 2\)"),
    ],
)
def test_contradictions_are_one_line(tag, says):
    with pytest.raises(raw.RawError, match=says):
        raw.read_bytes(file(grid("RGGB", 2), tag), "x.dng")


# -- the order of planes -----------------------------------------------------------------------

MATRIX = np.array(tiff.MATRIX).reshape(3, 3)
NEUTRAL = np.array([0.5, 1.0, 0.6])
ORDERS = ["RGB", "BGR", "GRB", "BRG"]


def in_planes(order: str) -> bytes:
    """One file, its facts by plane: CFAPlaneColor says which color each plane is."""
    at = ["RGB".index(letter) for letter in order]
    rng = np.random.default_rng(5)
    pixels = rng.integers(200, 3000, SHAPE).astype("<u2")
    noise = np.array([[1e-3, 1e-5], [2e-3, 2e-5], [3e-3, 3e-5]])[at].ravel().tolist()
    return tiff.dng(
        SHAPE, [pixels.tobytes()], (33422, 1, (0, 1, 1, 2)), (50710, 1, at),
        (50721, 10, tiff.fractions(MATRIX[at].ravel())), (50728, 5, tiff.fractions(NEUTRAL[at])),
        (51041, 12, noise),
        (50727, 5, tiff.fractions(np.array([1.0, 1.1, 1.2])[at])),
        (50723, 10, tiff.fractions(np.diag([0.9, 1.0, 1.05])[at][:, at].ravel())),
    )  # fmt: skip


@pytest.mark.parametrize("order", ORDERS[1:])
def test_facts_go_with_their_colors_whatever_the_order_of_planes(order):
    plain, other = (raw.read_bytes(in_planes(one), "x.dng").capture for one in ("RGB", order))
    assert other.cfa == plain.cfa == "RGGB"
    assert other.noise_profile == plain.noise_profile
    for fact in ("as_shot", "daylight", "color_matrix_1", "camera_calibration_1", "analog_balance",
                 "xyz_to_camera", "camera_to_srgb"):  # fmt: skip
        assert np.allclose(getattr(other, fact), getattr(plain, fact), atol=2e-6), fact


@pytest.mark.parametrize("order", ORDERS[1:])
def test_truths_are_the_same_whatever_the_order_of_planes(order):
    steps = (Levels(), Balance(), Demosaic("ahd"), ToSpace("srgb"))
    plain, other = (
        develop(raw.read_bytes(in_planes(one), "x.dng"), steps).pixels for one in ("RGB", order)
    )
    assert np.abs(plain.astype(int) - other).max() <= 2  # float32 sums in another order
