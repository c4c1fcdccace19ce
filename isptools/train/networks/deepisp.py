"""DeepISP (Schwartz, Giryes and Bronstein, TIP 2018): low-level and high-level stages."""

from typing import Annotated

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import fused, start
from isptools.train.camera import Camera, Examples, Net
from isptools.train.edges import Reflected, maxima, over_picture
from isptools.train.intake import BILINEAR
from isptools.train.single import single

HIGH = 3  # high-level layers


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it may be made smaller, and what its Fig. 11 takes away."""

    layers: Annotated[int, msgspec.Meta(gt=0)] = 15  # of the low-level stage
    maps: Annotated[int, msgspec.Meta(gt=3)] = 64
    shared: bool = True  # whether the high level sees features; if not, the corrected picture


def network(options: Options) -> Camera:
    """Bilinear camera RGB to sRGB."""
    module = DeepISP(options.layers, maps=options.maps, shared=options.shared)
    stride = 4**HIGH
    net = Net(
        module=module, stride=stride, least=stride // 2,  # the last convolution then sees 2 x 2
        reach=options.layers + sum(4**i for i in range(HIGH)) + stride, bottom=module.bottom,
    )  # fmt: skip
    return Camera([net], BILINEAR, enhanced=0, begin=module.begin)


class LowLevel(nn.Module):
    """`layers` blocks of 61 features and 3 residual maps; (N, 3, H, W) to picture and features.

    The paper does not say how it begins. Here features keep their size from block to block (He et
    al. 2015) and residuals begin near 0; from torch's own start 20 blocks hardly learned at 5e-4.
    """

    def __init__(self, layers: int, maps: int = 64, skip: bool = True) -> None:
        super().__init__()
        self.skip = skip  # whether a block adds to the picture before it, or makes another one
        ins = (3, *[maps] * (layers - 1))
        self.convs = nn.ModuleList(_begun(i, maps) for i in ins)

    def both(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """The corrected picture, and the features of the last block."""
        x = picture
        for convolution in self.convs:
            if fused.suits(convolution, x):
                x, picture = fused.corrected(convolution, x, picture)
                features = x[:, :-3]
                continue
            out = convolution(x)
            features, residual = F.relu(out[:, :-3]), torch.tanh(out[:, -3:])
            picture = picture + residual if self.skip else residual
            # of one type, or a half's features would travel as floats
            x = torch.cat([features, picture.to(features.dtype)], 1)
        return picture, features

    def forward(self, x: Tensor) -> Tensor:
        """Camera RGB (N, 3, H, W) to its corrected picture (N, 3, H, W)."""
        return self.both(x)[0]


def _begun(inputs: int, maps: int) -> nn.Conv2d:
    """A block's convolution: features that reach the last block, a picture that stays."""
    out = Reflected(inputs, maps)
    with torch.no_grad():
        nn.init.kaiming_normal_(out.weight, nonlinearity="relu")
        out.weight[-3:] *= 0.01
        if out.bias is not None:
            out.bias.zero_()
    return out


class DeepISP(nn.Module):
    """Both stages: (N, 3, H, W) bilinear camera RGB to (N, 3, H, W) sRGB, not clipped.

    The output is W . (r, g, b, rr, rg, rb, gg, gb, bb, 1) of the corrected picture; W comes from
    the features' mean over the picture, or from `pooled` where that is cut into tiles.
    """

    def __init__(self, layers: int, high: int = HIGH, maps: int = 64, shared: bool = True) -> None:
        super().__init__()
        self.low, self.shared = LowLevel(layers, maps), shared
        ins = (maps - 3 if shared else 3, *[maps] * (high - 1))
        self.high = nn.ModuleList(Reflected(i, maps, stride=2) for i in ins)
        self.matrix = nn.Linear(maps, 30)
        for module in (self.high, self.matrix):
            start.glorot(module)  # as Lasagne does, which its authors took

    def begin(self, examples: Examples) -> None:
        """W begins as what suits the training pictures best."""
        self.start_from(mean_affine(examples))

    def start_from(self, affine: NDArray[np.float64]) -> None:
        """W begins as `affine` (3 x 4: r, g, b, 1) for every picture."""
        w = torch.zeros(3, 10)
        w[:, [0, 1, 2, 9]] = torch.as_tensor(affine, dtype=torch.float32)
        with torch.no_grad():
            self.matrix.weight.mul_(0.01)
            self.matrix.bias.copy_(w.flatten())

    def bottom(self, x: Tensor) -> Tensor:
        """The features whose mean over the picture gives W."""
        return self._high(*self.low.both(x))

    def forward(self, x: Tensor, pooled: Tensor | None = None) -> Tensor:
        """Camera RGB (N, 3, H, W) to a picture (N, 3, H, W), not clipped."""
        picture, features = self.low.both(x)
        if pooled is None:
            pooled = over_picture(self._high(picture, features))
        w = self.matrix(pooled).view(-1, 3, 10)
        with single(x):
            return torch.einsum("nck,nkhw->nchw", w.to(picture.dtype), monomials(picture))

    def _high(self, picture: Tensor, features: Tensor) -> Tensor:
        x = features if self.shared else picture
        for convolution in self.high:
            x = maxima(F.relu(convolution(x)), 2, ceil=True)
        return x


def monomials(picture: Tensor) -> Tensor:
    """(N, 3, H, W) to (N, 10, H, W): r, g, b, their six products, 1."""
    r, g, b = picture.unbind(1)
    one = torch.ones_like(r)
    return torch.stack([r, g, b, r * r, r * g, r * b, g * g, g * b, b * b, one], 1)


def mean_affine(pairs: Examples) -> NDArray[np.float64]:
    """The mean over pictures of the least-squares affine map (3 x 4) of each onto its truth.

    Pairs of (3, H, W). The paper, section IV.C.
    """
    maps = []
    for ours, truth in pairs:
        x = ours.reshape(3, -1).astype(np.float64)
        design = np.concatenate([x, np.ones((1, x.shape[1]))]).T
        solution = np.linalg.lstsq(design, truth.reshape(3, -1).T.astype(np.float64), rcond=None)
        maps.append(solution[0].T)
    mean: NDArray[np.float64] = np.mean(maps, axis=0)
    return mean
