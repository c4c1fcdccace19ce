"""The chain gives LibRaw's integers: 0 differing values, compared with rawpy.postprocess."""

import io
from itertools import cycle, product

import numpy as np
import pytest
import rawpy

from isptools import raw
from isptools.develop.chain import develop
from isptools.frame import UnsupportedError
from tests.develop import libraw
from tests.develop.libraw import BALANCES, CURVES, HIGHLIGHTS, METHODS, PHASES, SPACES

SHAPES = ((46, 62), (47, 61))
# brightness, auto-bright and adjust_maximum in all eight mixtures
TONES = tuple(product((1.0, 1.7), (False, True), (0.0, 0.75)))
ORIENTATIONS = (1, 2, 3, 4, 5, 6, 7, 8)


def differing(frame, data, **choices):
    ours = develop(frame, libraw.steps(**choices)).pixels
    return ours, rawpy_pixels(data, choices)


def rawpy_pixels(data, choices):
    return data.postprocess(**libraw.parameters(**choices))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cfa", PHASES)
def test_every_choice_on_synthetic_mosaics(method, cfa, monkeypatch):
    """Sizes x balances x highlights x spaces x curves in full; tones and flips go round in turn.

    On one thread: for pictures of 46 rows two only wait for each other, on a busy machine for long.
    """
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    files = {}
    for shape, orientation in product(SHAPES, ORIENTATIONS):
        data, frame = libraw.written(libraw.probe(cfa, shape, flip_orientation=orientation))
        files[shape, orientation] = rawpy.imread(io.BytesIO(data)), frame
    tones, turns = cycle(TONES), cycle(ORIENTATIONS)
    wrong, count = [], 0
    for shape, *rest in product(SHAPES, BALANCES, HIGHLIGHTS, SPACES, CURVES):
        tone = next(tones)
        if count % len(TONES) == 0:
            turn = next(turns)
        names = ("balance", "highlights", "space", "curve", "bright", "auto_bright", "adjust")
        choices = dict(zip(names, (*rest, *tone), strict=True), method=method)
        opened, frame = files[shape, turn]
        ours, theirs = differing(frame, opened, **choices)
        if ours.shape != theirs.shape or (ours != theirs).any():
            wrong.append((shape, turn, choices))
        count += 1
    assert count == 2 * 4 * 3 * 7 * 3
    assert not wrong, f"{len(wrong)} of {count} differ, first: {wrong[:3]}"


@pytest.mark.parametrize("shape", [(22, 22), (23, 40), (22, 31)])
@pytest.mark.parametrize("method", METHODS)
def test_smallest_pictures_libraw_opens(method, shape):
    data, frame = libraw.written(libraw.probe("GRBG", shape))
    np.testing.assert_array_equal(
        develop(frame, libraw.steps(method=method)).pixels, libraw.rendered(data, method=method)
    )


@pytest.mark.parametrize(
    "choices",
    [{}, {"highlights": 2, "auto_bright": True, "adjust": 0.75, "balance": "auto", "space": "xyz"}],
    ids=["plain", "all-steps"],
)
@pytest.mark.parametrize("threads", ["1", "2", "7"])
@pytest.mark.parametrize("method", METHODS)
def test_threads_and_tiles_leave_no_seam(monkeypatch, threads, method, choices):
    """Wider than a column tile, and cut into strips of rows; the picture stands on its side."""
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    data, frame = libraw.written(libraw.probe("BGGR", (131, 2111), flip_orientation=6))
    np.testing.assert_array_equal(
        develop(frame, libraw.steps(method=method, **choices)).pixels,
        libraw.rendered(data, method=method, **choices),
    )


ONE_BY_ONE = (
    *({"method": m} for m in METHODS),
    *({"method": "half", "balance": b} for b in BALANCES[1:]),
    {"method": "linear", "highlights": 1},
    {"method": "linear", "highlights": 2},
    *({"method": "half", "space": s} for s in SPACES if s != "srgb"),
    *({"method": "half", "curve": c} for c in ("linear", "srgb")),
    {"method": "half", "auto_bright": True},
    {"method": "half", "auto_bright": True, "bright": 1.7, "adjust": 0.75},
    {"method": "ahd", "adjust": 0.75, "space": "xyz", "curve": "linear"},
)
BAYER = (
    "apple_quicktake/Image__1.qtk", "apple_quicktake/raw_Image_04.qtk", "canon_d30/CRW.CRW",
    "canon_g2/CRW_0304.CRW", "canon_g2/CRW_0305.CRW",
    "gopro_fusion/gopro_fusion_front_7066_crop.dng",
    "gopro_hero6/gopro_hero6_0024_crop.dng", "gopro_hero6/gopro_hero6_0024_crop_uncompressed.dng",
    "gopro_hero7black_pair/gopro_hero7black_8508_crop.dng", "kodak_dc50/DC0009L.KDC",
    "kodak_dc50/DC0010S.KDC", "kodak_dc50/DC0011M.KDC", "kodak_dc50/DC0012L.KDC",
    "nikon_d1/RAW_NIKON_D1.NEF",
)  # fmt: skip


@pytest.mark.parametrize("name", BAYER)
def test_real_raws(shared_data, name):
    """Odd facts too: gains of -1, 0 or none, no matrix, black per position, mirrored pictures."""
    path = shared_data / "raw" / name
    frame = raw.read(path)
    with rawpy.imread(str(path)) as opened:
        for choices in ONE_BY_ONE:
            ours, theirs = differing(frame, opened, **choices)
            assert ours.shape == theirs.shape, choices
            assert np.count_nonzero(ours != theirs) == 0, choices


@pytest.mark.parametrize("method", METHODS)
def test_twelve_megapixels(shared_data, method):
    path = shared_data / "raw/gopro_hero7black_pair/gopro_hero7black_8508_full.dng"
    ours = develop(raw.read(path), libraw.steps(method=method)).pixels
    assert np.count_nonzero(ours != libraw.rendered(path, method=method)) == 0


@pytest.mark.parametrize("name", ["P003909.KDC", "P003912.KDC"])
def test_pixels_that_are_not_square_are_refused_by_name(shared_data, name):
    frame = raw.read(shared_data / "raw/kodak_dc120" / name)
    with pytest.raises(UnsupportedError, match=r"not square"):
        develop(frame, libraw.steps())


@pytest.mark.parametrize("method", ["vng", "dcb", "dht", "aahd"])
def test_libraws_own_methods_on_arrays(method):
    """Run on our balanced mosaic they give what LibRaw gives on the file."""
    data, frame = libraw.written(libraw.probe("GBRG"))
    chain = list(libraw.steps())
    chain[2] = type(chain[2])(f"libraw-{method}")
    algorithm = {"demosaic_algorithm": rawpy.DemosaicAlgorithm[method.upper()]}
    with rawpy.imread(io.BytesIO(data)) as opened:
        theirs = opened.postprocess(**(libraw.parameters() | algorithm))
    np.testing.assert_array_equal(develop(frame, chain).pixels, theirs)
