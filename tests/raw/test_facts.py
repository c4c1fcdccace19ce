"""What `read` and `header` say, held against rawpy, tifffile and the arithmetic of the DNG spec."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import rawpy
import tifffile

from isptools import raw
from isptools.raw import capi
from isptools.raw.dng import TagError, gain_maps
from tests.raw.mosaics import PHASES, dng, frame, written

CAMERAS = {
    "raw/apple_quicktake/Image__1.qtk": ("Apple", "QuickTake 100"),
    "raw/canon_d30/CRW.CRW": ("Canon", "EOS D30"),
    "raw/canon_g2/CRW_0304.CRW": ("Canon", "PowerShot G2"),
    "raw/gopro_fusion/gopro_fusion_front_7066_crop.dng": ("GoPro", "FUSION"),
    "raw/gopro_hero6/gopro_hero6_0024_crop.dng": ("GoPro", "HERO6 Black"),
    "raw/gopro_hero7black_pair/gopro_hero7black_8508_full.dng": ("GoPro", "HERO7 Black"),
    "raw/kodak_dc120/P003912.KDC": ("Kodak", "DC120"),
    "raw/kodak_dc50/DC0009L.KDC": ("Kodak", "DC50"),
    "raw/nikon_d1/RAW_NIKON_D1.NEF": ("Nikon", "D1"),
    "raw_odd/no_metadata/test.dng": ("", ""),
}
LINEAR = {
    "raw_odd/linear_dng/05_PGTM2_unsigned8.dng": ("Test", "Camera"),
    "raw_odd/linear_dng/07_PGTM2_float16.dng": ("Test", "Camera"),
    "raw_odd/linear_dng/canon_eos_6d.dng": ("Canon", "EOS 6D"),
    "raw_odd/linear_dng/sample_1mp_rotated.dng": ("LG", "LG-H815"),
    "raw_odd/non_bayer/RAW_KODAK_C330_FORMAT_NONE_YRGB.raw": ("Kodak", "C330"),
}
HERO7 = "raw/gopro_hero7black_pair/gopro_hero7black_8508_full.dng"
EOS_6D = "raw_odd/linear_dng/canon_eos_6d.dng"


@pytest.mark.parametrize("name", [*CAMERAS, *LINEAR])
def test_pixels_and_levels_are_those_of_libraw(shared_data: Path, name: str) -> None:
    read = raw.read(shared_data / name)
    facts = read.capture
    with rawpy.imread(str(shared_data / name)) as opened:
        visible = opened.raw_image_visible
        assert np.array_equal(read.pixels, visible[..., :3] if visible.ndim == 3 else visible)
        assert facts.white == opened.white_level
        assert facts.as_shot == tuple(opened.camera_whitebalance)
        assert facts.daylight == tuple(opened.daylight_whitebalance)
        assert facts.flip == opened.sizes.flip
        assert facts.pixel_aspect == opened.sizes.pixel_aspect
        assert facts.visible_origin == (opened.sizes.top_margin, opened.sizes.left_margin)
        blacks = opened.black_level_per_channel
        if facts.kind == "bayer":
            cell = opened.raw_colors_visible[:2, :2].ravel()
            assert facts.cfa == "".join(chr(opened.color_desc[i]) for i in cell)
            assert facts.black_libraw == tuple(blacks[i] for i in cell)
        else:
            assert facts.kind == "linear"
            assert facts.black_libraw == tuple(blacks[:3])
        if opened.color_matrix.any():
            assert np.array_equal(facts.camera_to_srgb, opened.color_matrix[:, :3])
    assert read.pixels.dtype == np.uint16
    assert not read.pixels.flags.writeable


@pytest.mark.parametrize(("name", "camera"), [*CAMERAS.items(), *LINEAR.items()])
def test_the_header_agrees_with_the_frame(
    shared_data: Path, name: str, camera: tuple[str, str]
) -> None:
    found = raw.header(shared_data / name)
    read = raw.read(shared_data / name)
    assert (found.height, found.width) == read.pixels.shape[:2]
    facts = read.capture
    assert (found.kind, found.cfa, found.flip) == (facts.kind, facts.cfa, facts.flip)
    assert (found.make, found.model) == (facts.make, facts.model) == camera


@pytest.mark.parametrize("name", [HERO7, EOS_6D, "raw/nikon_d1/RAW_NIKON_D1.NEF"])
def test_exposure_is_what_exif_says(shared_data: Path, name: str) -> None:
    facts = raw.read(shared_data / name).capture
    with tifffile.TiffFile(shared_data / name) as tiff:
        exif = tiff.pages[0].tags[34665].value
    above, below = exif["ExposureTime"]
    assert facts.exposure_s == above / below
    above, below = exif["FNumber"]
    assert facts.aperture == above / below
    with rawpy.imread(str(shared_data / name)) as opened:
        assert facts.iso == exif.get("ISOSpeedRatings", opened.other.iso_speed)
        assert facts.exposure_s == pytest.approx(opened.other.shutter_speed, rel=1e-6)


def test_exposure_of_a_file_without_exif_is_libraws(shared_data: Path) -> None:
    path = shared_data / "raw/canon_d30/CRW.CRW"
    facts = raw.read(path).capture
    with rawpy.imread(str(path)) as opened:
        assert np.float32(facts.exposure_s) == np.float32(opened.other.shutter_speed)
        assert np.float32(facts.aperture) == np.float32(opened.other.aperture)
        assert facts.iso == opened.other.iso_speed
    assert facts.origins == ()


def test_color_facts_of_a_two_illuminant_dng(shared_data: Path) -> None:
    facts = raw.read(shared_data / EOS_6D).capture
    with tifffile.TiffFile(shared_data / EOS_6D) as tiff:
        tags = {tag.code: tag.value for tag in tiff.pages[0].tags.values()}

    def quotients(tag: int) -> np.ndarray:
        pairs = np.array(tags[tag], dtype=np.float64).reshape(-1, 2)
        return pairs[:, 0] / pairs[:, 1]

    for name, tag in [
        ("color_matrix_1", 50721),
        ("color_matrix_2", 50722),
        ("camera_calibration_1", 50723),
        ("camera_calibration_2", 50724),
        ("forward_matrix_1", 50964),
        ("forward_matrix_2", 50965),
    ]:
        assert np.array_equal(getattr(facts, name), quotients(tag).reshape(3, 3))
    assert facts.analog_balance == tuple(quotients(50727))
    assert (facts.illuminant_1, facts.illuminant_2) == (17, 21)
    assert np.ravel(facts.noise_profile).tolist() == list(tags[51041])
    assert dict(facts.origins)["noise_profile"] == "tag NoiseProfile"
    # LibRaw takes the matrix of D65, here the second, with calibration and analog balance
    chosen = np.diag(quotients(50727)) @ quotients(50724).reshape(3, 3)
    chosen = chosen @ quotients(50722).reshape(3, 3)
    assert np.allclose(facts.xyz_to_camera, chosen, rtol=0, atol=1e-6)


def test_the_matrix_of_a_table_camera_leads_to_libraws_gains(shared_data: Path) -> None:
    """daylight = 1 / row sums of xyz_to_camera times the sRGB primaries."""
    facts = raw.read(shared_data / "raw/canon_g2/CRW_0304.CRW").capture
    primaries = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750]]
    primaries += [[0.0193339, 0.1191920, 0.9503041]]
    sums = (np.array(facts.xyz_to_camera) @ np.array(primaries)).sum(axis=1)
    assert np.allclose(1 / sums, facts.daylight[:3], rtol=1e-6)


def test_a_camera_with_a_matrix_only_inside_libraw(shared_data: Path) -> None:
    """The DC50's file states the same numbers in a tag of Kodak's."""
    path = shared_data / "raw/kodak_dc50/DC0009L.KDC"
    facts = raw.read(path).capture
    with tifffile.TiffFile(path) as tiff:
        values = np.array(tiff.pages[0].pages[0].tags[37400].value, dtype=np.float64)
    stated = (values[::2] / values[1::2]).reshape(3, 4)[:, 1:]
    assert np.allclose(facts.camera_to_srgb, stated, atol=1e-6)
    assert dict(facts.origins)["xyz_to_camera"] == "inverse of LibRaw's rgb_cam"


def test_gain_maps_are_parsed(shared_data: Path) -> None:
    facts = raw.read(shared_data / HERO7).capture
    code = facts.opcode_list_2
    assert len(facts.gain_maps) == struct.unpack_from(">I", code)[0] == 4
    assert {(m.area[0], m.area[1]) for m in facts.gain_maps} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    first = facts.gain_maps[0]
    assert (first.points_v, first.points_h, first.map_planes) == (23, 22, 1)
    assert first.area[2:] == (3000, 4000)
    assert (first.row_pitch, first.col_pitch) == (2, 2)
    assert first.spacing_v == pytest.approx(1 / 22)
    assert first.spacing_h == pytest.approx(1 / 21)
    stored = np.frombuffer(code, ">f4", 23 * 22, offset=4 + 16 + 76)
    assert np.array_equal(np.array(first.gains, np.float32), stored)
    gains = np.array(first.gains).reshape(23, 22)
    assert 1 <= gains.min() < gains[0, 0]
    assert gains.min() == gains[8:15, 7:15].min()  # a lens is brightest near its middle


@pytest.mark.parametrize("cut", [5, 30, 90])
def test_a_cut_off_opcode_list_is_refused(cut: int) -> None:
    body = struct.pack(">8I2I4dI", 0, 0, 9, 9, 0, 1, 1, 1, 2, 2, 1, 1, 0, 0, 1) + bytes(16)
    code = struct.pack(">I4I", 1, 9, 0, 0, len(body)) + body
    assert gain_maps(code, 2)[0].gains == (0.0,) * 4
    with pytest.raises(TagError, match="OpcodeList2"):
        gain_maps(code[:cut], 2)
    with pytest.raises(raw.RawError, match=r"x.dng: OpcodeList3 of \d+ bytes is damaged"):
        raw.read_bytes(written(frame(opcode_list_3=code[:cut])), "x.dng")


def repeat(dim: tuple[int, int], levels: tuple[float, ...]) -> list[tuple]:
    values = tuple(part for level in levels for part in (round(level * 100), 100))
    return [(50713, 3, 2, dim, True), (50714, 5, len(levels), values, True)]


@pytest.mark.parametrize("phase", range(4))
@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (3, 5), (4, 6)])
def test_black_follows_the_active_area(phase: int, corner: tuple[int, int]) -> None:
    """Levels and CFA repeat from the active area's corner; LibRaw trims an odd margin."""
    cfa = tuple("RGB".index(letter) for letter in PHASES[phase])
    pixels = np.random.default_rng(3).integers(0, 4096, (60, 64)).astype(np.uint16)
    area = (*corner, 60, 64)
    levels = (100.25, 110.5, 120.75, 130.0)
    data = dng(pixels, cfa, [*repeat((2, 2), levels), (50829, 4, 4, area, True)], white=4095)
    read = raw.read_bytes(data, "x.dng")
    top, left = read.capture.visible_origin
    assert (top, left) == (corner[0] + corner[0] % 2, corner[1] + corner[1] % 2)
    assert np.array_equal(read.pixels, pixels[top:, left:])
    wanted_black = np.tile(np.reshape(levels, (2, 2)), (2, 2))[
        top - corner[0] :, left - corner[1] :
    ]
    wanted_cfa = np.tile(np.reshape(cfa, (2, 2)), (2, 2))[top - corner[0] :, left - corner[1] :]
    assert read.capture.black == tuple(wanted_black[:2, :2].ravel())
    assert read.capture.cfa == "".join("RGB"[i] for i in wanted_cfa[:2, :2].ravel())
    assert read.capture.active_area == area
    with rawpy.imread(io.BytesIO(data)) as opened:
        cell = opened.raw_colors_visible[:2, :2].ravel()
        libraw = tuple(opened.black_level_per_channel[i] for i in cell)
    even = not corner[0] % 2 and not corner[1] % 2  # LibRaw lays the levels from its own corner
    assert read.capture.black_libraw == (libraw if even else tuple(map(int, read.capture.black)))
    assert bool(read.capture.departures) != even


