"""CameraNet (v2, TIP 2021): packed raw, two U-Nets with a global block each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import fused, start
from isptools.train.camera import Camera, Net
from isptools.train.edges import Reflected, maxima, over_picture
from isptools.train.intake import PACKED
from isptools.train.single import single

WIDTHS = (32, 64, 128, 256, 512)
DILATIONS = (1, 2, 2, 4, 8)
SLOPE = 0.2  # of LeakyReLU below 0
Global = Literal["scale-shift", "scale", "none"]
Width = Annotated[int, msgspec.Meta(gt=0)]
Widths = Annotated[tuple[Width, ...], msgspec.Meta(min_length=1, max_length=5)]  # a level each


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where paper and public code differ, or where it may be made smaller; see docs/train.md."""

    noise: bool = True  # the noise level as one more plane (eq. 2)
    pooled: Global = "scale-shift"
    display: Literal["paper", "code"] = "paper"  # how restored XYZ enters the Enhance-Net
    widths: Widths = WIDTHS


def network(options: Options) -> Camera:
    """Restore-Net to XYZ, Enhance-Net on to sRGB."""
    intake = replace(PACKED, noise=options.noise)
    first = sized(Form(intake.inputs), options.widths, options.pooled)
    second = enhance_net(options.widths, options.pooled)
    parts = [unet(first), unet(second)]
    return Camera(parts, intake, restored=0, enhanced=1, display=options.display)


@dataclass(frozen=True, slots=True)
class Form:
    """Every number of one U-Net."""

    inputs: int  # channels
    outputs: int = 12  # 3 colors x factor^2, for the pixel shuffle
    factor: int = 2  # pixels of the result per pixel of the input, a side
    widths: tuple[int, ...] = WIDTHS
    dilations: tuple[int, ...] = (1, 1, 1, 1, 1)
    residual: bool = False
    depth: int = 3  # 3x3 convolutions a level
    pooled: Global = "scale-shift"  # "scale" is the papers' text, "scale-shift" their count
    norm: bool = False  # adaptive batch normalization (v1's Enhance-Net)


def sized(form: Form, widths: tuple[int, ...], pooled: Global) -> Form:
    """The same with other widths, as many levels as there are of them, and another global block."""
    return replace(form, widths=widths, pooled=pooled, dilations=form.dilations[: len(widths)])


def enhance_net(widths: tuple[int, ...], pooled: Global, depth: int = 3) -> Form:
    """Of a U-Net from XYZ to sRGB: dilated, with residual blocks."""
    form = Form(12, dilations=DILATIONS[: len(widths)], residual=True, depth=depth)
    return sized(form, widths, pooled)


def unet(form: Form) -> Net:
    """A U-Net with fresh weights and its facts."""
    module = UNet(form)
    bottom = None if form.pooled == "none" else module.bottom
    return Net(
        module=module, factor=form.factor, stride=2 ** (len(form.widths) - 1), reach=reach(form),
        least=least(form), bottom=bottom,
    )  # fmt: skip


def reach(form: Form) -> int:
    """Input pixels around a tile that may change it (the pooled vector aside)."""
    last = len(form.widths) - 1
    total = 0
    for level, dilation in enumerate(form.dilations):
        more = form.depth - 1
        plain = 1 + dilation + (more - 1)  # entry, first and further convolutions
        down = 1 + more * dilation
        total += (plain if level == last else plain + down) << level
        total += 1 << level  # the pooling or upsampling between levels
    return total


def least(form: Form) -> int:
    """The smallest side of an input: reflected edges need more pixels than the dilation."""
    return max((d << level) + 1 for level, d in enumerate(form.dilations))


