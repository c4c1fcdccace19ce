"""Steps of a recipe as launches of kernels: numbers are made on the host by the step's own module.

They lie on the GPU from the first call on (`placed`), so that a second one only launches.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isptools.develop import balance, color, highlight, sensor, tone
from isptools.develop.demosaic import lab
from isptools.develop.steps import (
    Balance,
    Blend,
    Demosaic,
    Encode,
    Levels,
    Orient,
    ToSpace,
    ToXYZ,
)
from isptools.frame import Capture, UnsupportedError
from isptools.gpu import demosaic, light
from isptools.gpu.ahd import ahd
from isptools.gpu.held import Held

Row = tuple[float, ...]


@lru_cache(256)
def placed(rows: tuple[Any, ...], dtype: str, device: torch.device) -> Tensor:
    """Numbers of every picture on the device, made once."""
    return torch.from_numpy(np.array(rows, dtype)).to(device)


@lru_cache(16)
def tables(fulls: tuple[int, ...], curve: str, device: torch.device) -> Tensor:
    """Tone curves of every picture, (N, 65536) uint16."""
    made = [tone.curve(*tone.CURVES[curve], full) for full in fulls]
    return torch.from_numpy(np.stack(made)).to(device)


@lru_cache(4)
def roots(device: torch.device) -> Tensor:
    """LibRaw's table of cube roots (Lab of AHD) on a device, float32."""
    return torch.from_numpy(lab.cube_roots().copy()).to(device)


@lru_cache(256)
def _flat(make: Callable[..., NDArray[np.float32]], *args: Any) -> Row:
    return tuple(make(*args).ravel().tolist())


def levels(held: Held, step: Levels) -> Held:
    """(N, H, W) uint16 less black, clipped at 0, as `develop.sensor` does; and each white, DN."""
    blacks = tuple(tuple(int(np.uint16(b)) for b in one.black_libraw) for one in held.captures)
    out = torch.empty_like(held.pixels)
    n, height, width = out.shape
    black = placed(blacks, "int32", out.device)
    light.over(light.levels, n, height * width, held.pixels, black, out, height, width)
    peaks = out.to(torch.int32).amax((1, 2)).tolist() if step.adjust_maximum else [0] * n
    white = tuple(
        float(sensor.scaled_white(one.white, one.black_libraw, peak, step.adjust_maximum))
        for one, peak in zip(held.captures, peaks, strict=True)
    )
    return replace(held, pixels=out, white=white)


def balanced(held: Held, step: Balance) -> Held:
    """(N, H, W) uint16 times the gain of each filter, white at 65535, as `develop.balance` does."""
    gains = tuple(_gains(held, at, step) for at in range(len(held.captures)))
    factors = tuple(
        _flat(_factors, one.cfa, own, white)
        for one, own, white in zip(held.captures, gains, held.white, strict=True)
    )
    out = torch.empty_like(held.pixels)
    n, height, width = out.shape
    factor = placed(factors, "float32", out.device)
    light.over(light.scale, n, height * width, held.pixels, factor, out, height, width)
    return replace(held, pixels=out, gains=gains)


def _gains(held: Held, at: int, step: Balance) -> balance.Gains:
    facts = held.facts(at)
    found, origin = balance.chosen(facts, step.by, step.gains, step.otherwise or "")
    if origin == "gray_world":
        found = _gray_world(held.pixels[at], facts.capture.cfa, held.white[at])
    return balance.normalized(found, step.highlights == "keep")


def _factors(cfa: str, gains: Row, white: float) -> NDArray[np.float32]:
    factor = np.asarray(gains, np.float32) * np.float32(65535) / np.float32(white)
    return factor[balance.color_indices(cfa)]


