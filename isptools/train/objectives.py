"""What training makes small: the [objective] of settings, its losses, and who takes a turn.

Pictures are (N, 3, H, W); every loss is a mean over its numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train.camera import SRGB_FROM_XYZ, mixed
from isptools.train.perceptual import Perceptual

_XYZ = torch.tensor(SRGB_FROM_XYZ, device="cpu").inverse()  # wherever it is first imported
# of linear sRGB, each as a share of white's
XYZ_OF_WHITE = tuple(map(tuple, (_XYZ / _XYZ.sum(1, keepdim=True)).tolist()))
Choice = Literal["paper", "code"]
Above = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Weight = Annotated[float, msgspec.Meta(ge=0)]
Width = Annotated[int, msgspec.Meta(gt=0)]
Widths = Annotated[tuple[Width, ...], msgspec.Meta(min_length=2, max_length=6)]  # a level each
WIDTHS = (32, 64, 128, 256, 512)  # of Uhm et al.'s U-Nets; the last stands below all poolings


class L1Log(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="loss", tag="l1-log"
):
    """CameraNet: L1 and L1 of logarithms of XYZ, L1 of sRGB."""

    share: Share = 0.5  # lambda of a joint stage
    joint: Choice = "paper"  # code: both enhancements, no restoration term
    eps: Above = 1e-3  # of the logarithms; the papers print none
    logs: Choice = "paper"
    perceptual: Weight = 0.0  # needs `vgg`
    vgg: str = ""
    color: Weight = 0.0
    variation: Weight = 0.0

    def __post_init__(self) -> None:
        _expect_vgg(self.perceptual, self.vgg)


class Lab(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="loss", tag="lab"):
    """DeepISP: L1 of Lab and MS-SSIM of sRGB; a restoration picture as in L1Log."""

    alpha: Share = 0.5  # of MS-SSIM; the paper prints none
    divisor: Above = 1.0  # of Lab, whose L goes to 100 in the paper's code
    share: Share = 0.5
    joint: Choice = "paper"
    eps: Above = 1e-3
    logs: Choice = "paper"
    perceptual: Weight = 0.0
    vgg: str = ""
    color: Weight = 0.0
    variation: Weight = 0.0

    def __post_init__(self) -> None:
        _expect_vgg(self.perceptual, self.vgg)


class L2(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="loss", tag="l2"):
    """The mean squared difference of every picture."""

    share: Share = 0.5
    joint: Choice = "paper"


class Cas(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="cas"):
    """CAS-Net, a U-Net."""

    widths: Widths = WIDTHS
    residual: bool = True  # what it makes is added to the picture; the paper does not say
    grid: bool = False  # it sees where a pixel stands in the codec's blocks; not the paper's


class Acn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="acn"):
    """The auxiliary codec network, on 8 x 8 blocks."""

    width: Width = 256
    blocks: Width = 4


class Djs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="djs"):
    """JPEG itself with a rounding that has a slope."""


class Compressed(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="loss", tag="compressed"
):
    """Uhm et al. 2021: L1 of sRGB, and L1 behind what simulates a JPEG of both pictures."""

    isp: Weight = 0.1  # lambda_isp of the stage "compressed"
    compressed: Weight = 1.0  # its lambda_comp; 0: compression-agnostic
    simulator: Cas | Acn | Djs = Cas()
    frozen: bool = True  # the simulator stands still in that stage
    quality: Annotated[int, msgspec.Meta(ge=1, le=100)] = 90  # of the JPEG
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:2:0"  # of its chroma


class Enhanced(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="loss", tag="dped"
):
    """Ignatov et al. 2017: color, texture, content and total variation, each with its weight.

    `form` says whose sums and means they are: paper and code print different ones.
    """

    form: Choice = "paper"
    color: Weight = 1.0
    texture: Weight = 1.0  # a discriminator's, which takes turns with the network
    content: Weight = 0.1  # needs `vgg`
    variation: Weight = 100.0
    mse: Weight = 0.0  # as color, not blurred: of the appendix
    judge: Above = 1.0  # the discriminator's rate, as a multiple of the stage's
    layer: Literal["relu5_2", "relu5_4"] = "relu5_2"
    vgg: str = ""

    def __post_init__(self) -> None:
        if not any((self.color, self.texture, self.content, self.mse)):
            raise ValueError("objective: one of color, texture, content and mse must count")
        if self.content and not self.vgg:
            raise ValueError(
                "objective.content needs `vgg`, the path of torchvision's vgg19 weights "
                "(https://download.pytorch.org/models/vgg19-dcbb9e9d.pth), or content = 0"
            )


Objective = L1Log | Lab | L2 | Compressed | Enhanced


def _expect_vgg(perceptual: float, vgg: str) -> None:
    if perceptual and not vgg:
        raise ValueError("perceptual needs `vgg`, the path of torchvision's vgg19 weights")


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture that a network made and what it should be; `trusted` is the share that counts."""

    kind: str  # "restoration" or "enhancement"
    picture: Tensor
    truth: Tensor
    trusted: Tensor | float


