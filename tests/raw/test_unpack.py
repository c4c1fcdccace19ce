"""Which decoder gave the numbers can't be seen: ours gives LibRaw's, or leaves the file to it."""

import io
import random

import numpy as np
import pytest
import rawpy

from isptools import raw
from isptools.raw import unpack
from tests.raw.lossless import FLAT, STEEP, encode
from tests.raw.test_bad_input import CORRUPT, WHOLE
from tests.raw.tiff import dng

SHAPE = (45, 70)  # no multiple of a tile's sides


@pytest.fixture
def by(monkeypatch):
    """Read by one decoder or the other; says whether ours decoded it."""
    ours = unpack.sensor

    def read(data, name, own):
        used = []

        def sensor(data, tags, info):
            found = ours(data, tags, info, 1) if own else None
            used.append(found is not None)
            return found

        monkeypatch.setattr(unpack, "sensor", sensor)
        try:
            frame = raw.read_bytes(data, name)
            pixels = frame.pixels
            return (pixels.shape, pixels.tobytes(), frame.capture), any(used)
        except raw.RawError as error:
            return str(error), any(used)

    return read


def both(by, data, name="a.dng"):
    """The same by both; whether ours decoded it."""
    theirs, _ = by(data, name, False)
    ours, used = by(data, name, True)
    assert ours == theirs
    return used


def picture(shape, bits, seed=3):
    """Noise with runs of black and white: differences of all sizes."""
    rng = np.random.default_rng(seed)
    top = (1 << bits) - 1
    values = rng.normal(top / 3, top / 9, shape).clip(0, top)
    values[rng.random(shape) < 0.05] = 0
    values[rng.random(shape) < 0.05] = top
    return values.astype(np.uint16)


def tiles(values, size, columns_of=lambda tile: tile.reshape(*tile.shape, 1), **how):
    """Padded to whole tiles; each tile as a JPEG."""
    down, across = (-side % size for side in values.shape)
    whole = np.pad(values, ((0, down), (0, across)), mode="edge")
    return [
        encode(columns_of(whole[y : y + size, x : x + size]), **how)
        for y in range(0, whole.shape[0], size)
        for x in range(0, whole.shape[1], size)
    ]


def jpeg(values, bits, order="<", **how):
    """One strip, two components a pixel, as most cameras write it."""
    pairs = values.reshape(values.shape[0], -1, 2)
    piece = encode(pairs, precision=bits, **how)
    return dng(values.shape, [piece], (259, 3, [7]), bits=bits, order=order)


@pytest.mark.parametrize("lengths", [FLAT, STEEP], ids=["flat", "steep"])
@pytest.mark.parametrize("predictor", range(1, 8))
def test_every_predictor_and_table(by, predictor, lengths):
    values = picture(SHAPE, 14)
    data = jpeg(values, 14, predictor=predictor, lengths=lengths)
    assert both(by, data)
    with rawpy.imread(io.BytesIO(data)) as opened:  # and the encoder wrote what it was given
        np.testing.assert_array_equal(opened.raw_image, values)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", range(8, 17))
