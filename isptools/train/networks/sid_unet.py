"""The U-Net of Chen et al. ("Learning to See in the Dark", CVPR 2018): packed raw to sRGB.

Five levels from 32 channels, two 3 x 3 convolutions a level with LeakyReLU 0.2, 2 x 2 max pooling,
transposed convolutions of 2 x 2 without bias, 12 channels to a picture of twice the side. The paper
prints no count; 7,760,268 follow from it, 7,760,748 with the biases that torch's transposed
convolutions have in ports of it. The picture is sRGB here, as its own truth is.
"""

from itertools import pairwise

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import start
from isptools.train.camera import Camera, Net
from isptools.train.edges import maxima
from isptools.train.intake import PACKED
from isptools.train.networks.cameranet import Widths, leaky

WIDTHS = (32, 64, 128, 256, 512)


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it may be made smaller."""

    widths: Widths = WIDTHS


def network(options: Options) -> Camera:
    """Packed raw, four channels, to sRGB at the mosaic's size."""
    deep = len(options.widths)
    # two convolutions a level down and up, and a pixel for what pooling and rising cover
    reach = sum((4 if level < deep - 1 else 2) + 1 << level for level in range(deep))
    module = UNet(options.widths)
    net = Net(module=module, factor=2, stride=2 ** (deep - 1), reach=reach)
    return Camera([net], PACKED, enhanced=0)


class UNet(nn.Module):
    """(N, 4, H, W) to (N, 3, 2 H, 2 W), edges padded with 0."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.down = nn.ModuleList(Level(i, w) for i, w in pairwise((4, *widths)))
        self.rise = nn.ModuleList(
            nn.ConvTranspose2d(below, w, 2, 2, bias=False) for w, below in pairwise(widths)
        )
        self.up = nn.ModuleList(Level(2 * w, w) for w in widths[:-1])
        self.head = nn.Conv2d(widths[0], 12, 1)
        start.glorot(self)
        for parameter in self.rise.parameters():  # as its authors begin it
            nn.init.trunc_normal_(parameter, std=0.02, a=-0.04, b=0.04)

    def forward(self, x: Tensor) -> Tensor:
        """Packed raw (N, 4, H, W) to pictures (N, 3, 2 H, 2 W), not clipped."""
        skips = []
        for level in self.down[:-1]:
            x = level(x)
            skips.append(x)
            x = maxima(x, 2, ceil=True)
        x = self.down[-1](x)
        for i in reversed(range(len(skips))):
            risen = self.rise[i](x)[..., : skips[i].shape[-2], : skips[i].shape[-1]]
            x = self.up[i](torch.cat([risen, skips[i]], 1))
        return F.pixel_shuffle(self.head(x), 2)


class Level(nn.Module):
    """Two convolutions, each with its activation."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, width, H, W)."""
        return leaky(self.second(leaky(self.first(x))))