def test_black_deltas_are_added_as_means() -> None:
    pixels = np.full((40, 40), 1000, np.uint16)
    columns = np.arange(40) % 2 * 4.0 + np.linspace(0, 1, 40)
    rows = np.arange(40) % 2 * 8.0
    extra = [
        *repeat((2, 2), (100.0, 110.0, 120.0, 130.0)),
        (50715, 10, 40, tuple(v for x in columns for v in (round(x * 1e4), 10000)), True),
        (50716, 10, 40, tuple(v for x in rows for v in (round(x), 1)), True),
    ]
    black = raw.read_bytes(dng(pixels, extra=extra, white=4095), "x.dng").capture.black
    across = np.array([columns[::2].mean(), columns[1::2].mean()])
    wanted = np.array([[100.0, 110.0], [120.0, 130.0]]) + across + np.array([[0.0], [8.0]])
    assert np.allclose(black, wanted.ravel(), rtol=0, atol=1e-4)


def test_one_black_level_holds_for_every_position() -> None:
    pixels = np.full((40, 40), 1000, np.uint16)
    facts = raw.read_bytes(dng(pixels, extra=repeat((1, 1), (63.75,)), white=4095), "x").capture
    assert facts.black == (63.75,) * 4
    assert facts.black_libraw == (63,) * 4


