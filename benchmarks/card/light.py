"""The chain on the device: its integers beside the processor's, and its speed."""

from collections.abc import Iterator
from functools import cache
from itertools import cycle, product
from typing import Any

import numpy as np
import torch
from card import clock
from card.made import Size

from isptools import gpu
from isptools.develop import tone
from isptools.develop.chain import develop
from isptools.develop.steps import (
    Balance,
    Blend,
    Demosaic,
    Encode,
    Levels,
    Orient,
    Step,
    ToSpace,
    ToXYZ,
)
from isptools.frame import Capture, Frame, Space

METHODS = ("half", "linear", "ppg", "ahd")
PHASES = ("RGGB", "BGGR", "GRBG", "GBRG")
SHAPES = ((46, 62), (47, 61), (131, 1111), (11, 10), (7, 24))
SPACES = ("raw", "srgb", "adobe", "prophoto", "xyz", "p3", "rec2020")
MATRIX = ((1.8, -0.6, -0.2), (-0.2, 1.5, -0.3), (0.05, -0.55, 1.5))


def capture(cfa: str, flip: int = 0) -> Capture:
    black = (252.0, 256.0, 260.0, 255.0)
    return Capture(
        kind="bayer", cfa=cfa, black=black, black_libraw=(252, 256, 260, 255), white=4095,
        as_shot=(2.1, 1.0, 1.55, 0.0), daylight=(1.9, 1.0, 1.4, 1.1), camera_to_srgb=MATRIX,
        flip=flip,
    )  # fmt: skip


def mosaic(shape: tuple[int, int], seed: int) -> Any:
    """Colored structure with noise, black and saturated parts, every level of the sensor."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = 0.5 + 0.45 * np.sin(x / 3.1 + y / 7.3) * np.cos(y / 2.3 - x * (y % 2) / 1.7)
    light[: shape[0] // 4, : shape[1] // 3] = 1.2
    light[-shape[0] // 4 :, : shape[1] // 4] = 0.0
    return np.clip(256 + 3839 * light + random.normal(0, 60, shape), 0, 4155).astype(np.uint16)


def choices() -> Iterator[tuple[tuple[int, int], Capture, tuple[Step, ...]]]:
    """Sizes x phases x methods x balances x highlights; spaces, curves, tones, turns go round."""
    spaces, curves, flips = cycle(SPACES), cycle(("libraw", "srgb", "linear")), cycle(range(8))
    tones = cycle(product((1.0, 1.7), (False, True), (0.0, 0.75)))
    for shape, cfa, method, by, mode in product(
        SHAPES, PHASES, METHODS, ("camera", "daylight", "auto", "user"), (0, 1, 2)
    ):
        bright, auto, adjust = next(tones)
        gains = (1.9, 1.0, 1.4, 1.1) if by == "user" else None
        steps: list[Step] = [
            Levels(adjust), Balance(by, gains, "keep" if mode else "clip"), Demosaic(method),
            *([Blend()] if mode == 2 else []),
        ]  # fmt: skip
        space = next(spaces)
        if space == "p3" and mode == 0:
            steps += [ToXYZ(), Orient()]  # the restoration truth, in floats
        else:
            steps += [ToSpace(space), Encode(next(curves), bright, auto), Orient()]
        yield shape, capture(cfa, next(flips)), tuple(steps)


def same(size: Size) -> tuple[bool, str]:
    """Every choice on the device and on the processor; large frames by each method."""
    every = list(choices())[:: 320 if size.tiny else 1]
    methods = METHODS[-1:] if size.tiny else METHODS
    kept = tone.curve
    tone.curve = cache(kept.__wrapped__)  # auto-bright wants more tables than are kept
    try:
        wrong = [one for at, one in enumerate(every) if differing(size, *one, at)]
        for method in methods:
            steps = usual(method)
            if differing(size, size.frame, capture("GBRG", 5), steps, 3):
                wrong.append((size.frame, capture("GBRG", 5), steps))
    finally:
        tone.curve = kept
    said = f"; first: {wrong[0]}" if wrong else ""
    return not wrong, (
        f"{len(wrong)} of {len(every)} mixtures of choices and {len(methods)} frames of "
        f"{size.frame[1]} x {size.frame[0]} differ{said}"
    )


def differing(
    size: Size, shape: tuple[int, int], facts: Capture, steps: tuple[Step, ...], seed: int
) -> int:
    pixels = mosaic(shape, seed)
    wanted = develop(Frame(pixels, Space.SENSOR, facts), steps).pixels
    found = gpu.develop(torch.from_numpy(pixels.copy()).to(size.device), facts, steps)
    found = found.cpu().numpy()
    return -1 if found.shape != wanted.shape else int(np.count_nonzero(found != wanted))


def usual(method: str) -> tuple[Step, ...]:
    return Levels(), Balance(), Demosaic(method), ToSpace(), Encode(), Orient()


def rows(size: Size) -> list[dict[str, Any]]:
    """A frame that lies on the device to sRGB there, by method; and eight cuts at once."""
    facts, cuts = capture("RGGB"), (8, size.patch // 2, size.patch // 2)
    frames = {"a frame": mosaic(size.frame, 1)[None], "cuts": np.stack([mosaic(cuts[1:], 1)] * 8)}
    out = []
    methods = METHODS[-1:] if size.tiny else METHODS
    for (what, pixels), method in product(frames.items(), methods):
        on_device = torch.from_numpy(pixels).to(size.device)
        steps = usual(method)
        work = lambda x=on_device, s=steps: gpu.develop(x, facts, s)  # noqa: E731 - one word
        work()
        cuda = size.device.type == "cuda"
        each = clock.each(clock.replayed(work) if cuda else work, size.device, size.seconds / 3)
        called = clock.each(work, size.device, size.seconds / 3) if cuda else each
        out.append({
            "what": f"{what}, {' x '.join(map(str, pixels.shape))}", "method": method,
            "ms": called * 1e3, "replayed_ms": each * 1e3, "gp_s": pixels.size / each / 1e9,
            "called_gp_s": pixels.size / called / 1e9,
        })  # fmt: skip
    return out
