"""Train a network from shards. One page: read it from the top."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from isptools import shards
from isptools.train import (
    claim,
    confidence,
    data,
    feed,
    held,
    networks,
    resident,
    speed,
    warm,
)  # fmt: skip
from isptools.train.camera import Camera, Examples, least
from isptools.train.carry import carried
from isptools.train.checkpoint import SUFFIX, TrainError, load, save, standing
from isptools.train.fit import fit
from isptools.train.flops import of_step
from isptools.train.intake import Batch
from isptools.train.job import Job
from isptools.train.keep import PROBE, Keeper, Moving, readable, readers
from isptools.train.log import Log, Work, cut_back
from isptools.train.memory import fitting_patch
from isptools.train.place import launched
from isptools.train.replay import Replay
from isptools.train.settings import Settings, Stage
from isptools.train.suits import expect_suitable
from isptools.train.task import Task, expect_patch, needs, span, taken
from isptools.train.validate import Validation
from isptools.train.writing import Writer


@dataclass(frozen=True, slots=True)
class Run:
    """A job under way."""

    camera: Camera
    settings: Settings  # every option of the network written out
    job: Job
    fabric: Any
    stated: str  # its settings as they were given, for any number of processes
    opened: dict[tuple[str, ...], held.Parts] = field(default_factory=dict)  # by the truths asked

    def file(self, stage: Stage) -> Path:
        """Where the weights of a stage are kept."""
        return standing(self.job.out / f"{stage.train}{SUFFIX}")

    def facts(self) -> dict[str, Any]:
        """What a file of weights states about itself."""
        return {"network": self.settings.network["name"], "settings": self.stated}


def train(settings: Settings, job: Job) -> Path:
    """Run every stage that is not done yet, going on where a checkpoint stands.

    Gives the file of weights. A run that was killed and is started again ends with the weights of
    one that was not, on the same machine and number of processes. Raises TrainError or ValueError
    in one line.
    """
    settings = speed.settled(settings, job.place.cuda)
    with speed.switched(settings, job.place.cuda):
        return _trained(settings, job)


def _trained(settings: Settings, job: Job) -> Path:
    fabric = launched(job.place, settings.precision, getattr(settings.objective, "texture", 0) > 0)
    torch.manual_seed(settings.seed)
    camera, table = networks.built(settings.network, job.code)
    settings = msgspec.structs.replace(settings, network=table)
    expect_patch(camera, settings.patch)
    if job.start and not (job.out / "run.json").exists():  # before anything is written
        warm.take(camera, job.start, warm.numbered(camera, job.parts))
    run = Run(camera, claim.claimed(settings, job, fabric), job, fabric, settings.to_json())
    stages = [stage for stage in settings.stages if job.only in {"", stage.train}]
    if not stages:
        raise TrainError(f"these settings have no stage {job.only!r}")
    for stage in stages:  # before hours are spent on the first one
        span(camera, stage)
        parts = _parts(run, needs(camera, stage.train))
        expect_suitable(parts.train, settings)
    if fabric.is_global_zero:
        job.tell(parts.told)
    if not all(run.file(stage).exists() for stage in stages):
        _begin(run)
    for stage in stages:
        if not _stage(run, stage):
            raise TrainError(f"stopped; run the same command to go on from {job.out}")
    weights = job.out / f"model{SUFFIX}"
    if not job.only and fabric.is_global_zero:
        save(weights, run.facts() | {"model": camera.state_dict()})
    fabric.barrier()
    return weights


def _stage(run: Run, stage: Stage) -> bool:
    """One stage, from its checkpoint if there is one; False where `stop_after` ended it."""
    settings, job, fabric = run.settings, run.job, run.fabric
    task = Task(run.camera, settings, stage)
    parts = _parts(run, task.truths())
    length = stage.length(len(parts.train), task.batch * settings.accumulate * fabric.world_size)
    state = load(run.file(stage)) if run.file(stage).exists() else {}
    if state and _finished(run, stage, state, length):
        taken(run.camera, stage, state)
        return True
    if not state:
        torch.manual_seed(settings.seed)  # whatever this call did before
        _take_earlier(run, task, stage)
    if stage.train == "fit":
        return _fitted(run, stage, task, parts, length)
    moving = _set_up(run, task, stage, state)
    until = min(length, moving.step + job.stop_after) if job.stop_after else length
    workers = job.place.workers
    fixed = 0 if workers == "auto" else workers
    batches = iter(_loader(run, task, parts.train, range(moving.step, until), fixed))
    if fabric.is_global_zero:
        cut_back(job.out / "log.csv", stage.train, moving.step)
    log = Log(job.out / "log.csv", stage.train, fabric.is_global_zero, _work(run, task))
    check = Validation(parts.val, settings, task, fabric) if parts.val else None
    looked, mark = moving.step + PROBE, log.mark()
    with Writer() as writer:
        kept = Keeper(run.file(stage), run.facts(), run.camera, fabric, log, check, writer)
        kept.go_on()
        while moving.step < until:
            rate = stage.rate_at(moving.step, length)
            loss = _step(run, moving, batches, rate, log)
            step, last = moving.step, moving.step == length
            told = last or step % settings.log_every == 0
            if told:
                kept.line(moving, rate, last, task.noted())
            job.show(stage.train, step, length, loss.item() if told else None)
            if last:
                _take_mean(moving)
            if last or step == until or step % settings.save_every == 0:
                kept.checkpoint(moving, last)
            if workers == "auto" and step == looked:
                mark = log.mark()
            if workers == "auto" and step == looked + PROBE < until:
                fixed = _readers(run, task, parts.train, mark, log)
                batches = iter(_loader(run, task, parts.train, range(step, until), fixed))
    moving.replay = None  # a recording holds its memory
    return until == length


def _fitted(run: Run, stage: Stage, task: Task, parts: held.Parts, length: int) -> bool:
    """A stage that is one step, and begins anew where it was killed."""
    fit(run.camera, run.settings, parts.train, length)
    fabric, settings = run.fabric, run.settings
    task.to(fabric.device)
    loss = Validation(parts.train, settings, task, fabric).scores((), ())["validation"]
    log = Log(run.job.out / "log.csv", stage.train, fabric.is_global_zero, Work(0, 0, 0))
    log.add(torch.tensor(loss))
    log.expect_finite(task.parameters())
    check = Validation(parts.val, settings, task, fabric) if parts.val else None
    moving = Moving(task, [], None, [], [], length)
    with Writer() as writer:
        kept = Keeper(run.file(stage), run.facts(), run.camera, fabric, log, check, writer)
        kept.line(moving, 0.0, True, {})
        run.job.show(stage.train, length, length, loss)
        kept.checkpoint(moving, True)
    return True


def _set_up(run: Run, task: Task, stage: Stage, state: dict[str, Any]) -> Moving:
    """Model and optimizers where they run, and as the checkpoint left them."""
    settings, fabric = run.settings, run.fabric
    trained = [p for p in task.parameters() if p.requires_grad]
    replayed = speed.replayable(fabric, settings)
    if settings.compile:
        torch.compiler.reset()  # what it made for the stage before
        task.compile()
    task.to(fabric.device)
    rate = torch.tensor(stage.rate, device=fabric.device) if replayed else stage.rate
    adams = [
        torch.optim.Adam(
            turn.parameters, rate, settings.adam.betas, settings.adam.eps,
            **speed.adam(fabric.device, replayed),
        )
        for turn in task.turns
    ]  # fmt: skip
    model, *optimizers = fabric.setup(task, *adams)
    mean = [p.detach().clone() for p in trained] if settings.ema else []
    moving = Moving(model, optimizers, None, trained, mean)
    if replayed:
        moving.replay = Replay(lambda micros: _turns(run, moving, micros))
    if state:
        run.camera.load_state_dict(state["model"])
        task.difference.learned.load_state_dict(state.get("beside", {}))
        for optimizer, held in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(speed.restored(held, optimizer))
        torch.set_rng_state(state["random"])
        if len(state.get("random_cuda", ())) and fabric.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"], fabric.device)
        fabric.strategy.precision.load_state_dict(state["scaler"])
        moving.step, moving.mean = state["step"], [m.to(fabric.device) for m in state["mean"]]
    if settings.channels_last and not settings.compile:  # the compiler lays its own copies out
        run.camera.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch has it
        for optimizer in optimizers:
            speed.laid_as_weights(optimizer.optimizer)
    return moving


def _step(run: Run, moving: Moving, batches: Iterator[Any], rate: float, log: Log) -> Tensor:
    """Every turn moves its weights once; gives the sum of their losses."""
    micros: Iterable[Batch] = _micros(run, moving.model.module, batches, log)
    if len(moving.optimizers) > 1:
        micros = list(micros)  # every turn sees the same cuts
    for optimizer, turn in zip(moving.optimizers, moving.model.module.turns, strict=True):
        speed.set_rate(optimizer, rate * turn.times)
    total = moving.replay(list(micros)) if moving.replay else _turns(run, moving, micros)
    moving.step += 1
    log.add(total)
    for m, p in zip(moving.mean, moving.trained, strict=False):
        m.lerp_(p.detach(), 1 - run.settings.ema)
    return total


def _turns(run: Run, moving: Moving, micros: Iterable[Batch]) -> Tensor:
    total = torch.zeros((), device=run.fabric.device)
    for turn in range(len(moving.optimizers)):
        total += _turn(run, moving, turn, micros)
    return total


def _micros(run: Run, task: Task, batches: Iterator[Any], log: Log) -> Iterator[Batch]:
    """The batches of one step, on the device and turned."""
    cuda = run.fabric.device.type == "cuda"
    for _ in range(run.settings.accumulate):
        batch, turns = log.wait(lambda: next(batches), cuda)
        yield task.completed(data.arranged(batch, turns) if turns else batch)


def _turn(run: Run, moving: Moving, turn: int, micros: Iterable[Batch]) -> Tensor:
    """Gradients of every micro-step, then one move of the turn's weights; gives the mean loss."""
    count, fabric, model = run.settings.accumulate, run.fabric, moving.model
    total = torch.zeros((), device=fabric.device)
    for micro, batch in enumerate(micros, 1):
        try:
            with fabric.no_backward_sync(model, enabled=micro < count):
                loss = model(batch, turn) / count
                fabric.backward(loss)
            total += loss.detach()
            if micro == count:
                moving.optimizers[turn].step()
            continue
        except torch.cuda.OutOfMemoryError:
            if fabric.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
                raise  # a recording that does not fit, where the steps themselves do
            # what the error holds is free again behind this block
        raise TrainError(_too_large(run, model.module, batch))
    for optimizer in moving.optimizers:
        optimizer.zero_grad(set_to_none=True)
    return total


