"""What fits into a GPU."""

from typing import Any

import torch
from torch import Tensor


def fitting_patch(model: Any, batch: dict[str, Tensor], patch: int, least: int = 64) -> int:
    """The largest patch, halving from `patch`, for which a step fits; 0 if none from `least` does.

    Sides are multiples of 48, so that they suit every CFA and most depths of a network.
    """
    while (patch := patch // 2 // 48 * 48) >= max(least, 48):
        small = {name: x[..., :patch, :patch] if x.ndim > 2 and x.shape[-1] > 6 else x
                 for name, x in batch.items()}  # fmt: skip
        try:
            model(small).backward()
        except torch.cuda.OutOfMemoryError:
            continue
        finally:
            model.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()
        return patch
    return 0
