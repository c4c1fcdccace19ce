"""read(write_dng(x)) == x, and LibRaw develops the copy to the integers of the original."""

import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rawpy
from hypothesis import example, given
from hypothesis import strategies as st

from isptools import raw
from isptools.frame import Frame, Space, UnsupportedError
from isptools.raw.dng_write import rational
from tests.raw import mosaics
from tests.raw.mosaics import PHASES, differences, frame, written

REAL = [
    "apple_quicktake/Image__1.qtk",
    "canon_d30/CRW.CRW",
    "canon_g2/CRW_0304.CRW",
    "canon_g2/CRW_0305.CRW",
    "gopro_fusion/gopro_fusion_front_7066_crop.dng",
    "gopro_hero6/gopro_hero6_0024_crop.dng",
    "gopro_hero6/gopro_hero6_0024_crop_uncompressed.dng",
    "gopro_hero7black_pair/gopro_hero7black_8508_full.dng",
    "kodak_dc50/DC0009L.KDC",
    "nikon_d1/RAW_NIKON_D1.NEF",
]
DNGS = [name for name in REAL if name.endswith(".dng")]


def again(made: Frame) -> Frame:
    return raw.read_bytes(written(made), "copy.dng")


def assert_survives(made: Frame) -> None:
    first = again(made)
    assert np.array_equal(first.pixels, made.pixels)
    assert differences(made.capture, first.capture) == {}
    second = again(first)
    assert np.array_equal(second.pixels, first.pixels)
    assert second.capture == first.capture


@pytest.mark.parametrize("cfa", PHASES)
@pytest.mark.parametrize("shape", [(48, 50), (49, 50), (48, 51), (49, 51), (22, 22)])
def test_bayer_phases_and_sizes_survive(cfa: str, shape: tuple[int, int]) -> None:
    assert_survives(frame(shape, cfa=cfa))


@pytest.mark.parametrize("shape", [(48, 54), (47, 53)])
def test_xtrans_survives(shape: tuple[int, int]) -> None:
    assert_survives(frame(shape, kind="xtrans"))
    assert_survives(frame(shape, kind="xtrans", black=tuple(500 + i / 4 for i in range(36))))


def test_monochrome_survives() -> None:
    assert_survives(frame(kind="monochrome", black=(64.75,)))


@pytest.mark.parametrize("cfa", PHASES)
@pytest.mark.parametrize("black", [(63.75, 64.25, 65.5, 66.125), (0.0, 1.0, 2.0, 3.0), (0.1,) * 4])
def test_black_survives_with_its_fraction(cfa: str, black: tuple[float, ...]) -> None:
    assert_survives(frame(cfa=cfa, black=black))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_survives(orientation: int) -> None:
    flip = mosaics.FLIP_OF_ORIENTATION[orientation]
    made = frame((24, 36), orientation=orientation, flip=flip)
    assert_survives(made)
    with rawpy.imread(io.BytesIO(written(made))) as opened:
        assert opened.sizes.flip == flip
        turned = opened.postprocess(half_size=True).shape[:2]
    assert turned == ((18, 12) if orientation > 4 else (12, 18))


def test_every_other_fact_survives() -> None:
    assert_survives(
        frame(
            make="Sony",
            model="ILCE-7SM2",
            as_shot=(2.0263671875, 1.0, 1.6479487419128418, 0.0),
            color_matrix_2=mosaics.MATRIX_B,
            illuminant_1=17,
            illuminant_2=21,
            camera_calibration_1=((0.9883, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.01)),
            camera_calibration_2=((0.9893, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.02)),
            analog_balance=(2.158672, 1.0, 1.414752),
            forward_matrix_1=(
                (0.7763, 0.0065, 0.1815),
                (0.2364, 0.8351, -0.0715),
                (0.0, -0.4, 1.2),
            ),
            forward_matrix_2=((0.7464, 0.1044, 0.1135), (0.2648, 0.9173, -0.182), (0.1, -0.2, 1.0)),
            noise_profile=((3.3e-05, 9.2e-08), (3.2e-05, 9.3e-08), (3.1e-05, 9.4e-08)),
            exposure_s=1 / 30,
            iso=25600.0,
            aperture=5.6,
            default_crop=(2.0, 4.0, 40.5, 42.25),
            opcode_list_1=b"\0\0\0\0",
            opcode_list_3=b"\0\0\0\0",
            pixel_aspect=1.5,
        )
    )
    assert_survives(frame(noise_profile=((1e-4, 2e-8),), iso=409600.0, exposure_s=4.967431))


@pytest.mark.parametrize("name", DNGS)
def test_a_real_dng_survives_whole(shared_data: Path, name: str) -> None:
    original = raw.read(shared_data / "raw" / name)
    copy = again(original)
    assert np.array_equal(copy.pixels, original.pixels)
    assert copy.capture == original.capture