def _too_large(run: Run, task: Any, batch: Batch) -> str:
    patch = run.settings.patch
    if len(task.turns) > 1:  # a discriminator takes cuts of one size
        return f"{task.batch} cuts of {patch} pixels do not fit into this GPU's memory: take fewer"
    with run.fabric.autocast():
        fits = fitting_patch(task, batch, patch, least(run.camera))
    many = f" {task.batch} times" if task.batch > 1 else ""
    return f"a patch of {patch} pixels does not fit{many} into this GPU's memory; " + (
        f"{fits} does (--set patch={fits})" if fits else "no smaller one that suits it does"
    )


def _cuts(run: Run, task: Task, source: shards.Shards) -> data.Cuts:
    settings = run.settings
    cuts = data.Cuts(
        source, settings.patch, settings.seed, task.truths(), settings.augment,
        settings.shading == "undone",
    )  # fmt: skip
    if settings.confidence.scenes:
        cuts.confidence = confidence.weights(source, settings.confidence)
    return cuts


def _loader(run: Run, task: Task, source: shards.Shards, steps: range, workers: int) -> Any:
    settings, fabric = run.settings, run.fabric
    cuts = _cuts(run, task, source)
    cuda = fabric.device.type == "cuda"
    ahead = feed.Feed(task.batch, workers, cuda, fabric.global_rank, fabric.world_size)
    micro = settings.accumulate
    micros = range(steps.start * micro, steps.stop * micro)
    asked = run.job.place.data
    if asked == "resident" or (asked == "auto" and resident.fits(cuts, fabric.device)):
        pictures = resident.Held(cuts, fabric.device, cuda and bool(settings.compile))
        return pictures.batches(micros, ahead)
    read = feed.batches(cuts, micros, ahead)
    return carried(read, fabric.device) if cuda else map(fabric.to_device, read)


