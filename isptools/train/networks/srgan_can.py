"""SRGAN-10 to XYZ, CAN24 to sRGB, each with its truth (compared in CameraNet's paper)."""

from dataclasses import replace
from typing import Annotated, Literal

import msgspec
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import start
from isptools.train.camera import Camera, Net
from isptools.train.intake import PACKED
from isptools.train.networks.cameranet import AdaptiveNorm, leaky

BLOCKS = 10
RATES = (1, 2, 4, 8, 16, 32, 64, 1)  # dilations of CAN


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where paper and public code differ; see docs/train.md."""

    noise: bool = True  # the noise level as one more plane
    blocks: Annotated[int, msgspec.Meta(gt=0)] = BLOCKS  # of SRGAN-10, and its channels
    width: Annotated[int, msgspec.Meta(gt=0)] = 64
    display: Literal["paper", "code"] = "paper"  # how restored XYZ enters CAN


def network(options: Options) -> Camera:
    """The first to XYZ, the second on to sRGB."""
    intake = replace(PACKED, noise=options.noise)
    return Camera(
        parts(intake.inputs, options.blocks, options.width),
        intake,
        restored=0,
        enhanced=1,
        display=options.display,
    )


def parts(inputs: int, blocks: int, width: int) -> list[Net]:
    """Both networks with fresh weights and their facts."""
    first = SRResNet(inputs, blocks, width)
    return [
        Net(module=first, factor=2, reach=4 + 2 * blocks + 1 + 1 + 4),
        Net(module=CAN(), reach=sum(RATES)),
    ]


class SRResNet(nn.Module):
    """SRGAN's generator (Ledig et al. 2017) as a restoration net: `blocks` residual blocks."""

    def __init__(self, inputs: int, blocks: int, width: int, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor
        self.enter = nn.Sequential(nn.Conv2d(inputs, width, 9, padding=4), nn.PReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.PReLU(),
                nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width),
            )
            for _ in range(blocks)
        )  # fmt: skip
        self.leave = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        self.rise = nn.Conv2d(width, width * factor**2, 3, padding=1)
        self.slope = nn.PReLU()
        self.head = nn.Conv2d(width, 3, 9, padding=4)
        start.glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to pictures (N, 3, factor H, factor W), not clipped."""
        entered = self.enter(x)
        x = entered
        for block in self.blocks:
            x = x + block(x)
        x = self.slope(F.pixel_shuffle(self.rise(self.leave(x) + entered), self.factor))
        out: Tensor = self.head(x)
        return out


class CAN(nn.Module):
    """Context aggregation network of width 24 (Chen, Xu and Koltun 2017): full resolution."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        ins = (3, *[width] * (len(RATES) - 1))
        convolutions = [
            nn.Conv2d(i, width, 3, padding=r, dilation=r, bias=False)
            for i, r in zip(ins, RATES, strict=True)
        ]
        for convolution in convolutions:  # as its authors begin it
            start.identity(convolution)
        self.convs = nn.ModuleList(convolutions)
        self.norms = nn.ModuleList(AdaptiveNorm(width) for _ in RATES)
        self.head = nn.Conv2d(width, 3, 1)
        start.glorot(self.head)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to a picture (N, 3, H, W), not clipped."""
        for convolution, norm in zip(self.convs, self.norms, strict=True):
            x = leaky(norm(convolution(x)))
        out: Tensor = self.head(x)
        return out
