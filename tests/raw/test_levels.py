"""Black and white by the rules of DNG 1.7, held against a pixel by pixel restatement of them."""

import io
from itertools import product

import numpy as np
import pytest
import rawpy

from isptools import raw
from isptools.develop.steps import Levels
from isptools.frame import Frame
from tests.raw import tiff
from tests.raw.mosaics import XTRANS, dng, written

LIGHT = 500
WHITE = 4095
BAYER = (0, 1, 1, 2)
SHAPE = (65, 97)


def rational(values) -> tuple[int, ...]:
    return tuple(part for value in values for part in (round(float(value) * 100), 100))


def black_of(shape, corner, cells, down=(), across=()):
    """DNG 1.7: BlackLevel repeats from the active area's corner; DeltaV adds to rows, DeltaH to
    columns of the active area."""
    field = np.zeros(shape)
    for y, x in product(range(shape[0]), range(shape[1])):
        v, h = y - corner[0], x - corner[1]
        if v >= 0 and h >= 0:
            field[y, x] = cells[v % len(cells)][h % len(cells[0])]
            field[y, x] += (down[v] if len(down) else 0) + (across[h] if len(across) else 0)
    return field


def flat(corner, cells, down=(), across=(), cfa=BAYER) -> bytes:
    """A field lit by the same LIGHT everywhere, black by the rule."""
    cells = np.asarray(cells, float)
    black = black_of(SHAPE, corner, cells, down, across)
    extra = [
        (50829, 4, 4, (*corner, *SHAPE), True),
        (50713, 3, 2, cells.shape, True),
        (50714, 5, cells.size, rational(cells.ravel()), True),
    ]
    for tag, values in ((50716, down), (50715, across)):
        if len(values):
            extra.append((tag, 10, len(values), rational(values), True))
    return dng(np.rint(black + LIGHT).astype(np.uint16), cfa, extra, white=WHITE)


def levelled(frame: Frame):
    return Levels()(frame)


CORNERS = [(0, 0), (1, 0), (0, 1), (1, 1), (3, 5), (4, 2)]


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("dim", [(1, 1), (2, 2), (1, 2), (2, 1), (4, 4), (2, 4), (3, 5), (8, 1)])
def test_a_flat_field_is_flat_behind_levels(corner, dim):
    cells = 64 + 7 * np.arange(dim[0] * dim[1]).reshape(dim)
    frame = raw.read_bytes(flat(corner, cells), "x.dng")
    found = levelled(frame)
    assert set(np.unique(found.pixels)) == {LIGHT}
    assert frame.capture.black == tuple(map(float, frame.capture.black_libraw))


@pytest.mark.parametrize("corner", CORNERS)
def test_rows_and_columns_count(corner):
    """BlackLevelDeltaV and DeltaH of the size of a banding sensor's, with fractions."""
    down = np.round(24 * np.sin(np.arange(SHAPE[0] - corner[0]) / 6), 2)
    across = np.round(np.linspace(-3, 40, SHAPE[1] - corner[1]), 2)
    frame = raw.read_bytes(flat(corner, [[64, 80], [96, 112]], down, across), "x.dng")
    found = levelled(frame)
    assert np.abs(found.pixels.astype(int) - LIGHT).max() <= 1
    top, left = frame.capture.visible_origin
    field = black_of(SHAPE, corner, np.array([[64, 80], [96, 112]]), down, across)
    largest = field[top:, left:].max()
    assert found.white == pytest.approx(WHITE - largest, abs=1)  # full scale of DNG 1.7
    assert frame.capture.black == (round(largest),) * 4  # inputs have the same black as truths
    light = frame.pixels - np.float64(frame.capture.black[0])
    assert np.abs(light - LIGHT).max() <= 1
    assert abs(light.mean() - LIGHT) < 0.1
    (line,) = frame.capture.departures
    assert "BlackLevelDeltaV" in line
    assert "LibRaw" in line


def test_what_is_saturated_stays_so_where_rows_differ():
    down = np.repeat([0.0, 60.0], [32, 33])
    data = bytearray(flat((0, 0), [[64]], down))
    frame = raw.read_bytes(bytes(data), "x.dng")
    assert frame.capture.white == WHITE
    full = dng(
        np.full(SHAPE, WHITE, np.uint16), BAYER,
        [(50714, 5, 1, rational([64]), True), (50716, 10, SHAPE[0], rational(down), True)],
        white=WHITE,
    )  # fmt: skip
    assert (raw.read_bytes(full, "x.dng").pixels >= WHITE).all()


def test_deltas_alone_stand_on_a_black_of_0():
    extra = [(50716, 10, SHAPE[0], rational(np.arange(SHAPE[0])), True)]
    pixels = np.repeat(LIGHT + np.arange(SHAPE[0])[:, None], SHAPE[1], 1).astype(np.uint16)
    found = levelled(raw.read_bytes(dng(pixels, BAYER, extra, white=WHITE), "x.dng"))
    assert set(np.unique(found.pixels)) == {LIGHT}


def test_negative_deltas_below_a_black_of_0():
    down = -np.arange(SHAPE[0]) / 2
    pixels = np.repeat(np.rint(LIGHT + down)[:, None], SHAPE[1], 1).astype(np.uint16)
    extra = [(50716, 10, SHAPE[0], rational(down), True)]
    found = levelled(raw.read_bytes(dng(pixels, BAYER, extra, white=WHITE), "x.dng"))
    assert np.abs(found.pixels.astype(int) - LIGHT).max() <= 1


