"""Truths that may lie a little off: moved to where they are nearest before they are compared."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name


def nearest(
    picture: Tensor, truth: Tensor, reach: int, trusted: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Each truth moved by up to `reach` whole pixels to its least mean absolute difference.

    Pictures are (N, C, H, W), `trusted` (N, 1, H, W) says which pixels of the truths count. Gives
    the moved truths, and which of their pixels count: none within `reach` of the edges, where a
    moved truth has nothing to compare. ValueError where nothing is left between them.
    """
    height, width = picture.shape[-2:]
    if min(height, width) <= 2 * reach:
        raise ValueError(f"a cut of {height} x {width} can't be moved by {reach} pixels")
    counts = torch.ones_like(truth[:, :1]) if trusted is None else trusted.to(truth.dtype)
    inner = _window(picture.detach(), reach, 0, 0)
    least = picture.new_full((len(picture), 1, 1, 1), torch.inf)
    moved, valid = torch.zeros_like(inner), torch.zeros_like(inner[:, :1])
    for down, right in _shifts(reach):
        there, weight = (_window(x, reach, down, right) for x in (truth, counts))
        total = weight.sum((1, 2, 3), keepdim=True).clamp(min=1)
        cost = ((inner - there).abs().mean(1, keepdim=True) * weight).sum((1, 2, 3), True) / total
        better = cost < least
        least = torch.where(better, cost, least)
        moved, valid = torch.where(better, there, moved), torch.where(better, weight, valid)
    return F.pad(moved, (reach,) * 4), F.pad(valid, (reach,) * 4) > 0


def _shifts(reach: int) -> list[tuple[int, int]]:
    """The nearest first, so that of equal ones the smallest is taken."""
    steps = range(-reach, reach + 1)
    return sorted(((y, x) for y in steps for x in steps), key=lambda one: one[0] ** 2 + one[1] ** 2)


def _window(x: Tensor, reach: int, down: int, right: int) -> Tensor:
    height, width = x.shape[-2:]
    top, left = reach + down, reach + right
    return x[..., top : top + height - 2 * reach, left : left + width - 2 * reach]
