"""One stage as a module: a batch of integers in, the losses out; so that DDP sees one forward."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools.train import data, losses
from isptools.train.models import Camera, shown
from isptools.train.settings import Settings, Stage

Batch = dict[str, Tensor]


class Task(nn.Module):
    """A stage's losses; only the networks it trains keep gradients."""

    def __init__(self, camera: Camera, settings: Settings, stage: Stage) -> None:
        super().__init__()
        self.camera, self.settings, self.kind = camera, settings, stage.train
        self.first, self.last = span(camera, stage)
        for at, net in enumerate(camera.nets):
            net.requires_grad_(self.first <= at <= self.last)
        self.perceptual = losses.Perceptual(Path(settings.vgg)) if settings.perceptual else None

    def truths(self) -> tuple[str, ...]:
        return needs(self.camera, self.kind)

    def forward(self, batch: Batch) -> Tensor:
        pictures = self._pictures(batch)
        with torch.autocast(batch["raw"].device.type, enabled=False):
            return self._loss({name: x.float() for name, x in pictures.items()}, batch)

    def look(self, batch: Batch) -> NDArray[np.float32]:
        """The stage's pictures and their truths side by side, as on a screen, of the first item."""
        strip: list[Tensor] = []
        for name, picture in self._pictures(batch).items():
            kind = "restoration" if name == "restoration" else "enhancement"
            both = [picture, data.truth(batch, kind)]
            strip += [shown(one, "paper") for one in both] if kind == "restoration" else both
        pictures: NDArray[np.float32] = torch.cat(strip, 3)[0].float().cpu().numpy()
        return pictures

    def _pictures(self, batch: Batch) -> dict[str, Tensor]:
        camera = self.camera
        if self.kind == "enhance":
            restored = data.truth(batch, "restoration")
            return {"enhancement": camera.run(restored, self.first, self.last)}
        x = data.prepared(batch, camera.prepare, camera.noise)
        if self.settings.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        if self.kind == "restore":
            return {"restoration": camera.run(x, 0, self.last)}
        out = camera(x)
        if self.kind == "joint" and self.settings.joint == "code":
            restored = data.truth(batch, "restoration")
            out["from truth"] = camera.run(restored, camera.restored + 1, camera.enhanced)
        return {name: picture for name, picture in out.items() if self._counts(name)}

    def _counts(self, name: str) -> bool:
        if self.kind == "whole":
            return name in self.truths()
        return not (self.settings.joint == "code" and name == "restoration")

    def _loss(self, pictures: dict[str, Tensor], batch: Batch) -> Tensor:
        parts = {}
        trusted = data.trusted(batch) if self.settings.masks else None
        for name, picture in pictures.items():
            kind = "restoration" if name == "restoration" else "enhancement"
            truth = data.truth(batch, kind)
            if trusted is None:
                parts[name] = self._part(kind, picture, truth)
            else:  # every loss is a mean: where both are 0, nothing is added and nothing pulls
                both = (torch.where(trusted, x, torch.zeros_like(x)) for x in (picture, truth))
                part = self._part(kind, *both)
                parts[name] = part / trusted.float().mean().clamp(min=1e-3)
        if self.kind == "joint" and self.settings.joint == "paper":
            return losses.joint(parts, self.settings.share)
        return torch.stack(list(parts.values())).sum()

    def _part(self, name: str, picture: Tensor, truth: Tensor) -> Tensor:
        s = self.settings
        if s.loss == "l2":
            return F.mse_loss(picture, truth)
        if name == "restoration":
            return losses.restoration(picture, truth, s.eps, s.logs)
        lab = s.loss == "lab"
        loss = losses.deepisp(picture, truth, s.alpha) if lab else F.l1_loss(picture, truth)
        if self.perceptual is not None:
            loss = loss + s.perceptual * self.perceptual(picture, truth)
        if s.color:
            loss = loss + s.color * losses.color(picture, truth)
        return loss + s.variation * losses.variation(picture) if s.variation else loss


def span(camera: Camera, stage: Stage) -> tuple[int, int]:
    """First and last network a stage trains. ValueError if the network has no such part."""
    last = len(camera.nets) - 1
    two = 0 <= camera.restored < camera.enhanced
    if stage.train == "whole":
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
    if kind == "whole":
        return ("enhancement",) if camera.enhanced >= 0 else ("restoration",)
    return ("restoration", "enhancement")
