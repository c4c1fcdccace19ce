"""A 3x3 convolution with reflected edges and what follows it, in one pass over a GPU's memory.

Pictures lie channels last in halves. Sums are single precision and run in one order wherever a
pixel lies, so that tiles give the whole frame's values. For inference: nothing is kept for a
gradient.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Blocks:
    """Pixels and channels of a program, channels of a step, and how it is laid over warps."""

    pixels: int
    outputs: int
    inputs: int
    warps: int
    stages: int


@triton.jit
def _mirrored(at, side):
    at = tl.abs(at)
    return tl.where(at >= side, 2 * (side - 1) - at, at)


@triton.jit
def _products(
    acc, x, weight, y, u, image, n, height, width, inputs, first, every, dilation,
    CHUNKS: tl.constexpr, INPUTS: tl.constexpr,
):  # fmt: skip
    """Plus the products with `inputs` channels of x, from `first` of the weight's `every` on."""
    k = tl.arange(0, INPUTS)
    for step in range(9 * CHUNKS):
        tap, c = step // CHUNKS, (step % CHUNKS) * INPUTS + k
        v = _mirrored(y + (tap // 3 - 1) * dilation, height)
        h = _mirrored(u + (tap % 3 - 1) * dilation, width)
        row = (image + v * width + h).to(tl.int64) * inputs
        a = tl.load(x + row[:, None] + c[None, :], mask=c[None, :] < inputs, other=0.0)
        at = n[None, :] * (9 * every) + tap * every + first + c[:, None]
        b = tl.load(weight + at, mask=c[:, None] < inputs, other=0.0)
        acc = tl.dot(a, b, acc)
    return acc


@triton.jit
def _convolve(
    x, beside, weight, bias, added, picture, shown, out,
    pixels, height, width, inputs, others, outputs, dilation, slope,
    CHUNKS: tl.constexpr, MORE: tl.constexpr,
    ADDED: tl.constexpr, PICTURE: tl.constexpr,
    PIXELS: tl.constexpr, OUTPUTS: tl.constexpr, INPUTS: tl.constexpr,
):  # fmt: skip
    m = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    n = tl.program_id(1) * OUTPUTS + tl.arange(0, OUTPUTS)
    at, known = tl.minimum(m, pixels - 1), tl.minimum(n, outputs - 1)
    image = at // (height * width) * (height * width)
    y, u = (at - image) // width, (at - image) % width
    every = inputs + others
    acc = tl.full((PIXELS, OUTPUTS), 0.0, tl.float32)
    acc = _products(
        acc, x, weight, y, u, image, known, height, width, inputs, 0, every, dilation, CHUNKS,
        INPUTS,
    )  # fmt: skip
    if MORE:
        acc = _products(
            acc, beside, weight, y, u, image, known, height, width, others, inputs, every,
            dilation, MORE, INPUTS,
        )  # fmt: skip
    acc += tl.load(bias + known)[None, :].to(tl.float32)
    inside = (m < pixels)[:, None] & (n < outputs)[None, :]
    place = m.to(tl.int64)[:, None] * outputs + n[None, :]
    if ADDED:
        acc += tl.load(added + place, mask=inside, other=0.0).to(tl.float32)
    if PICTURE:  # the last three channels are a change of the picture, taken up below
        acc = tl.where((n < outputs - 3)[None, :] & (acc < 0), 0.0, acc)
    else:
        acc = tl.where(acc > 0, acc, acc * slope)
    tl.store(out + place, acc.to(out.dtype.element_ty), mask=inside)
    if PICTURE:
        tl.debug_barrier()  # a tanh of three channels, not of all that this program holds
        channel = tl.arange(0, 4)
        three = (m < pixels)[:, None] & (channel < 3)[None, :]
        spot = m.to(tl.int64)[:, None] * 3 + channel[None, :]
        own = out + m.to(tl.int64)[:, None] * outputs + (outputs - 3 + channel)[None, :]
        change = tl.load(own, mask=three, other=0.0).to(tl.float32)
        tanh = 2 / (1 + tl.exp(-2 * change)) - 1
        changed = tl.load(picture + spot, mask=three, other=0.0) + tanh
        tl.store(shown + spot, changed, mask=three)
        tl.store(own, changed.to(out.dtype.element_ty), mask=three)


def convolved(
    x: Tensor, weight: Tensor, bias: Tensor, dilation: int, slope: float,
    beside: Tensor | None = None, added: Tensor | None = None, picture: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """LeakyReLU(convolution of x and what lies `beside` it, plus what is `added`): (N, C, H, W).

    With `picture` (N, 3, H, W) float32 the last three channels are tanh of theirs plus the picture,
    which is given back beside them. All of x's kind of numbers, channels last; `weight` too.
    """
    n, inputs, height, width = x.shape
    outputs, others = weight.shape[0], 0 if beside is None else beside.shape[1]
    out = torch.empty(
        (n, outputs, height, width), dtype=x.dtype, device=x.device,
        memory_format=torch.channels_last,
    )  # fmt: skip
    shown = out if picture is None else torch.empty_like(picture)
    b, pixels = blocks(inputs, outputs), n * height * width
    grid = (triton.cdiv(pixels, b.pixels), triton.cdiv(outputs, b.outputs))
    _convolve[grid](
        x, _or(beside, x), weight, bias, _or(added, x), _or(picture, bias), shown, out,
        pixels, height, width, inputs, others, outputs, dilation, slope,
        CHUNKS=triton.cdiv(inputs, b.inputs), MORE=triton.cdiv(others, b.inputs),
        ADDED=added is not None, PICTURE=picture is not None,
        PIXELS=b.pixels, OUTPUTS=b.outputs, INPUTS=b.inputs, num_warps=b.warps,
        num_stages=b.stages,
    )  # fmt: skip
    return out, shown


@triton.jit
def _pool(x, out, count, height, width, rows, columns, channels, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    c, place = i % channels, i // channels
    u, line = place % columns, place // columns
    y, image = 2 * (line % rows) - height % 2, line // rows
    u = 2 * u - width % 2
    most = tl.full((BLOCK,), float("-inf"), tl.float32)
    for k in tl.static_range(9):
        v, h = y + k // 3, u + k % 3
        there = (i < count) & (v >= 0) & (v < height) & (h >= 0) & (h < width)
        at = ((image * height + v) * width + h) * channels + c
        most = tl.maximum(most, tl.load(x + at, mask=there, other=float("-inf")).to(tl.float32))
    tl.store(out + i, most.to(out.dtype.element_ty), mask=i < count)


def pooled(x: Tensor) -> Tensor:
    """Maxima of 3x3 windows at every second pixel, ceil(side / 2) a side, channels last."""
    n, channels, height, width = x.shape
    rows, columns = -(-height // 2), -(-width // 2)
    out = torch.empty(
        (n, channels, rows, columns), dtype=x.dtype, device=x.device,
        memory_format=torch.channels_last,
    )  # fmt: skip
    grid = (triton.cdiv(out.numel(), 1024),)
    _pool[grid](x, out, out.numel(), height, width, rows, columns, channels, BLOCK=1024)
    return out


def _or(given: Tensor | None, other: Tensor) -> Tensor:
    return other if given is None else given


def blocks(inputs: int, outputs: int) -> Blocks:
    """What was fastest on an H200, see docs/gpu.md."""
    step = 64 if inputs % 64 == 0 else 32 if inputs % 32 == 0 else 16
    if outputs <= 32:
        return Blocks(256, 32, min(step, 32), 8, 3)
    if outputs <= 64:
        return Blocks(128, 64, step, 4, 3)
    if outputs <= 128:
        return Blocks(128, 128, step, 4, 3)
    return Blocks(128, 256, step, 8, 3)
