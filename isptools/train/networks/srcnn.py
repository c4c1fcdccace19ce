"""SRCNN (Dong et al., 2014) as an ISP: on bilinear camera RGB at full size, to sRGB.

Three convolutions: patches of 9 x 9 to 64 features, those to 32, these to a picture over 5 x 5. The
middle one is 5 x 5 here, the journal version's best form (9-5-5); 1 is the first paper's (9-1-5).
"""

from typing import Literal

import msgspec
from torch import nn

from isptools.train import start
from isptools.train.camera import Camera, Net
from isptools.train.intake import BILINEAR, RGB

WIDTHS = (64, 32)
DEVIATION = 1e-3  # of the weights at the start, as both papers have it


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the papers vary."""

    middle: Literal[1, 3, 5] = 5  # side of the middle convolution
    start: Literal["gaussian", "glorot"] = "gaussian"  # the papers', or one that learns sooner
    takes: Literal["raw", "rgb"] = "raw"  # bilinear camera RGB of mosaics, or finished pictures


def network(options: Options) -> Camera:
    """Padded with 0, where the papers' picture is smaller than what went in."""
    sides, channels = (9, options.middle, 5), (3, *WIDTHS, 3)
    layers: list[nn.Module] = []
    for at, side in enumerate(sides):
        layers += [nn.Conv2d(channels[at], channels[at + 1], side, padding=side // 2), nn.ReLU()]
    module = nn.Sequential(*layers[:-1])
    if options.start == "glorot":
        start.glorot(module)
    else:
        start.gaussian(module, DEVIATION)
    net = Net(module=module, reach=sum(side // 2 for side in sides))
    return Camera([net], RGB if options.takes == "rgb" else BILINEAR, enhanced=0)
