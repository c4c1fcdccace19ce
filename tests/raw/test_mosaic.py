"""Mosaics that are no camera raws: .MAT files of both kinds, gray PNGs, imfinfo's facts."""

import io
from dataclasses import replace

import cv2
import h5py
import numpy as np
import pytest
import scipy.io

from isptools import raw
from isptools.datasets import sidd
from isptools.frame import Capture, Frame, Space
from isptools.raw import imfinfo, mat, mosaic
from isptools.raw.error import RawError

NUMBERS = np.linspace(0, 1, 30 * 44, dtype=np.float32).reshape(30, 44)
NONE = (0.0, 0.0, 0.0, 0.0)
BARE = Capture("bayer", "RGGB", NONE, (0,) * 4, 65535, NONE, NONE)
D65 = ((0.84, -0.27, -0.1), (-0.31, 1.13, 0.2), (-0.04, 0.15, 0.53))
WARM = ((1.05, -0.3, -0.15), (-0.4, 1.25, 0.15), (-0.05, 0.2, 0.45))


def version5(**variables) -> bytes:
    memory = io.BytesIO()
    scipy.io.savemat(memory, variables)
    return memory.getvalue()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_version_7_3_is_hdf5_that_lies_column_by_column(tmp_path, dtype):
    values = NUMBERS.astype(dtype)
    data = mat.of_array(values, "x")
    assert data == mat.of_array(values, "x")
    assert data.startswith(b"MATLAB 7.3 MAT-file")
    assert data[124:128] == b"\x00\x02IM"
    path = tmp_path / "a.MAT"
    path.write_bytes(data)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["x"][()], values.T)
        assert (
            file["x"].attrs["MATLAB_class"] == {"float32": b"single", "float64": b"double"}[dtype]
        )
    with pytest.raises(NotImplementedError, match=r"v7\.3"):
        scipy.io.loadmat(path)
    np.testing.assert_array_equal(mat.array(data, "a", "x"), values)
    assert mat.shape(io.BytesIO(path.read_bytes()), path.name, "x") == (30, 44)


def test_older_versions_are_read_too(tmp_path):
    data = version5(x=NUMBERS, y=1.0)
    path = tmp_path / "a.MAT"
    path.write_bytes(data)
    np.testing.assert_array_equal(mat.array(data, "a", "x"), NUMBERS)
    assert mat.shape(io.BytesIO(path.read_bytes()), path.name, "x") == (30, 44)
    info = {"Make": "one", "SubIFDs": {"Width": 4.0}}
    made = mat.of_record(info, "metadata")
    assert made == mat.of_record(info, "metadata")
    theirs = scipy.io.loadmat(io.BytesIO(made), simplify_cells=True)["metadata"]
    assert theirs == mat.record(made, "a", "metadata") == info


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "can't be read as a .MAT file"),
        (b"this is a text that somebody renamed\n" * 40, "can't be read as a .MAT file"),
        (mat.of_array(NUMBERS, "x")[:2000], "can't be read as a .MAT file"),
        (mat.of_array(NUMBERS, "y"), "no variable 'x'; it holds y"),
        (version5(y=NUMBERS), "no variable 'x'; it holds y"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, data, message):
    path = tmp_path / "a.MAT"
    path.write_bytes(data)
    for call in (
        lambda: mat.array(data, "a.MAT", "x"),
        lambda: mat.shape(io.BytesIO(path.read_bytes()), path.name, "x"),
    ):
        with pytest.raises(RawError, match=r"a\.MAT: ") as told:
            call()
        assert message in str(told.value)
        assert "\n" not in str(told.value)


def test_ten_bits_keep_their_steps():
    """Every number k / 1023 comes back, and stays 64 of 65535 from the next."""
    steps = (np.arange(1024) / 1023).astype(np.float32).reshape(32, 32)
    frame = mosaic.read(mat.of_array(steps, "x"), "a.MAT", BARE)
    assert (frame.space, frame.pixels.dtype) == (Space.SENSOR, np.uint16)
    stored = frame.pixels.ravel().astype(np.int64)
    assert set(np.diff(stored)) <= {64, 65}
    np.testing.assert_array_equal(np.rint(stored / 65535 * 1023), np.arange(1024))
    assert np.abs(stored / 65535 - steps.ravel()).max() <= 1 / 1023 / 128


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((4, 4), np.nan, np.float32), "from nan to nan"),
        (np.full((4, 4), 1.5, np.float32), "from 0 to 1.5"),
        (np.full((4, 4), -0.1, np.float32), "from -0.1 to 0"),
        (np.zeros((4, 4), np.uint16), "uint16"),
        (np.zeros((4, 4, 3), np.float32), r"\(4, 4, 3\)"),
    ],
)
def test_other_numbers_are_refused(values, message):
    with pytest.raises(RawError, match=message):
        mosaic.read(mat.of_array(values, "x"), "a.MAT", BARE)


def png(pixels) -> bytes:
    return np.asarray(cv2.imencode(".png", pixels)[1]).tobytes()


