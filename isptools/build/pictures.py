"""One picture of a pair, upright and encoded for the screen, from a raw file or a finished one."""

from pathlib import Path

from isptools import picture, raw
from isptools.develop.chain import develop
from isptools.develop.steps import Balance, Demosaic, Encode, Levels, Orient, ToSpace
from isptools.frame import Array, Frame
from isptools.raw import SUFFIXES as RAW


def is_raw(path: Path) -> bool:
    return path.suffix[1:].lower() in RAW


def upright_picture(path: Path) -> Array:
    """(H, W, 3) uint8 or uint16 sRGB. UnsupportedError or RawError in one line; OSError."""
    return developed(raw.read(path)) if is_raw(path) else picture.read(path)


def developed(frame: Frame) -> Array:
    """A sensor frame through the chain to upright sRGB, (H, W, 3) uint16."""
    method = "libraw-xtrans" if frame.capture.kind == "xtrans" else "ahd"
    steps = (Levels(), Balance(), Demosaic(method), ToSpace(), Encode("srgb"), Orient())  # type: ignore[arg-type]  # a name of the list
    return develop(frame, steps).pixels