def _readers(
    run: Run, task: Task, source: shards.Shards, before: tuple[float, float, float], log: Log
) -> int:
    """How many processes should read, by what the last steps took."""
    count, said = readers(before, log.mark(), run.fabric)
    count = readable(count, _cuts(run, task, source), task.batch)
    if run.fabric.is_global_zero:
        run.job.tell(said)
    return count


def _work(run: Run, task: Task) -> Work:
    """What a step of all processes is; operations are counted where a GPU's peak is known."""
    settings, fabric = run.settings, run.fabric
    cuts = task.batch * settings.accumulate * fabric.world_size
    peak = speed.peak(fabric.device) * fabric.world_size
    each = of_step(task, run.camera.intake.positions, settings.patch) if peak else 0
    return Work(cuts * settings.patch**2, cuts * each, peak)


def _parts(run: Run, truths: Sequence[str]) -> held.Parts:
    """Opened and looked at once: opening reads the tables of every shard."""
    asked, share = tuple(truths), run.settings.validation
    if asked not in run.opened:
        run.opened[asked] = held.parted(run.job.shards, run.camera.intake, asked, share)
    return run.opened[asked]


def _take_mean(moving: Moving) -> None:
    for m, p in zip(moving.mean, moving.trained, strict=False):
        p.data.copy_(m)


