"""What goes down the chain on a GPU."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from isptools.frame import Capture, Frame, Space


@dataclass(frozen=True, slots=True)
class Held:
    """Pictures of one station on a GPU, and what the host knows of each of them."""

    pixels: Tensor  # (N, H, W), behind demosaicking (N, H, W, 3)
    captures: tuple[Capture, ...]
    white: tuple[float, ...] = ()
    gains: tuple[tuple[float, ...], ...] = ()

    def facts(self, at: int) -> Frame:
        """A frame without pixels, for what steps ask of facts."""
        white = self.white[at] if self.white else 0.0
        return Frame(np.empty((0, 0), np.uint16), Space.MOSAIC, self.captures[at], white)
