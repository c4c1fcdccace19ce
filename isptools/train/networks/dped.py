"""DPED (Ignatov et al., ICCV 2017): the generator, from a phone's picture to a DSLR's.

RGB to RGB at full size: 9 x 9 to 64 maps; four residual blocks of two 3 x 3 convolutions, each
behind a normalization and a ReLU; two more 3 x 3; 9 x 9 to the picture, through 0.58 tanh + 0.5.
The paper says batch normalization; its code, whose weights are 401,475, has instance normalization
with a scale and a shift a map: each picture by its own moments, which tiles take from the frame.
Its authors' truncated normal start is not in the paper; here it is Glorot's, or with `start` as
"picture" one from which it shows the phone's picture and learns from there: of so few steps as a
processor has time for, Glorot's spends all on finding the picture again.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import start
from isptools.train.camera import Camera, Net
from isptools.train.edges import over_picture
from isptools.train.intake import RGB
from isptools.train.networks.cameranet import Width
from isptools.train.single import single

EPS = 1e-3  # added to variances, as the code has it
GAIN, MIDDLE = 0.58, 0.5  # of the picture: GAIN tanh + MIDDLE
COLORS = range(3)
LITTLE = 1e-4  # that a block adds at first to the picture's maps; from 0 no slope leads away


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it may be made smaller, or begin otherwise."""

    width: Width = 64
    blocks: Width = 4
    start: Literal["glorot", "picture"] = "glorot"

    def __post_init__(self) -> None:
        if self.start == "picture" and self.width < len(COLORS):
            raise ValueError('start = "picture" needs a width of 3 or more, a map a color')


def network(options: Options) -> Camera:
    """Padded with 0, so that a picture keeps its size."""
    module = Generator(options.width, options.blocks)
    if options.start == "picture":
        begin_as_picture(module)
    bottoms = [partial(module.moments, at) for at in range(2 * options.blocks)]
    net = Net(module=module, reach=4 + 2 * options.blocks + 2 + 4, bottoms=bottoms)
    return Camera([net], RGB, enhanced=0)


class InstanceNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) a picture and channel, then a scale and a shift.

    `moments` is (N, 2 C), the means of x and of its square, where x is a tile of a picture.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, moments: Tensor | None = None) -> Tensor:
        """(N, C, H, W) to the same, by its own moments or by those given, (N, 2 C)."""
        with single(x):
            kind, x = x.dtype, x.float()
            if moments is None:
                mean = over_picture(x)
                variance = over_picture((x - mean[..., None, None]) ** 2)
            else:
                mean, square = moments.chunk(2, 1)
                variance = (square - mean**2).clamp(min=0)
            gain = self.scale * (variance + EPS).rsqrt()
            offset = self.shift - mean * gain
            return (x * gain[..., None, None] + offset[..., None, None]).to(kind)


class Generator(nn.Module):
    """(N, 3, H, W) to (N, 3, H, W) within -0.08 and 1.08; `means` are of `moments`, in order."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, width, 9, padding=4)
        count = 2 * blocks
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(count))
        self.norms = nn.ModuleList(InstanceNorm(width) for _ in range(count))
        self.leave = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Conv2d(width, 3, 9, padding=4)
        start.glorot(self)

    def moments(self, at: int, x: Tensor, means: Sequence[Tensor] = ()) -> Tensor:
        """What normalization `at` takes, and its square: their means are its moments."""
        features = self._blocks(x, means, at).float()
        return torch.cat([features, features**2], 1)

    def forward(self, x: Tensor, means: Sequence[Tensor] = ()) -> Tensor:
        """sRGB (N, 3, H, W) in [0, 1] to a picture (N, 3, H, W) in (-0.08, 1.08)."""
        features = self.leave(self._blocks(x, means))
        with single(x):
            out: Tensor = self.head(features.to(self.head.weight.dtype))
            return torch.tanh(out) * GAIN + MIDDLE

    def _blocks(self, x: Tensor, means: Sequence[Tensor], until: int = -1) -> Tensor:
        """Through the residual blocks, or to what normalization `until` takes."""
        x = F.relu(self.enter(x))
        entered = x
        for at, (convolution, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = convolution(x)
            if at == until:
                return x
            x = F.relu(norm(x, means[at] if means else None))
            if at % 2:
                x = x + entered
                entered = x
        return x


def begin_as_picture(generator: Generator) -> None:
    """The first three maps carry R, G and B; what they miss is free, as Glorot has it.

    tanh is undone by straight pieces between knots, as many a color as maps allow: with 16 maps the
    picture is met within 0.02, with 64 within 0.003.
    """
    start.carry(generator.enter, COLORS, COLORS)
    for norm in list(generator.norms)[1::2]:
        assert isinstance(norm, InstanceNorm)  # they all are
        with torch.no_grad():
            norm.scale[: len(COLORS)] = LITTLE
    into, bend = (layer for layer in generator.leave if isinstance(layer, nn.Conv2d))
    start.carry(into, COLORS, COLORS)
    begins, slopes, lowest = straight_pieces(generator.head.in_channels // len(COLORS))
    pieces = len(begins)
    units = range(len(COLORS) * pieces)
    start.carry(bend, [unit // pieces for unit in units], units)
    start.offset(bend, -begins.repeat(len(COLORS)))
    start.nothing(generator.head)
    start.offset(generator.head, torch.full((len(COLORS),), lowest))
    middle = generator.head.kernel_size[0] // 2
    with torch.no_grad():
        for unit in units:
            generator.head.weight[unit // pieces, unit, middle, middle] = slopes[unit % pieces]


def straight_pieces(count: int) -> tuple[Tensor, Tensor, float]:
    """atanh((x - MIDDLE) / GAIN), x from 0 to 1, as lowest + sum of slopes max(x - begins, 0).

    It is met at the ends of the pieces, which lie evenly in what tanh takes.
    """
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    low, high = torch.atanh((ends - MIDDLE) / GAIN).tolist()
    bent = torch.linspace(low, high, count + 1, dtype=torch.float64)
    at = torch.tanh(bent) * GAIN + MIDDLE
    steep = bent.diff() / at.diff()
    return at[:-1], steep.diff(prepend=torch.zeros(1, dtype=torch.float64)), low
