"""The settings of a row: its preset, what the table and the row replace, and the budget."""

from pathlib import Path
from typing import Any

import torch

from isptools import shipped
from isptools.compare.table import Budget, Data, Row, Table
from isptools.train import networks
from isptools.train.camera import Camera, least
from isptools.train.settings import Settings, Stage, replaced_words, settings_words
from isptools.train.task import span


def settings(
    table: Table, row: Row, data: Data, budget: Budget, seed: int = 0, code: Path | None = None
) -> Settings:
    """What a row is trained with on shards of `data`. ValueError in one line."""
    words = replaced_words(settings_words(_preset(row.preset or table.preset, data)), table.set)
    if row.network:
        words["network"] = {"name": row.network} if isinstance(row.network, str) else row.network
    words = replaced_words(words, row.set) | {"seed": seed, "recipes": []}
    name = words["network"]["name"]
    words["network"] |= budget.network.get(name, {})
    with torch.device("meta"):
        camera, _ = networks.built(words["network"], code)
    chosen = Settings.of(words)
    stages = _suiting(camera, _chosen_stages(row, chosen.stages))
    words["stages"] = [_words(stage) for stage in _budgeted(stages, budget)]
    words |= _sizes(camera, chosen, budget)
    return Settings.of(words)


def _preset(name: str, data: Data) -> Path:
    """A preset that ships, * standing for the data set's own."""
    if not name:
        raise ValueError("a row that is trained needs a preset, its own or the table's")
    full = name.replace("*", data.suffix)
    path = shipped.folder("recipes") / "train" / f"{full}.toml"
    if "/" in full or not path.is_file():
        raise ValueError(f"there is no preset {full!r}")
    return path


def _chosen_stages(row: Row, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Those that a row keeps, or all of them as one."""
    missing = set(row.stages) - {stage.train for stage in stages}
    if missing:
        raise ValueError(f"its settings have no stage {', '.join(sorted(missing))}")
    kept = tuple(stage for stage in stages if not row.stages or stage.train in row.stages)
    return (_as_one(kept, row.joined),) if row.joined else kept


def _as_one(stages: tuple[Stage, ...], train: Any) -> Stage:
    """As long as all together, at the first one's rate."""
    first = stages[0]
    epochs, steps = (sum(getattr(stage, word) for stage in stages) for word in ("epochs", "steps"))
    return Stage(train, epochs=epochs, steps=steps, rate=first.rate, decay=first.decay)


def _suiting(camera: Camera, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stages, or one as long as all for a network that can't be trained part by part."""
    if camera.parts[0].fit is not None and len(camera.parts) == 1:
        return (_as_one(stages, "fit"),)
    try:
        for stage in stages:
            span(camera, stage)
    except ValueError:
        return (_as_one(stages, "whole"),)
    return stages


def _budgeted(stages: tuple[Stage, ...], budget: Budget) -> list[Stage]:
    """As many steps in all as the budget says, at least one a stage; rates as it says."""
    total = sum(stage.epochs or stage.steps for stage in stages)
    out = []
    for stage in stages:
        share = (stage.epochs or stage.steps) / total
        steps = max(round(budget.steps * share), 1) if budget.steps else stage.steps
        epochs = 0 if budget.steps else stage.epochs
        out.append(Stage(stage.train, epochs, steps, stage.rate * budget.times, stage.decay))
    return out


def _words(stage: Stage) -> dict[str, Any]:
    how = {"epochs": stage.epochs} if stage.epochs else {"steps": stage.steps}
    return {"train": stage.train, "rate": stage.rate, "decay": stage.decay, **how}


def _sizes(camera: Camera, chosen: Settings, budget: Budget) -> dict[str, Any]:
    """Patch and batch; the budget's patch grows to what the network takes."""
    every = camera.intake.period
    patch = budget.patch or chosen.patch
    smallest = max(patch, least(camera)) if budget.patch else patch
    return {"patch": -(-smallest // every) * every, "batch": budget.batch or chosen.batch}