@pytest.mark.parametrize("count", [3, SHAPE[0] - 1])
def test_deltas_that_do_not_cover_the_rows_are_refused(count):
    extra = [(50716, 10, count, rational(np.ones(count)), True)]
    with pytest.raises(raw.RawError, match=rf"{count} numbers in BlackLevelDeltaV do not fit 65"):
        raw.read_bytes(dng(np.full(SHAPE, 900, np.uint16), BAYER, extra), "x.dng")


def test_black_that_is_no_number_is_refused():
    extra = [(50714, 5, 1, (0, 0), True)]
    with pytest.raises(raw.RawError, match="BlackLevel of it is no number"):
        raw.read_bytes(dng(np.full(SHAPE, 900, np.uint16), BAYER, extra), "x.dng")


def test_xtrans_with_deltas():
    codes = tuple("RGB".index(letter) for letter in XTRANS)
    cells = 64 + np.arange(36).reshape(6, 6)
    down = np.round(np.linspace(0, 30, SHAPE[0] - 1), 2)
    found = levelled(raw.read_bytes(flat((1, 0), cells, down, cfa=codes), "x.dng"))
    assert np.abs(found.pixels.astype(int) - LIGHT).max() <= 1


@pytest.mark.parametrize("per_sample", [True, False])
def test_of_two_samples_a_mosaic_has_the_first(per_sample):
    """Dual pixel: LibRaw takes two levels of two samples for those of two colors."""
    pixels = np.stack([np.full((48, 64), 1512), np.full((48, 64), 700)], -1).astype("<u2")
    levels = [512, 640] if per_sample else [512]
    data = tiff.dng((48, 64), [pixels.tobytes()], (50714, 3, levels), (50717, 3, [16383, 8191]),
                    samples=2)  # fmt: skip
    frame = raw.read_bytes(data, "x.dng")
    assert set(np.unique(levelled(frame).pixels)) == {1000}
    assert frame.capture.black == frame.capture.black_libraw == (512,) * 4
    assert frame.capture.white == 16383


# -- masked areas and white --------------------------------------------------------------------


def masked(black: tuple[int, ...] | None) -> bytes:
    """Eight rows above the active area hold 300 to 303 by position, the rest is lit."""
    pixels = np.full((72, 96), 1000, np.uint16)
    pixels[:8] = np.tile([[300, 301], [302, 303]], (4, 48))
    extra = [(50829, 4, 4, (8, 0, 72, 96), True), (50830, 4, 4, (0, 0, 8, 96), True)]
    if black:
        extra.append((50714, 3, len(black), black, True))
    return dng(pixels, BAYER, extra, white=WHITE)


def test_masked_areas_say_what_black_is_where_nothing_else_does():
    frame = raw.read_bytes(masked(None), "x.dng")
    assert frame.capture.black == pytest.approx((300, 301, 302, 303), abs=1)
    assert np.abs(levelled(frame).pixels[0, :2].astype(int) - [700, 699]).max() <= 1


def test_black_level_stands_before_masked_areas():
    """LibRaw measures although the file states its level."""
    data = masked((64,))
    frame = raw.read_bytes(data, "x.dng")
    assert frame.capture.black == frame.capture.black_libraw == (64,) * 4
    with rawpy.imread(io.BytesIO(data)) as opened:
        theirs = opened.black_level_per_channel[0]
    assert theirs in {300, 301}
    (line,) = frame.capture.departures
    assert "BlackLevel says 64 DN, LibRaw 30" in line


@pytest.mark.parametrize(("bits", "white"), [(8, 255), (16, 65535)])
def test_white_that_is_not_stated_is_what_the_bits_hold(bits, white):
    pixels = np.full((48, 64), 200, f"u{bits // 8}")
    data = tiff.dng((48, 64), [pixels.tobytes()], (50717, 4, []), bits=bits)
    assert raw.read_bytes(data, "x.dng").capture.white == white


def test_a_linearization_table_is_applied():
    table = tuple(int(v) for v in np.arange(512) ** 2 // 64)
    extra = [(50712, 3, 512, table, True), (50714, 3, 1, 64, True)]
    pixels = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) % 700
    frame = raw.read_bytes(dng(pixels, BAYER, extra, white=4080), "x.dng")
    assert np.array_equal(frame.pixels, np.array(table)[np.minimum(pixels, 511)])
    assert (frame.capture.black, frame.capture.white) == ((64,) * 4, 4080)


def test_white_below_black_is_refused():
    extra = [(50714, 3, 1, 64, True)]
    with pytest.raises(raw.RawError, match="white level 50 is not above its black level 64"):
        raw.read_bytes(dng(np.full(SHAPE, 900, np.uint16), BAYER, extra, white=50), "x.dng")


def test_trust_in_libraw_keeps_its_numbers_and_says_so():
    data = flat((0, 0), [[64]], np.linspace(0, 40, SHAPE[0]))
    frame = raw.read_bytes(data, "x.dng", trust="libraw")
    with rawpy.imread(io.BytesIO(data)) as opened:
        assert np.array_equal(frame.pixels, opened.raw_image_visible)
        assert frame.capture.black_libraw == tuple(opened.black_level_per_channel)
    assert len(frame.capture.departures) == 1


@pytest.mark.parametrize("corner", [(0, 0), (1, 1)])
def test_what_was_read_is_what_is_written(corner):
    down = np.linspace(0, 40, SHAPE[0] - corner[0])
    frame = raw.read_bytes(flat(corner, [[64, 70], [72, 80]], down), "x.dng")
    again = raw.read_bytes(written(frame), "y.dng")
    assert np.array_equal(again.pixels, frame.pixels)
    for fact in ("black", "black_libraw", "white", "cfa"):
        assert getattr(again.capture, fact) == getattr(frame.capture, fact)
    assert not again.capture.departures
