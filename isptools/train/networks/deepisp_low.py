"""DeepISP's low-level stage alone: joint denoising and demosaicking."""

from typing import Annotated

import msgspec

from isptools.train.camera import Camera, Net
from isptools.train.intake import BILINEAR
from isptools.train.networks.deepisp import LowLevel


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it may be made smaller."""

    layers: Annotated[int, msgspec.Meta(gt=0)] = 20


def network(options: Options) -> Camera:
    """Bilinear camera RGB to clean RGB of the same station as the truth's."""
    net = Net(module=LowLevel(options.layers), reach=options.layers, least=2)
    return Camera([net], BILINEAR, restored=0)
