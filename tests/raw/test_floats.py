"""Floating point DNGs: numbers by NumPy and by DNG 1.7's own formats, scaled by stated white."""

import io
import struct
import zlib

import numpy as np
import pytest
import rawpy

from isptools import raw
from isptools.raw import floats
from tests.raw import tiff

SHAPE = (48, 64)
LIGHT = np.random.default_rng(0).uniform(0.05, 0.95, SHAPE)
FORMAT = (339, 3, [3])


def of_24_bits(value: float) -> bytes:
    """DNG 1.7, 24-bit float: sign, 7 bits of exponent of excess 63, 16 of fraction; big endian."""
    mantissa, exponent = np.frexp(value)  # value = mantissa * 2^exponent, 0.5 <= mantissa < 1
    return struct.pack(">I", ((exponent - 1 + 63) << 16) | int((mantissa * 2 - 1) * 65536))[1:]


def octets(values: np.ndarray, bits: int, order: str) -> bytes:
    if bits == 24:
        big = [of_24_bits(value) for value in values.ravel()]
        return b"".join(one if order == ">" else one[::-1] for one in big)
    return values.astype(f"{order}f{bits // 8}").tobytes()


def file(values=LIGHT, bits=16, white=(1,), order="<", *tags) -> bytes:
    data = octets(np.asarray(values), bits, order)
    return tiff.dng(SHAPE, [data], FORMAT, (50717, 4, list(white)), *tags, bits=bits, order=order)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [16, 24, 32])
@pytest.mark.parametrize("white", [(1,), ()], ids=["white 1", "not stated"])
def test_light_over_white_is_the_number(bits, white, order):
    """WhiteLevel of floats is 1.0 where none is stated (DNG 1.7, WhiteLevel)."""
    frame = raw.read_bytes(file(LIGHT, bits, white, order), "x.dng")
    assert np.allclose(frame.pixels / frame.capture.white, LIGHT, rtol=2e-3, atol=1e-4)
    assert frame.capture.black == (0.0,) * 4


@pytest.mark.parametrize("most", [1.5, 3.9])
@pytest.mark.parametrize("white", [1, 2, 4095, 16383, 60000])
def test_what_is_above_white_is_kept_and_moves_nothing(white, most):
    """LibRaw scales by the picture's own maximum."""
    values = LIGHT * white
    values[0, 0] = most * white
    frame = raw.read_bytes(file(values, 32, (white,)), "x.dng")
    seen = frame.pixels / frame.capture.white
    assert np.allclose(seen, values / white, rtol=2e-3, atol=3e-4)
    assert seen[0, 0] == pytest.approx(most, rel=1e-3)
    plain = raw.read_bytes(file(LIGHT * white, 32, (white,)), "x.dng")
    assert np.array_equal(frame.pixels[1:], plain.pixels[1:])
    assert frame.capture.white == plain.capture.white


@pytest.mark.parametrize(
    ("wrong", "says"),
    [(7.2, "7.2 times its white level 1; 4 times can be kept"), (np.nan, "1 of its values"),
     (np.inf, "are no numbers")],
)  # fmt: skip
def test_what_can_not_be_kept_is_refused(wrong, says):
    values = LIGHT.copy()
    values[3, 4] = wrong
    with pytest.raises(raw.RawError, match=r"x\.dng: .*" + says):
        raw.read_bytes(file(values, 32), "x.dng")


def test_negative_numbers_are_black():
    values = LIGHT.copy()
    values[:2] = -0.2
    assert (raw.read_bytes(file(values, 32), "x.dng").pixels[:2] == 0).all()


def test_black_is_scaled_as_the_pixels_are():
    black = (50714, 5, tiff.fractions([0.1]))
    frame = raw.read_bytes(file(LIGHT, 32, (1,), "<", black), "x.dng")
    assert frame.capture.black == pytest.approx((1638.3,) * 4)
    assert set(frame.capture.black_libraw) == {1638}


def test_libraw_gives_the_same_where_nothing_is_above_white():
    data = file(LIGHT, 32)
    with rawpy.imread(io.BytesIO(data)) as opened:
        theirs = opened.raw_image_visible.copy()
    frame = raw.read_bytes(data, "x.dng")
    assert np.array_equal(frame.pixels, theirs)
    assert frame.capture.departures == ()


# -- layouts: the rules of TIFF technical note 3 and of DNG 1.7, row by row ------------------------


