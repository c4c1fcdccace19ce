"""What a training would take: shapes, operations, memory and hours, measured in a few steps."""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch

from isptools.train import held, networks
from isptools.train.camera import Camera, parameters
from isptools.train.checkpoint import TrainError
from isptools.train.flops import of_step
from isptools.train.job import Job
from isptools.train.run import train
from isptools.train.settings import Settings, Stage
from isptools.train.task import Task, needs

NEVER = 10**9
STEPS = {False: 3, True: 10}  # on a GPU behind the recording of a step


@dataclass(frozen=True, slots=True)
class Took:
    """Of some steps of a stage."""

    seconds: float  # a step, behind the first
    memory: int  # bytes at most: of the GPU, or of this process


def planned(settings: Settings, job: Job, world: int = 1) -> Iterator[str]:
    """A line a part, a stage, and one of the whole; nothing is kept of the steps that are done.

    `world` is the number of processes that would train. ValueError in one line where a training
    would end in it.
    """
    camera, _ = networks.built(settings.network, job.code)
    yield f"{settings.network['name']}: {parameters(camera):,} parameters"
    yield from shapes(camera, settings.patch)
    total = 0.0
    for stage in settings.stages:
        if job.only in {"", stage.train}:
            inputs = _inputs(camera, settings, stage, job)
            cuts = settings.batch * settings.accumulate * world
            length = stage.length(inputs, cuts)
            took = measured(settings, stage, job)
            total += length * took.seconds
            own = settings.batch * settings.accumulate
            work = own * _operations(settings, stage, job)
            yield _said(stage, (length, cuts, inputs), took, work)
    yield f"in all about {_hours(total)} in one process like this, validation and saving left out"


def shapes(camera: Camera, patch: int) -> Iterator[str]:
    """What each part takes of a cut and gives, channels x height x width."""
    side = patch // camera.intake.side
    shape = (camera.intake.inputs, side, side)
    with torch.no_grad():
        for at, net in enumerate(camera.nets):
            if at:
                packing = camera.packing(at)
                shape = (3 * packing**2, patch // packing, patch // packing)
            takes, gives = (" x ".join(map(str, one)) for one in (shape, (3, patch, patch)))
            yield f"part {at}: {takes} to {gives}, {parameters(net):,} parameters"


def measured(settings: Settings, stage: Stage, job: Job) -> Took:
    """Do a few steps of a stage in a folder that goes again."""
    times: list[float] = []
    cuda = job.place.cuda

    def show(*_: object) -> None:
        if cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter())

    short = msgspec.structs.replace(
        settings, stages=(stage,), log_every=NEVER, save_every=NEVER, validation=0.0
    )
    with tempfile.TemporaryDirectory() as folder:
        trial = replace(
            job, out=Path(folder) / "run", only="", stop_after=STEPS[cuda], show=show,
            tell=lambda _: None,
        )  # fmt: skip
        try:
            train(short, trial)
        except TrainError as error:
            if not str(error).startswith("stopped; "):  # by the number of steps
                raise
    behind = times[len(times) // 2 :] if cuda else times
    seconds = (behind[-1] - behind[0]) / max(len(behind) - 1, 1)
    return Took(seconds, _memory(cuda))


def _said(stage: Stage, counts: tuple[int, int, int], took: Took, operations: int) -> str:
    length, cuts, inputs = counts
    rate = operations / took.seconds / 1e12
    return (
        f"{stage.train}: {length:,} steps of {cuts} cuts ({length * cuts / inputs:.1f} epochs of "
        f"{inputs} inputs), {operations / 1e9:.3g} GFLOP and {1e3 * took.seconds:.1f} ms a step "
        f"({rate:.3g} TFLOP/s), at most {took.memory / 2**20:,.0f} MB, "
        f"{_hours(length * took.seconds)}"
    )


def _inputs(camera: Camera, settings: Settings, stage: Stage, job: Job) -> int:
    truths = needs(camera, stage.train)
    return len(held.parted(job.shards, camera.intake, truths, settings.validation).train)


def _operations(settings: Settings, stage: Stage, job: Job) -> int:
    """Of one cut, forward and backward."""
    camera, _ = networks.built(settings.network, job.code)
    task = Task(camera, settings, stage)
    return of_step(task, camera.intake.positions, settings.patch)


def _memory(cuda: bool) -> int:
    if cuda:
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes there, kilobytes here


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