def test_a_gray_png_keeps_its_integers():
    pixels = np.random.default_rng(0).integers(0, 65536, (20, 31), np.uint16)
    np.testing.assert_array_equal(mosaic.read(png(pixels), "a.png", BARE).pixels, pixels)
    header = mosaic.header(io.BytesIO(png(pixels)), "a.png", replace(BARE, cfa="GBRG"))
    assert (header.height, header.width, header.kind, header.cfa) == (20, 31, "bayer", "GBRG")


def test_pngs_that_are_no_mosaic():
    deep = np.zeros((20, 31), np.uint16)
    cases = [
        (png(deep.astype(np.uint8)), "uint8 numbers, but the data set's white is 65535"),
        (png(np.dstack([deep] * 3)), "a mosaic is gray"),
        (png(np.arange(620, dtype=np.uint16).reshape(20, 31))[:-30], "cut off"),
        (b"", "no PNG"),
    ]
    for data, message in cases:
        with pytest.raises(RawError, match=message):
            mosaic.read(data, "a.png", BARE)
    with pytest.raises(RawError, match="no PNG that can be read"):
        mosaic.header(io.BytesIO(b"GIF89a"), "a.png", BARE)


@pytest.mark.parametrize("lights", [(17, 21), (21, 17), (1, 20), (99, 98)])
def test_imfinfos_facts_are_libraws(tmp_path, lights):
    """What is made of the metadata equals what LibRaw makes of a DNG with the same tags."""
    pixels = np.random.default_rng(0).integers(0, 1000, (48, 64)).astype(np.uint16)
    stated = replace(
        BARE, cfa="GRBG", white=1023, as_shot=(2.0, 1.0, 1.625, 0.0), make="isptools",
        model="probe", xyz_to_camera=D65, color_matrix_1=WARM, color_matrix_2=D65,
        illuminant_1=lights[0], illuminant_2=lights[1], orientation=6, flip=6,
        noise_profile=((1e-3, 1e-5), (2e-3, 2e-5), (3e-3, 3e-5)),
    )  # fmt: skip
    raw.write_dng(tmp_path / "a.dng", Frame(pixels, Space.SENSOR, stated))
    libraw = raw.read(tmp_path / "a.dng").capture
    flat = lambda matrix: np.array(matrix).reshape(1, 9)  # noqa: E731 - short
    info = {
        "Make": "isptools", "Model": "probe", "Orientation": 6.0, "ColorMatrix1": flat(WARM),
        "ColorMatrix2": flat(D65), "CalibrationIlluminant1": float(lights[0]),
        "CalibrationIlluminant2": float(lights[1]),
        "AsShotNeutral": np.array([[0.5, 1, 1 / 1.625]]),
        "UnknownTags": sidd._tags({33422: (1, 0, 2, 1),
                                   51041: (1e-3, 1e-5, 2e-3, 2e-5, 3e-3, 3e-5)}),
    }  # fmt: skip
    ours = mosaic.with_record(BARE, mat.of_record(info, "metadata"), "metadata.MAT")
    for fact in ("cfa", "make", "model", "orientation", "flip", "illuminant_1", "illuminant_2"):
        assert getattr(ours, fact) == getattr(libraw, fact), fact
    gains = [np.array(each.as_shot[:3]) / each.as_shot[1] for each in (ours, libraw)]
    np.testing.assert_allclose(*gains, rtol=1e-6)  # the DNG writer scales them
    facts = ("camera_to_srgb", "xyz_to_camera", "noise_profile", "color_matrix_1",
             "color_matrix_2")  # fmt: skip
    for fact in facts:
        np.testing.assert_allclose(getattr(ours, fact), getattr(libraw, fact), rtol=1e-4, atol=1e-5,
                                   err_msg=fact)  # fmt: skip
    np.testing.assert_allclose(ours.daylight[:3], libraw.daylight[:3], rtol=1e-4)
    assert (ours.white, ours.black) == (65535, (0.0,) * 4)
    assert dict(ours.origins)["cfa"] == "imfinfo CFAPattern"


def test_facts_of_the_raw_picture_may_stand_below():
    tags = sidd._tags({33422: (2, 1, 1, 0)})
    below = {"BitDepth": 16.0, "UnknownTags": tags, "DefaultCropSize": np.array([[64.0, 48.0]])}
    info = {"Make": "a", "SubIFDs": sidd._cell(below), "UnknownTags": sidd._tags({51041: (1, 2)})}
    record = mat.record(mat.of_record(info, "metadata"), "m", "metadata")
    assert imfinfo.cfa_of(imfinfo.tags_of(record)) == "BGGR"
    assert imfinfo.cropped_size(record) == (48, 64)
    assert imfinfo.stated(record, BARE, "m").noise_profile == ((1.0, 2.0),)
    with pytest.raises(RawError, match="no Bayer pattern"):
        imfinfo.stated({"UnknownTags": {"ID": 33422.0, "Value": [0, 0, 1, 2]}}, BARE, "m")