@dataclass(frozen=True, slots=True)
class Turn:
    """Parameters that move together, and the loss they make small; a GAN has two of them."""

    parameters: Sequence[nn.Parameter]
    loss: Callable[[dict[str, Pair]], Tensor]
    still: bool = False  # the network's own weights stand still: its pictures need no gradients
    times: float = 1.0  # its rate, as a multiple of the stage's


class Difference(nn.Module):
    """A difference of pictures at work; VGG's weights go where the network goes."""

    def __init__(self, chosen: L1Log | Lab | L2) -> None:
        super().__init__()
        self.chosen = chosen
        self.learned: nn.Module = nn.Identity()  # what is trained beside the network: nothing
        self.perceptual = None
        match chosen:
            case L1Log() | Lab() if chosen.perceptual:
                self.perceptual = Perceptual(Path(chosen.vgg))

    def turns(self, trained: Sequence[nn.Parameter]) -> tuple[Turn, ...]:
        """One: everything that a stage trains, with the whole loss."""
        return (Turn(trained, self.forward),)

    def forward(self, pairs: dict[str, Pair]) -> Tensor:
        """The loss of pictures (N, 3, H, W) beside their truths, a number."""
        parts = {name: self.part(pair) for name, pair in pairs.items()}
        if parts.keys() == {"restoration", "enhancement"}:
            return joint(parts, self.chosen.share)
        return torch.stack(list(parts.values())).sum()

    def part(self, pair: Pair) -> Tensor:
        """What one picture adds, before its share of a joint stage."""
        return self._part(pair) / pair.trusted

    def _part(self, pair: Pair) -> Tensor:
        picture, truth = pair.picture, pair.truth
        match self.chosen:
            case L2():
                return F.mse_loss(picture, truth)
            case o if pair.kind == "restoration":
                return restoration(picture, truth, o.eps, o.logs)
            case Lab() as o:
                loss = deepisp(picture, truth, o.alpha, o.divisor)
            case o:
                loss = F.l1_loss(picture, truth)
        if self.perceptual is not None:
            loss = loss + o.perceptual * self.perceptual(picture, truth)
        if o.color:
            loss = loss + o.color * color(picture, truth)
        return loss + o.variation * variation(picture) if o.variation else loss


def restoration(
    picture: Tensor, truth: Tensor, eps: float = 1e-3, logs: Choice = "paper"
) -> Tensor:
    """L1 + L1 of logarithms (CameraNet v2, eq. 5).

    "paper": log(max(x, eps)); "code": log(max(x, 0) + eps). The papers do not print eps; their
    code has 1e-3 for one data set and 1e-4 for another.
    """

    def log(x: Tensor) -> Tensor:
        return torch.log(x.clamp(min=eps) if logs == "paper" else x.clamp(min=0) + eps)

    return F.l1_loss(picture, truth) + F.l1_loss(log(picture), log(truth))


