"""The settings of a row: its preset, what the table and the row replace, and the budget."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from isptools import shipped
from isptools.compare.table import Budget, Data, Row, Table
from isptools.train import networks
from isptools.train.camera import Camera, least
from isptools.train.compression import SIMULATOR
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
    words |= _simulator(words, budget)
    camera, _ = networks.outlined(words["network"], code)
    stages = _suiting(camera, _chosen_stages(row, _decoded(words.get("stages"))))
    words["stages"] = [_words(stage, budget) for stage in _budgeted(stages, budget)]
    words |= {"batch": budget.batch} if budget.batch else {}
    chosen = Settings.of(words)
    return replace(chosen, patch=_patch(camera, chosen.patch, budget))


def _decoded(stages: Any) -> tuple[Stage, ...]:
    try:
        return msgspec.convert(stages, tuple[Stage, ...])
    except msgspec.ValidationError as error:
        raise ValueError(f"stages: {error}") from None


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
    epochs, steps = (sum(getattr(stage, word) for stage in stages) for word in ("epochs", "steps"))
    return replace(stages[0], train=train, epochs=epochs, steps=steps)


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
    """As many steps in all as the budget says, at least one a stage; rates as it says.

    A simulator's are beside them: rows with one and without train the ISP for as long.
    """
    faster = [
        replace(stage, rate=stage.rate * _times(stage, budget), decay=budget.decay or stage.decay)
        for stage in stages
    ]
    if not budget.steps:
        return faster
    counted = [stage for stage in stages if stage.train != SIMULATOR] or stages
    total = sum(stage.epochs or stage.steps for stage in counted)
    shares = [(stage.epochs or stage.steps) / total for stage in stages]
    return [
        replace(stage, epochs=0, steps=max(round(budget.steps * share), 1))
        for stage, share in zip(faster, shares, strict=True)
    ]


def _times(stage: Stage, budget: Budget) -> float:
    times = budget.times
    return times.get(stage.train, 1.0) if isinstance(times, dict) else times


def _words(stage: Stage, budget: Budget) -> dict[str, Any]:
    words: dict[str, Any] = msgspec.to_builtins(stage)
    return words | {"batch": 0} if budget.batch and words.get("batch") else words


def _simulator(words: dict[str, Any], budget: Budget) -> dict[str, Any]:
    """The objective with a smaller simulator, where it has one and the budget says so."""
    objective = words.get("objective", {})
    own = objective.get("simulator", {})
    smaller = own | budget.simulator.get(own.get("kind", ""), {})
    return {"objective": objective | {"simulator": smaller}} if own else {}


def _patch(camera: Camera, patch: int, budget: Budget) -> int:
    """The budget's, grown to what the network takes."""
    if not budget.patch:
        return patch
    every = camera.intake.period
    return -(-max(budget.patch, least(camera)) // every) * every
