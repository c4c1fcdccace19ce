"""L3, "local, linear, learned" (Tian et al. 2014; Jiang et al. 2017): filters by class, no layers.

Each pixel of the mosaic has a class: its place in the color filter array, how bright the window
around it is (`levels` steps of equal size behind a gamma of 2.2), and whether it is flat or has
texture. Its sRGB color is a linear function of the window's values and 1, another one for each
class. The filters solve a least-squares problem in closed form: the stage `fit`. Public texts leave
the rest to who implements it. Ours: the constant term, texture where the deviation of the window's
pixels of the center's own color is more than a tenth of its mean, and classes of few pixels drawn
to the filter of all pixels of their place in the array (ridge regression).
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train.camera import Camera, Net
from isptools.train.edges import reflected
from isptools.train.intake import MOSAIC

TEXTURE = 0.1  # of the mean, the deviation from which on a window has texture
PLACES = 4  # of a Bayer cell


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How finely pixels are told apart."""

    levels: Annotated[int, msgspec.Meta(gt=0)] = 20
    side: Literal[3, 5, 7, 9] = 5  # of the window
    ridge: Annotated[float, msgspec.Meta(ge=0)] = 0.01  # pull toward the place's own filter


def network(options: Options) -> Camera:
    """The mosaic, one channel, to sRGB, not clipped."""
    module = Filters(options)
    half = options.side // 2
    reach = max(half, 2)
    net = Net(module=module, stride=2, reach=reach, least=reach + 1, fit=module.fit)
    return Camera([net], MOSAIC, enhanced=0)


class Filters(nn.Module):
    """(N, 1, H, W) to (N, 3, H, W): `weight` is (classes, side^2 + 1, 3)."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.levels, self.side, self.ridge = options.levels, options.side, options.ridge
        shape = PLACES * options.levels * 2, options.side**2 + 1, 3
        self.weight = nn.Parameter(torch.randn(shape) / shape[1])

    def forward(self, x: Tensor) -> Tensor:
        """Mosaics (N, 1, H, W) to pictures (N, 3, H, W), each pixel by the filter of its class."""
        windows = self.windows(x)
        classes = self.classes(x)
        out = torch.zeros(x.shape[0], *x.shape[2:], 3, dtype=x.dtype, device=x.device)
        for at in range(windows.shape[1]):  # a tap at a time: all filters of all pixels are large
            out = out + windows[:, at, :, :, None] * self.weight[:, at][classes]
        return out.permute(0, 3, 1, 2)

    def windows(self, x: Tensor) -> Tensor:
        """(N, side^2 + 1, H, W): what stands around each pixel, row by row, then 1."""
        height, width = x.shape[2:]
        padded = reflected(x, self.side // 2)
        shifts = [
            padded[:, 0, row : row + height, column : column + width]
            for row in range(self.side)
            for column in range(self.side)
        ]
        return torch.stack([*shifts, torch.ones_like(shifts[0])], 1)

    def classes(self, x: Tensor) -> Tensor:
        """(N, H, W) int64."""
        height, width = x.shape[2:]
        mean = F.avg_pool2d(reflected(x, self.side // 2), self.side, 1)[:, 0]
        level = (mean.clamp(0, 1) ** (1 / 2.2) * self.levels).long().clamp(max=self.levels - 1)
        own = reflected(x, 2)
        near = torch.stack([
            own[:, 0, row : row + height, column : column + width]
            for row in (0, 2, 4) for column in (0, 2, 4)
        ])  # fmt: skip
        textured = near.var(0, correction=0) > (TEXTURE * mean) ** 2
        rows = torch.arange(height, device=x.device)[:, None] % 2
        columns = torch.arange(width, device=x.device) % 2
        return (2 * rows + columns) * (2 * self.levels) + 2 * level + textured.long()

    @torch.no_grad()
    def fit(self, examples: Iterable[tuple[Tensor, Tensor, Tensor | None]]) -> None:
        """Least squares over all pixels of (input, truth, trusted) that come, each class alone."""
        count, taps, colors = self.weight.shape
        squares = torch.zeros(count, taps, taps, dtype=torch.float64)
        products = torch.zeros(count, taps, colors, dtype=torch.float64)
        for one, windows, wanted in self._by_class(examples):
            squares[one] += windows.T @ windows
            products[one] += windows.T @ wanted
        each = count // PLACES
        for place in range(PLACES):
            own = slice(place * each, (place + 1) * each)
            shared = _solved(squares[own].sum(0), products[own].sum(0), self.ridge)
            for one in range(place * each, (place + 1) * each):
                left = products[one] - squares[one] @ shared
                self.weight[one] = (shared + _solved(squares[one], left, self.ridge)).float()

    def _by_class(
        self, examples: Iterable[tuple[Tensor, Tensor, Tensor | None]]
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Class, (n, taps) and (n, 3) float64 of the pixels that are to be trusted."""
        for x, truth, trusted in examples:
            classes = self.classes(x).flatten()
            windows = self.windows(x).permute(0, 2, 3, 1).flatten(0, 2)
            wanted = truth.permute(0, 2, 3, 1).flatten(0, 2)
            if trusted is not None:
                kept = trusted.flatten()
                classes, windows, wanted = classes[kept], windows[kept], wanted[kept]
            order = classes.argsort()
            found, counts = torch.unique_consecutive(classes[order], return_counts=True)
            for one, rows in zip(found.tolist(), torch.split(order, counts.tolist()), strict=True):
                yield one, windows[rows].double(), wanted[rows].double()


def _solved(squares: Tensor, products: Tensor, ridge: float) -> Tensor:
    """W of (A + ridge 1) W = B; 0 where nothing is known."""
    damped = squares + (ridge or 1e-9) * torch.eye(len(squares), dtype=squares.dtype)
    solved: Tensor = torch.linalg.solve(damped, products)
    return solved
