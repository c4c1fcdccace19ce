"""What a codec does to a picture, so that gradients pass: `Picture -> Picture`, three ways.

Each is a module that takes (N, 3, H, W) encoded RGB, 0 to 1, to what a decoder would give back. CAS
and ACN learn it from real files (`isptools.train.codecs`); DJS computes JPEG itself with a rounding
that has a slope, and learns nothing.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import start
from isptools.train.camera import mixed
from isptools.train.networks.cameranet import SLOPE, leaky
from isptools.train.networks.compression_aware import UNet

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
FACTORS: dict[str, tuple[int, int]] = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2)}
SIDE = 8  # of a block
GAIN = 16.0  # by which CAS-Net sees differences of pixels larger, and what it adds is smaller
SPREAD = 0.5  # of where its features begin to bend
COLORS = 3
LENGTHS = 16, 8, 4, 2  # pixels: blocks of halved chroma, of luma, and within them
PLANES = 4 * len(LENGTHS)  # that say where a pixel stands: two waves an axis
AMPLITUDES = 0.01, 1.0  # of frequencies times their frequency that ACN begins to look for
TERMS = 9  # of the rounding's series
# ITU-T T.81, tables K.1 and K.2: steps of luminance and of chrominance at quality 50, row by row
LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    *[99] * 32,
)  # fmt: skip
# ITU-T T.871 (JFIF): of R, G, B and back, chroma about 0
YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


class CAS(nn.Module):
    """CAS-Net of Uhm et al. 2021: ISP-Net's U-Net without attention.

    With `residual` it adds to the picture and begins as the picture; the paper does not say. What a
    codec changes is a hundredth of white: its features begin as large as differences of pixels
    times 16, bend at a spread of amplitudes, and a sixteenth of what they make is added, as a step
    of Adam moves all weights alike. With `grid` it sees beside the picture where a pixel stands in
    the codec's blocks, which convolutions can't tell.
    """

    def __init__(self, widths: Sequence[int], residual: bool = True, grid: bool = False) -> None:
        super().__init__()
        inputs = COLORS + (PLANES if grid else 0)
        self.net = UNet(widths, inputs=inputs)
        self.residual, self.grid = residual, grid
        if not residual:
            start.glorot(self)
            return
        start.bent(self, SLOPE, SPREAD)
        start.nothing(self.net.head)
        first = next(x for x in self.modules() if isinstance(x, nn.Conv2d))
        # more inputs begin smaller: colors are seen as large with places beside them as without
        start.differences(first, GAIN * math.sqrt(inputs / COLORS), COLORS)

    def forward(self, x: Tensor) -> Tensor:
        """sRGB (N, 3, H, W) in [0, 1] to the same picture as compressed."""
        out: Tensor = self.net(torch.cat([x, places(x)], 1) if self.grid else x)
        return x + out / GAIN if self.residual else out


def places(x: Tensor) -> Tensor:
    """(N, PLANES, H, W) of a picture (N, 3, H, W): waves whose lengths are a grid's halves.

    By each axis the cosine and the sine of 2 pi (k + 1/2) / length, k counted from the picture's
    corner, where codecs begin their blocks.
    """
    rows, columns = (
        torch.stack([
            wave(2 * math.pi * (torch.arange(n, device=x.device, dtype=x.dtype) + 0.5) / length)
            for length in LENGTHS for wave in (torch.cos, torch.sin)
        ])
        for n in x.shape[2:]
    )  # fmt: skip
    both = [
        rows[:, :, None].expand(-1, -1, x.shape[3]),
        columns[:, None].expand(-1, x.shape[2], -1),
    ]
    return torch.cat(both).expand(len(x), -1, -1, -1)


class ACN(nn.Module):
    """The auxiliary codec network of Son et al. 2020, as Uhm et al. describe it.

    The 8 x 8 blocks stand in the channels: 192 of them, so that a convolution sees whole blocks. No
    code is public and its layers are not printed there: here a 3 x 3 convolution over blocks, for
    the chroma that neighbors share, `blocks` residual blocks of two 1 x 1, and a 1 x 1 back, all
    added to the picture. The first sees a block less its mean, its own frequencies to begin with,
    and each residual block begins to look for one amplitude of each: what codecs take away is a
    hundredth of what a block holds, and not found in thousands of steps from chance. It holds no
    table of steps.
    """

    def __init__(self, width: int, blocks: int = 4) -> None:
        super().__init__()
        inside = 3 * SIDE**2
        self.enter = nn.Conv2d(inside, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(2)) for _ in range(blocks)
        )
        self.leave = nn.Conv2d(width, inside, 1)
        start.glorot(self)
        start.nothing(self.leave)
        with torch.no_grad():
            seen = frequencies()[:width]
            self.enter.weight[: len(seen)] = 0
            self.enter.weight[: len(seen), :, 1, 1] = seen
        for first, second in self.blocks:  # type: ignore[misc] # a list of pairs
            bends(first)  # type: ignore[has-type] # the same
            start.nothing(second)  # type: ignore[has-type] # the same

    def forward(self, x: Tensor) -> Tensor:
        """sRGB (N, 3, H, W) in [0, 1] to the same picture as compressed."""
        height, width = x.shape[-2:]
        features = leaky(
            self.enter(F.pixel_unshuffle(less_means(whole_blocks(x, SIDE, SIDE)), SIDE))
        )
        for first, second in self.blocks:  # type: ignore[misc] # a list of pairs
            features = features + second(leaky(first(features)))  # type: ignore[has-type] # the same
        return x + F.pixel_shuffle(self.leave(leaky(features)), SIDE)[..., :height, :width]


def less_means(x: Tensor) -> Tensor:
    """(N, 3, H, W) less the mean of each 8 x 8 block.

    A block's brightness is a hundred times what a codec changes: a weight that moves a little would
    move all features with it.
    """
    means = F.avg_pool2d(x, SIDE, ceil_mode=True)
    wide = means.repeat_interleave(SIDE, 2).repeat_interleave(SIDE, 3)
    return x - wide[..., : x.shape[2], : x.shape[3]]


def bends(convolution: nn.Conv2d) -> None:
    """Unit k is map k or minus it, by chance, less a threshold; spread by factors."""
    start.identity(convolution)
    low, high = AMPLITUDES
    width = convolution.out_channels
    sign = torch.where(torch.rand(width) < 0.5, -1.0, 1.0)
    amplitude = low * (high / low) ** torch.rand(width)
    with torch.no_grad():
        convolution.weight *= sign.view(-1, 1, 1, 1)
    # maps come out of a leaky ReLU, which makes negative ones smaller
    start.offset(convolution, -amplitude * torch.where(sign > 0, 1.0, SLOPE))


def frequencies() -> Tensor:
    """(189, 192): of a block's R, G, B its Y, Cb, Cr by frequency, the highest first, no means.

    Each times its frequency, as photographs hold less the higher it is.
    """
    u, v = (axis.flatten() for axis in torch.meshgrid(*[torch.arange(SIDE)] * 2, indexing="ij"))
    by_height = torch.argsort(u + v, descending=True, stable=True)
    basis = torch.tensor(cosines())
    waves = torch.einsum("ui,vj->uvij", basis, basis).reshape(SIDE**2, SIDE**2)
    waves = (waves * (u + v)[:, None])[by_height[:-1]]
    both = torch.einsum("kc,fp->fkcp", torch.tensor(YCC), waves)  # as pixel_unshuffle lays channels
    return both.reshape(-1, 3 * SIDE**2)


class DJS(nn.Module):
    """The differentiable JPEG of Xing, Qian and Chen 2021: T.81 with a rounding that has a slope.

    Chroma is averaged over the pixels it stands for and repeated on the way back; sides are filled
    up to whole blocks by their last pixels, as encoders do. What leaves 0 to 255 is cut off.
    """

    luminance: Tensor
    chrominance: Tensor
    basis: Tensor

    def __init__(self, quality: int, subsampling: Subsampling = "4:2:0") -> None:
        super().__init__()
        self.factors = FACTORS[subsampling]
        for name, table in (("luminance", LUMINANCE), ("chrominance", CHROMINANCE)):
            steps = torch.tensor(scaled(table, quality), dtype=torch.float32)
            self.register_buffer(name, steps.view(SIDE, SIDE), persistent=False)
        self.register_buffer("basis", torch.tensor(cosines()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """sRGB (N, 3, H, W) in [0, 1] to the same picture as compressed."""
        height, width = x.shape[-2:]
        down, across = self.factors
        full = whole_blocks(x.float() * 255, SIDE * down, SIDE * across)
        ycc = mixed(YCC, full)
        light = self._coded(ycc[:, :1] - 128, self.luminance) + 128
        chroma = self._coded(F.avg_pool2d(ycc[:, 1:], self.factors), self.chrominance)
        chroma = chroma.repeat_interleave(down, 2).repeat_interleave(across, 3)
        rgb = mixed(RGB, torch.cat([light, chroma], 1))[..., :height, :width]
        return rgb.clamp(0, 255) / 255

    def _coded(self, planes: Tensor, steps: Tensor) -> Tensor:
        """(N, C, H, W) with the coefficients of its blocks rounded to multiples of `steps`."""
        n, channels, height, width = planes.shape
        rows, columns = height // SIDE, width // SIDE
        blocks = planes.view(n, channels, rows, SIDE, columns, SIDE).transpose(3, 4)
        coefficients = self.basis @ blocks @ self.basis.T
        rounded = fourier_round(coefficients / steps) * steps
        back = self.basis.T @ rounded @ self.basis
        return back.transpose(3, 4).reshape(n, channels, height, width)


def fourier_round(x: Tensor, terms: int = TERMS) -> Tensor:
    """x - 1/pi sum_n (-1)^(n + 1) sin(2 pi n x) / n, n = 1 to `terms`: x at integers."""
    turned = (
        2 * math.pi * (x - x.detach().round())
    )  # the same angles, small: floats are finer there
    waves = [(-1) ** (n + 1) / n * torch.sin(n * turned) for n in range(1, terms + 1)]
    return x - torch.stack(waves).sum(0) / math.pi


def whole_blocks(x: Tensor, down: int, across: int) -> Tensor:
    """Sides filled up to multiples of these by the last row and column."""
    below, right = -x.shape[2] % down, -x.shape[3] % across
    return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x


def scaled(table: Sequence[int], quality: int) -> list[int]:
    """The steps at a quality of 1 to 100, as the Independent JPEG Group's library scales them."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(max((step * percent + 50) // 100, 1), 255) for step in table]


@lru_cache(1)
def cosines() -> list[list[float]]:
    """The DCT of T.81 (A.3.3) along one side: row u is C(u) / 2 cos((2 x + 1) u pi / 16)."""
    return [
        [(math.sqrt(0.5) if u == 0 else 1.0) / 2 * math.cos((2 * x + 1) * u * math.pi / 16)
         for x in range(SIDE)]
        for u in range(SIDE)
    ]  # fmt: skip
