"""One stage as a module: a batch of integers in, the losses out; so that DDP sees one forward."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isptools.train import data
from isptools.train.camera import Camera, least, shown
from isptools.train.intake import Batch
from isptools.train.objectives import Difference, Pair
from isptools.train.settings import Settings, Stage


class Task(nn.Module):
    """A stage's losses; only the parts it trains keep gradients."""

    def __init__(self, camera: Camera, settings: Settings, stage: Stage) -> None:
        super().__init__()
        self.camera, self.settings, self.kind = camera, settings, stage.train
        self.first, self.last = span(camera, stage)
        for at, net in enumerate(camera.nets):
            net.requires_grad_(self.first <= at <= self.last)
        self.difference = Difference(settings.objective)
        self.turns = self.difference.turns([p for p in self.parameters() if p.requires_grad])

    def truths(self) -> tuple[str, ...]:
        return needs(self.camera, self.kind)

    def forward(self, batch: Batch, turn: int = 0) -> Tensor:
        """The loss of one of the objective's turns."""
        pictures = self.pictures(batch)
        with torch.autocast(batch["raw"].device.type, enabled=False):
            pairs = {name: self._pair(name, x.float(), batch) for name, x in pictures.items()}
            return self.turns[turn].loss(pairs)

    def strip(self, batch: Batch) -> NDArray[np.float32]:
        """The stage's pictures and their truths side by side, as on a screen, of the first item."""
        strip: list[Tensor] = []
        for name, picture in self.pictures(batch).items():
            both = [picture, data.truth(batch, _kind(name))]
            strip += [shown(x, "paper") for x in both] if name == "restoration" else both
        pictures: NDArray[np.float32] = torch.cat(strip, 3)[0].float().cpu().numpy()
        return pictures

    def pictures(self, batch: Batch) -> dict[str, Tensor]:
        """What the stage's networks make of a batch, by the names the losses know."""
        camera, code = self.camera, self.settings.objective.joint == "code"
        if self.kind == "enhance":
            restored = data.truth(batch, "restoration")
            return {"enhancement": camera.run(restored, self.first, self.last)}
        x = camera.intake.prepared(batch)
        if self.settings.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        if self.kind == "restore":
            return {"restoration": camera.run(x, 0, self.last)}
        out = camera(x)
        if self.kind in {"whole", "fit"}:
            return {name: picture for name, picture in out.items() if name in self.truths()}
        if code:
            restored = data.truth(batch, "restoration")
            out["from truth"] = camera.run(restored, camera.restored + 1, camera.enhanced)
            del out["restoration"]
        return dict(out)

    def _pair(self, name: str, picture: Tensor, batch: Batch) -> Pair:
        """A picture beside its truth; every loss is a mean: where both are 0 nothing pulls."""
        kind = _kind(name)
        truth = data.truth(batch, kind)
        trusted = data.trusted(batch) if self.settings.masks else None
        if trusted is None:
            return Pair(kind, picture, truth, 1.0)
        picture, truth = (torch.where(trusted, x, torch.zeros_like(x)) for x in (picture, truth))
        return Pair(kind, picture, truth, trusted.float().mean().clamp(min=1e-3))


def _kind(name: str) -> str:
    return "restoration" if name == "restoration" else "enhancement"


def span(camera: Camera, stage: Stage) -> tuple[int, int]:
    """First and last part a stage trains. ValueError if the network has no such part."""
    last = len(camera.nets) - 1
    two = 0 <= camera.restored < camera.enhanced
    if stage.train == "fit" and (last or camera.parts[0].fit is None):
        raise ValueError("this network has no closed form to 'fit'; use 'whole'")
    if stage.train in {"whole", "fit"}:
        return 0, last
    if not two and not (stage.train == "restore" and camera.restored == last):
        raise ValueError(f"this network has no stages to train as {stage.train!r}; use 'whole'")
    if stage.train == "restore":
        return 0, camera.restored
    return (camera.restored + 1, last) if stage.train == "enhance" else (0, last)


def needs(camera: Camera, kind: str) -> tuple[str, ...]:
    """The truths a stage takes from the shards."""
    if kind == "restore":
        return ("restoration",)
    if kind in {"whole", "fit"}:
        return ("enhancement",) if camera.enhanced >= 0 else ("restoration",)
    return ("restoration", "enhancement")


def expect_patch(camera: Camera, patch: int) -> None:
    """ValueError in one line for cuts that the network can't take."""
    every = camera.intake.period
    if patch % every or patch < least(camera):
        raise ValueError(
            f"a patch of {patch} pixels does not suit this network: take a multiple of {every} "
            f"from {-(-least(camera) // every) * every} on"
        )
