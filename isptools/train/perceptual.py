"""How different two pictures look to a network that knows photographs."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

# of ImageNet, as torchvision's networks take pictures
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


SOURCE = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"


class Perceptual(nn.Module):
    """L1 between features of VGG-19 at relu2_2 and relu5_4 (CameraNet v2, footnote 3).

    `taken` are other layers, by torchvision's numbers.
    `weights` is the user's file, torchvision's `vgg19` state dict; none comes with the package.
    ValueError in one line if it is missing or is none.
    """

    PLAN = (
        64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512,
    )  # fmt: skip
    mean: Tensor
    deviation: Tensor
    TAKEN = (8, 35)  # torchvision's numbers of relu2_2 and relu5_4

    def __init__(self, weights: Path, taken: tuple[int, ...] = TAKEN) -> None:
        super().__init__()
        self.taken = taken
        layers: list[nn.Module] = []
        last = 3
        for width in self.PLAN:
            if width:
                layers += [nn.Conv2d(last, width, 3, padding=1), nn.ReLU()]
                last = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.layers = nn.Sequential(*layers).requires_grad_(False)
        # not sent at every call: a GPU's graph can't hold that
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)
        self._load(weights)

    def forward(self, picture: Tensor, truth: Tensor) -> Tensor:
        """L1 between features of pictures (N, 3, H, W) in [0, 1], a number."""
        losses = [F.l1_loss(a, b) for a, b in zip(*map(self.seen, (picture, truth)), strict=True)]
        return torch.stack(losses).sum()

    def seen(self, picture: Tensor) -> list[Tensor]:
        """The features of (N, 3, H, W) sRGB, layer by layer."""
        x, seen = (picture - self.mean) / self.deviation, []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in self.taken:
                seen.append(x)
            if i == self.taken[-1]:
                break
        return seen

    def _load(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            prefix = "features."
            self.layers.load_state_dict(
                {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
            )
        except FileNotFoundError:
            raise ValueError(
                f"{path}: the perceptual loss needs VGG-19 weights, which do not come with this "
                f"package: give the file of torchvision's vgg19 ({SOURCE}), or set its weight to 0"
            ) from None
        except Exception as error:  # torch raises many types for a foreign file
            text = " ".join(str(error).split())[:120]
            raise ValueError(f"{path}: no VGG-19 weights of torchvision ({text})") from None
