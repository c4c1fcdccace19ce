"""How good the network is on the cuts that validate: the stage's loss, its parts, PSNR."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isptools import shards
from isptools.train import data, feed
from isptools.train.intake import Batch
from isptools.train.settings import Settings
from isptools.train.task import Task

CUTS = 8  # the same ones every time


class Validation:
    """The cuts, read once and held where the network computes."""

    def __init__(self, source: shards.Shards, settings: Settings, task: Task, fabric: Any) -> None:
        self.task, self.fabric = task, fabric
        cuts = data.Cuts(
            source, settings.patch, settings.seed, task.truths(), settings.augment,
            settings.shading == "undone",
        )  # fmt: skip
        with source:
            read = feed.loader(cuts, range(CUTS), feed.Feed())
            self.batches: list[Batch] = [
                task.completed(dict(fabric.to_device(batch))) for batch in read
            ]

    def scores(self, trained: Sequence[nn.Parameter], mean: Sequence[Tensor]) -> dict[str, float]:
        """Means over the cuts: "validation", then each picture's part of it and its PSNR.

        In the run's precision, with the mean of the weights where one is kept.
        """
        rows: list[dict[str, float]] = []
        with torch.no_grad(), laid(trained, mean), self._evaluating():
            for batch in self.batches:
                with self.fabric.autocast():
                    loss = self.task.forward(batch).item()  # not compiled anew for a few cuts
                    judged = {name: x.item() for name, x in self.task.judged(batch).items()}
                rows.append({"validation": loss, **judged})
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def strip(self, trained: Sequence[nn.Parameter], mean: Sequence[Tensor]) -> NDArray[np.float32]:
        """The first cut's pictures beside their truths, as on a screen, (3, H, n W)."""
        with torch.no_grad(), laid(trained, mean), self._evaluating(), self.fabric.autocast():
            return self.task.strip(self.batches[0])

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        self.task.eval()
        try:
            yield
        finally:
            self.task.train()


@contextmanager
def laid(trained: Sequence[nn.Parameter], mean: Sequence[Tensor]) -> Iterator[None]:
    """Meanwhile the weights are their mean, in the same memory; as they were behind it."""
    before = [p.detach().clone() for p in trained] if mean else []
    try:
        for p, m in zip(trained, mean, strict=False):
            p.data.copy_(m)
        yield
    finally:
        for p, b in zip(trained, before, strict=False):
            p.data.copy_(b)
