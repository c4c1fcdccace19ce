"""How weights begin: as the frameworks of the papers begin them, which is not as torch does."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def glorot(network: nn.Module) -> None:
    """Uniform of variance 2 / (fan in + fan out), biases 0 (Glorot and Bengio 2010, eq. 16).

    So TensorFlow 1's slim and Lasagne begin convolutions and fully connected layers if nothing is
    said. Transposed convolutions are left as they are: authors state theirs.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            _no_bias(module)


def gaussian(network: nn.Module, deviation: float) -> None:
    """Normal of this deviation, biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=deviation)
            _no_bias(module)


def bent(network: nn.Module, slope: float, spread: float) -> None:
    """Normal of variance 2 / ((1 + slope^2) fan in) (He et al. 2015), biases within +-`spread`.

    Features keep their size behind leaky ReLUs of this slope, and bend where biases lie: at many
    places of their range, not all at 0.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=slope)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -spread, spread)


def nothing(convolution: nn.Conv2d) -> None:
    """It gives 0 for all that comes: what is added to a picture begins as the picture."""
    nn.init.zeros_(convolution.weight)
    _no_bias(convolution)


def differences(convolution: nn.Conv2d, gain: float, planes: int) -> None:
    """Of its first input planes it sees how pixels differ, `gain` times larger, not how bright.

    For what learns changes of a hundredth of the brightness: a feature that brightness decides lies
    on one side of a ReLU whatever a small change does, and can't learn a threshold for it.
    """
    with torch.no_grad():
        weights = convolution.weight[:, :planes]
        weights -= weights.mean((2, 3), keepdim=True)
        weights *= gain


def carry(convolution: nn.Conv2d, source: Sequence[int], target: Sequence[int]) -> None:
    """Maps `target` show maps `source` of what comes in and nothing else; other maps stay."""
    height, width = convolution.kernel_size
    with torch.no_grad():
        for out, taken in zip(target, source, strict=True):
            convolution.weight[out] = 0
            convolution.weight[out, taken, height // 2, width // 2] = 1
            if convolution.bias is not None:
                convolution.bias[out] = 0


def offset(convolution: nn.Conv2d, values: Tensor) -> None:
    """Biases of the first maps, as many as values."""
    with torch.no_grad():
        if convolution.bias is not None:
            convolution.bias[: len(values)] = values.to(convolution.bias)


def identity(convolution: nn.Conv2d) -> None:
    """What comes in goes out, channel by channel; further channels are 0 (Yu and Koltun 2016)."""
    height, width = convolution.kernel_size
    with torch.no_grad():
        convolution.weight.zero_()
        for channel in range(min(convolution.in_channels, convolution.out_channels)):
            convolution.weight[channel, channel, height // 2, width // 2] = 1
    _no_bias(convolution)


def _no_bias(module: nn.Conv2d | nn.Linear) -> None:
    if module.bias is not None:
        nn.init.zeros_(module.bias)
