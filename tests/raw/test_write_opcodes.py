"""What a written DNG says of opcodes: none that was applied, the others where pixels now lie."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest

from isptools import raw
from isptools.burst import Options, fuse
from isptools.develop.chain import develop
from isptools.develop.steps import Levels, Opcodes
from isptools.frame import Frame
from isptools.raw.opcodes import parse
from tests.raw import mosaics
from tests.raw.opcode_bytes import (
    OPTIONAL,
    bad_list,
    gain_map,
    lines,
    listing,
    polynomial,
    sites,
    table,
    tag,
)

SHAPE = (60, 72)
BLACK, WHITE = 64, 4095


def read(*tags: tuple, pixels: np.ndarray | None = None) -> Frame:
    black = (50714, 3, 1, BLACK, True)
    random = np.random.default_rng(0).integers(300, 3000, SHAPE).astype(np.uint16)
    data = mosaics.dng(random if pixels is None else pixels, extra=[black, *tags], white=WHITE)
    return raw.read_bytes(data, "x.dng")


def again(frame: Frame) -> Frame:
    target = io.BytesIO()
    raw.write_dng(target, frame)
    return raw.read_bytes(target.getvalue(), "y.dng")


def linear(frame: Frame) -> np.ndarray:
    made = develop(frame, (Levels(), Opcodes()))
    return made.pixels / made.white


def test_what_was_applied_is_not_written_and_the_rest_is() -> None:
    known = (5, 0, bad_list([(10, 20)]))
    unknown = (99, OPTIONAL, b"abcd")
    second = (8, 0, polynomial(sites((0, 0, *SHAPE)), 0.0, 0.5))
    frame = read(tag(1, known, unknown), tag(2, second))
    assert again(frame).capture.opcode_list_1 == frame.capture.opcode_list_1
    back = again(develop(frame, (Opcodes(),)))
    assert [one.number for one in parse(back.capture.opcode_list_1, 1)] == [99]
    assert parse(back.capture.opcode_list_1, 1)[0].body == b"abcd"
    assert back.capture.opcode_list_2 == listing(second)


@pytest.mark.parametrize("corner", [(0, 0), (4, 6), (3, 5), (7, 2)])
def test_places_move_with_the_pixels(corner: tuple[int, int]) -> None:
    """List 1 counts masked borders, list 2 the active area, of which LibRaw trims odd margins."""
    top, left = corner
    height, width = 56 - top, 70 - left
    area = (50829, 4, 4, (top, left, 56, 70), True)
    first = [
        (5, 0, bad_list([(20, 30), (21, 31)], [(40, 50, 42, 53)])),
        (7, 0, table(sites((18, 28, 50, 60), pitch=(3, 2)), list(range(4096))[::-1])),
        (10, 0, lines(sites((1, 0, 60, 72), pitch=(2, 1)), np.arange(30.0))),
    ]
    gains, columns = np.linspace(0.4, 1.3, 12), np.linspace(0.5, 1, -(-width // 3))
    second = [
        (9, 0, gain_map(sites((0, 1, height, width), pitch=(2, 2)), (3, 4), (0.5, 0.3), (0.1, 0),
                        1, gains)),
        (13, 0, lines(sites((2, 0, height, width), pitch=(1, 3)), columns)),
    ]  # fmt: skip
    frame = read(area, tag(1, *first), tag(2, *second))
    back = again(frame)
    assert back.capture.visible_origin == (0, 0)
    assert np.array_equal(back.pixels, frame.pixels)
    np.testing.assert_allclose(linear(back), linear(frame), atol=2e-5)
    done = again(develop(frame, (Opcodes(),)))
    assert not done.capture.opcode_list_1
    np.testing.assert_allclose(linear(done), linear(frame), atol=2e-5)


def test_a_trimmed_picture_is_written_without_its_trim() -> None:
    trim = (6, 0, struct.pack(">4I", 3, 5, 55, 65))
    after = (12, 0, lines(sites((0, 0, 52, 60)), np.linspace(0.5, 1, 52)))
    frame = read(tag(2, trim, after))
    back = again(frame)
    assert back.pixels.shape == (52, 60)
    assert [one.number for one in parse(back.capture.opcode_list_2, 2)] == [12]
    np.testing.assert_allclose(linear(back), linear(frame), atol=2e-5)


def test_a_merged_frame_keeps_what_still_holds() -> None:
    shape = (96, 128)
    y, x = np.mgrid[: shape[0], : shape[1]]
    scene = 1200 + 500 * np.sin(x / 5) * np.cos(y / 7)
    body = gain_map(sites((0, 0, *shape)), (1, 1), (1, 1), (0, 0), 1, [1.5])
    first = tag(1, (4, 0, struct.pack(">2I", 0, 0)), (99, OPTIONAL, b""))
    second = [(5, 0, bad_list([(33, 40)])), (9, 0, body), (98, OPTIONAL, b"")]
    frames = []
    for seed in range(3):
        noisy = scene + np.random.default_rng(seed).normal(0, 4, shape)
        pixels = np.rint(noisy).astype(np.uint16)
        pixels[50, 61], pixels[33, 40] = 0, 4000
        frames.append(read(first, tag(2, *second), pixels=pixels))
    made = fuse(frames, Options(reference=0, method="truth"))
    facts = made.frame.capture
    assert facts.opcode_list_1 == b""
    assert facts.opcode_list_2 == listing((9, 0, body))
    assert facts.gain_maps == frames[0].capture.gain_maps
    for at in ((50, 61), (33, 40)):
        assert abs(made.frame.pixels[at] / made.scale - scene[at]) < 40
    back = again(made.frame)
    plain = replace(made.frame, capture=replace(facts, opcode_list_2=b"", gain_maps=()))
    np.testing.assert_allclose(linear(back), np.minimum(1.5 * linear(plain), 1), atol=2e-5)
