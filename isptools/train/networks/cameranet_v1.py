"""CameraNet v1 (arXiv 1908.01481): demosaicked XYZ in, adaptive norms in the Enhance-Net."""

from dataclasses import replace

import msgspec

from isptools.train.camera import Camera
from isptools.train.intake import XYZ
from isptools.train.networks.cameranet import (
    WIDTHS,
    Form,
    Global,
    Widths,
    enhance_net,
    sized,
    unet,
)


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it may be made smaller or otherwise; see docs/train.md."""

    pooled: Global = "scale-shift"
    widths: Widths = WIDTHS


def network(options: Options) -> Camera:
    """As v2, but the Enhance-Net takes linear sRGB."""
    first = sized(Form(12), options.widths, options.pooled)
    second = replace(enhance_net(options.widths, options.pooled), norm=True)
    return Camera([unet(first), unet(second)], XYZ, restored=0, enhanced=1, display="v1")
