"""Operations of a network at a frame size, counted layer by layer without computing anything."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name
from torch.overrides import TorchFunctionMode

from isptools.train.models import Camera

CHANNELS = {"packed": 4, "xtrans": 9, "bilinear": 3, "xyz": 3}
SIDE = {"packed": 2, "xtrans": 3, "bilinear": 1, "xyz": 1}


def operations(camera: Camera, height: int, width: int) -> tuple[int, int]:
    """(plain, paper's way) operations for one frame; `camera` lies on torch's meta device.

    Plain: every multiply-accumulate of a convolution or linear map as two. The paper's way adds
    what TensorFlow 1's profiler added: biases, two for a LeakyReLU, the window of a pooling, and
    the padding of dilated convolutions to multiples of the dilation.
    """
    side = SIDE[camera.prepare]
    shape = (1, CHANNELS[camera.prepare] + camera.noise, height // side, width // side)
    with Counting() as counted, torch.no_grad():
        camera.eval()(torch.empty(shape, device="meta"))
    return counted.plain, counted.paper


class Counting(TorchFunctionMode):
    """Adds up the operations of the calls it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = self.paper = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        count = COUNTS.get(func)
        if count:
            plain, paper = count(out, args)
            self.plain += plain
            self.paper += paper
        return out


def _conv(out: Tensor, args: Any) -> tuple[int, int]:
    weight, bias = args[1:3]
    each = 2 * weight[0].numel() * out.shape[1]
    height, width = out.shape[-2:]
    rate = args[5][0] if len(args) > 5 else 1
    padded = (-(-height // rate) * rate) * (-(-width // rate) * rate)
    return each * height * width, each * padded + (out.numel() if bias is not None else 0)


def _transposed(_: Tensor, args: Any) -> tuple[int, int]:
    count = 2 * args[0].shape[-2] * args[0].shape[-1] * args[1].numel()
    return count, count


def _linear(out: Tensor, args: Any) -> tuple[int, int]:
    return 2 * args[1].numel(), 2 * args[1].numel() + out.numel()


def _einsum(out: Tensor, args: Any) -> tuple[int, int]:
    count = 2 * args[1].shape[-1] * out.numel()
    return count, count


COUNTS: dict[Any, Any] = {
    F.conv2d: _conv,
    torch.conv2d: _conv,
    F.conv_transpose2d: _transposed,
    F.linear: _linear,
    torch.einsum: _einsum,
    F.leaky_relu: lambda out, _: (0, 2 * out.numel()),
    F.max_pool2d: lambda out, args: (0, args[1] ** 2 * out.numel()),
}
