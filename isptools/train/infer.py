"""A whole frame through a trained network: tiles, bounded memory, the untiled picture."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isptools.shards.schema import KINDS, InputRow
from isptools.train import data
from isptools.train.camera import Camera, least
from isptools.train.data import Window
from isptools.train.device import unusable
from isptools.train.intake import named

Array = NDArray[Any]
TILE = 1024  # on a processor
FITTING = (0, 8192, 4096, 2048, 1024, 512)  # tried one after the other on a GPU


@dataclass(frozen=True, slots=True)
class Mosaic:
    """A frame's digital numbers (H, W) uint16 with what a network must know of them.

    A finished picture is (3, H, W), uint8 or uint16, with the letters RGB for its CFA.
    Values per CFA position row by row from the top left pixel; noise variance = shot x + read of
    x = (DN - black) / (white - black); `gain` is the exposure to be made up for.
    """

    pixels: NDArray[Any]
    cfa: str
    black: tuple[float, ...]
    white: float
    shot: tuple[float, ...]
    read: tuple[float, ...]
    gain: float = 1.0
    xyz_to_camera: tuple[tuple[float, ...], ...] | None = None
    shading: NDArray[np.float32] | None = None  # (H, W): gains that undo it
    mean_matrix: tuple[tuple[float, ...], ...] | None = None  # of `data.mean_matrix`

    @classmethod
    def of_row(
        cls,
        pixels: NDArray[Any],
        row: InputRow,
        shading: NDArray[np.float32] | None = None,
        mean_matrix: tuple[tuple[float, ...], ...] | None = None,
    ) -> "Mosaic":
        """As a shard holds it."""
        return cls(
            pixels, row.cfa, row.black, row.white, row.shot, row.read, row.ratio or 1.0,
            row.xyz_to_camera, shading, mean_matrix,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class How:
    """How pictures are computed, which changes nothing but their last bits: see `develop`."""

    tile: int | None = None
    device: str = "cpu"
    precision: str = "fp32"


def device_of(name: str) -> str:
    """Where a command computes that was told `name`. ValueError in one line if it can't."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # torch asserts where it has no CUDA
        raise ValueError(unusable(name, error)) from None
    return name


def develop(
    camera: Camera, mosaic: Mosaic, tile: int | None = 0, device: str = "cpu",
    precision: str = "fp32",
) -> dict[str, NDArray[np.float32]]:  # fmt: skip
    """Every picture the network makes, (3, H, W) float32 as it comes (not clipped).

    `tile` is the side of the tiles in pixels; 0 takes the frame whole; None takes it whole on a
    GPU, or in the largest tiles that fit there, and in tiles of 1024 on a processor. Vectors pooled
    over the picture come from the whole frame first, so tiles show the untiled picture. `precision`
    is that of a run's settings; a processor computes in fp32. ValueError for a CFA of another kind,
    a frame too small for the network, or tiles too large for the GPU.
    """
    where = torch.device(device)
    sizes = [tile] if tile is not None else FITTING if where.type == "cuda" else [TILE]
    for size in sizes:
        try:
            with computing(where, precision):
                return _developed(camera, mosaic, size, where)
        except torch.cuda.OutOfMemoryError:
            continue  # what the error holds is free again
    what = f"tiles of {sizes[-1]} pixels do" if sizes[-1] else "the whole frame does"
    raise ValueError(f"{what} not fit into this GPU's memory; try --tile {sizes[-1] // 2 or 1024}")


@contextmanager
def computing(device: torch.device, precision: str) -> Iterator[None]:
    """Without gradients, in a run's precision where that runs on a GPU."""
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    try:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, half, enabled=bool(half) and device.type == "cuda"),
        ):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = tf32


def _developed(
    camera: Camera, mosaic: Mosaic, tile: int, device: torch.device
) -> dict[str, NDArray[np.float32]]:
    camera = camera.to(device).eval()
    if device.type == "cuda":
        camera.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch has it
    x, top, left = _padded(camera, mosaic, device)
    out = {}
    height, width = mosaic.pixels.shape[-2:]
    for at in range(len(camera.nets)):
        x = _through(camera, at, x, tile)
        for name in camera.pictures(at):
            out[name] = x[0, :, top : top + height, left : left + width].float().cpu().numpy()
    return out


def _padded(camera: Camera, mosaic: Mosaic, device: torch.device) -> tuple[Tensor, int, int]:
    """The prepared frame in the phase and with the sides the network needs; where it begins.

    Pixels beyond the frame are mirrored, moved inward where mirroring would miss the phase.
    """
    every = camera.intake.period
    expect_kind(camera, mosaic)
    shift = data.phase(mosaic.cfa, 0, every)
    if shift is None:
        raise ValueError(f"no crop of {mosaic.cfa} shows the pattern networks are trained on")
    top, left = ((every - one) % every for one in shift[:2])
    shape = mosaic.pixels.shape[-2:]
    if min(shape) < least(camera):
        raise ValueError(f"a frame of {shape} is too small for this network: "
                         f"{least(camera)} pixels a side are needed")  # fmt: skip
    unit = frame_unit(camera)
    rows, columns = (
        mirrored(side, before, unit, every) for side, before in zip(shape, (top, left), strict=True)
    )
    facts = {"raw": np.ascontiguousarray(mosaic.pixels[..., rows[:, None], columns])}
    if mosaic.shading is not None:
        facts["shading"] = np.ascontiguousarray(mosaic.shading[np.ix_(rows, columns)])
    facts |= data.levels(mosaic_row(mosaic), shift[2], mosaic.mean_matrix)
    batch = {name: torch.from_numpy(value[None]).to(device) for name, value in facts.items()}
    return camera.intake.prepared(batch), top, left


