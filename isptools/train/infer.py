"""A whole mosaic through a trained network: tiles, bounded memory, the untiled picture."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isptools.shards.schema import InputRow
from isptools.train import data
from isptools.train.camera import Camera, least

Array = NDArray[Any]
Window = tuple[int, int, int, int]  # top, left, height, width


@dataclass(frozen=True, slots=True)
class Mosaic:
    """A frame's digital numbers (H, W) uint16 with what a network must know of them.

    Values per CFA position row by row from the top left pixel; noise variance = shot x + read of
    x = (DN - black) / (white - black); `gain` is the exposure to be made up for.
    """

    pixels: NDArray[np.uint16]
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
        pixels: NDArray[np.uint16],
        row: InputRow,
        shading: NDArray[np.float32] | None = None,
        mean_matrix: tuple[tuple[float, ...], ...] | None = None,
    ) -> "Mosaic":
        """As a shard holds it."""
        return cls(
            pixels, row.cfa, row.black, row.white, row.shot, row.read, row.ratio or 1.0,
            row.xyz_to_camera, shading, mean_matrix,
        )  # fmt: skip


def develop(
    camera: Camera, mosaic: Mosaic, tile: int = 0, device: str = "cpu"
) -> dict[str, NDArray[np.float32]]:
    """Every picture the network makes, (3, H, W) float32 as it comes (not clipped).

    `tile` is the side of the tiles in pixels; 0 takes the frame whole. Vectors pooled over the
    picture come from the whole frame first, so tiles show the untiled picture. ValueError for a
    CFA of another kind, a frame too small for the network, or tiles too large for the GPU.
    """
    try:
        return _developed(camera, mosaic, tile, device)
    except torch.cuda.OutOfMemoryError:
        what = f"tiles of {tile} pixels do" if tile else "the whole frame does"
        raise ValueError(
            f"{what} not fit into this GPU's memory; try --tile {tile // 2 or 1024}"
        ) from None


def _developed(
    camera: Camera, mosaic: Mosaic, tile: int, device: str
) -> dict[str, NDArray[np.float32]]:
    camera = camera.to(device).eval()
    padded, top, left = _padded(camera, mosaic)
    x = padded
    out = {}
    height, width = mosaic.pixels.shape
    with torch.inference_mode():
        for at in range(len(camera.nets)):
            x = _through(camera, at, x, tile, device)
            for name in camera.pictures(at):
                out[name] = x[0, :, top : top + height, left : left + width].cpu().numpy()
    return out


def _padded(camera: Camera, mosaic: Mosaic) -> tuple[Tensor, int, int]:
    """The prepared frame in the phase and with the sides the network needs; where it begins.

    Pixels beyond the frame are mirrored, moved inward where mirroring would miss the phase.
    """
    every = camera.intake.period
    if len(mosaic.cfa) != every**2:
        raise ValueError(f"this network takes {camera.intake.kind} mosaics only")
    shift = data.phase(mosaic.cfa, 0, every)
    if shift is None:
        raise ValueError(f"no crop of {mosaic.cfa} shows the pattern networks are trained on")
    top, left = ((every - one) % every for one in shift[:2])
    if min(mosaic.pixels.shape) < least(camera):
        raise ValueError(f"a frame of {mosaic.pixels.shape} is too small for this network: "
                         f"{least(camera)} pixels a side are needed")  # fmt: skip
    unit = frame_unit(camera)
    rows, columns = (
        _indices(side, before, unit, every)
        for side, before in zip(mosaic.pixels.shape, (top, left), strict=True)
    )
    batch = {
        "raw": torch.from_numpy(np.ascontiguousarray(mosaic.pixels[np.ix_(rows, columns)]))[None]
    }
    if mosaic.shading is not None:
        field = np.ascontiguousarray(mosaic.shading[np.ix_(rows, columns)])
        batch["shading"] = torch.from_numpy(field)[None]
    facts = data.levels(mosaic_row(mosaic), shift[2], mosaic.mean_matrix)
    batch |= {name: torch.from_numpy(value[None]) for name, value in facts.items()}
    return camera.intake.prepared(batch), top, left


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


def _indices(side: int, before: int, unit: int, every: int) -> NDArray[np.int64]:
    total = -(-(side + before) // unit) * unit
    at = np.arange(-before, total - before)
    mirrored = np.where(at < 0, -at, np.where(at >= side, 2 * (side - 1) - at, at))
    moved = np.where(at < 0, mirrored + (at - mirrored) % every, mirrored - (mirrored - at) % every)
    if moved.min() < 0 or moved.max() >= side:
        raise ValueError(f"a frame side of {side} pixels is too small for this network")
    return moved


def _through(camera: Camera, at: int, x: Tensor, tile: int, device: str) -> Tensor:
    """One part over the whole picture x, which stays in the computer's memory."""
    net, module = camera.parts[at], camera.nets[at]
    if not tile:
        return module(camera.enter(at, x.to(device))).cpu()  # type: ignore[no-any-return] # a tensor
    packing = camera.packing(at)
    scale = net.factor // packing  # the result's pixels per pixel of x, a side
    step = max(tile // (net.factor * net.stride), 1) * net.stride * packing
    halo = -(-net.reach // net.stride) * net.stride * packing
    pooled = _pooled(camera, at, x, (step, halo), device)
    out = torch.empty(1, 3, x.shape[2] * scale, x.shape[3] * scale)
    for inner, outer in _tiles((x.shape[2], x.shape[3]), step, halo):
        entered = camera.enter(at, _cut(x, outer).to(device))
        done = module(entered) if pooled is None else module(entered, pooled)
        _put(out, done, inner, outer, scale)
    return out


def _pooled(
    camera: Camera, at: int, x: Tensor, sizes: tuple[int, int], device: str
) -> Tensor | None:
    """The mean over the frame of the features the global part takes, tile by tile."""
    net = camera.parts[at]
    if net.bottom is None:
        return None
    cell = camera.packing(at) * net.stride
    total, count = torch.zeros(()), 0
    for inner, outer in _tiles((x.shape[2], x.shape[3]), *sizes):
        features = net.bottom(camera.enter(at, _cut(x, outer).to(device)))
        top, left = (inner[0] - outer[0]) // cell, (inner[1] - outer[1]) // cell
        own = features[:, :, top : top + inner[2] // cell, left : left + inner[3] // cell]
        total = total + own.sum((2, 3), dtype=torch.float64).cpu()
        count += own.shape[2] * own.shape[3]
    return (total / count).to(torch.float32).to(device)


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
    out[:, :, top : top + height, left : left + width] = done[
        :, :, y : y + height, x : x + width
    ].cpu()
