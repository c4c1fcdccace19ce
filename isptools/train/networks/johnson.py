"""The transformer net of Johnson, Alahi and Fei-Fei (ECCV 2016) on bilinear camera RGB, to sRGB.

9 x 9 to 32 channels, two strided convolutions to 128 at a quarter of the size, residual blocks, two
transposed convolutions up again, 9 x 9 to the picture through a scaled tanh. Its authors' later
code has instance normalization where the paper has batch normalization, and so has this: 1,679,235
parameters with five blocks, as in PyTorch's own example of it. DPED's comparison names four blocks.
Edges are reflected throughout, where the paper pads once and loses pixels in every block.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import start
from isptools.train.camera import Camera, Net
from isptools.train.edges import Reflected
from isptools.train.intake import BILINEAR, RGB
from isptools.train.means import Means, wanted
from isptools.train.single import single

WIDTH = 32
Count = Annotated[int, msgspec.Meta(gt=0)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What papers that compare with it vary, and where it may be made smaller."""

    blocks: Annotated[int, msgspec.Meta(ge=0)] = 5
    width: Count = WIDTH  # channels at full size; twice and four times as many below
    takes: Literal["raw", "rgb"] = "raw"  # bilinear camera RGB of mosaics, or finished pictures


def network(options: Options) -> Camera:
    """Bilinear camera RGB to sRGB, from 0 to 1."""
    module = Transformer(options.blocks, options.width)
    # the outer convolutions; down and up at full size, half of it; blocks at a quarter
    reach = 4 + 1 + 2 + 8 * options.blocks + 4 + 2 + 4
    net = Net(
        module=module, stride=4, reach=reach, least=5,
        bottoms=[module.bottom] * (5 + 2 * options.blocks),
    )  # fmt: skip
    return Camera([net], RGB if options.takes == "rgb" else BILINEAR, enhanced=0)


class Normalized(nn.Module):
    """A convolution, then instance normalization (Ulyanov et al. 2016) with scale and shift."""

    def __init__(self, convolution: nn.Module, width: int) -> None:
        super().__init__()
        self.convolution = convolution
        self.scale, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, means: Means) -> Tensor:
        """(N, C, H, W) to (N, width, h, w), normalized by the frame's means."""
        x = self.convolution(x)
        with single(x):
            kind, x = x.dtype, x.float()
            mean, square = means(torch.cat([x, x * x], 1)).chunk(2, 1)
            gain = self.scale * (square - mean**2).clamp(min=0).add(1e-5).rsqrt()
            x = x * gain[..., None, None] + (self.shift - mean * gain)[..., None, None]
            return x.to(kind)


class Transformer(nn.Module):
    """(N, 3, H, W) to (N, 3, H, W). Instance norms' moments over the frame come in `means`."""

    def __init__(self, blocks: int, width: int) -> None:
        super().__init__()
        one, two, four = width, 2 * width, 4 * width
        self.down = nn.ModuleList((
            Normalized(Reflected(3, one, 9), one),
            Normalized(Reflected(one, two, stride=2), two),
            Normalized(Reflected(two, four, stride=2), four),
        ))  # fmt: skip
        self.blocks = nn.ModuleList(
            nn.ModuleList(Normalized(Reflected(four, four), four) for _ in range(2))
            for _ in range(blocks)
        )
        self.up = nn.ModuleList((Normalized(_rising(four, two), two),
                                 Normalized(_rising(two, one), one)))  # fmt: skip
        self.head = Reflected(one, 3, 9)
        start.glorot(self)

    def bottom(self, x: Tensor, means: Sequence[Tensor] = ()) -> Tensor:
        """What the next moments are the means of: features and their squares."""
        return wanted(self._run, x, means)

    def forward(self, x: Tensor, means: Sequence[Tensor] = ()) -> Tensor:
        """(N, 3, H, W) to pictures (N, 3, H, W) from 0 to 1."""
        return self._run(x, Means(means))

    def _run(self, x: Tensor, means: Means) -> Tensor:
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % 4, 0, -height % 4), mode="replicate")
        for layer in self.down:
            x = F.relu(layer(x, means))
        for first, second in self.blocks:  # type: ignore[misc] # a list of pairs
            x = x + second(F.relu(first(x, means)), means)  # type: ignore[has-type] # the same
        for layer in self.up:
            x = F.relu(layer(x, means))
        out: Tensor = 0.5 + 0.5 * torch.tanh(self.head(x))
        return out[..., :height, :width]


def _rising(inputs: int, outputs: int) -> nn.Module:
    """To twice the side ("stride 1/2" of the paper)."""
    return nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1)
