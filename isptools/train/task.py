"""One stage as a module: a batch of integers in, the losses out; so that DDP sees one forward."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isptools.train import compression, data
from isptools.train.adversarial import Enhancement
from isptools.train.aligned import nearest
from isptools.train.camera import Camera, least, shown
from isptools.train.checkpoint import TrainError
from isptools.train.compression import COMPRESSED, SIMULATOR, Compression
from isptools.train.intake import Batch
from isptools.train.objectives import Compressed, Difference, Enhanced, Pair, Turn
from isptools.train.settings import Settings, Stage
from isptools.train.single import single


class Task(nn.Module):
    """A stage's losses; only the parts it trains keep gradients.

    What is trained beside the network, as a discriminator, begins the same in every call.
    """

    def __init__(self, camera: Camera, settings: Settings, stage: Stage) -> None:
        super().__init__()
        self.camera, self.settings, self.kind = camera, settings, stage.train
        self.batch = stage.batch or settings.batch
        self.first, self.last = span(camera, stage)
        for at, net in enumerate(camera.nets):
            net.requires_grad_(self.first <= at <= self.last)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.difference = _difference(settings, stage.train)
        self.turns = self.difference.turns([p for p in camera.parameters() if p.requires_grad])

    def truths(self) -> tuple[str, ...]:
        """The truths that the stage needs, by name."""
        return needs(self.camera, self.kind)

    def forward(self, batch: Batch, turn: int = 0) -> Tensor:
        """The loss, a number, of one of the objective's turns."""
        now = self.turns[turn]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not now.still):
            pictures = self.pictures(batch)
        with torch.autocast(batch["raw"].device.type, enabled=False):
            if "confidence" not in batch:
                return self._loss(now, pictures, batch)
            losses = [
                self._loss(now, *_item(at, pictures, batch)) for at in range(len(batch["raw"]))
            ]
            return (torch.stack(losses) * batch["confidence"]).mean()

    def completed(self, batch: Batch) -> Batch:
        """With what a step needs and only a processor can make: a simulator's real JPEGs."""
        if self.kind != SIMULATOR:
            return batch
        truth, chosen = data.truth(batch, "enhancement"), self.settings.objective
        assert isinstance(chosen, Compressed)  # settings with this stage have it
        return batch | {COMPRESSED: compression.real(truth, chosen)}

    def noted(self) -> dict[str, float]:
        """What else is to be logged since this was last asked."""
        return self.difference.noted() if isinstance(self.difference, Enhancement) else {}

    def _loss(self, turn: Turn, pictures: dict[str, Tensor], batch: Batch) -> Tensor:
        return turn.loss({name: self._pair(name, x.float(), batch) for name, x in pictures.items()})

    def judged(self, batch: Batch) -> dict[str, Tensor]:
        """Each picture's own part of the loss, and its PSNR in dB, both clipped to [0, 1]."""
        out = {}
        for name, picture in self.pictures(batch).items():
            pair = self._pair(name, picture.float(), batch)
            if isinstance(self.difference, Difference):
                out[f"validation_{name}"] = self.difference.part(pair)
            error = (pair.picture.clamp(0, 1) - pair.truth.clamp(0, 1)).square().mean()
            out[f"psnr_{name}"] = -10 * torch.log10((error / pair.trusted).clamp(min=1e-10))
        return out

    def strip(self, batch: Batch) -> NDArray[np.float32]:
        """The stage's pictures and truths side by side, as on a screen, of the first item: (3, H, n
        W)."""
        strip: list[Tensor] = []
        for name, picture in self.pictures(batch).items():
            both = [picture, _truth(name, batch)]
            strip += [shown(x, "paper") for x in both] if name == "restoration" else both
        pictures: NDArray[np.float32] = torch.cat(strip, 3)[0].float().cpu().numpy()
        return pictures

    def pictures(self, batch: Batch) -> dict[str, Tensor]:
        """What the stage's networks make of a batch, (N, 3, H, W), by the names the losses know."""
        camera, code = self.camera, getattr(self.settings.objective, "joint", "") == "code"
        if self.kind == SIMULATOR:
            given = data.truth(batch, "enhancement")
            with single(given):  # what a codec changes is smaller than halves of a picture show
                return {COMPRESSED: self.difference.learned(given)}
        if self.kind == "enhance":
            restored = data.truth(batch, "restoration")
            return {"enhancement": camera.run(restored, self.first, self.last)}
        x = camera.intake.prepared(batch)
        if self.settings.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        if self.kind == "restore":
            return {"restoration": camera.run(x, 0, self.last)}
        out = camera(x)
        if self.kind in {"whole", "fit", COMPRESSED}:
            return {name: picture for name, picture in out.items() if name in self.truths()}
        if code:
            restored = data.truth(batch, "restoration")
            out["from truth"] = camera.run(restored, camera.restored + 1, camera.enhanced)
            del out["restoration"]
        return dict(out)

    def _pair(self, name: str, picture: Tensor, batch: Batch) -> Pair:
        """A picture beside its truth; every loss is a mean: where both are 0 nothing pulls."""
        kind, chosen = _kind(name), self.settings
        truth = _truth(name, batch)
        trusted = data.trusted(batch) if chosen.masks else None
        if chosen.aligned:
            truth, trusted = nearest(picture, truth, chosen.aligned, trusted)
        if trusted is None:
            return Pair(kind, picture, truth, 1.0)
        picture, truth = (torch.where(trusted, x, torch.zeros_like(x)) for x in (picture, truth))
        counts = trusted.float()
        if chosen.confidence.fused and "mask" in batch:
            counts = counts * (batch["mask"][:, None].float() / 255)
            picture = truth + counts * (picture - truth)
        return Pair(kind, picture, truth, counts.mean().clamp(min=1e-3))


