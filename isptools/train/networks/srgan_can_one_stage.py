"""SRGAN-10 and CAN24 joined, trained on the final truth alone (compared in CameraNet's paper)."""

from dataclasses import replace
from typing import Annotated

import msgspec

from isptools.train.camera import Camera
from isptools.train.intake import PACKED
from isptools.train.networks.srgan_can import BLOCKS, parts


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See docs/train.md."""

    noise: bool = True  # the noise level as one more plane
    blocks: Annotated[int, msgspec.Meta(gt=0)] = BLOCKS
    width: Annotated[int, msgspec.Meta(gt=0)] = 64


def network(options: Options) -> Camera:
    """The same two networks, with no picture between them."""
    intake = replace(PACKED, noise=options.noise)
    return Camera(parts(intake.inputs, options.blocks, options.width), intake, enhanced=1)
