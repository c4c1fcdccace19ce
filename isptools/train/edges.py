"""Reflected edges and overlapping pooling whose gradients a GPU sums in a fixed order.

torch's own backward of both adds by atomics on CUDA: the order, and with it the last bit, differs
from run to run, and reflecting drops the memory layout that convolutions are fast in. On processors
and under torch.compile, whose forms gather, torch's own functions stay.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name


class Reflected(nn.Conv2d):
    """A convolution with reflected edges as `nn.Conv2d(padding_mode="reflect")`, same weights."""

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int = 3, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__(
            inputs, outputs, kernel_size, stride, dilation * (kernel_size // 2), dilation,
            padding_mode="reflect",
        )  # fmt: skip

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 - torch's name
        padded = reflected(input, int(self.padding[0]))
        if padded.is_cuda:
            padded, weight = (eightfold(x) for x in (padded, weight))
        return F.conv2d(padded, weight, bias, self.stride, 0, self.dilation, self.groups)


def eightfold(x: Tensor) -> Tensor:
    """(N, C, H, W) with channels of 0 up to a multiple of 8, below which a GPU takes slow ways for
    halves."""
    missing = -x.shape[1] % 8
    return F.pad(x, (0, 0, 0, 0, 0, missing)) if missing else x


def reflected(x: Tensor, by: int) -> Tensor:
    """(N, C, H, W) with `by` < H, W mirrored pixels on every side."""
    if x.is_cuda and not torch.compiler.is_compiling():
        return folded(x, by)
    return F.pad(x, (by,) * 4, mode="reflect")


def folded(x: Tensor, by: int) -> Tensor:
    """The same by copies of slices, in x's memory layout; one order of sums going back."""
    out: Tensor = _Mirror.apply(x, by)  # type: ignore[no-untyped-call] # torch's
    return out


def maxima(x: Tensor, side: int, ceil: bool = False) -> Tensor:
    """Maxima of windows of `side`, stride 2, of (N, C, H, W), without padding; with `ceil` the last
    may overhang."""
    if x.is_cuda and not torch.compiler.is_compiling() and torch.is_grad_enabled():
        return gathered_maxima(x, side, ceil)
    return F.max_pool2d(x, side, 2, ceil_mode=ceil)


def gathered_maxima(x: Tensor, side: int, ceil: bool = False) -> Tensor:
    """The same; a pixel that several windows share sums their gradients in one order."""
    out: Tensor = _Maxima.apply(x, side, ceil)  # type: ignore[no-untyped-call] # torch's
    return out


class _Mirror(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, by: int) -> Tensor:
        ctx.by = by
        n, channels, height, width = x.shape
        out = torch.empty(
            (n, channels, height + 2 * by, width + 2 * by), dtype=x.dtype, device=x.device,
            memory_format=layout(x),
        )  # fmt: skip
        out[:, :, by:-by, by:-by] = x
        out[:, :, :by, by:-by] = x[:, :, 1 : by + 1].flip(2)
        out[:, :, -by:, by:-by] = x[:, :, -by - 1 : -1].flip(2)
        out[:, :, :, :by] = out[:, :, :, by + 1 : 2 * by + 1].flip(3)
        out[:, :, :, -by:] = out[:, :, :, -2 * by - 1 : -by - 1].flip(3)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        by, grad = ctx.by, grads[0]
        above, below = (
            _columns(strip, by).flip(2) for strip in (grad[:, :, :by], grad[:, :, -by:])
        )
        out = _columns(grad[:, :, by:-by], by)
        out[:, :, 1 : by + 1] += above
        out[:, :, -by - 1 : -1] += below
        return out, None


def _columns(grad: Tensor, by: int) -> Tensor:
    """A gradient without its columns left and right, which are added where they came from."""
    out = grad[..., by:-by].clone(memory_format=layout(grad))
    out[..., 1 : by + 1] += grad[..., :by].flip(3)
    out[..., -by - 1 : -1] += grad[..., -by:].flip(3)
    return out


class _Maxima(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, side: int, ceil: bool) -> Tensor:
        out, at = F.max_pool2d(x, side, 2, ceil_mode=ceil, return_indices=True)
        ctx.save_for_backward(at)
        ctx.shape, ctx.layout, ctx.side = x.shape, layout(x), side
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (at,), grad = ctx.saved_tensors, grads[0]
        width = ctx.shape[3]
        out = torch.empty(
            ctx.shape, dtype=grad.dtype, device=grad.device, memory_format=ctx.layout
        ).zero_()
        rows = 2 * width * torch.arange(grad.shape[2], device=grad.device)[:, None]
        corner = rows + 2 * torch.arange(grad.shape[3], device=grad.device)
        for y in range(ctx.side):
            for x in range(ctx.side):  # windows share no pixel that lies in them at the same place
                here = out[:, :, y::2, x::2][:, :, : grad.shape[2], : grad.shape[3]]
                inside = (..., slice(here.shape[2]), slice(here.shape[3]))
                won = at[inside] == (corner + (y * width + x))[inside]
                here += torch.where(won, grad[inside], 0)
        return out, None, None


def doubled(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, 2 H, 2 W): bilinear between centers, constant beyond the edges.

    As `F.interpolate(x, scale_factor=2, mode="bilinear")`, by slices.
    """
    for axis in (2, 3):
        first, last = x.narrow(axis, 0, 1), x.narrow(axis, x.shape[axis] - 1, 1)
        long = torch.cat([first, x, last], axis)
        before, behind = (long.narrow(axis, at, x.shape[axis]) for at in (0, 2))
        both = torch.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * behind], axis + 1)
        x = both.flatten(axis, axis + 1)
    return x


def over_picture(x: Tensor) -> Tensor:
    """(N, C, H, W) to the mean of each channel, (N, C), of halves too in single precision."""
    return x.mean((2, 3), dtype=torch.promote_types(x.dtype, torch.float32))


def layout(x: Tensor) -> torch.memory_format:
    """How x, or what it is a slice of, lies in memory, as torch's allocators take it."""
    nearest = x.shape[1] > 1 and x.stride(1) == 1
    return torch.channels_last if nearest else torch.contiguous_format
