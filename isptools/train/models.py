"""The networks by name: every number visible, parameters and operations counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train.cameranet import CAN, DILATIONS, Form, SRResNet, UNet
from isptools.train.deepisp import DeepISP, LowLevel

Prepare = Literal["packed", "xtrans", "bilinear", "xyz"]
Display = Literal["paper", "code", "v1"]  # how restored XYZ enters the Enhance-Net
SRGB_FROM_XYZ = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)  # IEC 61966-2-1, D65


@dataclass(frozen=True, slots=True)
class Options:
    """Where paper and public code differ, or where a net may be made smaller; see docs/train.md."""

    noise: bool = True  # the noise level as one more plane (CameraNet v2, eq. 2)
    pooled: Literal["scale-shift", "scale", "none"] = "scale-shift"
    display: Literal["paper", "code"] = "paper"
    widths: tuple[int, ...] = (32, 64, 128, 256, 512)
    layers: int = 0  # of DeepISP's low level; 0 is the paper's number


class Camera(nn.Module):
    """Networks in a row, from prepared raw to XYZ and on to sRGB.

    `restored` and `enhanced` say behind which network these pictures stand (-1: nowhere).
    """

    def __init__(
        self,
        nets: Sequence[nn.Module],
        prepare: Prepare,
        restored: int,
        enhanced: int,
        display: Display = "paper",
    ) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)
        self.prepare, self.display = prepare, display
        self.restored, self.enhanced = restored, enhanced
        self.noise = False

    def enter(self, at: int, picture: Tensor) -> Tensor:
        """What network `at` takes, from the prepared raw (0) or the picture before it."""
        if at and at - 1 == self.restored:
            picture = shown(picture, self.display)
        if at or self.prepare == "xyz":
            factor = int(self.nets[at].factor)  # type: ignore[arg-type] # an int of ours
            picture = F.pixel_unshuffle(picture, factor) if _takes_packed(self, at) else picture
        return picture

    def run(self, picture: Tensor, first: int, last: int) -> Tensor:
        """Through networks `first` to `last`."""
        for at in range(first, last + 1):
            picture = self.nets[at](self.enter(at, picture))
        return picture

    def forward(self, prepared: Tensor) -> dict[str, Tensor]:
        """Every picture this model makes: "restoration" and/or "enhancement", not clipped."""
        out = {}
        for at in range(len(self.nets)):
            prepared = self.run(prepared, at, at)
            if at == self.restored:
                out["restoration"] = prepared
            if at == self.enhanced:
                out["enhancement"] = prepared
        return out


def least(camera: Camera) -> int:
    """The smallest side of a picture, in pixels of the mosaic, that every network takes."""
    sides = [2]
    for at, net in enumerate(camera.nets):
        if isinstance(net, UNet):
            sides.append(net.least * (3 if at == 0 and camera.prepare == "xtrans" else 2))
        elif isinstance(net, DeepISP):
            sides.append(net.stride // 2)  # its last convolution then sees 2 x 2
    return max(sides)


def _takes_packed(camera: Camera, at: int) -> bool:
    return isinstance(camera.nets[at], UNet)


def shown(xyz: Tensor, display: Display) -> Tensor:
    """Restored XYZ as the Enhance-Net sees it.

    "paper" (v2, III.C): clipped to [0, 1] and put through the sRGB curve; "code":
    max(x, 1e-4)^(1/2.2); "v1" (III.B): the sRGB matrix, still linear.
    """
    if display == "v1":
        matrix = torch.tensor(SRGB_FROM_XYZ, dtype=xyz.dtype, device=xyz.device)
        return torch.einsum("ck,nkhw->nchw", matrix, xyz)
    if display == "code":
        return xyz.clamp(min=1e-4) ** (1 / 2.2)
    x = xyz.clamp(0, 1)
    return torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x.clamp(min=1e-4) ** (1 / 2.4) - 0.055)


def cameranet(o: Options) -> Camera:
    """Version 2: packed raw, two U-Nets with a global block each."""
    return _two_stages(Form(4 + o.noise), _enhance(o), "packed", o)


def cameranet_xtrans(o: Options) -> Camera:
    """Version 2 on the nine planes of an X-Trans sensor, three pixels a side."""
    return _two_stages(Form(9 + o.noise, outputs=27, factor=3), _enhance(o), "xtrans", o)


def cameranet_v1(o: Options) -> Camera:
    """Version 1: demosaicked XYZ in, adaptive normalization in the Enhance-Net."""
    second = replace(_enhance(o), norm=True)
    return _two_stages(Form(12), second, "xyz", replace(o, noise=False), "v1")


def one_stage(o: Options) -> Camera:
    """One U-Net of twice the convolutions a level, raw to sRGB."""
    net = UNet(_sized(Form(4 + o.noise, depth=6), o))
    return _noisy(Camera([net], "packed", -1, 0), o)


def three_stage(o: Options) -> Camera:
    """Three U-Nets of two thirds of the convolutions: demosaicking, restoration, enhancement.

    Shards hold no truth behind demosaicking, so the first two are trained as one.
    """
    forms = (Form(4 + o.noise, depth=2), Form(12, depth=2), replace(_enhance(o), depth=2))
    nets = [UNet(_sized(form, o)) for form in forms]
    return _noisy(Camera(nets, "packed", 1, 2, o.display), o)


def srgan_can(o: Options) -> Camera:
    """SRGAN-10 to XYZ, CAN24 to sRGB, each with its truth."""
    return _noisy(Camera([SRResNet(4 + o.noise), CAN()], "packed", 0, 1, o.display), o)


def srgan_can_one_stage(o: Options) -> Camera:
    """The same two networks joined, trained on the final truth alone."""
    return _noisy(Camera([SRResNet(4 + o.noise), CAN()], "packed", -1, 1), o)


def deepisp(o: Options) -> Camera:
    """15 low-level and 3 high-level layers, bilinear camera RGB to sRGB."""
    return Camera([DeepISP(o.layers or 15)], "bilinear", -1, 0)


def deepisp_low(o: Options) -> Camera:
    """The low-level stage alone, 20 layers: joint denoising and demosaicking."""
    return Camera([LowLevel(o.layers or 20)], "bilinear", 0, -1)


MODELS: dict[str, Callable[[Options], Camera]] = {
    "cameranet": cameranet,
    "cameranet-v1": cameranet_v1,
    "cameranet-xtrans": cameranet_xtrans,
    "cameranet-one-stage": one_stage,
    "cameranet-three-stage": three_stage,
    "srgan-can": srgan_can,
    "srgan-can-one-stage": srgan_can_one_stage,
    "deepisp": deepisp,
    "deepisp-low": deepisp_low,
}


def build(name: str, options: Options) -> Camera:
    """A network by name, with fresh weights from torch's generator. ValueError if unknown."""
    if name not in MODELS:
        raise ValueError(f"no network {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name](options)


def _two_stages(
    first: Form, second: Form, prepare: Prepare, o: Options, display: Display | None = None
) -> Camera:
    nets = [UNet(_sized(form, o)) for form in (first, second)]
    return _noisy(Camera(nets, prepare, 0, 1, display or o.display), o)


def _enhance(o: Options) -> Form:
    return Form(12, dilations=DILATIONS[: len(o.widths)], residual=True)


def _sized(form: Form, o: Options) -> Form:
    dilations = form.dilations[: len(o.widths)]
    return replace(form, widths=o.widths, pooled=o.pooled, dilations=dilations)


def _noisy(camera: Camera, o: Options) -> Camera:
    camera.noise = o.noise
    return camera


def parameters(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in model.parameters())


def listing() -> list[dict[str, Any]]:
    """Name, parameters and GFLOP at 4032 x 3024 of every network in its published form.

    `cameranet` is listed without the noise plane, the form whose 26,527,640 parameters are
    published; `cameranet-noise` is the one that recipes train. GFLOP are the cost a pixel, taken
    where all levels divide evenly; the paper's way counts the frame itself, odd levels and all.
    """
    quiet = Options(noise=False)
    rows = [_row(name, build, quiet) for name, build in MODELS.items()]
    rows.insert(1, _row("cameranet-noise", cameranet, Options()))
    return rows


def _row(name: str, build: Callable[[Options], Camera], options: Options) -> dict[str, Any]:
    from isptools.train.flops import operations  # noqa: PLC0415 - counts on this module's classes

    with torch.device("meta"):
        camera = build(options)
    plain = operations(camera, 4608, 6144)[0] * (3024 * 4032) / (4608 * 6144)
    paper = operations(camera, 3024, 4032)[1]
    return {
        "name": name,
        "parameters": parameters(camera),
        "gflops": round(plain / 1e9, 2),
        "gflops_paper_way": round(paper / 1e9, 2),
    }
