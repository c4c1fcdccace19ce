"""Frames of a burst to one frame: choose a reference, align, merge.

`fuse` is the door. Frames are taken one at a time, so memory does not grow with the burst.
"""

from isptools.burst.result import Fused, Noted, Refused
from isptools.burst.walk import BurstError, Options, fuse

__all__ = ["BurstError", "Fused", "Noted", "Options", "Refused", "fuse"]
