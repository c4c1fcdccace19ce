"""Opcode lists: bytes by hand from the DNG specification, values worked out by hand beside them."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy.ndimage import map_coordinates

from isptools import fields, raw
from isptools.develop.chain import develop
from isptools.develop.opcodes import gain_field
from isptools.develop.steps import Balance, Demosaic, Levels, Opcodes, Shading
from isptools.frame import Frame, UnsupportedError
from isptools.raw.opcodes import OpcodeError, listed, parse
from isptools.raw.places import window_of
from tests.raw import mosaics
from tests.raw.opcode_bytes import (
    OPTIONAL,
    PREVIEW,
    TAGS,
    bad_list,
    gain_map,
    lines,
    listing,
    polynomial,
    sites,
    table,
    tag,
)

SHAPE = (48, 64)
BLACK, WHITE = 64, 4095
ONES = Balance(by="user", gains=(1.0, 1.0, 1.0, 1.0))
ALL = (0, 0, *SHAPE)


def read(pixels: np.ndarray, *tags: tuple, cfa=(0, 1, 1, 2), **options) -> Frame:
    """A file by another writer, of one black level."""
    black = (50714, 3, 1, BLACK, True)
    data = mosaics.dng(pixels, cfa, [black, *tags], white=WHITE, **options)
    return raw.read_bytes(data, "x.dng")


def flat(value: int = 564) -> np.ndarray:
    return np.full(SHAPE, value, np.uint16)


def linear(frame: Frame) -> np.ndarray:
    """Behind OpcodeList2: 0 is black, 1 is white."""
    made = develop(frame, (Levels(), Opcodes()))
    return made.pixels / made.white


X = (564 - BLACK) / (WHITE - BLACK)  # of `flat`


# -- OpcodeList1: numbers as they are stored -----------------------------------------------------


def textured() -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = 1000 + 12 * y + 7 * x + 300 * np.sin(x / 7) * np.cos(y / 9)
    colors = np.where((y % 2 == 0) & (x % 2 == 0), 0.5, np.where((y % 2) & (x % 2), 0.7, 1.0))
    return np.rint(light * colors + BLACK).astype(np.uint16)


@pytest.mark.parametrize("phase", mosaics.PHASES)
def test_bad_pixels_take_the_light_around_them_in_their_own_color(phase: str) -> None:
    """A ramp in each color with levels 1 : 2 : 3; a neighbour of another color would show."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    letters = np.array(["RGB".index(c) for c in phase]).reshape(2, 2)[y % 2, x % 2]
    clean = (BLACK + (letters + 1) * (300 + 4 * y + 2 * x)).astype(np.uint16)
    pixels, bad = clean.copy(), np.zeros(SHAPE, bool)
    bad[5::12, 7::16] = bad[16::12, 10::16] = bad[9::12, 12::16] = bad[2::12, 3::16] = True
    pixels[bad] = 0
    cfa = tuple("RGB".index(c) for c in phase)
    by_value = read(pixels, tag(1, (4, 0, struct.pack(">2I", 0, 0))), cfa=cfa)
    points = [tuple(place) for place in np.argwhere(bad)]
    by_list = read(pixels, tag(1, (5, 0, bad_list(points))), cfa=cfa)
    wanted = clean.astype(int) - BLACK
    for frame in (by_value, by_list):
        assert (frame.pixels[bad] == 0).all()  # `read` gives what the file holds
        made = develop(frame, (Levels(),)).pixels
        assert np.abs(made[bad].astype(int) - wanted[bad]).max() <= 3
        assert np.array_equal(made[~bad], wanted[~bad])


def test_bad_rectangles_and_columns_are_repaired() -> None:
    clean = textured()
    pixels = clean.copy()
    pixels[:, 20] = 4000  # a column, and a block of 3 x 5
    pixels[30:33, 40:45] = 4000
    areas = [(0, 20, SHAPE[0], 21), (30, 40, 33, 45)]
    made = develop(read(pixels, tag(1, (5, 0, bad_list((), areas)))), (Opcodes(),)).pixels
    untouched = np.ones(SHAPE, bool)
    untouched[:, 20] = untouched[30:33, 40:45] = False
    assert np.array_equal(made[untouched], clean[untouched])
    error = np.abs(made.astype(int) - clean)
    assert error[:, 20].max() < 40
    assert error[30:33, 40:45].max() < 150


