"""SIGKILL at moments of a build, a fused build and a training: run again, it ends as undisturbed.

What is killed is a process forked from one that has imported everything, so that a try costs the
work and not the imports. Half of the moments are places in time; the others are calls that change
the folder, where the process kills itself before the system has done what was asked.
"""

import csv
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from isptools import datasets
from isptools.build import Options, build
from isptools.cli import main as cli
from isptools.recipe import Recipe
from isptools.shards import disk
from isptools.train import checkpoint
from isptools.train.place import Place
from isptools.train.run import Job, train
from isptools.train.settings import Settings
from tests.build import tiny as tinies
from tests.build.tiny import Tiny, make

SHARED = Path("/dev/shm")
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.truncate", "open"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
ENDS = 2.0  # seconds in which the children of a killed process end, beside waits for a processor

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["benchmarks.faults_warm"])


@dataclass(frozen=True)
class Subject:
    """What is killed: `work(jobs)` writes into `out`, `state` is what must be the same."""

    work: Callable[[int], None]
    out: Path
    state: Callable[[], Any]
    clean: Callable[[], str] = lambda: ""  # what is left over, in words


def kills(subject: Subject, dice: random.Random, moments: int) -> Iterator[str]:
    """ "" for each that held."""
    began = time.monotonic()
    calls = forked(subject, 1)
    takes = time.monotonic() - began
    whole = subject.state()
    for moment in range(moments):
        shutil.rmtree(subject.out, ignore_errors=True)
        share = (moment + dice.random()) / moments
        jobs = dice.choice([1, 1, 2])
        by_call = moment % 2 and jobs == 1
        stop = (0.0, 1 + round(share * calls)) if by_call else (max(0.02, share * takes), 0)
        number = dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGHUP])
        pids, outlived = killed(subject, jobs, stop, number)
        if outlived:
            yield f"at {share:.2f}: {outlived} processes outlive it"
            continue
        forked(subject, 1)
        told = subject.clean() or shared(pids)
        same = subject.state() == whole
        yield told or ("" if same else f"at {share:.2f} of {takes:.1f} s, jobs {jobs}: other bytes")


def forked(subject: Subject, jobs: int) -> int:
    """Undisturbed, in a process of its own; how many calls changed the folder."""
    ours, theirs = forks.Pipe()
    process = forks.Process(target=_counted, args=(subject, jobs, theirs))
    process.start()
    theirs.close()
    try:
        found: int = ours.recv()
    except EOFError:
        found = -1
    process.join()
    if process.exitcode:
        raise RuntimeError(f"undisturbed it ends with {process.exitcode}")
    return found


def shared(pids: set[int]) -> str:
    """Shared memory that processes left: its names hold their numbers."""
    names = [path.name for path in SHARED.iterdir()] if SHARED.is_dir() else []
    left = [name for name in names if pids & {int(n) for n in re.findall(r"\d+", name)}]
    return f"shared memory: {left}" if left else ""


def killed(
    subject: Subject, jobs: int, stop: tuple[float, int], number: int
) -> tuple[set[int], int]:
    """Ended after some seconds, or before a call; its processes, and how many outlive it."""
    seconds, calls = stop
    process = forks.Process(target=_doomed, args=(subject, jobs, calls))
    process.start()
    pid, children = process.pid or 0, set[int]()
    end = time.monotonic() + (seconds or 600)
    while process.is_alive() and time.monotonic() < end:
        children |= set(below(pid))
        process.join(min(0.2, max(end - time.monotonic(), 0)))  # a look takes some milliseconds
    children |= set(below(pid))
    if process.is_alive():
        os.kill(pid, number)
    process.join()
    began, before = time.monotonic(), {child: waited(child) for child in children}
    while any(map(alive, children)) and any(
        time.monotonic() - began - (waited(child) - before[child]) < ENDS for child in children
    ):
        time.sleep(0.02)
    return children | {pid}, sum(map(alive, children))


def _counted(subject: Subject, jobs: int, pipe: Any) -> None:
    _begin()
    seen = _watched(subject.out, 0)
    subject.work(jobs)
    pipe.send(len(seen))


def _doomed(subject: Subject, jobs: int, calls: int) -> None:
    _begin()
    if calls:
        _watched(subject.out, calls)
    subject.work(jobs)


def _begin() -> None:
    # as Python up to 3.13 has it: a fork server of its own would import all that this one has
    multiprocessing.set_start_method("fork", force=True)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def _watched(out: Path, last: int) -> list[str]:
    """The calls that change a folder, as they come; the one of a number kills the process."""
    seen: list[str] = []
    below_it = str(out)

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event not in CHANGES or not isinstance(given[0], str | bytes | os.PathLike):
            return
        if event == "open" and not (isinstance(given[2], int) and given[2] & WRITES):
            return
        if os.fsdecode(given[0]).startswith(below_it):
            seen.append(event)
            if len(seen) == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return seen