def expect_kind(camera: Camera, mosaic: Mosaic) -> None:
    """ValueError in one line for a frame of another kind than this network takes."""
    kind = camera.intake.kind
    if KINDS[len(mosaic.cfa)] != kind:
        raise ValueError(f"this network takes {named(kind)} only")


def mosaic_row(mosaic: Mosaic) -> Any:
    """The facts of a mosaic under the names a shard's row has."""
    return _Row(
        mosaic.black, mosaic.white, mosaic.gain, mosaic.shot, mosaic.read, mosaic.xyz_to_camera
    )


@dataclass(frozen=True, slots=True)
class _Row:
    black: tuple[float, ...]
    white: float
    ratio: float
    shot: tuple[float, ...]
    read: tuple[float, ...]
    xyz_to_camera: tuple[tuple[float, ...], ...] | None


def frame_unit(camera: Camera) -> int:
    """Sides of the padded frame are multiples of so many pixels."""
    return math.lcm(camera.intake.period, *(one.factor * one.stride for one in camera.parts))


def mirrored(side: int, before: int, unit: int, every: int) -> NDArray[np.int64]:
    """Which pixel of a side stands where, from `before` on ahead of it to a multiple of `unit`.
    ValueError where the side is too small for that."""
    total = -(-(side + before) // unit) * unit
    at = np.arange(-before, total - before)
    mirrored = np.where(at < 0, -at, np.where(at >= side, 2 * (side - 1) - at, at))
    moved = np.where(at < 0, mirrored + (at - mirrored) % every, mirrored - (mirrored - at) % every)
    if moved.min() < 0 or moved.max() >= side:
        raise ValueError(f"a frame side of {side} pixels is too small for this network")
    return moved


def _through(camera: Camera, at: int, x: Tensor, tile: int) -> Tensor:
    """One part over the whole picture x, which stays where it lies: features are what is large."""
    net, module = camera.parts[at], camera.nets[at]
    if not tile:
        return module(_laid(camera.enter(at, x)))  # type: ignore[no-any-return] # a tensor
    packing = camera.packing(at)
    scale = net.factor // packing  # the result's pixels per pixel of x, a side
    step = max(tile // (net.factor * net.stride), 1) * net.stride * packing
    halo = -(-net.reach // net.stride) * net.stride * packing
    pooled = _pooled(camera, at, x, (step, halo))
    out = torch.empty(1, 3, x.shape[2] * scale, x.shape[3] * scale, device=x.device)
    for inner, outer in _tiles((x.shape[2], x.shape[3]), step, halo):
        entered = _laid(camera.enter(at, _cut(x, outer)))
        done = module(entered) if pooled is None else module(entered, pooled)
        _put(out, done, inner, outer, scale)
    return out


def _laid(x: Tensor) -> Tensor:
    """In the layout in which a GPU's convolutions are fast."""
    return x.contiguous(memory_format=torch.channels_last) if x.is_cuda else x


def _pooled(
    camera: Camera, at: int, x: Tensor, sizes: tuple[int, int]
) -> Tensor | list[Tensor] | None:
    """The means over the frame that the part takes: a walk over all tiles for each."""
    net = camera.parts[at]
    if net.bottom:
        return _mean(net.bottom, camera, at, x, sizes)
    means: list[Tensor] = []
    for features in net.bottoms:
        means.append(_mean(partial(features, means=means), camera, at, x, sizes))
    return means or None


def _mean(
    features_of: Callable[[Tensor], Tensor], camera: Camera, at: int, x: Tensor,
    sizes: tuple[int, int],
) -> Tensor:  # fmt: skip
    """Of features over the frame, (1, C), tile by tile."""
    total, count = torch.zeros((), dtype=torch.float64, device=x.device), 0
    for inner, outer in _tiles((x.shape[2], x.shape[3]), *sizes):
        features = features_of(_laid(camera.enter(at, _cut(x, outer))))
        cell = outer[2] // features.shape[2]  # all tiles begin and end at whole ones
        top, left = (inner[0] - outer[0]) // cell, (inner[1] - outer[1]) // cell
        own = features[:, :, top : top + inner[2] // cell, left : left + inner[3] // cell]
        total = total + own.sum((2, 3), dtype=torch.float64)
        count += own.shape[2] * own.shape[3]
    return (total / count).to(torch.float32)


def _tiles(shape: tuple[int, int], step: int, halo: int) -> Iterator[tuple[Window, Window]]:
    """Windows that fill the picture, and the same with a halo, cut at the picture's edges."""
    for top in range(0, shape[0], step):
        for left in range(0, shape[1], step):
            height, width = min(step, shape[0] - top), min(step, shape[1] - left)
            above, before = max(top - halo, 0), max(left - halo, 0)
            below = min(top + height + halo, shape[0])
            behind = min(left + width + halo, shape[1])
            yield (top, left, height, width), (above, before, below - above, behind - before)


def _cut(x: Tensor, window: Window) -> Tensor:
    top, left, height, width = window
    return x[:, :, top : top + height, left : left + width]


def _put(out: Tensor, done: Tensor, inner: Window, outer: Window, scale: int) -> None:
    top, left, height, width = (one * scale for one in inner)
    y, x = (inner[0] - outer[0]) * scale, (inner[1] - outer[1]) * scale
    out[:, :, top : top + height, left : left + width] = done[:, :, y : y + height, x : x + width]