def shuffled(values: np.ndarray, bits: int, back: int) -> bytes:
    """Floating point predictor: the bytes of a row by significance, then differences."""
    out = []
    for row in values.reshape(len(values), -1):
        flat = np.frombuffer(octets(row, bits, ">"), np.uint8).reshape(-1, bits // 8)
        planes = flat.T.ravel().astype(int)
        moved = planes.copy()
        for i in range(back, len(planes)):
            moved[i] = (planes[i] - planes[i - back]) % 256
        out.append(moved.astype(np.uint8).tobytes())
    return b"".join(out)


@pytest.mark.parametrize(("predictor", "back"), [(3, 1), (34894, 2), (34895, 4)])
@pytest.mark.parametrize("bits", [16, 24, 32])
def test_deflated_with_predictors(bits, predictor, back):
    pieces = [zlib.compress(shuffled(LIGHT[i : i + 20], bits, back)) for i in (0, 20, 40)]
    data = tiff.dng(SHAPE, pieces, FORMAT, (50717, 4, [1]), (259, 3, [8]), (317, 3, [predictor]),
                    (278, 4, [20]), bits=bits)  # fmt: skip
    tags = raw.reading.read_tags(io.BytesIO(data))
    found = floats.decoded(data, tags)[..., 0]
    assert np.allclose(found, LIGHT, rtol={16: 1e-3, 24: 2e-5, 32: 1e-6}[bits])


def test_tiles_that_stand_over_the_edge():
    tile = (32, 48)
    padded = np.pad(LIGHT, ((0, 16), (0, 32)))
    pieces = [
        zlib.compress(shuffled(padded[y : y + 32, x : x + 48], 32, 1))
        for y in (0, 32)
        for x in (0, 48)
    ]
    data = tiff.dng(SHAPE, pieces, FORMAT, (50717, 4, [1]), (322, 4, [tile[1]]),
                    (323, 4, [tile[0]]), (278, 4, []), (259, 3, [8]), (317, 3, [3]),
                    bits=32)  # fmt: skip
    frame = raw.read_bytes(data, "x.dng")
    assert np.allclose(frame.pixels / 16383, LIGHT, atol=1e-4)


def test_the_active_area_is_cut_out():
    data = tiff.dng(SHAPE, [LIGHT.astype("<f4").tobytes()], FORMAT, (50717, 4, [1]),
                    (50829, 4, [4, 6, 48, 64]), bits=32)  # fmt: skip
    frame = raw.read_bytes(data, "x.dng")
    assert np.allclose(frame.pixels / 16383, LIGHT[4:, 6:], atol=1e-4)


def test_three_floats_a_pixel():
    colors = np.random.default_rng(1).uniform(0, 2, (*SHAPE, 3))
    data = tiff.dng(SHAPE, [colors.astype("<f4").tobytes()], FORMAT, (50717, 4, [1, 1, 1]),
                    (262, 3, [34892]), (33421, 3, []), (33422, 1, []), bits=32,
                    samples=3)  # fmt: skip
    frame = raw.read_bytes(data, "x.dng")
    assert frame.capture.kind == "linear"
    assert np.allclose(frame.pixels / 16383, colors, atol=1e-4)


def test_24_bits_hold_what_the_format_says():
    cases = {b"\x3f\x00\x00": 1.0, b"\xc0\x80\x00": -3.0, b"\x00\x00\x01": 2.0**-78, b"\0\0\0": 0.0}
    found = floats._of_24_bits(np.frombuffer(b"".join(cases), np.uint8).reshape(1, -1, 3), ">")
    assert found.tolist() == [list(cases.values())]


def test_damaged_and_unknown_layouts_are_one_line():
    whole = zlib.compress(LIGHT.astype("<f4").tobytes())
    deflated = ((259, 3, [8]), (50717, 4, [1]))
    tags = raw.reading.read_tags(io.BytesIO(tiff.dng(SHAPE, [whole], FORMAT, *deflated, bits=32)))
    for piece, says in ((b"no zlib", "damaged"), (zlib.compress(b"short"), "holds 5 of 12288")):
        data = tiff.dng(SHAPE, [piece], FORMAT, *deflated, bits=32)
        tags = raw.reading.read_tags(io.BytesIO(data))
        with pytest.raises(ValueError, match=says):
            floats.decoded(data, tags)
    odd = tiff.dng(SHAPE, [whole], FORMAT, (259, 3, [8]), (317, 3, [2]), bits=32)
    with pytest.raises(ValueError, match="laid out as no DNG has them"):
        floats.decoded(odd, raw.reading.read_tags(io.BytesIO(odd)))
