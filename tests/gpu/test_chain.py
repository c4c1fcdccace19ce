"""The chain of a GPU gives the processor's integers, which are LibRaw's.

Kernels run by Triton's interpreter where there is no GPU: the same code, block by block.
"""

import sys
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isptools import gpu  # noqa: E402 - needs torch
from isptools.develop.chain import develop  # noqa: E402
from isptools.develop.steps import (  # noqa: E402
    BadPixels,
    Balance,
    Demosaic,
    Encode,
    Levels,
    Orient,
    ToXYZ,
)
from isptools.frame import UnsupportedError  # noqa: E402
from isptools.gpu import chain  # noqa: E402
from tests.develop import libraw  # noqa: E402


def on_card(frames, steps):
    """What the kernels make of frames of one shape."""
    batch = torch.from_numpy(np.stack([frame.pixels for frame in frames]))
    captures = tuple(frame.capture for frame in frames)
    return [x.numpy() for x in chain._on_card(batch, captures, steps)]


# every method in two phases or more, every value of every option at least once
CHOICES = [
    ("half", "RGGB", {"balance": "daylight", "space": "raw", "curve": "linear"}),
    ("half", "GBRG", {"balance": "user", "space": "rec2020", "auto_bright": True, "bright": 1.7}),
    ("linear", "BGGR", {"balance": "auto", "space": "adobe", "curve": "srgb", "adjust": 0.75}),
    ("linear", "GRBG", {"space": "xyz", "highlights": 2, "bright": 1.7}),
    ("linear", "RGGB", {"balance": "user", "space": "prophoto", "highlights": 1}),
    ("ppg", "GRBG", {"balance": "auto", "space": "p3", "highlights": 2, "auto_bright": True}),
    ("ppg", "RGGB", {}),
    ("ahd", "BGGR", {}),
    ("ahd", "GRBG", {"balance": "user"}),
]


@pytest.mark.parametrize("at", range(len(CHOICES)))
def test_libraw_itself_gives_the_same_integers(kernels, at):
    """The pictures of real files stand on their side or head, too."""
    method, cfa, rest = CHOICES[at]
    choices = rest | {"method": method}
    shape = (31, 42) if at % 2 else (32, 41)
    data, frame = libraw.written(libraw.probe(cfa, shape, flip_orientation=at % 8 + 1))
    ours = on_card([frame], libraw.steps(**choices))[-1][0]
    np.testing.assert_array_equal(ours, libraw.rendered(data, **choices))


@pytest.mark.parametrize(
    ("method", "shape"),
    [("ahd", (11, 10)), ("ppg", (10, 13)), ("ppg", (3, 24)), ("linear", (1, 2))],
)
def test_pictures_that_are_all_frame(kernels, method, shape):
    frame = libraw.probe("GRBG", shape)
    steps = libraw.steps(method=method)
    np.testing.assert_array_equal(on_card([frame], steps)[-1][0], develop(frame, steps).pixels)


def test_blocks_leave_no_seam(kernels, monkeypatch):
    """Blocks far smaller than the picture, that do not divide it."""
    monkeypatch.setattr(sys.modules["isptools.gpu.window"], "ROWS", 16)
    monkeypatch.setattr(sys.modules["isptools.gpu.window"], "COLUMNS", 32)
    monkeypatch.setattr(kernels.light, "BLOCK", 512)
    frame = libraw.probe("GBRG", (30, 40))
    steps = libraw.steps(method="ppg")
    np.testing.assert_array_equal(on_card([frame], steps)[-1][0], develop(frame, steps).pixels)


def test_a_batch_is_developed_picture_by_picture(kernels):
    """Other phases, levels, gains and matrices side by side; stations between, floats too."""
    one, two = libraw.probe("RGGB", (24, 26), 0), libraw.probe("GBRG", (24, 26), 1)
    matrix = ((1.8, -0.6, -0.2), (-0.2, 1.5, -0.3), (0.05, -0.55, 1.5))
    facts = replace(
        two.capture, as_shot=(1.4, 1.0, 2.2, 0.0), camera_to_srgb=matrix, white=3800,
        black=(200.0,) * 4, black_libraw=(200,) * 4,
    )  # fmt: skip
    frames = [replace(one, capture=replace(one.capture, camera_to_srgb=matrix)),
              replace(two, capture=facts)]  # fmt: skip
    steps = (Levels(), Balance(), Demosaic("ahd"), ToXYZ(), Orient())
    found = on_card(frames, steps)
    for at, frame in enumerate(frames):
        wanted = [frame.pixels, *(develop(frame, steps[:n]).pixels for n in range(1, 6))]
        for ours, theirs in zip(found, wanted, strict=True):
            assert ours[at].dtype == theirs.dtype
            np.testing.assert_array_equal(ours[at], theirs)


def test_numbers_are_placed_once(kernels):
    """A second call only launches, so that it can be recorded."""
    frame, steps = libraw.probe("BGGR", (12, 14)), libraw.steps(method="half")
    on_card([frame], steps)
    before = kernels.placed.cache_info().misses, kernels.tables.cache_info().misses
    on_card([frame], steps)
    assert (kernels.placed.cache_info().misses, kernels.tables.cache_info().misses) == before


def test_a_tensor_on_the_processor_is_developed_there():
    frames = [libraw.probe("RGGB", (24, 26), seed) for seed in range(2)]
    steps = (BadPixels(), *libraw.steps(method="ppg"))
    batch = torch.from_numpy(np.stack([frame.pixels for frame in frames]))
    both = gpu.develop(batch, [frame.capture for frame in frames], steps)
    single = gpu.develop(batch[1], frames[1].capture, steps)
    for ours, frame in zip(both, frames, strict=True):
        np.testing.assert_array_equal(ours.numpy(), develop(frame, steps).pixels)
    assert torch.equal(single.view(torch.int16), both[1].view(torch.int16))
    stations = [station for station, _ in gpu.walk(batch, frames[0].capture, steps)]
    assert stations[0] == "sensor"
    assert stations[-1] == "srgb"


def test_what_the_kernels_do_not_know_is_named(kernels):
    frame = libraw.probe("RGGB", (12, 14))
    for steps, word in (
        ((BadPixels(),), "bad-pixels"),
        ((Levels(), Balance(), Demosaic("libraw-vng")), "libraw-vng"),
    ):
        with pytest.raises(UnsupportedError, match=word):
            on_card([frame], steps)
    xtrans = replace(frame, capture=replace(frame.capture, kind="xtrans"))
    with pytest.raises(UnsupportedError, match="xtrans"):
        on_card([xtrans], (Levels(),))
    listed = replace(frame, capture=replace(frame.capture, opcode_list_1=b"\0\0\0\1" + bytes(40)))
    with pytest.raises(UnsupportedError, match="OpcodeList1"):
        on_card([listed], (Levels(),))


def test_shapes_and_captures_must_meet():
    frame = libraw.probe("RGGB", (12, 14))
    pixels = torch.from_numpy(frame.pixels.copy())
    with pytest.raises(ValueError, match="uint16"):
        gpu.develop(pixels.to(torch.int32), frame.capture, (Levels(),))
    with pytest.raises(ValueError, match="2 captures"):
        gpu.develop(pixels, [frame.capture] * 2, (Levels(),))
    with pytest.raises(ValueError, match="stands at sensor"):
        gpu.develop(pixels, frame.capture, (Encode(),))
