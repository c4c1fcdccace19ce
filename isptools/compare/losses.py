"""The last losses of every stage of a training (CameraNet v2, Table III)."""

import csv
import math
from pathlib import Path

from isptools.compare.score import Scores

SIDES = ("training", "validation")


def of(run: Path, name: str) -> Scores:
    """Columns `STAGE training`, `STAGE validation` and `STAGE gap`, from the run's log."""
    found: dict[str, float] = {}
    for stage, row in last(run).items():
        for side in SIDES:
            found[f"{stage} {side}"] = float(row[side])
        found[f"{stage} gap"] = float(row["validation"]) - float(row["training"])
    return Scores(tuple(found), (name,), (tuple(found.values()),))


def last(run: Path) -> dict[str, dict[str, str]]:
    """The last line of each stage."""
    return {row["stage"]: row for row in lines(run)}


def lines(run: Path) -> list[dict[str, str]]:
    """Of the run's log, in order."""
    with (run / "log.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def curve(run: Path) -> list[tuple[float, float]]:
    """Step and validation loss of the last stage, where there is one."""
    kept = lines(run)
    stage = kept[-1]["stage"] if kept else ""
    points = [(float(r["step"]), float(r["validation"])) for r in kept if r["stage"] == stage]
    return [point for point in points if not math.isnan(point[1])]
