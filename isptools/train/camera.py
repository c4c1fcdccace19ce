"""A whole network: parts in a row from the prepared raw to its pictures, and the facts of each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train.intake import Intake

Display = Literal["paper", "code", "v1"]  # how restored XYZ enters the Enhance-Net
F32 = NDArray[np.float32]
Examples = Iterable[tuple[F32, F32]]  # what a network takes and its last truth, each (C, H, W)
# a closed form, of inputs, last truths and (N, 1, H, W) which of their pixels are to be trusted
Fit = Callable[[Iterable[tuple[Tensor, Tensor, Tensor | None]]], None]
SRGB_FROM_XYZ = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)  # IEC 61966-2-1, D65


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """A part of a network: a module, and what must be known to run it tile by tile.

    `module(x)` makes of (N, C, h, w) a picture (N, 3, factor h, factor w). All other sides are in
    pixels of x. Where `bottom` is given, the module also takes the mean over the whole frame of
    what that makes of x, as `module(x, pooled)`: a tile alone doesn't know it. Where one mean
    depends on those before it, `bottoms` makes the features of each of x and of the means so far,
    and the module takes the list of all as `module(x, means)`.
    """

    module: nn.Module
    factor: int = 1  # pixels of the picture per pixel of x, a side
    stride: int = 1  # tiles begin at multiples of it, and so do the pixels of `bottom`
    reach: int  # how far around a tile x may change it, the pooled mean aside
    least: int = 1  # the smallest side
    bottom: Callable[[Tensor], Tensor] | None = None
    bottoms: Sequence[Callable[..., Tensor]] = ()  # each (x, means=[...]) -> (N, C, h', w')
    fit: Fit | None = None  # sets all weights of the only part, where no descent is needed


class Camera(nn.Module):
    """Parts in a row; behind the first each takes the picture before it, packed by its factor.

    `restored` and `enhanced` say behind which part these pictures stand (-1: nowhere). `begin`
    sets what a fresh network takes from the training pictures.
    """

    def __init__(
        self,
        parts: Sequence[Net],
        intake: Intake,
        *,
        restored: int = -1,
        enhanced: int = -1,
        display: Display = "paper",
        begin: Callable[[Examples], None] | None = None,
    ) -> None:
        super().__init__()
        self.parts, self.intake = tuple(parts), intake
        self.nets = nn.ModuleList(part.module for part in parts)
        self.restored, self.enhanced = restored, enhanced
        self.display, self.begin = display, begin

    def packing(self, at: int) -> int:
        """Pixels of what part `at` is given per pixel that it takes, a side."""
        return self.parts[at].factor // (1 if at else self.intake.side)

    def enter(self, at: int, picture: Tensor) -> Tensor:
        """What part `at` takes, (N, C, h, w): of the prepared raw (0) or the picture before it."""
        if at and at - 1 == self.restored:
            picture = shown(picture, self.display)
        packing = self.packing(at)
        return F.pixel_unshuffle(picture, packing) if packing > 1 else picture

    def run(self, picture: Tensor, first: int, last: int) -> Tensor:
        """(N, C, h, w) through parts `first` to `last`."""
        for at in range(first, last + 1):
            picture = self.nets[at](self.enter(at, picture))
        return picture

    def forward(self, prepared: Tensor) -> dict[str, Tensor]:
        """Every picture this network makes: "restoration" and/or "enhancement", not clipped."""
        out: dict[str, Tensor] = {}
        for at in range(len(self.nets)):
            prepared = self.run(prepared, at, at)
            out |= dict.fromkeys(self.pictures(at), prepared)
        return out

    def pictures(self, at: int) -> list[str]:
        """The names of what stands behind part `at`."""
        places = (("restoration", self.restored), ("enhancement", self.enhanced))
        return [name for name, place in places if place == at]


def least(camera: Camera) -> int:
    """The smallest side of a picture, in pixels of the mosaic, that every part takes."""
    return max(2, *(part.least * part.factor for part in camera.parts))


def shown(xyz: Tensor, display: Display) -> Tensor:
    """Restored XYZ as the Enhance-Net sees it.

    "paper" (v2, III.C): clipped to [0, 1] and put through the sRGB curve; "code":
    max(x, 1e-4)^(1/2.2); "v1" (III.B): the sRGB matrix, still linear.
    """
    if display == "v1":
        return mixed(SRGB_FROM_XYZ, xyz)
    if display == "code":
        return xyz.clamp(min=1e-4) ** (1 / 2.2)
    x = xyz.clamp(0, 1)
    return torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x.clamp(min=1e-4) ** (1 / 2.4) - 0.055)


def mixed(matrix: Sequence[Sequence[float]], x: Tensor) -> Tensor:
    """(N, 3, H, W) by a constant (3, 3) matrix.

    On a GPU by its numbers: a tensor of them would be sent at every call, which waits and can't be
    recorded in a graph.
    """
    if x.is_cuda:
        return by_numbers(matrix, x)
    constant = torch.tensor(matrix, dtype=x.dtype, device=x.device)
    return torch.einsum("ck,nkhw->nchw", constant, x)


def by_numbers(matrix: Sequence[Sequence[float]], x: Tensor) -> Tensor:
    """The same channel by channel, (N, 3, H, W)."""
    one, two, three = x.unbind(1)
    return torch.stack([a * one + b * two + c * three for a, b, c in matrix], 1)


def parameters(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in model.parameters())