def below(pid: int) -> list[int]:
    """Processes that descend from one."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def waited(pid: int) -> float:
    """Seconds for which it wanted a processor and got none."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def alive(pid: int) -> bool:
    """Whether it still runs; one that nobody asked for its end yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


# -- what is killed -----------------------------------------------------------------------------


def strays(out: Path) -> str:
    left = disk.stale(out) + disk.stale(out / ".journal")
    return f"strays: {', '.join(path.name for path in left)}" if left else ""


def _build(tiny: Tiny, jobs: int) -> None:
    tiny.build(jobs=jobs)


def of_build(place: Path) -> Subject:
    """Short and long exposures as SID has them: four shards in three splits."""
    tiny = make(place / "tiny")
    return Subject(partial(_build, tiny), tiny.out, partial(tinies.listing, tiny.out),
                   partial(strays, tiny.out))  # fmt: skip


def _sample(out: Path, jobs: int) -> None:
    os.environ["TMPDIR"] = str(out.parent)
    words = ["build", "sid", "--sample", "--out", str(out), "--jobs", str(jobs)]
    cli(words, standalone_mode=False)


def of_sample(place: Path) -> Subject:
    """The command `isptools build sid --sample`, whose miniature lies in the temporary folder."""
    out = place / "out"
    return Subject(partial(_sample, out), out, partial(tinies.listing, out), partial(_left, out))


def _left(out: Path) -> str:
    folders = [path.name for path in out.parent.glob("isptools-*")]
    return strays(out) or (f"left in the temporary folder: {folders}" if folders else "")


def _bursts(source: Path, out: Path, jobs: int) -> None:
    recipe = Recipe.load("bursts")
    opened = datasets.opened(recipe.source)
    recipe = msgspec.structs.replace(recipe, storage=msgspec.structs.replace(
        recipe.storage, scenes_per_shard=1))  # fmt: skip
    build(recipe, source, out, Options(jobs, data_set=opened))


def of_fused(place: Path) -> Subject:
    """Four bursts of three frames, fused."""
    tiny = make(place / "tiny")
    for burst in range(4):
        for number in range(3):
            frame = tinies.frame(burst, 0.1)
            noise = np.random.default_rng([burst, number]).integers(0, 9, frame.pixels.shape)
            noisy = replace(frame, pixels=(frame.pixels + noise).astype(np.uint16))
            tinies.write(tiny, f"../bursts/b{burst}/{number}.dng", noisy)
    out = place / "fused"
    source = (tiny.folder / "bursts").resolve()
    return Subject(partial(_bursts, source, out), out, partial(tinies.listing, out),
                   partial(strays, out))  # fmt: skip


def settings() -> Settings:
    stages = [{"train": "whole", "steps": 9, "rate": 1e-3}]
    words = {"title": "t", "network": {"name": "srcnn"}, "patch": 32, "batch": 1,
             "save_every": 3, "log_every": 2, "stages": stages}  # fmt: skip
    return Settings.of(words)


def _train(shards: Path, out: Path, jobs: int) -> None:
    train(settings(), Job(shards, out, Place("cpu", workers=jobs - 1)))


def _trained(out: Path) -> tuple[str, list[tuple[str, str]]]:
    """The weights as text, and the lines of the log."""
    model = checkpoint.load(out / "model.safetensors")["model"]
    with (out / "log.csv").open(newline="") as file:
        told = [(row["stage"], row["step"]) for row in csv.DictReader(file)]
    return str({name: part.numpy().tobytes() for name, part in sorted(model.items())}), told


def _parts(out: Path) -> str:
    left = [path.name for path in out.rglob("*.part")]
    return f"strays: {left}" if left else ""


def of_training(place: Path) -> Subject:
    tiny = make(place / "tiny")
    tiny.build()
    out = place / "run"
    return Subject(partial(_train, tiny.out, out), out, partial(_trained, out),
                   partial(_parts, out))  # fmt: skip


SUBJECTS: Sequence[tuple[str, Callable[[Path], Subject], int]] = (
    ("SIGKILL and SIGHUP of a build, 1 and 2 jobs", of_build, 50),
    ("SIGKILL and SIGHUP of `isptools build sid --sample`", of_sample, 8),
    ("SIGKILL and SIGHUP of a build that fuses bursts, 1 and 2 jobs", of_fused, 50),
    ("SIGKILL and SIGHUP of a training, with and without a reader", of_training, 50),
)
