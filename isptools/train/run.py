"""Train a network from shards. One page: read it from the top."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isptools import shards
from isptools.train import data, feed
from isptools.train.checkpoint import TrainError, load, save
from isptools.train.deepisp import DeepISP, mean_affine
from isptools.train.log import Log
from isptools.train.memory import fitting_patch
from isptools.train.models import Camera, build, least
from isptools.train.place import Place, launched
from isptools.train.settings import Settings, Stage
from isptools.train.task import Task, needs, span

VALIDATION = 8  # cuts, the same ones every time
Show = Callable[[str, int, int, float | None], None]  # stage, step, of, loss now and then


@dataclass(frozen=True, slots=True)
class Job:
    """What a run is made of beside its settings."""

    shards: Path
    out: Path
    place: Place
    only: str = ""  # a single stage, for two of them side by side on two devices
    stop_after: int = 0  # steps of this call, 0 for no limit
    show: Show = lambda *_: None


def train(settings: Settings, job: Job) -> Path:
    """Run every stage that is not done yet, going on where a checkpoint stands; gives `model.pt`.

    A run that was killed and is started again ends with the weights of one that was not, on the
    same machine and number of processes. Raises TrainError or ValueError in one line.
    """
    fabric = launched(job.place, settings.precision)
    torch.manual_seed(settings.seed)
    camera = build(settings.network, settings.options())
    _expect_patch(camera, settings.patch)
    _claim(settings, job, fabric)
    stages = [stage for stage in settings.stages if job.only in {"", stage.train}]
    if not stages:
        raise TrainError(f"these settings have no stage {job.only!r}")
    for stage in stages:  # before hours are spent on the first one
        data.open_shards(job.shards, "train", camera.prepare, needs(camera, stage.train))
    for stage in stages:
        if not _stage(camera, settings, stage, job, fabric):
            raise TrainError(f"stopped; run the same command to go on from {job.out}")
    if not job.only and fabric.is_global_zero:
        save(job.out / "model.pt", _facts(settings) | {"model": camera.state_dict()})
    fabric.barrier()
    return job.out / "model.pt"


def _stage(camera: Camera, settings: Settings, stage: Stage, job: Job, fabric: Any) -> bool:
    """One stage, from its checkpoint if there is one; False where `stop_after` ended it."""
    task = Task(camera, settings, stage)
    source = data.open_shards(job.shards, "train", camera.prepare, task.truths())
    items = settings.batch * settings.accumulate * fabric.world_size
    length = stage.length(len(source), items)
    state = _start(camera, settings, stage, job, source)
    if state.get("done"):
        _take(camera, stage, state)
        return True
    trained = [p for p in task.parameters() if p.requires_grad]
    adam = torch.optim.Adam(trained, stage.rate, settings.betas, settings.adam_eps)
    model, optimizer = fabric.setup(task, adam)
    mean = [p.detach().clone() for p in trained] if settings.ema else []
    begin = 0
    if state:
        camera.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        fabric.strategy.precision.load_state_dict(state["scaler"])
        begin, mean = state["step"], [m.to(fabric.device) for m in state["mean"]]
    if settings.channels_last:
        camera.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch has it
    if settings.compile:
        model.compile()
    until = min(length, begin + job.stop_after) if job.stop_after else length
    log = Log(job.out / "log.csv", stage.train, fabric.is_global_zero)
    batches = iter(_loader(task, source, range(begin, until), settings, job, fabric))
    for step in range(begin, until):
        rate = stage.rate_at(step, length)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = _step(model, optimizer, batches, settings, fabric, log)
        for m, p in zip(mean, trained, strict=False):
            m.lerp_(p.detach(), 1 - settings.ema)
        last = step + 1 == length
        told = last or (step + 1) % settings.log_every == 0
        if told:
            log.write(
                step + 1, rate, _validated(task, settings, job, fabric, log if last else None)
            )
        job.show(stage.train, step + 1, length, loss.item() if told else None)
        if last and mean:
            for m, p in zip(mean, trained, strict=True):
                p.data.copy_(m)
        if last or step + 1 == until or (step + 1) % settings.save_every == 0:
            log.expect_finite(trained)
            if fabric.is_global_zero:
                save(_file(job, stage), _facts(settings) | {
                    "step": step + 1, "done": last, "model": camera.state_dict(), "mean": mean,
                    "optimizer": optimizer.state_dict(), "random": torch.get_rng_state(),
                    "scaler": fabric.strategy.precision.state_dict(),
                })  # fmt: skip
            fabric.barrier()
    return until == length


def _step(model: Any, optimizer: Any, batches: Any, settings: Settings, fabric: Any, log: Log
          ) -> Tensor:  # fmt: skip
    """Gradients of every micro-step, then one move of the weights; gives the mean loss."""
    total = torch.zeros((), device=fabric.device)
    for micro in range(settings.accumulate):
        batch, turns = log.wait(lambda: fabric.to_device(next(batches)))
        batch = data.arranged(batch, turns)
        last = micro + 1 == settings.accumulate
        try:
            with fabric.no_backward_sync(model, enabled=not last):
                loss = model(batch) / settings.accumulate
                fabric.backward(loss)
            total += loss.detach()
            if last:
                optimizer.step()
            continue
        except torch.cuda.OutOfMemoryError:
            pass  # what the error holds is free again behind this block
        raise TrainError(_too_large(model.module, batch, settings, fabric))
    optimizer.zero_grad(set_to_none=True)
    log.add(total)
    return total


def _too_large(task: Any, batch: dict[str, Tensor], settings: Settings, fabric: Any) -> str:
    with fabric.autocast():
        fits = fitting_patch(task, batch, settings.patch)
    return f"a patch of {settings.patch} pixels does not fit into this GPU's memory; " + (
        f"{fits} does (--set patch={fits})" if fits else "none from 64 pixels on does"
    )


def _loader(
    task: Task, source: shards.Shards, steps: range, settings: Settings, job: Job, fabric: Any
) -> Any:
    cuts = data.Cuts(source, settings.patch, settings.seed, task.truths())
    ahead = feed.Feed(
        settings.batch, job.place.workers, fabric.device.type == "cuda", fabric.global_rank,
        fabric.world_size,
    )  # fmt: skip
    micro = settings.accumulate
    return feed.batches(cuts, range(steps.start * micro, steps.stop * micro), ahead)


def _validated(
    task: Task, settings: Settings, job: Job, fabric: Any, log: Log | None = None
) -> float:
    """The same loss on the same few cuts of the validation split; NaN where there is none.

    With `log`, the first cut is saved as a picture: the network's beside the truth.
    """
    try:
        source = data.open_shards(job.shards, "val", task.camera.prepare, task.truths())
    except ValueError:
        return math.nan
    with source, torch.no_grad():
        cuts = data.Cuts(source, settings.patch, settings.seed, task.truths())
        batches = feed.loader(cuts, range(VALIDATION), feed.Feed())
        task.eval()
        total = 0.0
        for at, batch in enumerate(batches):
            moved = fabric.to_device(batch)
            total += task(moved).item()
            if log and not at:
                log.picture(task.look(moved))
        task.train()
    return float(total) / VALIDATION


def _start(camera: Camera, settings: Settings, stage: Stage, job: Job, source: shards.Shards
           ) -> dict[str, Any]:  # fmt: skip
    """The stage's checkpoint, or {}; a fresh DeepISP has its W from the training pictures."""
    path = _file(job, stage)
    if path.exists():
        return load(path)
    for net in camera.nets:
        if isinstance(net, DeepISP):
            net.start_from(_affine(camera, settings, source))
    if stage.train == "joint":
        for before in settings.stages[: settings.stages.index(stage)]:
            earlier = load(_file(job, before))
            if not earlier["done"]:
                raise TrainError(
                    f"{_file(job, before)}: not done yet; finish --only {before.train}"
                )
            _take(camera, before, earlier)
    return {}


