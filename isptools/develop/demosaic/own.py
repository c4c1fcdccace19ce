"""The methods that are computed here; the others run LibRaw."""

from typing import Any

from isptools.develop.balance import three_colors
from isptools.develop.demosaic.ahd import ahd
from isptools.develop.demosaic.ends import NO_ENDS, Ends
from isptools.develop.demosaic.linear import linear
from isptools.develop.demosaic.ppg import ppg
from isptools.frame import Capture

METHODS = ("linear", "ppg", "ahd")


def picture(
    method: str, mosaic: Any, facts: Capture, scratch: bool = False, ends: Ends = NO_ENDS
) -> Any:
    """(H, W) uint16 to (H, W, 3) uint16 by one of METHODS."""
    colors = three_colors(facts.cfa)
    if method == "ahd":
        return ahd(mosaic, colors, facts.camera_to_srgb, scratch, ends)
    return {"linear": linear, "ppg": ppg}[method](mosaic, colors, scratch, ends)