def test_every_depth_and_byte_order(by, bits, order):
    values = picture(SHAPE, bits)
    assert both(by, jpeg(values, bits, order))
    plain = values.astype(np.uint16)
    if bits == 16:
        packed = plain.astype(order + "u2").tobytes()
    else:
        text = "".join(f"{value:0{bits}b}" for value in plain.ravel())
        packed = int(text, 2).to_bytes(len(text) // 8, "big") if len(text) % 8 == 0 else b""
    if SHAPE[1] * bits % 8 == 0:
        assert both(by, dng(SHAPE, [packed], bits=bits, order=order))


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("size", [16, 32])
def test_every_tiling(by, size, count):
    """Tiles that reach over the edge; their rows folded into components."""
    values = picture(SHAPE, 12)
    pieces = tiles(values, size, lambda tile: tile.reshape(size, -1, count), precision=12)
    tags = ((259, 3, [7]), (322, 3, [size]), (323, 3, [size]))
    assert both(by, dng(SHAPE, pieces, *tags, bits=12))


def test_rows_folded_two_to_one(by):
    values = picture((44, 64), 12)
    piece = encode(values.reshape(22, 64, 2), precision=12)
    assert both(by, dng(values.shape, [piece], (259, 3, [7]), bits=12))


def test_strips_of_jpeg_and_of_numbers(by):
    values = picture((44, 64), 16)
    cuts = [values[:16], values[16:32], values[32:]]
    coded = [encode(part.reshape(len(part), -1, 2)) for part in cuts]
    # LibRaw reads the first of them, and leaves the rest of its memory as it was
    assert not by(dng(values.shape, coded, (259, 3, [7]), (278, 4, [16])), "a.dng", True)[1]
    assert both(by, dng(values.shape, [part.tobytes() for part in cuts], (278, 4, [16])))


@pytest.mark.parametrize(
    "tags",
    [
        [(50712, 3, list(range(0, 4096, 2)))],  # LinearizationTable
        [(50706, 1, [1, 0, 0, 0])],  # DNG 1.0
        [(262, 3, [34892]), (33421, 3, []), (33422, 1, [])],  # LinearRaw
        [(50829, 4, [2, 4, 42, 60])],  # ActiveArea: margins
        [(50714, 3, [60, 61, 62, 63]), (50713, 3, [2, 2])],
        [(50829, 4, [4, 4, 44, 64]), (50830, 4, [0, 0, 4, 64])],  # MaskedAreas
    ],
    ids=["linearized", "old", "linear", "margins", "black", "masked"],
)
def test_other_statements(by, tags):
    values = picture((44, 64), 12)
    piece = encode(values.reshape(44, -1, 2), precision=12)
    both(by, dng(values.shape, [piece], (259, 3, [7]), *tags, bits=12))
    both(by, dng(values.shape, [values.tobytes()], *tags))


def test_restarts_are_left_to_libraw(by):
    values = picture((44, 64), 12)
    piece = encode(values.reshape(44, -1, 2), precision=12, restart=44 * 32)
    assert not both(by, dng(values.shape, [piece], (259, 3, [7]), bits=12))


def test_damaged_bytes(by):
    """A byte replaced, bytes lost, zeros: what is said and given does not depend on the decoder."""
    values = picture((44, 64), 12)
    chance = random.Random(7)
    coded = jpeg(values, 12, lengths=STEEP)
    start = len(coded) - len(encode(values.reshape(44, -1, 2), precision=12, lengths=STEEP))
    for trial in range(60):
        data = bytearray(coded)
        at = chance.randrange(start if trial % 2 else start + 60, len(data))
        if trial % 3 == 0:
            data[at] = chance.randrange(256)
        elif trial % 3 == 1:
            data[at : at + 4] = b"\xff\xd9\0\0"
        else:
            del data[at : at + chance.randrange(1, 9)]
            data += bytes(len(coded) - len(data))
        both(by, bytes(data), f"{trial}.dng")


@pytest.mark.parametrize("name", [*WHOLE, *(f"raw_odd/corrupt/{name}" for name in CORRUPT)])
def test_every_file_at_hand(by, shared_data, name):
    both(by, (shared_data / name).read_bytes())


def test_a_dng_of_a_camera_is_ours(by, shared_data):
    folder = shared_data / "raw/gopro_hero6"
    for name in ("gopro_hero6_0024_crop.dng", "gopro_hero6_0024_crop_uncompressed.dng"):
        assert both(by, (folder / name).read_bytes())


def test_a_process_that_compiled_nothing_leaves_its_first_pictures_to_libraw(monkeypatch):
    ours, used = unpack.sensor, []
    monkeypatch.setattr(unpack, "sensor", lambda *given: used.append(ours(*given)) or used[-1])
    monkeypatch.setattr(unpack, "is_loaded", lambda: False)
    monkeypatch.setattr(unpack, "FEWEST", 1)
    monkeypatch.setattr(unpack, "AHEAD", 3 * SHAPE[0] * SHAPE[1])
    monkeypatch.setattr(unpack, "_asked", [0])
    data = jpeg(picture(SHAPE, 12), 12)
    frames = [raw.read_bytes(data, "a.dng") for _ in range(4)]
    assert [one is not None for one in used] == [False, False, False, True]
    for frame in frames[1:]:
        np.testing.assert_array_equal(frame.pixels, frames[0].pixels)
