"""Compression-aware ISP (Uhm, Choi, Jung and Ko, IEEE Access 2021): its ISP-Net, a U-Net.

Bilinear camera RGB to sRGB. Four levels of three 3 x 3 convolutions, 32 channels and twice as many
each level, 2 x 2 maxima behind each; the way up by bilinear doubling, and at the end of each of its
four blocks channel attention: mean over the picture, two fully connected layers, a sigmoid. What
the paper does not print is as in its reference [17] (W-Net): below the last pooling a block of
twice the channels again, LeakyReLU 0.2, attention's inner layer a sixteenth as wide, a 3 x 3
convolution to the picture. Ours: edges are reflected, and doubling keeps the centers of pixels, so
that tiles show the whole.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import msgspec
import torch
from torch import Tensor, nn

from isptools.train import rendered, start
from isptools.train.camera import Camera, Net
from isptools.train.edges import Reflected, doubled, maxima, over_picture
from isptools.train.intake import BILINEAR
from isptools.train.networks.cameranet import leaky
from isptools.train.objectives import WIDTHS, Width, Widths
from isptools.train.single import single

DEPTH = 3  # convolutions a block


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it may be made smaller, or begin otherwise."""

    widths: Widths = WIDTHS  # a level each; the last stands below all poolings
    reduction: Width = 16  # of attention's inner layer
    # the authors' framework, or what learns sooner: rendered begins as a matrix and a curve
    start: Literal["torch", "glorot", "rendered"] = "torch"


def network(options: Options) -> Camera:
    """One part, scored and trained against sRGB."""
    module = UNet(options.widths, options.reduction)
    if options.start != "torch":
        start.glorot(module)
    levels = len(options.widths) - 1
    net = Net(
        module=module, stride=2**levels, reach=reach(levels), least=2**levels + 1,
        bottoms=module.bottoms(),
    )  # fmt: skip
    begin = partial(rendered.begin, module) if options.start == "rendered" else None
    return Camera([net], BILINEAR, enhanced=0, begin=begin)


def reach(levels: int) -> int:
    """Pixels around a tile that may change it: convolutions, poolings and doublings."""
    down_and_up = sum((2 * DEPTH + 1 + 2) << level for level in range(levels))
    return down_and_up + (DEPTH << levels) + 1


class UNet(nn.Module):
    """(N, `inputs`, H, W) to (N, 3, H, W), any side from 2^levels + 1 on; not clipped.

    `reduction` 0 leaves attention out: that is the paper's CAS-Net. `means` are of the blocks on
    the way up, in their order, where the picture is cut into tiles: see `bottoms`.
    """

    def __init__(self, widths: Sequence[int], reduction: int = 0, inputs: int = 3) -> None:
        super().__init__()
        self.down = nn.ModuleList(block(i, o) for i, o in pairwise((inputs, *widths[:-1])))
        self.last = block(widths[-2], widths[-1])
        upward = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList(block(below + own, own) for below, own in upward)
        self.attend = nn.ModuleList(attention(own, reduction) for _, own in upward if reduction)
        self.head = Reflected(widths[0], 3)

    def bottoms(self) -> list[Callable[..., Tensor]]:
        """Of each block with attention, the features whose mean over the picture it takes."""
        return [partial(self.risen, blocks) for blocks in range(1, len(self.attend) + 1)]

    def risen(self, blocks: int, x: Tensor, means: Sequence[Tensor] = ()) -> Tensor:
        """Behind so many blocks of the way up, before the last one's attention."""
        skips = []
        for level in self.down:
            x = level(x)
            skips.append(x)
            x = maxima(x, 2, ceil=True)
        x = self.last(x)
        for at in range(blocks):
            if at:
                x = self._attended(at - 1, x, means)
            skip = skips[-1 - at]
            wide = doubled(x)[..., : skip.shape[-2], : skip.shape[-1]]
            x = self.up[at](torch.cat([wide, skip], 1))
        return x

    def forward(self, x: Tensor, means: Sequence[Tensor] = ()) -> Tensor:
        """(N, 3, H, W) to pictures (N, 3, H, W), not clipped."""
        blocks = len(self.up)
        features = self._attended(blocks - 1, self.risen(blocks, x, means), means)
        with single(x):
            out: Tensor = self.head(features.to(self.head.weight.dtype))
        return out

    def _attended(self, at: int, x: Tensor, means: Sequence[Tensor]) -> Tensor:
        if not len(self.attend):
            return x
        mean = means[at] if means else over_picture(x)
        weights: Tensor = self.attend[at](mean)
        return x * weights[..., None, None].to(x.dtype)


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Three convolutions, LeakyReLU behind each."""
    layers: list[nn.Module] = []
    for at in range(DEPTH):
        layers += [Reflected(outputs if at else inputs, outputs), Leaky()]
    return nn.Sequential(*layers)


class Leaky(nn.Module):
    """LeakyReLU of slope 0.2."""

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape to the same."""
        return leaky(x)


def attention(width: int, reduction: int) -> nn.Sequential:
    """Means of `width` channels to a gain in (0, 1) of each, over `width` / `reduction` units."""
    inner = max(width // reduction, 1)
    return nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width), nn.Sigmoid())
