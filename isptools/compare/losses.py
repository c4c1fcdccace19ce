"""The last losses of every stage of a training (CameraNet v2, Table III)."""

import csv
import math
from pathlib import Path

from isptools.compare.score import Scores

SIDES = ("training", "validation")


def of(run: Path, name: str) -> Scores:
    """Columns `STAGE training`, `STAGE validation` and `STAGE gap`, from the run's log.

    ValueError in one line where another version wrote it, without them.
    """
    found: dict[str, float] = {}
    for stage, row in last(run).items():
        if not all(row.get(side) for side in SIDES):
            raise ValueError(f"{run / 'log.csv'}: another version's, without losses of {stage}; "
                             "remove the folder to train this row again")  # fmt: skip
        for side in SIDES:
            found[f"{stage} {side}"] = float(row[side])
        found[f"{stage} gap"] = float(row["validation"]) - float(row["training"])
    if not found:
        raise ValueError(f"{run}: its log.csv holds no line; remove the folder to train it again")
    return Scores(tuple(found), (name,), (tuple(found.values()),))


def last(run: Path) -> dict[str, dict[str, str]]:
    """The last line of each stage."""
    return {row["stage"]: row for row in lines(run)}


def lines(run: Path) -> list[dict[str, str]]:
    """Of the run's log, in order; none where somebody took it away."""
    if not (run / "log.csv").exists():
        return []
    with (run / "log.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row.get("stage") and row.get("step")]


def curve(run: Path) -> list[tuple[float, float]]:
    """Step and validation loss of the last stage, where there is one."""
    kept = lines(run)
    stage = kept[-1]["stage"] if kept else ""
    rows = [row for row in kept if row["stage"] == stage]
    points = [(float(row["step"]), float(row.get("validation") or math.nan)) for row in rows]
    return [point for point in points if not math.isnan(point[1])]
