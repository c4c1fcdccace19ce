"""What is measured: tasks, batches and frames made from code, as large as asked for."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from isptools.train import networks
from isptools.train.infer import Mosaic
from isptools.train.settings import Settings

TINY = {  # the networks of a processor's form
    "cameranet": {"widths": [4, 6]}, "deepisp": {"layers": 2}, "srcnn": {},
    "srgan-can": {}, "cameranet-v1": {"widths": [4, 6]}, "cameranet-one-stage": {"widths": [4, 6]},
    "cameranet-three-stage": {"widths": [4, 6]}, "cameranet-xtrans": {"widths": [4, 6]},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """How much: of a card, or the tiny form of a processor."""

    device: torch.device
    tiny: bool
    patch: int
    frame: tuple[int, int]
    seconds: float  # that a rate is measured for

    @classmethod
    def of(cls, device: str, tiny: bool) -> "Size":
        where = torch.device(device)
        return (
            cls(where, tiny, 64, (96, 128), 0.05)
            if tiny
            else cls(where, tiny, 1024, (3024, 4032), 0.7)
        )

    def table(self, name: str) -> dict[str, Any]:
        return {"name": name} | (TINY.get(name, {}) if self.tiny else {})


def settings(size: Size, name: str, stage: str, **changes: Any) -> Settings:
    words: dict[str, Any] = {
        "title": name, "network": size.table(name), "patch": patch(size, name),
        "objective": {"loss": "lab" if name == "deepisp" else "l1-log"},
        "stages": [{"train": stage, "steps": 1000, "rate": 1e-4}],
    }  # fmt: skip
    return Settings.of(words | changes)


def patch(size: Size, name: str) -> int:
    """Of X-Trans a multiple of 6, here of 96, so that all levels divide evenly."""
    return -(-size.patch // 96) * 96 if name == "cameranet-xtrans" else size.patch


def camera(size: Size, name: str) -> Any:
    torch.manual_seed(0)
    return networks.built(size.table(name))[0]


def batch(settings: Settings, positions: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Smooth pictures with noise, the same every time."""
    side, count = settings.patch, settings.batch
    random = torch.Generator().manual_seed(7)
    low = torch.rand(count, 3, 9, 9, generator=random)
    scene = torch.nn.functional.interpolate(low, (side, side), mode="bicubic").clamp(0, 1)
    noise = 0.02 * torch.randn(count, side, side, generator=random)
    mosaic = (512 + 15871 * (scene.mean(1) + noise).clamp(0, 1)).to(torch.int32).to(torch.uint16)
    facts = {
        "restoration": (scene * 52428).to(torch.int32).to(torch.uint16),
        "enhancement": (scene.sqrt() * 65535).to(torch.int32).to(torch.uint16),
        "restoration_scale": torch.full((count,), 1.25 / 65535),
        "enhancement_scale": torch.full((count,), 1 / 65535),
        "raw": mosaic, "black": torch.full((count, positions), 512.0),
        "white": torch.full((count,), 16383.0), "gain": torch.ones(count),
        "shot": torch.full((count, positions), 1e-4),
        "read": torch.full((count, positions), 1e-6),
        "xyz_from_camera": torch.eye(3).repeat(count, 1, 1),
    }  # fmt: skip
    return {name: x.to(device) for name, x in facts.items()}


def frame(size: Size) -> Mosaic:
    height, width = size.frame
    random = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width]
    light = 0.5 + 0.4 * np.sin(y / 37.0) * np.cos(x / 53.0)
    pixels = 512 + 12000 * light + random.normal(0, 60, light.shape)
    flat = (512.0,) * 4, 16383.0, (1e-4,) * 4, (1e-6,) * 4
    return Mosaic(pixels.astype(np.uint16), "RGGB", *flat)
