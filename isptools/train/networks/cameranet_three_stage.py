"""Ablation of CameraNet v2: three U-Nets of two thirds of the convolutions.

They demosaick, restore and enhance. Shards hold no truth behind demosaicking, so the first two are
trained as one.
"""

from dataclasses import replace

from isptools.train.camera import Camera
from isptools.train.intake import PACKED
from isptools.train.networks.cameranet import Form, Options, enhance_net, sized, unet


def network(options: Options) -> Camera:
    """Two convolutions a level."""
    widths, pooled = options.widths, options.pooled
    intake = replace(PACKED, noise=options.noise)
    forms = (
        sized(Form(intake.inputs, depth=2), widths, pooled),
        sized(Form(12, depth=2), widths, pooled),
        enhance_net(widths, pooled, depth=2),
    )
    parts = [unet(form) for form in forms]
    return Camera(parts, intake, restored=1, enhanced=2, display=options.display)
