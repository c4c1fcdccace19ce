"""What every step promises, asked of every step in the vocabulary."""

import struct
from dataclasses import replace
from typing import get_args

import msgspec
import numpy as np
import pytest

from isptools.develop.chain import develop, stations, walk
from isptools.develop.steps import (
    AutoTone,
    BadPixels,
    Balance,
    Bin,
    Blend,
    Demosaic,
    Encode,
    EncodeSrgb,
    Levels,
    Opcodes,
    Orient,
    Shading,
    Step,
    ToSpace,
    ToXYZ,
    Vignetting,
)
from isptools.frame import MOSAICS, Frame, GainMap, Space, UnsupportedError
from tests.develop.libraw import PHASES, probe, written

GAIN_MAP = GainMap(2, (0, 0, 46, 62), 0, 1, 1, 1, 2, 2, 1.0, 1.0, 0.0, 0.0, 1, (1.5, 1.0, 1.0, 2.0))
# OpcodeList1 with one FixBadPixelsList: two points, no rectangles
BAD = struct.pack(">I4I", 1, 5, 0x01030000, 0, 28) + struct.pack(">7I", 0, 2, 0, 20, 21, 9, 40)
PATH = (
    Bin(), Opcodes(), BadPixels(), Levels(), Balance(highlights="keep"), Shading(),
    Vignetting((0.3, 0.1)),
    Demosaic("linear"), Blend(),
)  # fmt: skip
ENDS = (
    (ToSpace("srgb"), Encode(), Orient()),
    (ToXYZ(), AutoTone(), Orient()),
    (ToXYZ("mean"), EncodeSrgb()),
)
CHAINS = tuple((*PATH, *end) for end in ENDS)


def colored(cfa: str = "RGGB") -> Frame:
    frame = written(probe(cfa, flip_orientation=6))[1]
    facts = replace(
        frame.capture,
        gain_maps=(GAIN_MAP,),
        opcode_list_1=BAD,
        camera_to_srgb=frame.capture.camera_to_srgb,
    )
    return replace(frame, capture=facts)


def quad(frame: Frame) -> Frame:
    """Every pixel four times, as a Quad Bayer array has it."""
    facts = frame.capture
    letters = np.kron(np.frombuffer(facts.cfa.encode(), np.uint8).reshape(2, 2), np.ones((2, 2)))
    black = np.kron(np.reshape(facts.black, (2, 2)), np.ones((2, 2))).ravel()
    facts = replace(facts, kind="quad", cfa=letters.astype(np.uint8).tobytes().decode(),
                    black=tuple(black), black_libraw=tuple(map(int, black)))  # fmt: skip
    return replace(frame, pixels=np.kron(frame.pixels, np.ones((2, 2), np.uint16)), capture=facts)


def test_every_step_is_on_a_path():
    assert {type(step) for chain in CHAINS for step in chain} == set(get_args(Step))


@pytest.mark.parametrize("cfa", PHASES)
@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: str(chain[-1].__class__.__name__))
def test_steps_keep_their_promises(chain, cfa):
    frame = quad(colored(cfa))
    for step in chain:
        if isinstance(step, Opcodes):
            frame = colored(cfa)  # with its gain map, which `bin` drops
        before = frame.pixels.copy()
        after = step(frame)
        np.testing.assert_array_equal(frame.pixels, before)  # the input is untouched
        np.testing.assert_array_equal(after.pixels, step(frame).pixels)  # the same again
        assert frame.space in step.takes
        assert after.space is step.gives(frame.space)
        assert after.pixels.dtype == (np.float32 if after.space is Space.XYZ else np.uint16)
        assert np.isfinite(after.pixels).all()
        assert after.pixels.ndim == (2 if after.space in MOSAICS else 3)
        assert not after.pixels.flags.writeable
        changed = after.pixels.shape != before.shape or not np.array_equal(after.pixels, before)
        assert changed, f"{step} is idle on a colored, structured picture"
        assert after.history[-1].step == step
        assert msgspec.json.decode(msgspec.json.encode(step), type=Step) == step
        frame = after


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: str(chain[-1].__class__.__name__))
def test_develop_is_the_composition_of_its_steps(chain):
    """Also where develop writes over its own pixels, and walk may not."""
    frame, chain = colored(), chain[1:]
    by_hand = frame
    for step in chain:
        by_hand = step(by_hand)
    developed = develop(frame, chain)
    np.testing.assert_array_equal(developed.pixels, by_hand.pixels)
    assert developed.history == by_hand.history
    walked = list(walk(frame, chain))
    assert tuple(one.space for one in walked) == stations(chain)
    copies = [one.pixels.copy() for one in walked]
    np.testing.assert_array_equal(walked[-1].pixels, developed.pixels)
    for one, copy in zip(walked, copies, strict=True):
        np.testing.assert_array_equal(one.pixels, copy)
    np.testing.assert_array_equal(frame.pixels, colored().pixels)


def test_develop_without_steps_gives_the_frame():
    frame = colored()
    assert develop(frame, ()) is frame


@pytest.mark.parametrize(
    ("chain", "complaint"),
    [
        ((Levels(), Demosaic()), r"takes balanced, but the chain stands at mosaic"),
        ((Levels(), Balance(), ToXYZ()), r"takes camera, but the chain stands at balanced"),
        ((Encode(),), r"stands at sensor"),
    ],
)
def test_a_chain_that_does_not_meet_is_refused_before_a_pixel_is_read(chain, complaint):
    with pytest.raises(ValueError, match=complaint):
        stations(chain)


@pytest.mark.parametrize("kind", ["linear", "monochrome", "xtrans"])
def test_other_sensors_are_refused_by_name(kind):
    frame = colored()
    facts = replace(frame.capture, kind=kind, cfa="RGGB" if kind == "xtrans" else "")
    pixels = np.stack([frame.pixels] * 3, -1) if kind == "linear" else frame.pixels
    with pytest.raises(UnsupportedError, match=kind):
        develop(Frame(pixels, Space.SENSOR, facts), (Levels(), Balance(), Demosaic("ahd")))


def test_white_that_is_not_above_black_is_refused():
    frame = colored()
    with pytest.raises(ValueError, match=r"white level 100 is not above the black level 25[0-9]"):
        develop(replace(frame, capture=replace(frame.capture, white=100)), (Levels(),))


def test_user_gains_need_numbers():
    with pytest.raises(ValueError, match="gains"):
        Balance(by="user")
    with pytest.raises(ValueError, match="gains"):
        Balance(gains=(1.0, 1.0, 1.0, 1.0))


def test_history_says_what_was_found():
    taken = {type(one.step): dict(one.found) for one in develop(colored(), CHAINS[0][1:]).history}
    assert taken[Levels]["white"] == (4095 - 252,)
    assert taken[Shading]["gain_maps"] == (1,)
    assert max(taken[Balance]["gains"]) == 1  # highlights kept: divided by the largest