def _take(camera: Camera, stage: Stage, state: dict[str, Any]) -> None:
    """The networks a stage trained, from its checkpoint: they may come from two processes."""
    first, last = span(camera, stage)
    own = tuple(f"nets.{at}." for at in range(first, last + 1))
    camera.load_state_dict(
        camera.state_dict() | {k: v for k, v in state["model"].items() if k.startswith(own)}
    )


def _affine(camera: Camera, settings: Settings, source: shards.Shards) -> Any:
    size = min(settings.patch, 256)
    cuts = data.Cuts(source, size, settings.seed, ("enhancement",))
    pairs = []
    for batch in feed.loader(cuts, range(len(source)), feed.Feed()):
        x = data.prepared(batch, camera.prepare, camera.noise)
        pairs.append((x[0].numpy(), data.truth(batch, "enhancement")[0].numpy()))
    return mean_affine(pairs)


def _expect_patch(camera: Camera, patch: int) -> None:
    every = 6 if camera.prepare == "xtrans" else 2
    if patch % every or patch < least(camera):
        raise TrainError(
            f"a patch of {patch} pixels does not suit this network: take a multiple of {every} "
            f"from {-(-least(camera) // every) * every} on"
        )


def _claim(settings: Settings, job: Job, fabric: Any) -> None:
    """A folder belongs to one set of settings. TrainError where another run stands in it."""
    path, text = job.out / "settings.json", settings.to_json()
    if fabric.is_global_zero:
        job.out.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            part = path.with_name(f".{path.name}.{os.getpid()}.part")  # two stages side by side
            part.write_text(text, encoding="utf-8")
            part.replace(path)
    fabric.barrier()
    if path.read_text(encoding="utf-8") != text:
        raise TrainError(f"{job.out}: holds a run of other settings; take another --out")


def _facts(settings: Settings) -> dict[str, Any]:
    return {"network": settings.network, "settings": settings.to_json()}


def _file(job: Job, stage: Stage) -> Path:
    return job.out / f"{stage.train}.pt"
