"""A folder holds one run: what its settings were, what may change when it goes on."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

from isptools.train import networks, threads
from isptools.train.checkpoint import TrainError
from isptools.train.job import Job
from isptools.train.settings import Settings

# what may change when a run goes on: how long, how fast, how it is computed and told
MAY_CHANGE = (
    "title", "precision", "channels_last", "compile", "deterministic", "save_every", "log_every",
)  # fmt: skip
STAGE_MAY_CHANGE = ("steps", "epochs", "rate", "decay")
NAMED = f"steps, epochs, rate and decay of a stage, {', '.join(MAY_CHANGE[1:])}"


@dataclass(frozen=True, slots=True)
class Record:
    """What a run began with beside its settings; 0 and "" where it is not known."""

    processes: int = 0
    threads: int = 0
    start: str = ""  # whose weights


def claimed(settings: Settings, job: Job, fabric: Any) -> Settings:
    """The folder's run is this one: as it goes on here. TrainError where another stands in it."""
    if fabric.device.type == "cpu":
        _set_threads(job, fabric)
    start = str(job.start or "")
    if fabric.is_global_zero:
        record = Record(fabric.world_size, torch.get_num_threads(), start)
        begin(job.out, settings, record)
    fabric.barrier()
    began = recorded(job.out) or Record()
    if start and began.start != start:
        raise TrainError(
            f"{job.out}: holds a run that began with {began.start or 'fresh weights'}; take "
            "another --out"
        )
    changes = changed(job.out, settings)
    own = shared(settings, began.processes, fabric.world_size)
    fabric.barrier()
    if fabric.is_global_zero:
        for line in changes:
            job.tell(line)
        if changes:
            rewrite(job.out, settings)
    return own


def _set_threads(job: Job, fabric: Any) -> None:
    """As many as are free, or as the run began with: other sums would end in other bits."""
    asked = job.place.threads
    began = recorded(job.out) or Record()
    count = 0 if asked == "auto" else asked
    if asked == "auto":
        cores = threads.allowed()
        count = began.threads or max(threads.free() // fabric.world_size, 1)
        why = ", as this run began" if began.threads else ", the others are busy" * (count < cores)
        if fabric.is_global_zero:
            job.tell(f"threads: {count} of {cores} cores{why} (--threads)")
    if count:
        torch.set_num_threads(count)


def recorded(out: Path) -> Record | None:
    """What stands in a run's folder; None where none began there, or with an earlier version.
    TrainError where it can't be read."""
    try:
        return Record(**json.loads((out / "run.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError):
        raise TrainError(f"{out / 'run.json'}: can't be read; take another --out") from None


def begin(out: Path, settings: Settings, record: Record) -> None:
    """Begin a run in a folder that may be empty; the first of several processes wins."""
    out.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("settings.json", settings.to_json()), ("run.json", json.dumps(asdict(record))),
    ):  # fmt: skip
        if not (out / name).exists():
            _written(out / name, text)


def changed(out: Path, settings: Settings) -> list[str]:
    """What is otherwise than when the run was last started, a line each.

    TrainError in one line where it is nothing that may change.
    """
    try:
        there = Settings.of_json((out / "settings.json").read_text(encoding="utf-8"))
        network = networks.written_out(there.network)
        there = msgspec.structs.replace(there, network=network)
    except (KeyError, ValueError):
        raise TrainError(f"{out}: holds a run of other settings; take another --out") from None
    found = differences(json.loads(there.to_json()), json.loads(settings.to_json()))
    fixed = [word for word in found if not _may_change(word)]
    if fixed:
        said = ", ".join(
            f"{word} ({found[word][0]} there, {found[word][1]} here)" for word in fixed
        )
        raise TrainError(
            f"{out}: holds a run of other settings: {said[:300]}; what may change is {NAMED}; take "
            "another --out"
        )
    return [f"goes on with {word} {new}, not {old}" for word, (old, new) in found.items()]


def rewrite(out: Path, settings: Settings) -> None:
    """The settings that a run goes on with."""
    _written(out / "settings.json", settings.to_json())


def differences(there: Any, here: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Dotted paths of words that differ; a stage is named by what it trains."""
    if isinstance(there, dict) and isinstance(here, dict):
        out: dict[str, tuple[Any, Any]] = {}
        for name in [*there, *(name for name in here if name not in there)]:
            inner = f"{path}.{name}".lstrip(".")
            out |= differences(there.get(name), here.get(name), inner)
        return out
    if path == "stages" and [one["train"] for one in there] == [one["train"] for one in here]:
        before, now = ({one["train"]: one for one in stages} for stages in (there, here))
        return differences(before, now, path)
    return {} if there == here else {path: (there, here)}


def _may_change(word: str) -> bool:
    table, _, last = word.rpartition(".")
    return word in MAY_CHANGE or (table.startswith("stages.") and last in STAGE_MAY_CHANGE)


def shared(settings: Settings, processes: int, world: int) -> Settings:
    """The settings by which `world` processes see the cuts of each step that `processes` saw.

    TrainError in one line where they can't be shared evenly.
    """
    if processes in {0, world}:
        return settings
    batches = [settings.batch, *(stage.batch for stage in settings.stages if stage.batch)]
    cuts = [batch * settings.accumulate * processes for batch in batches]
    if any(one % world for one in cuts):
        raise TrainError(
            f"this run's steps are of {' and '.join(map(str, cuts))} cuts ({processes} processes), "
            f"which {world} can't share evenly"
        )
    own = [one // world for one in cuts]
    accumulate = next(n for n in range(1, max(own) + 1) if _fits(n, own, batches) or n == max(own))
    if not _fits(accumulate, own, batches):
        raise TrainError(f"no number of micro-steps shares {cuts} cuts among {world} processes")
    share = settings.accumulate * processes
    stages = tuple(
        msgspec.structs.replace(one, batch=one.batch * share // world // accumulate)
        for one in settings.stages
    )
    return msgspec.structs.replace(
        settings, batch=own[0] // accumulate, accumulate=accumulate, stages=stages
    )


def _fits(micros: int, own: Sequence[int], batches: Sequence[int]) -> bool:
    """Whether so many micro-steps make the cuts of every stage, none larger than it was."""
    return all(
        cuts % micros == 0 and cuts // micros <= batch
        for cuts, batch in zip(own, batches, strict=True)
    )


def _written(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")  # two stages side by side
    part.write_text(text, encoding="utf-8")
    part.replace(path)
