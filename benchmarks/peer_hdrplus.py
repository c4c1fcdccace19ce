"""The public HDR+ of Monod, Delon and Veit (IPOL 2021), to be measured beside ours.

    python benchmarks/burst.py --hdrplus DIR

DIR is a checkout of amonod/hdrplus-python (AGPL-3.0, not part of this project). Its alignment and
its merge run as they stand, with their default options but without the spatial denoising that
follows, which neither the mean nor our merge has.
"""

import sys
import warnings
from pathlib import Path

import numpy as np

TEMPORAL = 75.0  # its default
LEAST = 1024
TUNING = {
    "factors": [1, 2, 4, 4],
    "tileSizes": [16, 16, 16, 8],
    "searchRadia": [1, 4, 4, 4],
    "distances": ["L1", "L2", "L2", "L2"],
    "subpixels": [False, True, True, True],
}


def merge(folder: Path, frames, temporal: float = TEMPORAL):
    """The merged mosaic of `frames` (the first is the reference) as it gives it: whole DN."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        np.int = int  # noqa: NPY001 - it is older than NumPy 1.24
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from package.algorithm.alignment import alignBurst
        from package.algorithm.merging import mergeHdrplus

        facts = frames[0].capture
        span = facts.white - min(facts.black)
        shot, read = facts.noise_profile[0]
        options = {"temporalFactor": temporal, "spatialFactor": 0, "verbose": 0}
        images = [_grown(frame.pixels) for frame in frames]
        align = {"mode": "bayer", "tuning": TUNING, "writeMotionFields": False,
                 "writeAlignedTiles": False}  # fmt: skip
        tiles, padding = alignBurst("", [], images, 0, align, options)
        tuning = {"patchSize": 16, "method": "DFTWiener",
                  "noiseCurve": (shot * span, read * span**2)}  # fmt: skip
        merged = mergeHdrplus(
            images[0], tiles, padding, None, facts.black, facts.white, tuning, options
        )
    height, width = frames[0].pixels.shape
    return merged[:height, :width]


def _grown(mosaic):
    """Mirrored, which keeps the phase, up to the smallest side that its pyramid takes."""
    more = [(0, max(0, LEAST - side)) for side in mosaic.shape]
    return np.ascontiguousarray(np.pad(mosaic, more, "reflect"))
