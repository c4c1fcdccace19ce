"""SRGAN-10 and CAN24 joined, trained on the final truth alone (compared in CameraNet's paper)."""

from dataclasses import replace

import msgspec

from isptools.train.camera import Camera
from isptools.train.intake import PACKED
from isptools.train.networks.srgan_can import parts


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See docs/train.md."""

    noise: bool = True  # the noise level as one more plane


def network(options: Options) -> Camera:
    """The same two networks, with no picture between them."""
    intake = replace(PACKED, noise=options.noise)
    return Camera(parts(intake.inputs), intake, enhanced=1)