def test_places_of_list_1_count_masked_borders_and_those_of_list_2_do_not() -> None:
    pixels = flat(1000)
    pixels[10, 12] = 4000
    area = (50829, 4, 4, (4, 6, 48, 64), True)
    one = read(pixels, area, tag(1, (5, 0, bad_list([(10, 12)]))))
    two = read(pixels, area, tag(2, (5, 0, bad_list([(6, 6)]))))
    assert one.capture.visible_origin == (4, 6)
    assert develop(one, (Levels(),)).pixels[6, 6] == 1000 - BLACK
    assert linear(two)[6, 6] == pytest.approx((1000 - BLACK) / (WHITE - BLACK), abs=1e-4)


def test_a_table_a_polynomial_and_lines_of_list_1_work_on_numbers_of_16_bits() -> None:
    lut = np.arange(4096)[::-1].tolist()  # 0 -> 4095 ..., what is above takes the last: 0
    frame = read(flat(1000), tag(1, (7, 0, table(sites((0, 0, 24, 64)), lut))))
    made = develop(frame, (Opcodes(),)).pixels
    assert (made[:24] == 3095).all()
    assert (made[24:] == 1000).all()
    frame = read(flat(1000), tag(1, (8, 0, polynomial(sites(ALL), 5.0, 1.0, 0.001))))
    assert (develop(frame, (Opcodes(),)).pixels == 5 + 1000 + 1000).all()
    down = lines(sites((0, 0, 48, 64)), np.arange(48) * 2.0)
    frame = read(flat(1000), tag(1, (10, 0, down)))
    made = develop(frame, (Opcodes(),)).pixels
    assert np.array_equal(made[:, 5], 1000 + 2 * np.arange(48))


def test_levels_do_list_1_once() -> None:
    frame = read(flat(1000), tag(1, (12, 0, lines(sites(ALL), [2.0] * 48))))
    for steps in ((Levels(),), (Opcodes(), Levels())):
        assert (develop(frame, steps).pixels == 2000 - BLACK).all()


