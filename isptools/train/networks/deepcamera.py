"""DeepCamera (Ratnasingam, ICCV workshops 2019): the mosaic itself in, several scales, sRGB out.

The public description does not fix its layers. CameraNet's paper (TIP 2021, Table IV) prints what
its authors' re-implementation has: 0.467 M parameters and 4460.35 GFLOP at 4032 x 3024. This is the
nearest reading: three paths side by side at full, half and a quarter of the size, on the mosaic
whose pixels of a cell stand in channels, joined before one last convolution. Widths and depths are
ours, chosen so that both printed numbers are met: 467,419 parameters, 4454 GFLOP as that paper
counts.
"""

from typing import Annotated

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import start
from isptools.train.camera import Camera, Net
from isptools.train.intake import MOSAIC
from isptools.train.networks.cameranet import leaky

SIDES = (1, 2, 4)  # pixels of the mosaic per pixel of a path, a side
Width = Annotated[int, msgspec.Meta(gt=0)]
Three = Annotated[tuple[Width, ...], msgspec.Meta(min_length=3, max_length=3)]  # a path each


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it may be made smaller."""

    widths: Three = (56, 56, 40)
    depths: Three = (4, 8, 8)  # convolutions behind the first


def network(options: Options) -> Camera:
    """The mosaic, one channel, to sRGB."""
    paths = zip(SIDES, options.depths, strict=True)
    # a path's convolutions, and what enlarging looks at beside a pixel; then the last convolution
    reach = max(side * (depth + 1 + (side > 1)) for side, depth in paths) + 1
    net = Net(module=DeepCamera(options), stride=SIDES[-1], reach=reach)
    return Camera([net], MOSAIC, enhanced=0)


class DeepCamera(nn.Module):
    """(N, 1, H, W) to (N, 3, H, W), not clipped; edges padded with 0."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            nn.ModuleList(
                nn.Conv2d(width if at else side**2, width, 3, padding=1) for at in range(depth + 1)
            )
            for side, width, depth in zip(SIDES, options.widths, options.depths, strict=True)
        )
        self.head = nn.Conv2d(sum(options.widths), 3, 3, padding=1)
        start.glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        """Mosaics (N, 1, H, W) to pictures (N, 3, H, W), not clipped."""
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % SIDES[-1], 0, -height % SIDES[-1]))
        joined = [
            _enlarged(_through(path, F.pixel_unshuffle(x, side)), side)
            for side, path in zip(SIDES, self.paths, strict=True)
        ]
        out: Tensor = self.head(torch.cat(joined, 1))
        return out[..., :height, :width]


def _through(path: nn.Module, x: Tensor) -> Tensor:
    for convolution in path.children():
        x = leaky(convolution(x))
    return x


def _enlarged(x: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return x
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
