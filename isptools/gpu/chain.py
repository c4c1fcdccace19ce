"""The loop over steps, for tensors: the same list of steps, the same integers."""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from isptools.develop import chain, listed
from isptools.develop.base import only, with_square_sites
from isptools.develop.steps import Step
from isptools.frame import Capture, Frame, Space, UnsupportedError
from isptools.gpu.held import Held

Station = tuple[Space, Tensor]


def develop(
    mosaics: Tensor, captures: Capture | Sequence[Capture], steps: Sequence[Step]
) -> Tensor:
    """Mosaics (N, H, W) uint16, or one (H, W), at SENSOR to pictures at the last station.

    (N, H', W', 3) uint16, at XYZ float32; `permute(0, 3, 1, 2)` is a batch of networks, channels
    last. `captures` are the facts of each, or of all. The values are those of
    isptools.develop.chain.develop, bit by bit. On a GPU nothing waits for it, unless a step looks
    at pixels (gray world, auto-bright, `adjust_maximum`), and what was called once can be recorded
    as a CUDA graph; a tensor on the processor is developed there, by any step.

    ValueError where steps or shapes do not meet; UnsupportedError for a step or a sensor that the
    GPU has no kernel for.
    """
    return deque(walk(mosaics, captures, steps), maxlen=1)[0][1]


def walk(
    mosaics: Tensor, captures: Capture | Sequence[Capture], steps: Sequence[Step]
) -> Iterator[Station]:
    """As `develop`, and each station on the way: the mosaics as given, then behind each step.

    `mosaics` are (H, W) or (N, H, W) uint16 with one capture or N. ValueError for anything else.
    """
    batch = mosaics if mosaics.ndim == 3 else mosaics[None]
    every = (captures,) * len(batch) if isinstance(captures, Capture) else tuple(captures)
    if mosaics.dtype != torch.uint16 or batch.ndim != 3 or len(every) != len(batch):
        raise ValueError(
            f"mosaics of {mosaics.dtype} and shape {tuple(mosaics.shape)} with {len(every)} "
            "captures: (N, H, W) of uint16 with one or N are needed"
        )
    stations = chain.stations(steps)
    walked = _on_card if mosaics.is_cuda else _on_processor
    for station, pixels in zip(stations, walked(batch, every, steps), strict=True):
        yield station, pixels if mosaics.ndim == 3 else pixels[0]


def _on_processor(
    batch: Tensor, captures: tuple[Capture, ...], steps: Sequence[Step]
) -> Iterator[Tensor]:
    frames = [
        Frame(x.numpy(), Space.SENSOR, capture) for x, capture in zip(batch, captures, strict=True)
    ]
    for walked in zip(*(chain.walk(frame, steps) for frame in frames), strict=True):
        yield torch.from_numpy(np.stack([frame.pixels for frame in walked]))


def _on_card(
    batch: Tensor, captures: tuple[Capture, ...], steps: Sequence[Step]
) -> Iterator[Tensor]:
    from isptools.gpu.steps import TAKEN  # noqa: PLC0415 - Triton is there only where a GPU is

    held = Held(batch.contiguous(), captures)
    for capture in dict.fromkeys(captures):
        _expect_known(capture)
    yield held.pixels
    for step in steps:
        take = TAKEN.get(type(step))
        if take is None:
            raise UnsupportedError(f"{_name(step)} has no kernel on a GPU; develop on a processor")
        held = take(held, step)
        yield held.pixels


def _expect_known(capture: Capture) -> None:
    bare = Frame(np.empty((0, 0), np.uint16), Space.SENSOR, capture)
    with_square_sites(bare, "the GPU's chain")
    only(bare, "bayer", "the GPU's chain")
    pattern = capture.cfa
    if "".join(sorted(pattern)) != "BGGR" or "G" not in pattern[:2]:
        raise UnsupportedError(f"the GPU's chain knows no sensor of {pattern}")
    if listed.pending(bare, 1):
        raise UnsupportedError("OpcodeList1 of this file has no kernel on a GPU")


def _name(step: Step) -> str:
    return str(type(step).__struct_config__.tag)