def test_list_1_comes_before_a_linearization_table() -> None:
    """LibRaw has applied the table already: only places still mean the same."""
    curve = (50712, 3, 65536, tuple((np.arange(65536) // 2).tolist()), True)
    pixels = flat(2000)
    pixels[10, 12] = 4000
    done = read(pixels, curve, tag(1, (5, 0, bad_list([(10, 12)]))))
    assert done.pixels[20, 20] == 1000
    assert develop(done, (Opcodes(),)).pixels[10, 12] == 1000
    with pytest.raises(UnsupportedError, match=r"ScalePerRow.*LinearizationTable.*mandatory"):
        develop(read(pixels, curve, tag(1, (12, 0, lines(sites(ALL), [2.0] * 48)))), (Levels(),))


# -- OpcodeList2: 0 is black, 1 is white ---------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_bytes_are_big_endian_whatever_the_file_is(order: str) -> None:
    body = polynomial(sites(ALL), 0.1, 2.0, 0.5)
    frame = read(flat(), tag(2, (8, 0, body)), byteorder=order)
    assert linear(frame) == pytest.approx(0.1 + 2 * X + 0.5 * X * X, abs=1e-4)


def test_opcodes_follow_each_other_in_their_order() -> None:
    double, add = polynomial(sites(ALL), 0.0, 2.0), lines(sites(ALL), [0.05] * 48)
    first = linear(read(flat(), tag(2, (8, 0, double), (10, 0, add))))
    second = linear(read(flat(), tag(2, (10, 0, add), (8, 0, double))))
    assert first == pytest.approx(2 * X + 0.05, abs=1e-4)
    assert second == pytest.approx(2 * (X + 0.05), abs=1e-4)


def test_every_result_is_clipped_to_0_and_1() -> None:
    many, less = polynomial(sites(ALL), 0.0, 20.0), polynomial(sites(ALL), 0.0, 0.5)
    assert linear(read(flat(), tag(2, (8, 0, many), (8, 0, less)))) == pytest.approx(0.5, abs=1e-4)
    down, up = lines(sites(ALL), [-0.9] * 64), lines(sites(ALL), [0.25] * 64)
    got = linear(read(flat(), tag(2, (11, 0, down), (11, 0, up))))
    assert got == pytest.approx(0.25, abs=1e-4)


@pytest.mark.parametrize("area", [(3, 5, 40, 61), (0, 0, 48, 64), (7, 2, 8, 3), (10, 60, 900, 900)])
@pytest.mark.parametrize("pitch", [(1, 1), (2, 2), (3, 1), (1, 5)])
def test_areas_and_pitches(area: tuple[int, ...], pitch: tuple[int, int]) -> None:
    mine = np.zeros(SHAPE, bool)
    mine[area[0] : area[2] : pitch[0], area[1] : area[3] : pitch[1]] = True
    got = linear(read(flat(), tag(2, (8, 0, polynomial(sites(area, pitch=pitch), 0.5)))))
    assert got[mine] == pytest.approx(0.5, abs=1e-4)
    assert got[~mine] == pytest.approx(X, abs=1e-4)
    rows, columns = -(-(area[2] - area[0]) // pitch[0]), -(-(area[3] - area[1]) // pitch[1])
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for number, axis, count in ((12, 0, rows), (13, 1, columns)):
        values = 1 + np.arange(count) / 64
        got = linear(read(flat(), tag(2, (number, 0, lines(sites(area, pitch=pitch), values)))))
        index = ((y, x)[axis] - area[axis]) // pitch[axis]
        wanted = X * np.where(mine, 1 + index / 64, 1)
        assert got == pytest.approx(np.minimum(wanted, 1), abs=1e-4)


def test_an_opcode_of_another_plane_leaves_a_mosaic_alone() -> None:
    bodies = [
        (8, polynomial(sites(ALL, plane=1), 0.5)),
        (12, lines(sites(ALL, plane=2), [2.0] * 48)),
        (9, gain_map(sites(ALL, plane=1), (1, 1), (1, 1), (0, 0), 1, [2.0])),
    ]
    got = linear(read(flat(), tag(2, *[(number, 0, body) for number, body in bodies])))
    assert got == pytest.approx(X, abs=1e-4)


def test_a_table_of_list_2_is_looked_up_by_16_bits_of_white() -> None:
    lut = (np.arange(65536) // 4).tolist()
    got = linear(read(flat(), tag(2, (7, 0, table(sites(ALL), lut)))))
    assert got == pytest.approx(round(X * 65535) // 4 / 65535, abs=1.1e-4)


def test_a_gain_map_is_bilinear_on_its_own_sites() -> None:
    gains = [1.0, 2.0, 4.0, 3.0, 1.0, 2.0]
    body = gain_map(sites((1, 0, 48, 64), pitch=(2, 2)), (2, 3), (0.5, 0.25), (0.25, 0.5), 1, gains)
    got = linear(read(flat(), tag(2, (9, 0, body))))
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    v = np.clip(((y + 0.5) / 48 - 0.25) / 0.5, 0, 1)
    h = np.clip(((x + 0.5) / 64 - 0.5) / 0.25, 0, 2)
    gain = map_coordinates(np.reshape(gains, (2, 3)), [v, h], order=1)
    wanted = X * np.where((y % 2 == 1) & (x % 2 == 0), gain, 1)
    assert got == pytest.approx(wanted, abs=1e-4)


def test_fractions_survive_between_levels_and_balance() -> None:
    """10 bits times 1.37 would lose up to half a number; here they have 16."""
    body = gain_map(sites(ALL), (1, 1), (1, 1), (0, 0), 1, [1.37])
    pixels = (BLACK + np.arange(48 * 64).reshape(SHAPE) % 700).astype(np.uint16)
    frame = read(pixels, tag(2, (9, 0, body)))
    made = develop(frame, (Levels(), Opcodes(), ONES)).pixels
    wanted = (pixels - float(BLACK)) * 1.37 / (WHITE - BLACK) * 65535
    assert np.abs(made - wanted).max() < 1.6  # LibRaw's balance cuts off


# -- behind white balance ------------------------------------------------------------------------


def test_shading_undoes_scales_with_any_balance_and_refuses_what_does_not_commute() -> None:
    scale = (13, 0, lines(sites(ALL), [1.5] * 64))
    other = (8, 0, polynomial(sites(ALL), 0.1, 1.0))
    gains = Balance(by="user", gains=(2.0, 1.0, 1.5, 1.0))
    plain = develop(read(flat()), (Levels(), gains)).pixels.astype(float)
    got = develop(read(flat(), tag(2, scale)), (Levels(), gains, Shading())).pixels
    assert np.abs(got - np.minimum(plain * 1.5, 65535)).max() <= 0.51
    with pytest.raises(UnsupportedError, match=r"MapPolynomial\) of OpcodeList2 acts before white"):
        develop(read(flat(), tag(2, other)), (Levels(), gains, Shading()))


def test_shading_says_where_list_3_goes() -> None:
    body = gain_map(sites(ALL, planes=3), (1, 1), (1, 1), (0, 0), 1, [2.0])
    frame = read(flat(), tag(3, (9, 0, body)))
    with pytest.raises(UnsupportedError, match="behind demosaicking"):
        develop(frame, (Levels(), ONES, Shading()))
    frame = read(flat(), tag(3, (9, OPTIONAL, body)))
    plain = develop(frame, (Levels(), ONES)).pixels
    assert np.array_equal(develop(frame, (Levels(), ONES, Shading())).pixels, plain)


# -- OpcodeList3: planes are colors --------------------------------------------------------------

WALK = (Levels(), ONES, Demosaic("linear"))


def test_list_3_gains_planes_of_their_own_and_repeats_the_last_plane_of_a_map() -> None:
    body = gain_map(sites(ALL, plane=1, planes=2), (1, 1), (1, 1), (0, 0), 2, [1.5, 2.0])
    more = gain_map(sites(ALL, plane=0, planes=3), (1, 1), (1, 1), (0, 0), 2, [1.0, 1.25])
    frame = read(flat(), tag(3, (9, 0, body), (9, 0, more)))
    plain = develop(frame, WALK).pixels.astype(float)
    got = develop(frame, (*WALK, Opcodes())).pixels
    wanted = plain * [1.0, 1.5 * 1.25, 2.0 * 1.25]
    assert np.abs(got - wanted).max() <= 1
    assert develop(frame, (*WALK, Opcodes())).white == WHITE - BLACK


def test_a_radial_vignette_is_that_of_its_polynomial() -> None:
    k, center = (0.4, -0.1, 0.05, 0.0, 0.01), (0.4, 0.6)  # x, y
    frame = read(flat(), tag(3, (3, 0, struct.pack(">7d", *k, *center))))
    plain = develop(frame, WALK).pixels.astype(float)
    got = develop(frame, (*WALK, Opcodes())).pixels
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    dy, dx = y - 0.6 * 48, x - 0.4 * 64
    square = (dy**2 + dx**2) / (np.maximum(0.6, 0.4) ** 2 * (48**2 + 64**2))
    gain = 1 + sum(term * square ** (i + 1) for i, term in enumerate(k))
    assert np.abs(got - np.minimum(plain * gain[..., None], 65535)).max() <= 1


def test_a_warp_takes_pixels_from_where_the_lens_put_them() -> None:
    """Against SciPy's cubic interpolation of a smooth picture, each plane with its own terms."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = (1500 + 700 * np.sin(y / 6) + 500 * np.cos(x / 7)).astype(np.uint16)
    terms = [(0.98, 0.02, -0.01, 0.003, 0.004, -0.006), (1.0, 0, 0, 0, 0, 0), (1.02, 0, 0, 0, 0, 0)]
    body = struct.pack(">I", 3) + struct.pack(">18d", *np.ravel(terms))
    frame = read(pixels, tag(3, (1, 0, body + struct.pack(">2d", 0.45, 0.55))))
    plain = develop(frame, WALK).pixels.astype(np.float64)
    got = develop(frame, (*WALK, Opcodes())).pixels.astype(np.float64)
    assert np.abs(got[..., 1] - plain[..., 1]).max() <= 1
    m = np.hypot(0.55 * 48, 0.55 * 64)
    v, h = (y + 0.5 - 0.55 * 48) / m, (x + 0.5 - 0.45 * 64) / m
    square = v**2 + h**2
    inside = np.s_[6:-6, 6:-6]
    for plane in (0, 2):
        k0, k1, k2, k3, t0, t1 = terms[plane]
        f = k0 + k1 * square + k2 * square**2 + k3 * square**3
        from_x = h * f + t0 * 2 * h * v + t1 * (square + 2 * h**2)
        from_y = v * f + t1 * 2 * h * v + t0 * (square + 2 * v**2)
        at = [0.55 * 48 + m * from_y - 0.5, 0.45 * 64 + m * from_x - 0.5]
        wanted = map_coordinates(plain[..., plane], at, order=3, mode="nearest")
        assert np.abs(got[..., plane] - wanted)[inside].max() < 0.004 * 65535
        assert np.abs(got[..., plane] - plain[..., plane])[inside].max() > 0.012 * 65535


# -- what is not applied -------------------------------------------------------------------------


@pytest.mark.parametrize(("opcode_list", "steps"), [(1, (Levels(),)), (2, (Levels(), Opcodes())),
                                                    (3, (*WALK, Opcodes()))])  # fmt: skip
def test_unknown_opcodes_refuse_the_frame_or_are_noted(opcode_list: int, steps) -> None:
    for number in (2, 14, 99):  # WarpFisheye, WarpRectilinear2, nobody's
        mandatory = read(flat(), tag(opcode_list, (number, 0, bytes(20))))
        words = rf"opcode {number}.* of OpcodeList{opcode_list} is not known, and it is mandatory"
        with pytest.raises(UnsupportedError, match=words):
            develop(mandatory, steps)
        optional = read(flat(), tag(opcode_list, (number, OPTIONAL | PREVIEW, bytes(20))))
        history = develop(optional, steps).history
        noted = [
            values for taken in history for name, values in taken.found if name == "not_applied"
        ]
        assert noted == [(number,)]


def test_an_opcode_that_is_left_by_name_stays_undone() -> None:
    maps = gain_map(sites(ALL), (1, 1), (1, 1), (0, 0), 1, [2.0])
    frame = read(flat(), tag(2, (9, 0, maps), (8, 0, polynomial(sites(ALL), 0.0, 0.5))))
    made = develop(frame, (Levels(), Opcodes(leave=(9,))))
    assert made.pixels / made.white == pytest.approx(0.5 * X, abs=1e-4)


def test_an_opcode_that_may_be_skipped_for_a_preview_is_not_skipped_for_a_truth() -> None:
    body = polynomial(sites(ALL), 0.0, 2.0)
    assert linear(read(flat(), tag(2, (8, PREVIEW, body)))) == pytest.approx(2 * X, abs=1e-4)


# -- TrimBounds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("opcode_list", [1, 2])
def test_trim_bounds_cut_where_a_file_is_read(opcode_list: int, tmp_path) -> None:
    """An odd corner turns the filters; opcodes behind it count from what is left."""
    pixels = np.random.default_rng(0).integers(100, 4000, SHAPE).astype(np.uint16)
    levels = [(50713, 3, 2, (2, 2), True), (50714, 3, 4, (60, 61, 62, 63), True)]
    trim = (6, 0, struct.pack(">4I", 3, 6, 45, 60))
    double = (8, 0, polynomial(sites((0, 0, 1, 54)), 0.0, 2.0))
    data = mosaics.dng(pixels, (0, 1, 1, 2), [*levels, tag(opcode_list, trim, double)], white=WHITE)
    path = tmp_path / "x.dng"
    path.write_bytes(data)
    frame, header = raw.read(path), raw.header(path)
    assert np.array_equal(frame.pixels, pixels[3:45, 6:60])
    assert (header.height, header.width, header.cfa) == (42, 54, "GBRG")
    assert frame.capture.cfa == "GBRG"
    assert frame.capture.black == (62.0, 63.0, 60.0, 61.0)
    assert frame.capture.visible_origin == (3, 6)
    made = develop(frame, (Levels(), Opcodes()))
    plain = develop(replace(frame, capture=replace(frame.capture, opcode_list_1=b"",
                                                   opcode_list_2=b"")), (Levels(),))  # fmt: skip
    assert np.allclose(made.pixels[1:] / made.white, plain.pixels[1:] / plain.white, atol=1e-4)
    row = pixels[3, 6:60].astype(int)
    black = np.tile([62, 63], 27)
    once = 2 * (row - black) if opcode_list == 2 else 2 * row - black
    white = plain.white
    wanted = np.clip(once / white, 0, 1) if opcode_list == 2 else once / white
    assert np.allclose(made.pixels[0] / made.white, wanted, atol=1e-4)


def test_trim_bounds_outside_of_the_picture_are_one_line() -> None:
    with pytest.raises(raw.RawError, match=r"x.dng: its TrimBounds leaves nothing"):
        read(flat(), tag(1, (6, 0, struct.pack(">4I", 60, 0, 70, 64))))


# -- bytes that are wrong ------------------------------------------------------------------------


def damaged() -> dict[str, bytes]:
    good = polynomial(sites(ALL), 0.0, 1.0)
    rows = lines(sites(ALL), [1.0] * 48)
    huge = sites(ALL) + struct.pack(">2I4dI", 2**31, 2**31, 1, 1, 0, 0, 1)
    return {
        "a count without opcodes": struct.pack(">I", 3),
        "shorter than a count": b"\0\0",
        "a body beyond the end": struct.pack(">5I", 1, 8, 0, 0, 2**31) + good,
        "a polynomial cut off": listing((8, 0, good[:-4])),
        "more points than bytes": listing((9, 0, huge + bytes(64))),
        "more bad points than bytes": listing((5, 0, struct.pack(">3I", 0, 2**32 - 1, 0))),
        "fewer numbers than rows": listing((12, 0, lines(sites(ALL), [1.0] * 47))),
        "more numbers than bytes": listing((12, 0, rows[:-8])),
        "a table of none": listing((7, 0, sites(ALL) + bytes(4))),
        "a gain that is no number": listing(
            (9, 0, gain_map(sites(ALL), (1, 1), (1, 1), (0, 0), 1, [float("nan")]))
        ),
        "a map without points": listing(
            (9, 0, gain_map(sites(ALL), (0, 0), (1, 1), (0, 0), 1, []))
        ),
        "a degree of 9": listing((8, 0, polynomial(sites(ALL), *[0.0] * 10))),
    }


@pytest.mark.parametrize("name", damaged())
def test_damaged_lists_are_one_clear_line(name: str, tmp_path) -> None:
    code = damaged()[name]
    with pytest.raises(OpcodeError, match=rf"OpcodeList2 of {len(code)} bytes is damaged"):
        parse(code, 2)
    data = mosaics.dng(flat(), extra=[(TAGS[2], 7, len(code), code, True)], white=WHITE)
    (tmp_path / "x.dng").write_bytes(data)
    for door in (raw.read, raw.header):
        with pytest.raises(raw.RawError, match="OpcodeList2") as caught:
            door(tmp_path / "x.dng")
        assert "\n" not in str(caught.value)


def test_lists_in_a_sub_directory_count() -> None:
    """A preview in IFD 0, the mosaic with its list in a SubIFD, as most converters write."""
    target = io.BytesIO()
    dng_tags = [(50706, 1, 4, (1, 4, 0, 0), True), (50708, 2, 0, "Test Camera", True)]
    mosaic = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, (0, 1, 1, 2), True),
              (50717, 4, 1, WHITE, True), (50714, 3, 1, BLACK, True),
              tag(2, (8, 0, polynomial(sites(ALL), 0.0, 3.0)))]  # fmt: skip
    with tifffile.TiffWriter(target) as tiff:
        tiff.write(np.zeros((8, 8, 3), np.uint8), photometric="rgb", subifds=1, subfiletype=1,
                   extratags=dng_tags, metadata=None)  # fmt: skip
        tiff.write(flat(), photometric=32803, subfiletype=0, extratags=mosaic, metadata=None)
    frame = raw.read_bytes(target.getvalue(), "x.dng")
    assert linear(frame) == pytest.approx(3 * X, abs=1e-4)


# -- fields of gains -----------------------------------------------------------------------------


@pytest.mark.parametrize("window", [(0, 0, 48, 64), (5, 11, 13, 20), (47, 63, 1, 1)])
def test_fields_are_what_the_opcodes_do(window: tuple[int, int, int, int]) -> None:
    """The field that shards hold, cut anywhere, against the step on a mosaic of ones."""
    bodies = [
        (9, gain_map(sites((1, 0, 48, 64), pitch=(2, 2)), (3, 4), (0.5, 0.3), (0, 0.1), 1,
                     np.linspace(0.3, 0.9, 12))),
        (12, lines(sites((4, 3, 41, 60), pitch=(3, 2)), np.linspace(0.5, 1, 13))),
        (3, struct.pack(">7d", -0.3, 0.1, 0, 0, 0, 0.5, 0.4)),
    ]  # fmt: skip
    frame = read(flat(WHITE), tag(2, *[(number, 0, body) for number, body in bodies]))
    wanted = linear(frame)
    where = window_of(frame.capture, 2, SHAPE)
    found = [one for op in listed(frame.capture, 2) for one in gain_field(op, where)]
    text = fields.encoded(found)
    got = fields.gains(fields.decoded(text), window, "RGGB")
    top, left, height, width = window
    cut = wanted[top : top + height, left : left + width]
    assert np.abs(got - cut).max() < 1e-4


def test_a_field_of_list_3_goes_to_the_filters_of_its_color() -> None:
    body = gain_map(sites(ALL, plane=0, planes=3), (1, 1), (1, 1), (0, 0), 3, [2.0, 3.0, 4.0])
    frame = read(flat(), tag(3, (9, 0, body)), cfa=(1, 2, 0, 1))
    found = gain_field(listed(frame.capture, 3)[0], (0, 0, *SHAPE), "RGB")
    got = fields.gains(found, (1, 1, 4, 4), "GBRG")
    assert np.array_equal(got[:2, :2], [[3, 2], [4, 3]])
