"""Methods that are LibRaw's own, run by LibRaw on an array."""

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Capture


def demosaic(mosaic: NDArray[np.uint16], capture: Capture, method: str) -> NDArray[np.uint16]:
    """(H, W) balanced mosaic to (H, W, 3); `method` is one of isptools.raw.libraw.demosaic."""
    from isptools.raw import libraw  # noqa: PLC0415 - LibRaw takes long to load

    matrix = None if capture.xyz_to_camera is None else np.asarray(capture.xyz_to_camera)
    rgb: NDArray[np.uint16] = libraw.demosaic(mosaic, capture.cfa, matrix, method)
    return rgb
