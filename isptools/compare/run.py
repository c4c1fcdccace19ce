"""Do what a table asks for and is not done yet: train, then score; what fails costs its row."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import torch

from isptools import shards, whole
from isptools.compare import cost, histograms, losses, methods, simulated
from isptools.compare.plan import Asked, Training, Unit, line_of
from isptools.compare.score import Render, Scores, of_method, of_network, score, truth
from isptools.compare.table import Jpeg
from isptools.shards import Shards
from isptools.train import checkpoint, evaluate, infer
from isptools.train.camera import Camera
from isptools.train.checkpoint import SUFFIX
from isptools.train.job import Job
from isptools.train.place import Place
from isptools.train.run import train
from isptools.train.settings import Settings

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A unit's scores, or why there are none; `wrong` where that is a failure."""

    unit: Unit
    scores: Scores | None
    said: str = ""
    wrong: bool = False


def run(asked: Asked, units: Sequence[Unit], jobs: int, tell: Tell) -> list[Outcome]:
    """Every unit's outcome, in order. A killed call goes on where it was."""
    (asked.out / "scores").mkdir(parents=True, exist_ok=True)
    failed = dict(_all(trained, _wanted(units), asked, jobs, tell))
    out = []
    todo = [unit for unit in units if not unit.missing and not _lost(unit, failed)]
    found = dict(zip(map(id, todo), _all(scored, todo, asked, jobs, tell), strict=True))
    for unit in units:
        if unit.missing:
            out.append(Outcome(unit, None, unit.missing, unit.missing.startswith("failed: ")))
        elif lost := _lost(unit, failed):
            out.append(Outcome(unit, None, f"failed: {lost}", True))
        else:
            scores, said = found[id(unit)]
            out.append(Outcome(unit, scores, said and f"failed: {said}", bool(said)))
    return out


def _wanted(units: Sequence[Unit]) -> list[Training]:
    """Every training once."""
    found = {one.folder: one for unit in units for one in unit.trainings}
    return list(found.values())


def _lost(unit: Unit, failed: dict[Path, str]) -> str:
    return next((said for one in unit.trainings if (said := failed[one.folder])), "")


def _all(
    work: Callable[..., Any], items: Sequence[Any], asked: Asked, jobs: int, tell: Tell
) -> Iterator[Any]:
    """What `work` makes of each, in order; by several processes where `jobs` says so."""
    if jobs <= 1 or len(items) <= 1:
        for item in items:
            yield work(item, asked, tell)
        return
    with joblib.parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
        parallel = joblib.Parallel(return_as="generator")
        yield from parallel(joblib.delayed(work)(item, asked, None) for item in items)


def trained(item: Training, asked: Asked, tell: Tell | None) -> tuple[Path, str]:
    """The folder, and what went wrong in one line, or ""."""
    if (item.folder / f"model{SUFFIX}").exists():
        return item.folder, ""
    if tell:
        tell(f"training {item.folder.name}: {item.settings.title}, seed {item.settings.seed}")
    try:
        place = Place(infer.device_of(asked.device))
        train(item.settings, Job(item.shards, item.folder, place, code=asked.code))
    except Exception as error:  # whatever a row's own network raises must not cost the others
        return item.folder, line_of(error)
    return item.folder, ""


def scored(unit: Unit, asked: Asked, tell: Tell | None) -> tuple[Scores | None, str]:
    """Its scores, from their file where that is there, and what went wrong in one line, or ""."""
    path = asked.out / "scores" / f"{unit.key}.json"
    if (known := _read(path)) is not None:
        return known, ""
    if tell:
        tell(f"scoring {unit.row.name}" + (f" on {unit.data.name}" if unit.data.name else ""))
    try:
        with torch.inference_mode():
            scores = _scores(unit, asked)
    except Exception as error:  # the same
        return None, line_of(error)
    _write(path, scores)
    return scores, ""


def _scores(unit: Unit, asked: Asked) -> Scores:
    match asked.table.kind:
        case "complexity":
            return cost.of(unit.row, asked.budget, asked.device, asked.code)
        case "losses":
            return losses.of(unit.trainings[0].folder, unit.row.name)
        case "histograms":
            with opened(unit, None) as source:
                return histograms.score(unit.row.method, source, asked.budget.limit)
        case "simulators":
            jpeg = unit.row.jpeg or Jpeg(90)
            simulate = _simulate(unit, jpeg)
            with opened(unit, None) as source:
                return simulated.score(simulate, source, jpeg, asked.budget.limit)
    render, camera = renderer(unit, asked)
    with opened(unit, camera) as source:
        return score(render, source, asked.table.metrics, unit.row.jpeg, asked.budget.limit)


def _simulate(unit: Unit, jpeg: Jpeg) -> simulated.Simulate:
    if unit.row.method:
        return simulated.without_training(unit.row.method, jpeg)
    training = unit.trainings[0]
    return simulated.trained(training.folder, training.settings)


def renderer(unit: Unit, asked: Asked) -> tuple[Render, Camera | None]:
    """What makes the pictures of a unit, and the network that does."""
    if unit.row.method == "truth":
        return truth, None
    if unit.row.method:
        return of_method(methods.named(unit.row.method, asked.camera)), None
    camera, settings = _model(unit, asked.code)
    how = infer.How(None, infer.device_of(asked.device), settings.precision)
    return of_network(camera, how, settings.shading == "undone"), camera


def _model(unit: Unit, code: Path | None) -> tuple[Camera, Settings]:
    """The trained network; of two, the parts up to the restored picture are the first's."""
    camera, settings = checkpoint.model(unit.trainings[0].folder, code)
    if len(unit.trainings) > 1:
        other, _ = checkpoint.model(unit.trainings[1].folder, code)
        if not 0 <= camera.restored < len(camera.nets) - 1:
            raise ValueError("this network has no parts behind a restored picture to exchange")
        for at in range(camera.restored + 1, len(camera.nets)):
            camera.nets[at].load_state_dict(other.nets[at].state_dict())
    return camera, settings


def opened(unit: Unit, camera: Camera | None) -> Shards:
    """The shards that a unit is scored on. ValueError in one line."""
    if camera is not None:
        return evaluate.opened(unit.shards, unit.data.split, camera)
    return shards.open(unit.shards, unit.data.split)


def _read(path: Path) -> Scores | None:
    """What was scored before; None where nothing was, or the file is not ours: it is done again."""
    try:
        words = json.loads(path.read_bytes())
        values = tuple(tuple(map(float, row)) for row in words["values"])
        return Scores(tuple(words["columns"]), tuple(words["keys"]), values)
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return None


def _write(path: Path, scores: Scores) -> None:
    words = {"columns": scores.columns, "keys": scores.keys, "values": scores.values}
    whole.save(path, json.dumps(words).encode())
