"""LibRaw's own demosaicking on an array equals LibRaw's on the file the array came from."""

import io

import numpy as np
import pytest
import rawpy
import scipy.ndimage

from isptools import raw
from isptools.frame import Frame, Space, UnsupportedError
from isptools.raw import libraw
from tests.raw.mosaics import PHASES, XTRANS, capture, dng, written

METHODS = rawpy.DemosaicAlgorithm
BAYER = {"vng": METHODS.VNG, "dcb": METHODS.DCB, "dht": METHODS.DHT, "aahd": METHODS.AAHD}
GAINS = np.array([2.1, 1.0, 1.6], np.float32)
FILE = {
    "output_color": rawpy.ColorSpace.raw,
    "gamma": (1, 1),
    "no_auto_bright": True,
    "user_wb": [*GAINS.tolist(), 1.0],
    "adjust_maximum_thr": 0.0,
    "user_flip": 0,
    "output_bps": 16,
}


def scene(shape: tuple[int, int], **facts: object) -> Frame:
    """Smooth structure, edges, noise, and some pixels beyond white."""
    rng = np.random.default_rng(11)
    wave = scipy.ndimage.gaussian_filter(rng.normal(size=shape), 4)
    wave = (wave - wave.min()) / np.ptp(wave)
    edges = np.where(wave > 0.6, 0.35, 0.0)
    pixels = 600 + 14000 * wave + 6000 * edges + rng.normal(0, 80, shape)
    return Frame(np.clip(pixels, 0, 16383).astype(np.uint16), Space.SENSOR, capture(**facts))


def balanced(read: Frame) -> np.ndarray:
    """LibRaw's levels and balance: float32 scale per color, cut to an integer, clipped."""
    facts = read.capture
    side = int(len(facts.cfa) ** 0.5)
    rows, columns = (np.arange(n) % side for n in read.pixels.shape)
    position = rows[:, None] * side + columns[None, :]
    common = min(facts.black_libraw)
    values = read.pixels.astype(np.float32) - np.float32(facts.black_libraw)[position]
    scale = GAINS / GAINS.min() * np.float32(65535) / np.float32(facts.white - common)
    colors = np.array(["RGB".index(letter) for letter in facts.cfa])[position]
    return np.clip(np.maximum(values, 0) * scale[colors], 0, 65535).astype(np.uint16)


def assert_equal_to_libraw(data: bytes, method: str, code: rawpy.DemosaicAlgorithm) -> None:
    read = raw.read_bytes(data, "x.dng")
    mosaic = balanced(read)
    found = libraw.demosaic(mosaic, read.capture.cfa, read.capture.xyz_to_camera, method)
    with rawpy.imread(io.BytesIO(data)) as opened:
        expected = opened.postprocess(demosaic_algorithm=code, **FILE)
    assert found.dtype == np.uint16
    assert np.array_equal(found, expected)
    assert mosaic.flags.writeable  # the caller's array is left alone


@pytest.mark.parametrize("method", BAYER)
@pytest.mark.parametrize("cfa", PHASES)
@pytest.mark.parametrize("shape", [(96, 120), (97, 121)])
def test_bayer(method: str, cfa: str, shape: tuple[int, int]) -> None:
    made = scene(shape, cfa=cfa, black=(512.0, 514.0, 515.0, 511.0))
    assert_equal_to_libraw(written(made), method, BAYER[method])


@pytest.mark.parametrize(
    ("method", "code"), [("xtrans-1pass", METHODS.PPG), ("xtrans-3pass", METHODS.AHD)]
)
@pytest.mark.parametrize("shape", [(516, 522), (517, 523)])
def test_xtrans(method: str, code: rawpy.DemosaicAlgorithm, shape: tuple[int, int]) -> None:
    assert_equal_to_libraw(written(scene(shape, kind="xtrans")), method, code)


def test_xtrans_with_a_black_level_per_position() -> None:
    """rawpy states one level only; LibRaw subtracts all 36."""
    made = scene((516, 522), kind="xtrans", black=tuple(500.0 + i for i in range(36)))
    assert_equal_to_libraw(written(made), "xtrans-1pass", METHODS.PPG)


def test_bayer_with_a_larger_pattern_of_black_levels() -> None:
    levels = tuple(part for row in [(500, 510), (520, 530)] * 2 for part in row * 2)
    black = [(50713, 3, 2, (4, 4), True), (50714, 3, 16, levels, True)]
    data = dng(scene((96, 120)).pixels, extra=black, white=16383)
    assert raw.read_bytes(data, "x.dng").capture.black_libraw == (500, 510, 520, 530)
    assert_equal_to_libraw(data, "vng", METHODS.VNG)


def test_what_libraw_can_not_do_is_refused() -> None:
    mosaic = np.zeros((64, 64), np.uint16)
    with pytest.raises(UnsupportedError, match="'amaze' is none of LibRaw's vng, dcb"):
        libraw.demosaic(mosaic, "RGGB", None, "amaze")
    with pytest.raises(UnsupportedError, match="made for xtrans arrays, not for 'RGGB'"):
        libraw.demosaic(mosaic, "RGGB", None, "xtrans-1pass")
    with pytest.raises(UnsupportedError, match="made for bayer arrays"):
        libraw.demosaic(mosaic, XTRANS, None, "vng")
    with pytest.raises(UnsupportedError, match="needs sides of 512"):
        libraw.demosaic(mosaic, XTRANS, None, "xtrans-3pass")
