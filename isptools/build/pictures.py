"""A raw file's picture as one of a pair: upright and encoded for the screen."""

from isptools.develop.chain import develop
from isptools.develop.steps import Balance, Demosaic, Encode, Levels, Orient, ToSpace
from isptools.frame import Array, Frame


def developed(frame: Frame) -> Array:
    """A sensor frame through the chain to upright sRGB, (H, W, 3) uint16."""
    method = "libraw-xtrans" if frame.capture.kind == "xtrans" else "ahd"
    steps = (Levels(), Balance(), Demosaic(method), ToSpace(), Encode("srgb"), Orient())  # type: ignore[arg-type]  # a name of the list
    return develop(frame, steps).pixels