class AdaptiveNorm(nn.Module):
    """a x + b BN(x), a = 1 and b = 0 at the start (Chen, Xu and Koltun 2017, eq. 3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.keep = nn.Parameter(torch.ones(()))
        self.mix = nn.Parameter(torch.zeros(()))
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        normed: Tensor = self.norm(x)
        return self.keep * x + self.mix * normed


class Convolution(nn.Module):
    """3x3 with reflected edges, then adaptive normalization where asked for; no activation."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1, norm: bool = False) -> None:
        super().__init__()
        self.conv = Reflected(inputs, outputs, dilation=dilation)
        self.norm: nn.Module = AdaptiveNorm(outputs) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, width, H, W), not activated."""
        out: Tensor = self.norm(self.conv(x))
        return out

    def activated(
        self, x: Tensor, slope: float = SLOPE, beside: Tensor | None = None,
        added: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """LeakyReLU of that of x and what lies beside it, plus what is added."""
        if isinstance(self.norm, nn.Identity) and fused.suits(self.conv, x):
            return fused.activated(self.conv, x, slope, beside, added)
        out = self(x if beside is None else torch.cat([x, beside], 1))
        out = out if added is None else out + added
        return out if slope == 1 else F.leaky_relu(out, slope)


class Level(nn.Module):
    """An entry convolution and a block of the others; LeakyReLU 0.2 behind each."""

    def __init__(self, inputs: int, width: int, dilations: Sequence[int], form: Form) -> None:
        super().__init__()
        self.entry = Convolution(inputs, width, 1, form.norm)
        self.block = nn.ModuleList(Convolution(width, width, d, form.norm) for d in dilations)
        self.residual = form.residual

    def enter(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """The first convolution of x (N, C, H, W), and of what lies beside it, activated."""
        return self.entry.activated(x, beside=beside)

    def rest(self, x: Tensor, active: bool = True) -> Tensor:
        """The block; with `active` false its last convolution is left as it is."""
        entered = x
        for i, convolution in enumerate(self.block):
            assert isinstance(convolution, Convolution)
            last = i == len(self.block) - 1
            added = entered if last and self.residual else None
            x = convolution.activated(x, SLOPE if active or not last else 1.0, added=added)
        return x

    def forward(self, x: Tensor, active: bool = True, beside: Tensor | None = None) -> Tensor:
        """(N, C, H, W) to (N, width, H, W)."""
        return self.rest(self.enter(x, beside), active)


class UNet(nn.Module):
    """Contracting and expanding path with a global block at the bottom.

    (N, inputs, H, W) to (N, 3, factor H, factor W). `pooled` replaces the mean over the picture
    where it is cut into tiles: see `bottom`.
    """

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        widths, more = form.widths, form.depth - 1
        ins = (form.inputs, *widths[:-1])
        dilations = form.dilations[:-1]
        self.down = nn.ModuleList(
            Level(i, w, [d] * more, form)
            for i, w, d in zip(ins[:-1], widths[:-1], dilations, strict=True)
        )
        self.last = Level(ins[-1], widths[-1], _first(form.dilations[-1], more), form)
        self.rise = nn.ModuleList(
            nn.ConvTranspose2d(v, w, 2, 2, bias=False) for w, v in pairwise(widths)
        )
        self.up = nn.ModuleList(
            Level(2 * w, w, _first(d, more), form)
            for w, d in zip(widths[:-1], dilations, strict=True)
        )
        self.vector = _fully(widths[-1], form.pooled)
        self.head = nn.Conv2d(widths[0], form.outputs, 1)
        start.glorot(self)  # as the authors' TensorFlow 1 does; the deviation is their own
        for parameter in self.rise.parameters():
            nn.init.normal_(parameter, std=1e-3)

    def descend(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Skips, and the bottom level's entry features."""
        skips = []
        for level in self.down:
            x = level(x)
            skips.append(x)
            x = halve(x)
        entered: Tensor = self.last.enter(x)
        return skips, entered

    def bottom(self, x: Tensor) -> Tensor:
        """The features whose mean over the picture the global block takes."""
        return self.descend(x)[1]

    def forward(self, x: Tensor, pooled: Tensor | None = None) -> Tensor:
        """(N, C, h, w) to a picture (N, 3, factor h, factor w), not clipped."""
        skips, entered = self.descend(x)
        x = self._globally(entered, pooled)
        for i in reversed(range(len(skips))):
            risen = self.rise[i](x)[..., : skips[i].shape[-2], : skips[i].shape[-1]]
            x = self.up[i](risen, active=i > 0, beside=skips[i])
        with single(x):
            return F.pixel_shuffle(self.head(x.to(self.head.weight.dtype)), self.form.factor)

    def _globally(self, entered: Tensor, pooled: Tensor | None) -> Tensor:
        if self.vector is None:
            out: Tensor = self.last.rest(entered)
            return out
        features: Tensor = self.last.rest(entered, active=self.form.pooled == "scale")
        mean = over_picture(entered) if pooled is None else pooled
        vector: Tensor = self.vector(mean)[..., None, None]
        if self.form.pooled == "scale":
            return features * vector
        scale, shift = vector.chunk(2, 1)
        return leaky(features * scale + shift)


def leaky(x: Tensor) -> Tensor:
    """LeakyReLU with the slope of the paper's code."""
    return F.leaky_relu(x, SLOPE)


def halve(x: Tensor) -> Tensor:
    """3x3 max pooling, stride 2; ceil(side / 2), windows placed as TensorFlow's SAME does."""
    height, width = x.shape[-2:]
    sides = (width % 2, 1, height % 2, 1)
    there = fused.halved(x)
    return there if there is not None else maxima(F.pad(x, sides, value=float("-inf")), 3)


def _first(dilation: int, count: int) -> list[int]:
    """On the way up, and at the bottom, only the first convolution of a block is dilated."""
    return [dilation, *[1] * (count - 1)]


def _fully(width: int, pooled: Global) -> nn.Module | None:
    if pooled == "none":
        return None
    inner = 2 * width if pooled == "scale-shift" else width
    return nn.Sequential(nn.Linear(width, inner), nn.LeakyReLU(0.2), nn.Linear(inner, inner))
