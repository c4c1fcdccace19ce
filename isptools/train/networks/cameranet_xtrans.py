"""CameraNet v2 on the nine planes of an X-Trans sensor, three pixels a side."""

from dataclasses import replace

from isptools.train.camera import Camera
from isptools.train.intake import XTRANS
from isptools.train.networks.cameranet import Form, Options, enhance_net, sized, unet


def network(options: Options) -> Camera:
    """Restore-Net from nine planes, Enhance-Net as for Bayer."""
    intake = replace(XTRANS, noise=options.noise)
    form = Form(intake.inputs, outputs=27, factor=3)
    first = sized(form, options.widths, options.pooled)
    second = enhance_net(options.widths, options.pooled)
    parts = [unet(first), unet(second)]
    return Camera(parts, intake, restored=0, enhanced=1, display=options.display)