def _difference(settings: Settings, stage: str) -> Any:
    """The objective at work in a stage."""
    match settings.objective:
        case Compressed() as chosen:
            return Compression(chosen, stage)
        case Enhanced() as enhanced:
            return Enhancement(enhanced, settings.patch)
        case difference:
            return Difference(difference)


def _item(at: int, pictures: dict[str, Tensor], batch: Batch) -> tuple[dict[str, Tensor], Batch]:
    """One of a batch, as a batch."""
    one = slice(at, at + 1)
    return {k: x[one] for k, x in pictures.items()}, {k: x[one] for k, x in batch.items()}


def _truth(name: str, batch: Batch) -> Tensor:
    """What a picture of this name should be."""
    if name == COMPRESSED:
        return batch[COMPRESSED].float() / 255
    return data.truth(batch, _kind(name))


def _kind(name: str) -> str:
    return "restoration" if name == "restoration" else "enhancement"


def span(camera: Camera, stage: Stage) -> tuple[int, int]:
    """First and last part a stage trains. ValueError if the network has no such part."""
    last = len(camera.nets) - 1
    if stage.train == SIMULATOR:
        return 0, -1
    if stage.train == COMPRESSED:
        return 0, last
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


def taken(camera: Camera, stage: Stage, state: dict[str, Any]) -> None:
    """The parts a stage trained, from its checkpoint: they may come from two processes."""
    first, last = span(camera, stage)
    own = tuple(f"nets.{at}." for at in range(first, last + 1))
    camera.load_state_dict(
        camera.state_dict() | {k: v for k, v in state["model"].items() if k.startswith(own)}
    )


def needs(camera: Camera, kind: str) -> tuple[str, ...]:
    """The truths a stage takes from the shards."""
    if kind == "restore":
        return ("restoration",)
    if kind in {"whole", "fit"}:
        return ("enhancement",) if camera.enhanced >= 0 else ("restoration",)
    if kind in {SIMULATOR, COMPRESSED}:
        return ("enhancement",)
    return ("restoration", "enhancement")


def expect_patch(camera: Camera, patch: int) -> None:
    """TrainError in one line for cuts that the network can't take."""
    every = camera.intake.period
    if patch % every or patch < least(camera):
        raise TrainError(
            f"a patch of {patch} pixels does not suit this network: take a multiple of {every} "
            f"from {-(-least(camera) // every) * every} on"
        )