def _in_eights(plane: Tensor) -> Tensor:
    """(rows, 8, columns, 8)."""
    rows, columns = plane.shape
    return plane.reshape(rows // 8, 8, columns // 8, 8)


def _gray_world(mosaic: Tensor, cfa: str, white: float) -> balance.Gains:
    """Sums over unsaturated blocks of 8x8, exact in 64 bits whatever their order."""
    height, width = mosaic.shape
    padded = torch.nn.functional.pad(mosaic.to(torch.int32), (0, -width % 8, 0, -height % 8))
    blocks = _in_eights(padded)  # row, y, column, x
    dark = blocks.amax((1, 3)) <= int(white) - 25
    there = torch.nn.functional.pad(torch.ones_like(mosaic, dtype=torch.int32),
                                    (0, -width % 8, 0, -height % 8))  # fmt: skip
    counted = _in_eights(there)
    sums = [
        [(x[:, v::2, :, u::2].sum((1, 3)) * dark).sum() for v in range(2) for u in range(2)]
        for x in (blocks, counted)
    ]
    found = torch.stack([torch.stack(row) for row in sums]).tolist()
    total, count = np.zeros((2, 4), np.float64)
    for site, index in enumerate(balance.color_indices(cfa).ravel()):
        total[index] += found[0][site]
        count[index] += found[1][site]
    return balance.gray(total, count)


def demosaicked(held: Held, step: Demosaic) -> Held:
    """(N, H, W) uint16 mosaics to (N, H, W, 3) camera RGB, or half a side with "half".

    The same integers as `develop.demosaic`. UnsupportedError for a method without a kernel.
    """
    device = held.pixels.device
    if step.method not in {"half", "linear", "ppg", "ahd"}:
        raise UnsupportedError(f"demosaic {step.method} has no kernel on a GPU")
    red = placed(tuple(divmod(one.cfa.index("R"), 2) for one in held.captures), "int32", device)
    if step.method == "ahd":
        matrices = tuple(_flat(lab.xyz_from_camera, one.camera_to_srgb) for one in held.captures)
        numbers = placed(matrices, "float32", device), roots(device)
        return replace(held, pixels=ahd(held.pixels, red, *numbers))
    method = {"half": demosaic.half, "linear": demosaic.linear, "ppg": demosaic.ppg}[step.method]
    return replace(held, pixels=method(held.pixels, red))


def blended(held: Held, _: Blend) -> Held:
    """(N, H, W, 3) uint16 with blended highlights, as `develop.highlight` does."""
    clips = tuple(highlight.clip_level(gains) for gains in held.gains)
    return _by_pixel(held, light.blend, placed(clips, "int32", held.pixels.device))


def to_xyz(held: Held, step: ToXYZ) -> Held:
    """(N, H, W, 3) uint16 camera RGB to linear XYZ, float32, white at 1, not clipped."""
    rows = tuple(
        _flat(_xyz, one, step.matrix, gains)
        for one, gains in zip(held.captures, held.gains, strict=True)
    )
    matrices = placed(rows, "float32", held.pixels.device)
    return _by_pixel(held, light.project, matrices, torch.float32)


def _xyz(capture: Capture, matrix: str, gains: Sequence[float]) -> NDArray[np.float32]:
    return color.xyz_matrix(capture, matrix, gains) / np.float32(65535)


def to_space(held: Held, step: ToSpace) -> Held:
    """(N, H, W, 3) uint16 camera RGB to a linear RGB space, clipped to 0 to 65535.

    UnsupportedError where some of the captures state a color matrix and others none.
    """
    known = [one.camera_to_srgb is not None for one in held.captures]
    if step.name == "raw" or not any(known):
        return held
    if not all(known):
        raise UnsupportedError("captures with and without a color matrix do not go into one batch")
    rows = tuple(_flat(color.out_matrix, step.name, one.camera_to_srgb) for one in held.captures)
    return _by_pixel(held, light.convert, placed(rows, "float32", held.pixels.device))


def encoded(held: Held, step: Encode) -> Held:
    """(N, H, W, 3) uint16 behind LibRaw's curve and automatic brightness, 0 to 65535."""
    n, height, width, _ = held.pixels.shape
    whites = [tone.FULL] * n
    if step.auto_bright:
        allowed = int(np.float32(width * height) * np.float32(step.clipped))
        whites = [tone.brightest(_histogram(x), allowed) for x in held.pixels]
    fulls = tuple(tone.full_scale(white, step.bright) for white in whites)
    table = tables(fulls, step.curve, held.pixels.device)
    out = torch.empty_like(held.pixels)
    count = height * width * 3
    light.over(light.encode, n, count, held.pixels, table, out, count)
    return replace(held, pixels=out)


def _histogram(picture: Tensor) -> NDArray[np.int64]:
    bins = [torch.bincount(x.to(torch.int32).flatten() >> 3, minlength=8192)
            for x in picture.unbind(-1)]  # fmt: skip
    counts: NDArray[np.int64] = torch.stack(bins).cpu().numpy()
    return counts


def oriented(held: Held, _: Orient) -> Held:
    """(N, H, W, 3) as the camera was held. ValueError where pictures are turned differently."""
    flips = {one.flip for one in held.captures}
    if len(flips) > 1:
        raise ValueError("pictures that are turned differently do not go into one batch")
    (flip,) = flips
    x = held.pixels if held.pixels.dtype == torch.float32 else held.pixels.view(torch.int16)
    x = x.flip([at for at, bit in ((1, 2), (2, 1)) if flip & bit])
    x = (x.transpose(1, 2) if flip & 4 else x).contiguous()
    return replace(held, pixels=x.view(held.pixels.dtype))


def _by_pixel(held: Held, kernel: Any, numbers: Tensor, dtype: torch.dtype = torch.uint16) -> Held:
    out = torch.empty_like(held.pixels, dtype=dtype)
    n, height, width, _ = out.shape
    light.over(kernel, n, height * width, held.pixels, numbers, out, height * width)
    return replace(held, pixels=out)


TAKEN: dict[type, Callable[[Held, Any], Held]] = {
    Levels: levels, Balance: balanced, Demosaic: demosaicked, Blend: blended, ToXYZ: to_xyz,
    ToSpace: to_space, Encode: encoded, Orient: oriented,
}  # fmt: skip
