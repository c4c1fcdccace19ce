"""How close what simulates a codec comes to its real files (Uhm et al. 2021, Table 1)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isptools import measure
from isptools.compare.score import Scores, behind, truth
from isptools.compare.table import Jpeg
from isptools.shards import Shards
from isptools.train import checkpoint
from isptools.train.compression import SIMULATOR, simulator
from isptools.train.objectives import Compressed
from isptools.train.settings import Settings
from isptools.train.simulators import DJS

COLUMNS = ("psnr", "ssim")
Simulate = Callable[[Tensor], Tensor]


def without_training(method: str, jpeg: Jpeg) -> Simulate:
    """DJS at this quality, or the picture handed through. ValueError for another name."""
    if method == "djs":
        return DJS(jpeg.quality, jpeg.subsampling)
    if method == "handed-through":
        return torch.nn.Identity()
    raise ValueError(f"no method {method!r}; there are djs and handed-through")


def trained(run: Path, settings: Settings) -> Simulate:
    """What the stage `simulator` of a run taught. ValueError where it taught none."""
    if not isinstance(settings.objective, Compressed):
        raise ValueError('a simulator is taught by objective.loss = "compressed"')
    out = simulator(settings.objective)
    state = checkpoint.load(run / f"{SIMULATOR}{checkpoint.SUFFIX}")
    out.load_state_dict(state["beside"])
    return out.eval()


def score(simulate: Simulate, source: Shards, jpeg: Jpeg, limit: int = 0) -> Scores:
    """Over the enhancement truths of `source`, each scene once, against the real file's picture."""
    found: dict[str, tuple[float, ...]] = {}
    for i in range(len(source)):
        scene = source.facts(i).scene
        if scene in found or (limit and len(found) == limit):
            continue
        picture = np.clip(truth(source, i), 0, 1)
        real, _ = behind(picture, jpeg)
        given = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
        made = simulate(given)[0].clamp(0, 1).numpy().transpose(1, 2, 0)
        found[scene] = measure.psnr(made, real), measure.ssim(made, real)
    return Scores(COLUMNS, tuple(found), tuple(found.values()))
