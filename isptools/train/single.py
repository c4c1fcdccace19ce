"""Single precision where an autocast would take halves: eight bits are too few for a picture."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def single(x: Tensor) -> AbstractContextManager[None]:
    """Inside, nothing that x's device computes is cast to halves."""
    kind = x.device.type
    if kind != "meta" and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()