def joint(parts: dict[str, Tensor], share: float) -> Tensor:
    """share * restoration + (1 - share) * enhancement (CameraNet v2, eq. 7)."""
    return share * parts["restoration"] + (1 - share) * parts["enhancement"]


def deepisp(picture: Tensor, truth: Tensor, alpha: float = 0.5, divisor: float = 1.0) -> Tensor:
    """(1 - alpha) L1 of Lab + alpha (1 - MS-SSIM of L) (DeepISP, eq. 2; sRGB pictures).

    The paper prints + MS-SSIM, which would be made small where pictures differ; alpha is not
    printed (0.5 in the authors' code). L goes to 100, as in that code, so that L1 outweighs the
    other term; a `divisor` of Lab of 100 brings both near 1.
    """
    ours, theirs = lab(picture), lab(truth)
    likeness = ms_ssim(ours[:, :1] / 100, theirs[:, :1] / 100)
    return (1 - alpha) * F.l1_loss(ours, theirs) / divisor + alpha * (1 - likeness)


def ms_ssim(picture: Tensor, truth: Tensor, side: int = 5, scales: int = 2) -> Tensor:
    """Multi-scale SSIM over windows of side x side at `scales` scales of equal weight.

    Range 1; plain means over windows at every place. The defaults are DeepISP's.
    """
    out = torch.ones((), device=picture.device)
    for scale in range(scales):
        last = scale == scales - 1
        light, contrast = _similarity(picture, truth, side)
        term = (light * contrast if last else contrast).mean()
        out = out * term.clamp(min=1e-6) ** (1 / scales)
        picture, truth = F.avg_pool2d(picture, 2), F.avg_pool2d(truth, 2)
    return out


def _similarity(x: Tensor, y: Tensor, side: int) -> tuple[Tensor, Tensor]:
    def mean(z: Tensor) -> Tensor:
        return F.avg_pool2d(z, side, 1)

    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    low, high = 0.01**2, 0.03**2
    return (2 * mx * my + low) / (mx**2 + my**2 + low), (2 * both + high) / (vx + vy + high)


def lab(srgb: Tensor) -> Tensor:
    """CIELAB (D65) of encoded sRGB; gradients are finite everywhere."""
    x = srgb.clamp(0, 1)
    linear = torch.where(x <= 0.04045, x / 12.92, ((x.clamp(min=0.04) + 0.055) / 1.055) ** 2.4)
    xyz = mixed(XYZ_OF_WHITE, linear)
    step = 6 / 29
    f = torch.where(xyz > step**3, xyz.clamp(min=step**3) ** (1 / 3), xyz / (3 * step**2) + 4 / 29)
    fx, fy, fz = f.unbind(1)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], 1)


def color(picture: Tensor, truth: Tensor, sigma: float = 3.0) -> Tensor:
    """Mean squared difference behind a normalized 21 x 21 Gaussian (Ignatov et al. 2017)."""
    kernel = gaussian(picture, sigma)
    return F.mse_loss(F.conv2d(picture, kernel, groups=3), F.conv2d(truth, kernel, groups=3))


def gaussian(picture: Tensor, sigma: float) -> Tensor:
    """21 x 21 numbers of sum 1 for each of three channels, (3, 1, 21, 21), where the picture is."""
    at = torch.arange(-10, 11, dtype=picture.dtype, device=picture.device)
    line = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = torch.outer(line, line) / line.sum() ** 2
    return kernel.expand(3, 1, 21, 21)


def variation(picture: Tensor) -> Tensor:
    """Total variation: mean absolute difference of neighbors, rows plus columns."""
    rows = (picture[..., 1:, :] - picture[..., :-1, :]).abs().mean()
    return rows + (picture[..., 1:] - picture[..., :-1]).abs().mean()
