"""A U-Net that begins as a rendering: camera RGB by a matrix and a curve, fitted to photographs.

From chance a network spends its first thousands of steps on what a matrix and a curve do to every
pixel alike. Here the maps of its first level bend at a spread of brightness, go past the levels
below, and the last convolution is solved for by least squares on the training pictures. Nothing but
values of weights is set: layers and counts stay, and all weights learn.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import start
from isptools.train.camera import F32, Examples

F64 = NDArray[np.float64]
Pairs = list[tuple[F32, F32]]
GAMMA = 2.2  # by which a picture becomes nearly linear, for a first guess of the matrix
PIXELS = 2000  # of each picture that are looked at
RIDGE = 1e-6  # of the mean square of a feature: keeps maps that are alike from cancelling
SIDE = 3  # of the last convolution


def begin(module: Any, examples: Examples) -> None:
    """Set a UNet's first and last block and its head from pairs of an input and its truth."""
    pairs = list(examples)
    matrix, begins = guess(pairs, module.down[0][0].out_channels // 4)
    bend(module, matrix, begins)
    solve(module, pairs)


def guess(pairs: Pairs, count: int) -> tuple[F64, F64]:
    """The matrix (3 x 4, the last an offset) onto linear colors, and where maps are to bend.

    `begins` (3, count): evenly spaced in the picture's own values, from its 1st percentile up.
    """
    some = [_some(x, y) for x, y in pairs]
    x, y = (np.concatenate([pair[at] for pair in some]) for at in (0, 1))
    design = np.concatenate([x, np.ones((len(x), 1))], 1)
    matrix: F64 = np.linalg.lstsq(design, np.clip(y, 0, 1) ** GAMMA, rcond=None)[0].T
    linear = np.clip(design @ matrix.T, 0, 1) ** (1 / GAMMA)
    ends = np.quantile(linear, (0.01, 0.99), axis=0)
    shares = np.arange(count) / max(count, 1)
    begins: F64 = ((ends[:1] + shares[:, None] * np.diff(ends, axis=0)) ** GAMMA).T
    return matrix, begins


def bend(module: Any, matrix: F64, begins: F64) -> None:
    """The first maps: a color of `matrix` less where it begins; carried up past all levels."""
    count = begins.size
    maps = range(count)
    first, last = module.down[0], module.up[-1]
    start.carry(first[0], [0] * count, maps)
    middle = SIDE // 2
    with torch.no_grad():
        for unit in maps:
            color, at = divmod(unit, begins.shape[1])
            first[0].weight[unit, :, middle, middle] = torch.from_numpy(matrix[color, :3])
            first[0].bias[unit] = float(matrix[color, 3] - begins[color, at])
    below = last[0].in_channels - first[0].out_channels
    for convolution in _convolutions(first)[1:] + _convolutions(last)[1:]:
        start.carry(convolution, maps, maps)
    start.carry(last[0], [below + unit for unit in maps], maps)
    with torch.no_grad():
        for gains in module.attend[-1:]:
            gains[-2].weight.mul_(0.01)  # at first much the same for every picture


def solve(module: Any, pairs: Pairs) -> None:
    """The head's weights: least squares from the maps before it to the truths."""
    size = module.head.in_channels * SIDE**2 + 1
    products, sums = np.zeros((size, size)), np.zeros((size, 3))
    with torch.no_grad():
        for x, y in _before_head(module, pairs):
            products += x.T @ x
            sums += x.T @ y
        ridge = RIDGE * np.trace(products) / size
        solution = np.linalg.solve(products + ridge * np.eye(size), sums).T
        module.head.weight.copy_(torch.from_numpy(solution[:, :-1]).view_as(module.head.weight))
        module.head.bias.copy_(torch.from_numpy(solution[:, -1]))


def _before_head(module: Any, pairs: Pairs) -> Iterator[tuple[F64, F64]]:
    """Of some pixels: what the head sees and a 1, (n, 9 C + 1); the truth, (n, 3)."""
    seen: list[Tensor] = []
    hook = module.head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        for x, y in pairs:
            module(torch.from_numpy(x)[None])
            windows = F.unfold(seen.pop(), SIDE)[0].numpy()  # the outermost pixels stay out
            taken, truth = _some(windows, np.ascontiguousarray(y[:, 1:-1, 1:-1]))
            yield np.concatenate([taken, np.ones((len(taken), 1))], 1), truth
    finally:
        hook.remove()


def _some(x: F32, y: F32) -> tuple[F64, F64]:
    """At most PIXELS of (C, ...) and (3, ...), evenly spread: (n, C) and (n, 3)."""
    ours, theirs = (one.reshape(len(one), -1).astype(np.float64).T for one in (x, y))
    every = max(len(ours) // PIXELS, 1)
    return ours[::every], theirs[::every]


def _convolutions(block: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
