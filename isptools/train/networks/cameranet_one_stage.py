"""Ablation of CameraNet v2: one U-Net of twice the convolutions a level, raw to sRGB."""

from dataclasses import replace

import msgspec

from isptools.train.camera import Camera
from isptools.train.intake import PACKED
from isptools.train.networks.cameranet import WIDTHS, Form, Global, Widths, sized, unet


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it may be made smaller or otherwise; see docs/train.md."""

    noise: bool = True
    pooled: Global = "scale-shift"
    widths: Widths = WIDTHS


def network(options: Options) -> Camera:
    """Six convolutions a level, which is twice the processing blocks."""
    intake = replace(PACKED, noise=options.noise)
    form = sized(Form(intake.inputs, depth=6), options.widths, options.pooled)
    return Camera([unet(form)], intake, enhanced=0)
