"""What every step has, and what steps ask of a frame."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import msgspec
import numpy as np

from isptools.develop import binning
from isptools.frame import Frame, Pixels, Space, Taken, UnsupportedError

Found = Mapping[str, tuple[float, ...]]


class Base(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step"):
    """What every step has: the stations it takes, where it leads, and one call."""

    takes: ClassVar[frozenset[Space]]

    def gives(self, space: Space) -> Space:
        """The station it leads to from one of those it takes. NotImplementedError here: steps say
        it."""
        raise NotImplementedError

    def __call__(self, frame: Frame, scratch: bool = False) -> Frame:
        """The frame behind this step; ValueError where the frame's facts don't allow it."""
        raise NotImplementedError

    def done(self, frame: Frame, pixels: Pixels, found: Found | None = None) -> Frame:
        """The frame with new pixels, at the station this step leads to, and the step noted."""
        taken = Taken(self, tuple((found or {}).items()))
        space = self.gives(frame.space)
        return replace(frame, pixels=pixels, space=space, history=(*frame.history, taken))


def integers(frame: Frame) -> Any:
    """Pixels of a station that is defined as uint16. UnsupportedError if they are not."""
    if frame.pixels.dtype != np.uint16:
        raise UnsupportedError(f"{frame.space} takes uint16 pixels, got {frame.pixels.dtype}")
    return frame.pixels


def floats(frame: Frame) -> Any:
    """Pixels of a station that is defined as float32. UnsupportedError if they are not."""
    if frame.pixels.dtype != np.float32:
        raise UnsupportedError(f"{frame.space} takes float32 pixels, got {frame.pixels.dtype}")
    return frame.pixels


def only(frame: Frame, kind: str, step: str) -> None:
    """UnsupportedError where a frame's color filters are of another kind than `step` is for."""
    if frame.capture.kind != kind:
        raise UnsupportedError(f"{step} is for {kind} mosaics, this frame is {frame.capture.kind}")


def with_square_sites(frame: Frame, step: str) -> None:
    """UnsupportedError where a frame has no color filters, larger ones, or pixels that are not
    square."""
    if frame.capture.kind in binning.SIDES:
        kind = frame.capture.kind
        raise UnsupportedError(f"{step} needs Bayer or X-Trans, this frame is {kind}: `bin` first")
    aspect = frame.capture.pixel_aspect
    if abs(aspect - 1) > 0.001:
        raise UnsupportedError(f"{step}: the sensor's pixels are not square (aspect {aspect:.3f})")
    if not frame.capture.cfa:
        raise UnsupportedError(
            f"{step} needs a color filter array, this frame is {frame.capture.kind}"
        )
