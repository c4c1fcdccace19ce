"""Where a convolution and what follows it run as one kernel: on a GPU, in halves, at inference."""

from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name


def suits(layer: Any, x: Tensor) -> bool:
    """Whether there is such a kernel for this Conv2d and input, and nobody wants a gradient."""
    return _here(x) and bool(layer.stride == (1, 1) and layer.out_channels % 8 == 0)


def _here(x: Tensor) -> bool:
    return bool(
        x.is_cuda
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and torch.is_autocast_enabled("cuda")
        and find_spec("triton") is not None
    )


def halved(x: Tensor) -> Tensor | None:
    """Maxima of 3x3 windows at every second pixel of (N, C, H, W); None where there is no such
    kernel."""
    if not _here(x):
        return None
    from isptools.train.convolve import pooled  # noqa: PLC0415 - Triton only where a GPU is

    return pooled(_laid(x, x.dtype))


def activated(
    layer: Any, x: Tensor, slope: float, beside: Tensor | None, added: Tensor | None
) -> Tensor:
    """LeakyReLU of the convolution of x with what lies beside it, plus what is added."""
    return _convolved(layer, x, slope, beside, added, None)[0]


def corrected(layer: Any, x: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
    """DeepISP's block: ReLU of features beside the picture plus tanh of its change; the picture."""
    return _convolved(layer, x, 0.0, None, None, picture)


def _convolved(
    layer: Any, x: Tensor, slope: float, beside: Tensor | None, added: Tensor | None,
    picture: Tensor | None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    from isptools.train.convolve import convolved  # noqa: PLC0415 - Triton only where a GPU is

    half = torch.get_autocast_dtype("cuda")
    missing = -x.shape[1] % 8 if beside is None else 0
    laid = _laid(F.pad(x, (0, 0, 0, 0, 0, missing)) if missing else x, half)
    weight = _laid(F.pad(layer.weight, (0, 0, 0, 0, 0, missing)), half)
    assert layer.bias is not None
    return convolved(
        laid, weight, layer.bias, int(layer.dilation[0]), slope,
        None if beside is None else _laid(beside, half),
        None if added is None else _laid(added, half),
        None if picture is None else picture.float().contiguous(memory_format=torch.channels_last),
    )  # fmt: skip


def _laid(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype).contiguous(memory_format=torch.channels_last)
