"""Pictures of other RGB spaces to sRGB, against colour-science and LittleCMS."""

import io
import struct
import sys
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms

from isptools.datasets.fivek import icc_profile
from isptools.develop import profile
from isptools.frame import UnsupportedError
from isptools.raw.color import XYZ_FROM_SRGB

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it misses matplotlib, which it does not need here
    import colour
# where matplotlib is lacking colour leaves stand-ins, on which other libraries stumble later
for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
    if not hasattr(sys.modules[name], "__spec__"):
        del sys.modules[name]

D50 = np.array([0.9642, 1.0, 0.8249])


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Dark, gray and any colors, 16 bit."""
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 65536, (120, 200, 3))
    dark = rng.integers(0, 2500, (40, 200, 3))
    gray = np.broadcast_to(rng.integers(0, 65536, (40, 200, 1)), (40, 200, 3))
    return np.concatenate([colors, dark, gray]).astype(np.uint16)


def test_prophoto_to_srgb_is_what_colour_science_computes(picture):
    """Same primaries and whites (ICC's D50, sRGB's D65); every other number is theirs."""
    d65 = XYZ_FROM_SRGB.sum(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        light = colour.cctf_decoding(picture / 65535, function="ROMM RGB")
        to_xyz = colour.normalised_primary_matrix(
            np.array([[0.7347, 0.2653], [0.1596, 0.8404], [0.0366, 0.0001]]), colour.XYZ_to_xy(D50)
        )
        adapt = colour.adaptation.matrix_chromatic_adaptation_VonKries(D50, d65, "Bradford")
        linear = light @ (np.linalg.inv(XYZ_FROM_SRGB) @ adapt @ to_xyz).T
        wanted = colour.cctf_encoding(np.clip(linear, 0, 1), function="sRGB") * 65535
    found = profile.to_srgb(picture, profile.prophoto())
    assert found.dtype == np.uint16
    assert np.abs(found - wanted).max() < 2
    assert np.abs(found - wanted).mean() < 0.4


def test_white_and_gray_stay_gray():
    levels = np.arange(0, 65536, 257, dtype=np.uint16)
    gray = np.repeat(levels[None, :, None], 3, axis=2)
    found = profile.to_srgb(gray, profile.prophoto()).astype(int)
    assert found[0, 0].tolist() == [0, 0, 0]
    assert found[0, -1].tolist() == [65535] * 3
    assert np.ptp(found, axis=2).max() <= 4
    assert (np.diff(found[0, :, 1]) > 0).all()


def lcms(pixels: np.ndarray, data: bytes) -> np.ndarray:
    """8 bits through LittleCMS, relative colorimetric."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(data))
    return np.asarray(
        ImageCms.profileToProfile(
            Image.fromarray(pixels), own, ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    )  # fmt: skip


@pytest.mark.parametrize("curve", ["gamma", "points", "line", "para0", "para3", "para4"])
def test_profiles_mean_what_littlecms_takes_them_for(curve, picture):
    small = (picture >> 8).astype(np.uint8)
    data = icc_profile(CURVES[curve])
    found = profile.to_srgb(small, profile.parse(data)) / 257
    wanted = lcms(small, data).astype(float)
    inside = ((wanted > 3) & (wanted < 252)).all(axis=2)  # it rounds to 8 bits on its way
    assert np.abs(found - wanted)[inside].max() < 2
    assert np.abs(found - wanted).mean() < 0.5


def para(kind: int, *values: float) -> bytes:
    fixed = [round(value * 65536) for value in values]
    return struct.pack(f">4sIHH{len(fixed)}i", b"para", 0, kind, 0, *fixed)


SQUARE = np.rint(65535 * np.linspace(0, 1, 33) ** 2).astype(int)
CURVES = {
    "gamma": struct.pack(">4sIIH", b"curv", 0, 1, round(1.8 * 256)),
    "points": struct.pack(">4sII33H", b"curv", 0, 33, *SQUARE),
    "line": struct.pack(">4sII", b"curv", 0, 0),
    "para0": para(0, 2.2),
    "para3": para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "para4": para(4, 1.8, 0.95, 0.03, 0.1, 0.05, 0.02, 0.0),
}


def test_srgbs_own_profile_is_known_as_such():
    with io.BytesIO() as file:
        data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        Image.new("RGB", (4, 4)).save(file, "png", icc_profile=data)
        assert profile.parse(Image.open(file).info["icc_profile"]).is_srgb()
    assert not profile.prophoto().is_srgb()
    assert not profile.parse(icc_profile()).is_srgb()


@pytest.mark.parametrize("cut", [0, 100, 140, 300])
def test_what_is_no_such_profile_is_refused(cut):
    with pytest.raises(UnsupportedError, match="ICC profile"):
        profile.parse(icc_profile()[:cut])
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with pytest.raises(UnsupportedError, match="ICC profile"):
        profile.parse(lab)
