"""NAFNet (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022) as an ISP.

Bilinear camera RGB in, sRGB out, the input added at the end as published. Its width 32 (denoising)
has 2, 2, 4, 8 blocks on the way down, 12 at the bottom and 2 a level up: 29,159,715 parameters.
Channel attention pools over the frame in every block; here tiles take its means from the whole
frame, where its authors pool over local windows instead.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train.camera import Camera, Net
from isptools.train.intake import BILINEAR
from isptools.train.means import Means, wanted

Count = Annotated[int, msgspec.Meta(gt=0)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Its authors' forms differ in these: GoPro's has (1, 1, 1, 28), 1 and (1, 1, 1, 1)."""

    width: Annotated[int, msgspec.Meta(gt=0, multiple_of=2)] = 32
    down: tuple[Count, ...] = (2, 2, 4, 8)  # blocks a level
    middle: Count = 12
    up: tuple[Count, ...] = (2, 2, 2, 2)

    def __post_init__(self) -> None:
        if len(self.down) != len(self.up):
            raise ValueError("down and up have as many levels as each other")


def network(options: Options) -> Camera:
    """Bilinear camera RGB to sRGB, not clipped."""
    module = NAFNet(options)
    deep = len(options.down)
    ways = zip(options.down, reversed(options.up), strict=True)
    levels = [first + last for first, last in ways] + [options.middle]
    reach = 2 + sum(blocks + 1 << level for level, blocks in enumerate(levels))
    net = Net(
        module=module, stride=2**deep, reach=reach, bottoms=[module.bottom] * sum(levels),
    )  # fmt: skip
    return Camera([net], BILINEAR, enhanced=0)


class LayerNorm(nn.Module):
    """Over the channels of each pixel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same, each pixel normalized over its channels."""
        mean = x.mean(1, keepdim=True)
        centered = x - mean
        spread = (centered**2).mean(1, keepdim=True)
        normed = centered / (spread + 1e-6).sqrt()
        return normed * self.scale[:, None, None] + self.shift[:, None, None]


class Block(nn.Module):
    """Gates and simplified channel attention, then gates alone; both added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.norm_two = LayerNorm(width), LayerNorm(width)
        self.enter = nn.Conv2d(width, 2 * width, 1)
        self.depthwise = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.attention = nn.Linear(width, width)
        self.leave = nn.Conv2d(width, width, 1)
        self.enter_two = nn.Conv2d(width, 2 * width, 1)
        self.leave_two = nn.Conv2d(width, width, 1)
        self.beta = nn.Parameter(torch.zeros(width, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(width, 1, 1))

    def forward(self, x: Tensor, means: Means) -> Tensor:
        """(N, C, H, W) to the same."""
        gated = gate(self.depthwise(self.enter(self.norm(x))))
        gated = gated * self.attention(means(gated))[..., None, None]
        x = x + self.beta * self.leave(gated)
        out: Tensor = x + self.gamma * self.leave_two(gate(self.enter_two(self.norm_two(x))))
        return out


def gate(x: Tensor) -> Tensor:
    """One half of the channels times the other."""
    one, two = x.chunk(2, 1)
    return one * two


class NAFNet(nn.Module):
    """(N, 3, H, W) to (N, 3, H, W). Means of the attentions over the frame come in `means`."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        width, deep = options.width, len(options.down)
        self.unit = 2**deep
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.ending = nn.Conv2d(width, 3, 3, padding=1)
        self.down = nn.ModuleList(_blocks(width << i, n) for i, n in enumerate(options.down))
        self.halve = nn.ModuleList(nn.Conv2d(width << i, width << i + 1, 2, 2) for i in range(deep))
        self.middle = _blocks(width << deep, options.middle)
        self.rise = nn.ModuleList(
            nn.Conv2d(width << i + 1, width << i + 2, 1, bias=False) for i in reversed(range(deep))
        )
        self.up = nn.ModuleList(
            _blocks(width << i, n) for i, n in zip(reversed(range(deep)), options.up, strict=True)
        )

    def bottom(self, x: Tensor, means: Sequence[Tensor] = ()) -> Tensor:
        """What the next attention pools."""
        return wanted(self._run, x, means)

    def forward(self, x: Tensor, means: Sequence[Tensor] = ()) -> Tensor:
        """(N, 3, H, W) to pictures (N, 3, H, W), not clipped."""
        return self._run(x, Means(means))

    def _run(self, picture: Tensor, means: Means) -> Tensor:
        height, width = picture.shape[2:]
        padded = F.pad(picture, (0, -width % self.unit, 0, -height % self.unit))
        x, skips = self.intro(padded), []
        for level, halve in zip(self.down, self.halve, strict=True):
            for block in level.children():
                x = block(x, means)
            skips.append(x)
            x = halve(x)
        for block in self.middle:
            x = block(x, means)
        for rise, level in zip(self.rise, self.up, strict=True):
            x = F.pixel_shuffle(rise(x), 2) + skips.pop()
            for block in level.children():
                x = block(x, means)
        out: Tensor = self.ending(x) + padded
        return out[..., :height, :width]


def _blocks(width: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(Block(width) for _ in range(count))
