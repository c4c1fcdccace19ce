"""DPED's discriminator: is this gray picture, or the first of two, a DSLR's? 7,361,122 parameters.

As in the code, whose count it has; the paper's text says six convolutions from 64 to 256 channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import start
from isptools.train.networks.cameranet import leaky
from isptools.train.networks.dped import InstanceNorm

# channels, side of the kernel, stride; normalized but for the first
LAYERS = ((48, 11, 4), (128, 5, 2), (192, 3, 1), (192, 3, 1), (128, 3, 2))
FULLY = 1024


class Discriminator(nn.Module):
    """(N, channels, side, side) to two logits: not real, real.

    Behind each convolution LeakyReLU 0.2, then normalization.
    """

    def __init__(self, side: int, channels: int = 1) -> None:
        super().__init__()
        ins = (channels, *(width for width, _, _ in LAYERS))
        self.convs = nn.ModuleList(
            nn.Conv2d(i, width, kernel, stride)
            for i, (width, kernel, stride) in zip(ins, LAYERS, strict=False)
        )
        self.norms = nn.ModuleList(InstanceNorm(width) for width, _, _ in LAYERS[1:])
        for _, _, stride in LAYERS:
            side = -(-side // stride)
        self.first = nn.Linear(LAYERS[-1][0] * side**2, FULLY)
        self.last = nn.Linear(FULLY, 2)
        start.glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, side, side) in [0, 1] to logits (N, 2)."""
        for at, convolution in enumerate(self.convs):
            _, kernel, stride = LAYERS[at]
            x = leaky(convolution(same(x, kernel, stride)))
            x = self.norms[at - 1](x) if at else x
        logits: Tensor = self.last(leaky(self.first(torch.flatten(x, 1))))
        return logits


def same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zeros around x so that a convolution gives ceil(side / stride): TensorFlow's SAME."""
    sides = []
    for side in (x.shape[3], x.shape[2]):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides)