def _take_earlier(run: Run, task: Task, stage: Stage) -> None:
    """A joint stage begins with what the stages before it trained, a simulator among them."""
    if stage.train not in {"joint", "compressed"}:
        return
    for before in run.settings.stages[: run.settings.stages.index(stage)]:
        state = load(run.file(before))
        if not state["done"]:
            raise TrainError(f"{run.file(before)}: not done yet; finish --only {before.train}")
        taken(run.camera, before, state)
        if before.train == "simulator":
            task.difference.learned.load_state_dict(state["beside"])


def _finished(run: Run, stage: Stage, state: dict[str, Any], length: int) -> bool:
    """Whether a stage is done, and not made longer since. TrainError in one line if it can't."""
    before = Settings.of_json(state["settings"]).stages
    same = [one for one in before if one.train == stage.train
            and (one.steps, one.epochs) == (stage.steps, stage.epochs)]  # fmt: skip
    if state["done"] and same:
        return True
    at, name = state["step"], stage.train
    if at > length:
        raise TrainError(f"{run.file(stage)}: stands at step {at} of {name}: {length} are too few")
    stages = run.settings.stages
    later = [one.train for one in stages[stages.index(stage) + 1 :]
             if one.train in {"joint", "compressed"} and run.file(one).exists()]  # fmt: skip
    if later and at < length:
        raise TrainError(f"{run.file(stage)}: {later[0]} has begun from it: its steps stay {at}")
    return bool(state["done"]) and at == length


def _examples(run: Run) -> Examples:
    """One cut of every training input as the network takes it, beside its last truth."""
    truths = needs(run.camera, "whole")
    chosen, source = run.settings, _parts(run, truths).train
    undone = chosen.shading == "undone"
    cuts = data.Cuts(source, min(chosen.patch, 256), chosen.seed, truths, undone=undone)
    for batch in feed.loader(cuts, range(len(source)), feed.Feed()):
        x = run.camera.intake.prepared(batch)
        yield x[0].numpy(), data.truth(batch, truths[0])[0].numpy()


def _begin(run: Run) -> None:
    """Fresh weights, by the training pictures or another run where that is asked for."""
    path, camera, job = run.job.out / f"start{SUFFIX}", run.camera, run.job
    if path.exists():
        camera.load_state_dict(load(path)["model"])
        return
    if camera.begin:
        camera.begin(_examples(run))
    if job.start is None:
        return
    told = warm.take(camera, job.start, warm.numbered(camera, job.parts))
    if run.fabric.is_global_zero:
        for line in told:
            job.tell(line)
        save(path, run.facts() | {"model": camera.state_dict()})
