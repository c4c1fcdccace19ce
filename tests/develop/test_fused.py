"""Steps that are done at once give what they give one after the other."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

from isptools.develop import fused
from isptools.develop.chain import develop, walk
from isptools.develop.steps import (
    Balance,
    Blend,
    Demosaic,
    Encode,
    Levels,
    Opcodes,
    Orient,
    ToSpace,
    ToXYZ,
    Vignetting,
)
from isptools.frame import Space
from tests.develop import libraw
from tests.develop.libraw import PHASES
from tests.raw.opcode_bytes import lines, listing, sites

SHADING = listing((12, 0, lines(sites((0, 0, 46, 1040)), [1.0] * 46)))  # ScalePerRow
METHODS = ("linear", "ppg", "ahd")
SHAPES = ((31, 47), (12, 1040), (5, 9), (2, 2), (1, 7))
ENDS = (
    (ToSpace(), Encode(), Orient()),
    (ToSpace("raw"), Encode("linear", bright=1.7)),
    (ToXYZ(),),
    (Blend(), ToSpace()),
    (Orient(), ToSpace("prophoto")),
    (ToSpace("adobe"), Encode(auto_bright=True), Orient()),
    (),
)
BEGINNINGS = (
    (Levels(), Balance()),
    (Levels(0.75), Balance("daylight", highlights="keep")),
    (Levels(), Balance("auto")),
    (Levels(), Opcodes(), Balance()),
    (Levels(), Balance(), Vignetting((0.3, -0.1))),
)


@pytest.fixture(scope="module")
def frames():
    """Of each phase, with values below black and above white."""
    return {cfa: libraw.written(libraw.probe(cfa, (46, 1040)))[1] for cfa in PHASES}


def same(one, other):
    np.testing.assert_array_equal(one.pixels, other.pixels)
    ours, theirs = (replace(frame, pixels=one.pixels) for frame in (one, other))
    for name in ("space", "capture", "white", "gains", "balance_origin", "history"):
        assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cfa", PHASES)
def test_at_once_as_one_by_one(frames, method, cfa, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    flips = (0, 1, 2, 3, 5, 6)
    choices = product(SHAPES, BEGINNINGS, ENDS)
    for i, ((height, width), beginning, end) in enumerate(choices):
        if height < 12 and "auto" in {
            getattr(one, "by", "") for one in beginning
        }:  # no block to take gains from
            continue
        whole = frames[cfa]
        facts = replace(whole.capture, flip=flips[i % len(flips)])
        if (height, width) == (12, 1040) and i % 4:  # wider than a tile: some of them
            continue
        if i % 5 == 4:
            facts = replace(facts, camera_to_srgb=None)
        pixels = np.ascontiguousarray(whole.pixels[:height, :width])
        frame = replace(whole, pixels=pixels, capture=facts)
        steps = (*beginning, Demosaic(method), *end)
        *_, last = walk(frame, steps)
        same(develop(frame, steps), last)


def test_what_is_done_at_once(frames):
    """From the sensor to the screen in one run; a step in between, or one that looks at the whole
    picture, cuts it."""
    frame = frames["RGGB"]
    head, tail = (Levels(), Balance()), (Demosaic(), ToSpace(), Encode(), Orient())
    assert fused.run(frame, head + tail) == 6
    assert fused.run(frame, (*head, Demosaic(), Blend())) == 3
    assert fused.run(frame, (*head, Demosaic(), ToXYZ())) == 3
    assert fused.run(frame, (*head, Demosaic("half"), ToSpace())) == 0
    assert fused.run(frame, (Levels(), Balance("auto"), *tail)) == 0
    assert fused.run(frame, (*head, Vignetting((0.1,)), *tail)) == 0
    assert fused.run(frame, (*tail[:2], Encode(auto_bright=True), Orient())) == 2
    on_its_side = replace(frame, capture=replace(frame.capture, flip=6))
    assert fused.run(on_its_side, head + tail) == 5
    shaded = replace(frame, capture=replace(frame.capture, opcode_list_2=SHADING))
    assert fused.run(frame, (Levels(), Opcodes(), Balance(), *tail)) == 7
    assert fused.run(shaded, (Levels(), Opcodes(), Balance(), *tail)) == 0
    unbalanced = replace(frame, capture=replace(frame.capture, as_shot=(0.0,) * 4))
    assert fused.run(unbalanced, head + tail) == 0


def test_a_walk_stops_where_a_frame_is_kept(frames):
    frame = replace(frames["GBRG"], pixels=frames["GBRG"].pixels[:40, :60].copy())
    steps = (Levels(), Balance(), Demosaic("ppg"), ToSpace(), Encode(), Orient())
    each = list(walk(frame, steps))
    assert len(each) == 7
    for kept, number in (({Space.SRGB}, 2), ({Space.CAMERA, Space.SRGB}, 5), ({Space.MOSAIC}, 3)):
        walked = list(walk(frame, steps, kept))
        assert len(walked) == number, kept
        for station in {*kept, Space.SRGB}:
            found = [one for one in walked if one.space is station][-1]
            same(found, [one for one in each if one.space is station][-1])
    assert all(one.pixels is not other.pixels for one, other in pairwise(each[:-1]))