@pytest.mark.parametrize("name", [name for name in REAL if name not in DNGS])
def test_a_real_file_of_another_format_survives_as_stated(shared_data: Path, name: str) -> None:
    original = raw.read(shared_data / "raw" / name)
    copy = again(original)
    assert np.array_equal(copy.pixels, original.pixels)
    stated = {"as_shot", "color_matrix_1", "illuminant_1", "active_area", "visible_origin"}
    assert differences(original.capture, copy.capture, stated | {"origins"}) == {}
    assert copy.capture.color_matrix_1 is not None
    assert copy.capture.illuminant_1 == 21
    assert copy.capture.active_area == (0, 0, *original.pixels.shape)
    assert again(copy).capture == copy.capture


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize(
    "options",
    [
        {"use_camera_wb": True},
        {"no_auto_bright": True, "highlight_mode": rawpy.HighlightMode.Ignore},
        {"use_auto_wb": True, "output_color": rawpy.ColorSpace.XYZ},
    ],
    ids=["camera", "daylight", "auto"],
)
def test_libraw_develops_the_copy_to_the_same_integers(
    shared_data: Path, name: str, options: dict[str, object]
) -> None:
    path = shared_data / "raw" / name
    half = path.stat().st_size > 8_000_000
    copy = io.BytesIO(written(raw.read(path)))
    with rawpy.imread(str(path)) as opened:
        expected = opened.postprocess(output_bps=16, half_size=half, **options)
    with rawpy.imread(copy) as opened:
        developed = opened.postprocess(output_bps=16, half_size=half, **options)
    assert np.array_equal(developed, expected)


def test_the_pixel_aspect_becomes_a_float32(shared_data: Path) -> None:
    original = raw.read(shared_data / "raw/kodak_dc120/P003909.KDC")
    assert original.capture.pixel_aspect == 976 * 4 / 3 / 848
    assert again(original).capture.pixel_aspect == np.float32(original.capture.pixel_aspect)


def test_a_missing_balance_is_not_written() -> None:
    assert again(frame(as_shot=(-1.0, 0.976, 1.007, 0.0))).capture.as_shot == (0.0, 1.0, 0.0, 0.0)


def test_a_gain_that_is_no_reciprocal_keeps_the_balance() -> None:
    gains = np.array([1687.0, 1036.0, 1655.0], np.float32)
    found = np.array(again(frame(as_shot=(*gains.tolist(), 1036.0))).capture.as_shot, np.float32)
    assert found[3] == 0
    assert not np.array_equal(found[:3], gains)
    assert np.array_equal(found[:3] / found[:3].min(), gains / gains.min())
    assert np.array_equal(found[:3] / found[:3].max(), gains / gains.max())


def test_a_frame_without_any_matrix_gets_none() -> None:
    made = frame(color_matrix_1=None, illuminant_1=None)
    copy = again(made)
    assert differences(made.capture, copy.capture) == {}
    assert copy.capture.camera_to_srgb is None
    with rawpy.imread(io.BytesIO(written(made))) as opened:
        assert not opened.color_matrix.any()


def test_the_same_frame_gives_the_same_bytes(tmp_path: Path) -> None:
    made = frame(make="Sony", model="ILCE-7SM2", exposure_s=0.04, iso=200.0)
    raw.write_dng(tmp_path / "a.dng", made)
    raw.write_dng(str(tmp_path / "b.dng"), made)
    assert (tmp_path / "a.dng").read_bytes() == (tmp_path / "b.dng").read_bytes() == written(made)
    assert differences(raw.read(tmp_path / "a.dng").capture, made.capture) == {}


def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.dng"
    target.write_bytes(b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        raw.write_dng(target, frame())
    assert [path.name for path in tmp_path.iterdir()] == ["a.dng"]
    assert target.read_bytes() == b"before"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "linear", "cfa": ""}, "not 'linear'"),
        ({"cfa": "RGEB"}, "no bayer color filter array"),
        ({"cfa": "RG"}, "no bayer color filter array"),
        ({"black": (1.0,)}, "1 black levels for 4"),
        ({"orientation": 6}, "contradict"),
        ({"exposure_s": float("nan")}, "rational"),
    ],
)
def test_what_a_dng_can_not_hold_is_refused(change: dict[str, object], message: str) -> None:
    made = frame()
    pixels = made.pixels
    if change.get("kind") == "linear":
        pixels = np.zeros((48, 50, 3), np.uint16)
    with pytest.raises(UnsupportedError, match=message):
        written(Frame(pixels, Space.SENSOR, replace(made.capture, **change)))


def test_only_sensor_values_of_a_size_libraw_takes_are_written() -> None:
    made = frame()
    with pytest.raises(UnsupportedError, match="station sensor, got mosaic"):
        written(replace(made, space=Space.MOSAIC))
    with pytest.raises(UnsupportedError, match="too small"):
        written(frame((21, 40)))


def test_a_width_libraw_would_trim_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"Sony ILCE-7SM2 as \(24, 4256\)"):
        written(frame((24, 4288), make="Sony", model="ILCE-7SM2"))
    assert_survives(frame((24, 4288)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
@example(2**32 - 1, 2**31 - 19)
def test_a_quotient_of_32_bit_integers_comes_back_as_the_same_double(
    above: int, below: int
) -> None:
    found = rational(above / below, 2**32 - 1, signed=False)
    assert max(found) < 2**32
    assert found[0] / found[1] == above / below


@given(st.floats(2**-6, 2**7, width=32))
def test_a_float32_comes_back_as_the_same_float32(value: float) -> None:
    above, below = rational(-value, 2**31 - 1, signed=True)
    assert np.float32(above / below) == np.float32(-value)
