"""DeepISP's low-level stage alone: joint denoising and demosaicking."""

from typing import Annotated

import msgspec

from isptools.train.camera import Camera, Net
from isptools.train.intake import BILINEAR
from isptools.train.networks.deepisp import LowLevel


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What its Figs. 5 to 7 vary."""

    layers: Annotated[int, msgspec.Meta(gt=0)] = 20
    maps: Annotated[int, msgspec.Meta(gt=3)] = 64
    skip: bool = True  # whether blocks add to the picture, or make it anew


def network(options: Options) -> Camera:
    """Bilinear camera RGB to clean RGB of the same station as the truth's."""
    net = Net(
        module=LowLevel(options.layers, options.maps, options.skip), reach=options.layers, least=2
    )
    return Camera([net], BILINEAR, restored=0)
