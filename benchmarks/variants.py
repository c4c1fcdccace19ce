"""Networks of benchmarks/table.py that no paper has: one difference each, to see what it gives."""

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train.camera import Camera, Examples, Net
from isptools.train.intake import BILINEAR
from isptools.train.networks import deepisp
from isptools.train.networks.cameranet import Form, UNet, least, reach, unet


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a U-Net."""

    widths: tuple[int, ...] = (12, 24, 48)


def unaided(options: deepisp.Options) -> Camera:
    """DeepISP whose W begins by chance, as all else."""
    camera = deepisp.network(options)
    camera.begin = None
    return camera


def demosaicked(options: Options) -> Camera:
    """The one-stage U-Net on bilinear camera RGB, four pixels of it in the channels."""
    return Camera([unet(_form(options))], BILINEAR, enhanced=0)


def regressed(options: Options) -> Camera:
    """The same, added to a linear map of the colors that begins where DeepISP's W does."""
    form = _form(options)
    module = Added(form)
    net = Net(
        module=module, factor=2, stride=2 ** (len(form.widths) - 1), reach=reach(form),
        least=least(form), bottom=module.net.bottom,
    )  # fmt: skip
    return Camera([net], BILINEAR, enhanced=0, begin=module.begin)


class Added(nn.Module):
    """A U-Net beside a linear map: (N, 12, H, W) to (N, 3, 2 H, 2 W)."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.net, self.color = UNet(form), nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.net.head.weight.mul_(0.01)

    def begin(self, examples: Examples) -> None:
        """The map begins as what suits the training pictures best."""
        affine = torch.as_tensor(deepisp.mean_affine(examples), dtype=torch.float32)
        with torch.no_grad():
            self.color.weight.copy_(affine[:, :3, None, None])
            self.color.bias.copy_(affine[:, 3])

    def forward(self, x: Tensor, pooled: Tensor | None = None) -> Tensor:
        """Packed camera RGB to a picture, not clipped."""
        return self.net(x, pooled) + self.color(F.pixel_shuffle(x, 2))


def _form(options: Options) -> Form:
    deep = len(options.widths)
    return Form(12, depth=6, widths=options.widths, dilations=(1,) * deep)
