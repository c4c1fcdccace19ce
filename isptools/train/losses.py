"""What training makes small. Pictures are (N, 3, H, W); every loss is a mean over its numbers."""

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train.models import SRGB_FROM_XYZ

Logs = Literal["paper", "code"]


def restoration(picture: Tensor, truth: Tensor, eps: float = 1e-3, logs: Logs = "paper") -> Tensor:
    """L1 + L1 of logarithms (CameraNet v2, eq. 5).

    "paper": log(max(x, eps)); "code": log(max(x, 0) + eps). The papers do not print eps; their
    code has 1e-3 for HDR+ and 1e-4 for SID.
    """

    def log(x: Tensor) -> Tensor:
        return torch.log(x.clamp(min=eps) if logs == "paper" else x.clamp(min=0) + eps)

    return F.l1_loss(picture, truth) + F.l1_loss(log(picture), log(truth))


def joint(parts: dict[str, Tensor], share: float) -> Tensor:
    """share * restoration + (1 - share) * enhancement (CameraNet v2, eq. 7)."""
    return share * parts["restoration"] + (1 - share) * parts["enhancement"]


def deepisp(picture: Tensor, truth: Tensor, alpha: float = 0.5) -> Tensor:
    """(1 - alpha) L1 of Lab + alpha (1 - MS-SSIM of L) (DeepISP, eq. 2; sRGB pictures).

    The paper prints + MS-SSIM, which would be made small where pictures differ; alpha is not
    printed (0.5 in the authors' code). Lab is divided by 100, so that both terms are near 1.
    """
    ours, theirs = (lab(one) / 100 for one in (picture, truth))
    likeness = ms_ssim(ours[:, :1], theirs[:, :1])
    return (1 - alpha) * F.l1_loss(ours, theirs) + alpha * (1 - likeness)


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
    matrix = torch.tensor(SRGB_FROM_XYZ, dtype=x.dtype, device=x.device).inverse()
    xyz = torch.einsum("ck,nkhw->nchw", matrix / matrix.sum(1, keepdim=True), linear)
    step = 6 / 29
    f = torch.where(xyz > step**3, xyz.clamp(min=step**3) ** (1 / 3), xyz / (3 * step**2) + 4 / 29)
    fx, fy, fz = f.unbind(1)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], 1)


def color(picture: Tensor, truth: Tensor, sigma: float = 3.0) -> Tensor:
    """Mean squared difference behind a normalized 21 x 21 Gaussian (after DPED)."""
    at = torch.arange(-10, 11, dtype=picture.dtype, device=picture.device)
    line = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = torch.outer(line, line) / line.sum() ** 2
    kernel = kernel.expand(3, 1, 21, 21)
    return F.mse_loss(F.conv2d(picture, kernel, groups=3), F.conv2d(truth, kernel, groups=3))


def variation(picture: Tensor) -> Tensor:
    """Total variation: mean absolute difference of neighbors, rows plus columns."""
    rows = (picture[..., 1:, :] - picture[..., :-1, :]).abs().mean()
    return rows + (picture[..., 1:] - picture[..., :-1]).abs().mean()


class Perceptual(nn.Module):
    """L1 between features of VGG-19 at relu2_2 and relu5_4 (CameraNet v2, footnote 3).

    `weights` is the user's file, torchvision's `vgg19` state dict; none comes with the package.
    ValueError in one line if it is missing or is none.
    """

    PLAN = (
        64,
        64,
        0,
        128,
        128,
        0,
        256,
        256,
        256,
        256,
        0,
        512,
        512,
        512,
        512,
        0,
        512,
        512,
        512,
        512,
    )
    TAKEN = (8, 35)  # torchvision's numbers of relu2_2 and relu5_4

    def __init__(self, weights: Path) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        last = 3
        for width in self.PLAN:
            if width:
                layers += [nn.Conv2d(last, width, 3, padding=1), nn.ReLU()]
                last = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.layers = nn.Sequential(*layers).requires_grad_(False)
        self._load(weights)

    def forward(self, picture: Tensor, truth: Tensor) -> Tensor:
        losses = [F.l1_loss(a, b) for a, b in zip(*map(self._seen, (picture, truth)), strict=True)]
        return torch.stack(losses).sum()

    def _seen(self, picture: Tensor) -> list[Tensor]:
        mean, deviation = (
            picture.new_tensor(values).view(3, 1, 1)
            for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        )
        x, seen = (picture - mean) / deviation, []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in self.TAKEN:
                seen.append(x)
        return seen

    def _load(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            prefix = "features."
            self.layers.load_state_dict(
                {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
            )
        except FileNotFoundError:
            raise ValueError(
                f"{path}: the perceptual loss needs VGG-19 weights, which do not come with this "
                "package: give the file of torchvision's vgg19, or set perceptual = 0"
            ) from None
        except Exception as error:  # torch raises many types for a foreign file
            text = " ".join(str(error).split())[:120]
            raise ValueError(f"{path}: no VGG-19 weights of torchvision ({text})") from None
