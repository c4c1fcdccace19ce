"""Operations of a network at a frame size, counted layer by layer without computing anything."""

import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from isptools.train.camera import Camera


def operations(camera: Camera, height: int, width: int) -> tuple[int, int]:
    """(plain, paper's way) operations for one frame; `camera` lies on torch's meta device.

    Plain: every multiply-accumulate of a convolution or linear map as two, as torch counts. The
    paper's way adds what TensorFlow 1's profiler added: biases, two for a LeakyReLU, the window of
    a pooling, and the padding of dilated convolutions to multiples of the dilation.
    """
    side = camera.intake.side
    shape = (1, camera.intake.inputs, height // side, width // side)
    with FlopCounterMode(display=False) as plain, Added() as added, torch.no_grad():
        camera.eval()(torch.empty(shape, device="meta"))
    return plain.get_total_flops(), plain.get_total_flops() + added.count


def of_step(task: Any, inputs: int, patch: int) -> int:
    """Operations of a stage's networks forward and backward on one cut, as torch counts them.

    `task` is the stage's module; `inputs` the positions of the CFA, 3 for pictures. Nothing is
    computed, on torch's meta device. Losses are left out, what prepares the input is not.
    """
    with torch.device("meta"):
        copied = copy.deepcopy(task).to("meta")
        pictures = {name: torch.empty(1, 3, patch, patch) for name in task.truths()}
        scales = {f"{name}_scale": torch.ones(1) for name in pictures}
        batch = pictures | scales | {
            "raw": torch.empty(1, *([3] if inputs == 3 else []), patch, patch),
            "black": torch.empty(1, inputs),
            "white": torch.ones(1), "gain": torch.ones(1), "shot": torch.empty(1, inputs),
            "read": torch.empty(1, inputs), "xyz_from_camera": torch.empty(1, 3, 3),
        }  # fmt: skip
        with FlopCounterMode(display=False) as counted:
            sum(picture.sum() for picture in copied.train().pictures(batch).values()).backward()
    return int(counted.get_total_flops())


class Added(TorchFunctionMode):
    """Adds up what the papers count beyond multiply-accumulates."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in ADDED:
            self.count += ADDED[func](out, args)
        return out


def _conv(out: Tensor, args: Any) -> int:
    weight, bias = args[1:3]
    height, width = out.shape[-2:]
    rate = args[5][0] if len(args) > 5 else 1
    padded = (-(-height // rate) * rate) * (-(-width // rate) * rate)
    more = 2 * weight[0].numel() * out.shape[1] * (padded - height * width)
    return int(more + (out.numel() if bias is not None else 0))


ADDED: dict[Any, Any] = {
    F.conv2d: _conv,
    torch.conv2d: _conv,
    F.linear: lambda out, _: out.numel(),
    F.leaky_relu: lambda out, _: 2 * out.numel(),
    F.max_pool2d: lambda out, args: args[1] ** 2 * out.numel(),
}
