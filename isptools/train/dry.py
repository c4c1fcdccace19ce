"""What a training would take: shapes, operations, memory and hours, measured in a few steps."""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
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


@dataclass(frozen=True, slots=True)
class Net:
    """A network, or a part of it with what it takes of a cut and gives: channels, rows, columns."""

    name: str
    parameters: int
    takes: tuple[int, int, int] | None = None
    gives: tuple[int, int, int] | None = None

    def __str__(self) -> str:
        shapes = [" x ".join(map(str, shape)) for shape in (self.takes, self.gives) if shape]
        said = f"{' to '.join(shapes)}, " if shapes else ""
        return f"{self.name}: {said}{self.parameters:,} parameters"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a stage, all its steps in one process."""

    stage: str
    steps: int
    cuts: int  # a step
    inputs: int
    operations: int  # a step
    seconds: float  # a step
    memory: int  # bytes at most

    @property
    def whole(self) -> float:
        """Seconds in all."""
        return self.steps * self.seconds

    def __str__(self) -> str:
        return (
            f"{self.stage}: {self.steps:,} steps of {self.cuts} cuts "
            f"({self.steps * self.cuts / self.inputs:.1f} epochs of {self.inputs} inputs), "
            f"{self.operations / 1e9:.3g} GFLOP and {1e3 * self.seconds:.1f} ms a step "
            f"({self.operations / self.seconds / 1e12:.3g} TFLOP/s), "
            f"at most {self.memory / 2**20:,.0f} MB, {_hours(self.whole)}"
        )


def said(costs: Sequence[Cost]) -> str:
    """How long all of it takes, in a line."""
    total = _hours(sum(cost.whole for cost in costs))
    return f"in all about {total} in one process like this, validation and saving left out"


def nets(settings: Settings, job: Job) -> Iterator[Net]:
    """The network, then each of its parts. ValueError in one line where it can't be."""
    camera, _ = networks.built(settings.network, job.code)
    yield Net(settings.network["name"], parameters(camera))
    yield from _parts(camera, settings.patch)


def _parts(camera: Camera, patch: int) -> Iterator[Net]:
    side = patch // camera.intake.side
    shape = (camera.intake.inputs, side, side)
    with torch.no_grad():
        for at, net in enumerate(camera.nets):
            if at:
                packing = camera.packing(at)
                shape = (3 * packing**2, patch // packing, patch // packing)
            yield Net(f"part {at}", parameters(net), shape, (3, patch, patch))


def costs(settings: Settings, job: Job, world: int = 1) -> Iterator[Cost]:
    """Of each stage; nothing is kept of the steps that are done.

    `world` is the number of processes that would train. ValueError in one line where a training
    would end in it.
    """
    camera, _ = networks.built(settings.network, job.code)
    own = settings.batch * settings.accumulate
    for stage in settings.stages:
        if job.only in {"", stage.train}:
            inputs, cuts = _inputs(camera, settings, stage, job), own * world
            took = measured(settings, stage, job)
            work = own * _operations(settings, stage, job)
            length = stage.length(inputs, cuts)
            yield Cost(stage.train, length, cuts, inputs, work, took.seconds, took.memory)


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