def test_black_that_does_not_fill_its_pattern_is_refused() -> None:
    pixels = np.full((40, 40), 1000, np.uint16)
    extra = repeat((4, 4), (1.0,) * 3)
    with pytest.raises(raw.RawError, match="3 black levels for 4x4"):
        raw.read_bytes(dng(pixels, extra=extra, white=4095), "x.dng")


def test_an_unnamed_mosaic_is_monochrome() -> None:
    pixels = np.full((40, 40), 1000, np.uint16)
    extra = [(254, 4, 1, 0, True), (50706, 1, 4, (1, 4, 0, 0), True), (50717, 4, 1, 4095, True)]
    target = io.BytesIO()
    tifffile.imwrite(target, pixels, photometric=32803, extratags=extra, metadata=None)
    read = raw.read_bytes(target.getvalue(), "x.dng")
    assert (read.capture.kind, read.capture.cfa) == ("monochrome", "")
    assert np.array_equal(read.pixels, pixels)


def test_floating_point_pixels_are_named_as_such() -> None:
    pixels = np.random.default_rng(0).random((40, 40)).astype(np.float32)
    data = dng(pixels, white=1)
    read = raw.read_bytes(data, "x.dng")
    with rawpy.imread(io.BytesIO(data)) as opened:
        assert np.array_equal(read.pixels, opened.raw_image_visible)
        assert read.capture.white == opened.white_level == 16383
    assert np.allclose(read.pixels / 16383, pixels, atol=1e-3)
    assert "cut to integers" in dict(read.capture.origins)["pixels"]


def test_read_and_read_bytes_give_the_same(shared_data: Path) -> None:
    path = shared_data / "raw/gopro_hero6/gopro_hero6_0024_crop_uncompressed.dng"
    a, b = raw.read(path), raw.read_bytes(path.read_bytes(), "any name")
    assert np.array_equal(a.pixels, b.pixels)
    assert a.capture == b.capture


def test_the_version_is_rawpys() -> None:
    assert raw.libraw_version() == ".".join(map(str, rawpy.libraw_version))


def test_libraws_two_interfaces_are_one_library() -> None:
    number = capi._library().libraw_versionNumber()
    assert (number >> 16 & 255, number >> 8 & 255, number & 255) == rawpy.libraw_version
