"""What is told and kept while a stage runs: log, curves, checkpoints, the best weights."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isptools.train import curves, feed, threads
from isptools.train.camera import Camera
from isptools.train.checkpoint import SUFFIX, load
from isptools.train.data import Cuts
from isptools.train.log import Log
from isptools.train.replay import Replay
from isptools.train.validate import Validation, laid
from isptools.train.writing import Writer

PROBE = 8  # steps of which is measured how long they read; as many before are not


@dataclass(slots=True)
class Moving:
    """A stage under way: its step, its model and who moves the weights, one optimizer a turn."""

    model: Any
    optimizers: list[Any]
    replay: Replay | None  # its steps as one recording, on a GPU
    trained: list[nn.Parameter]
    mean: list[Tensor]  # of the weights; empty where none is kept
    step: int = 0


@dataclass(slots=True)
class Keeper:
    """One stage's; only the first process writes."""

    file: Path  # of the stage's checkpoint
    facts: dict[str, Any]  # that stand in every file
    camera: Camera
    fabric: Any
    log: Log
    check: Validation | None
    writer: Writer
    best: float = math.inf  # the lowest validation loss so far

    @property
    def best_file(self) -> Path:
        """Where the best weights so far are kept."""
        return self.file.with_name(f"{self.file.stem}-best{SUFFIX}")

    def go_on(self) -> None:
        """What the best was before this run was stopped."""
        if self.best_file.exists():
            self.best = load(self.best_file).get("validation", math.inf)

    def line(self, moving: Moving, rate: float, last: bool, noted: dict[str, float]) -> None:
        """A line of the log, with scores of the cuts that validate; weights if never better."""
        weights = moving.trained, moving.mean
        scores = self.check.scores(*weights) if self.check else {"validation": math.nan}
        self.log.write(moving.step, rate, scores | noted)
        if self.check and last:
            self.log.picture(self.check.strip(*weights))
        if scores["validation"] < self.best:
            self.best = scores["validation"]
            with laid(*weights):
                state = {"step": moving.step, "validation": self.best, "model": self._model()}
                self._put(self.best_file, state)

    def checkpoint(self, moving: Moving, done: bool) -> None:
        """All that a run needs to go on. TrainError where weights are no numbers."""
        self.log.expect_finite(moving.trained)
        if self.log.writes and self.log.path.exists():  # before a run is done: killed, it is drawn
            curves.drawn(self.log.path, self.log.path.with_name("history.png"))
        task = getattr(moving.model, "module", moving.model)
        self._put(self.file.with_suffix(SUFFIX), {
            "beside": task.difference.learned.state_dict(),
            "step": moving.step, "done": done, "model": self._model(), "mean": moving.mean,
            "optimizers": [one.state_dict() for one in moving.optimizers],
            "random": torch.get_rng_state(), "random_cuda": _random(self.fabric),
            "scaler": self.fabric.strategy.precision.state_dict(),
        })  # fmt: skip
        self.fabric.barrier()

    def _model(self) -> dict[str, Tensor]:
        return dict(self.camera.state_dict())

    def _put(self, path: Path, state: dict[str, Any]) -> None:
        if self.fabric.is_global_zero:
            self.writer.put(path, self.facts | state)


def readers(
    before: tuple[float, float, float], after: tuple[float, float, float], fabric: Any
) -> tuple[int, str]:
    """Processes that should read, and why in a line, from two of `Log.mark`."""
    seconds, reading, lost = ((b - a) / PROBE for a, b in zip(before, after, strict=True))
    own = 1 if fabric.device.type == "cuda" else torch.get_num_threads()
    cores = max(threads.allowed() // fabric.world_size - own, 0)
    count = threads.readers(reading, seconds - lost, cores)
    return count, (
        f"readers: {count or 'none'}; reading takes {1e3 * reading:.1f} ms of a step, all else "
        f"{1e3 * (seconds - lost):.1f} ms, {cores} cores are left for it (--jobs)"
    )


def readable(count: int, cuts: Cuts, batch: int) -> int:
    """So many readers, or fewer where the memory they share is short."""
    while count and not feed.shareable(cuts, batch, count):
        count -= 1
    return count


def _random(fabric: Any) -> Tensor:
    """Where chance stands on a GPU; nothing on a processor."""
    if fabric.device.type != "cuda":
        return torch.empty(0, dtype=torch.uint8)
    return torch.cuda.get_rng_state(fabric.device)
