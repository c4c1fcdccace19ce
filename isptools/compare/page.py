"""The folder of a comparison: table.md, table.csv, table.json, plots and cuts."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from isptools import whole
from isptools.compare import losses, plots, summary
from isptools.compare.plan import Asked
from isptools.compare.run import Outcome
from isptools.compare.summary import Line, Section

NONE = "-"


def write(
    asked: Asked, outcomes: Sequence[Outcome], found: Sequence[Section],
    cuts: Mapping[str, Mapping[str, Path]], budget: str,
) -> Path:  # fmt: skip
    """Everything into the folder; gives the path of table.md."""
    drawn = {section.data.name: drawings(asked, section, outcomes) for section in found}
    for files in drawn.values():
        for name, text in files.items():
            _put(asked.out / name, text)
    _put(asked.out / "table.csv", as_csv(asked, found))
    _put(asked.out / "table.json", as_json(asked, found, budget))
    page = asked.out / "table.md"
    _put(page, as_markdown(asked, found, drawn, cuts, budget))
    return page


def as_markdown(
    asked: Asked, found: Sequence[Section], drawn: Mapping[str, Mapping[str, str]],
    cuts: Mapping[str, Mapping[str, Path]], budget: str,
) -> str:  # fmt: skip
    """The page of a comparison as Markdown: a table and plots for each section."""
    table = asked.table
    out = [f"# {table.title}", ""]
    out += [f"Printed numbers: {table.paper}.", ""] if table.paper else []
    out += [f"Budget {budget}: {_told(asked)}.", ""]
    out += [table.note, ""] if table.note else []
    for section in found:
        out += [f"## {_heading(section)}", ""] if section.data.name else []
        out += _rows(asked, section)
        out += [f"Not comparable: {one}." for one in _different(section)]
        out += ["", *_orders(asked, section), ""]
        out += [f"![{name}]({name})" for name in drawn[section.data.name]]
        out += [f"\n{what}:\n\n![{what}]({path.relative_to(asked.out).as_posix()})"
                for what, path in cuts.get(section.data.name, {}).items()]  # fmt: skip
        out.append("")
    return "\n".join(out).rstrip() + "\n"


def _told(asked: Asked) -> str:
    words = msgspec.to_builtins(asked.budget)
    said = {
        "steps": "{} steps a row in all", "patch": "cuts of {} pixels", "batch": "{} a step",
        "times": "rates times {}", "decay": "rates fall by '{}'",
        "limit": "{} inputs scored", "seeds": "seeds {}",
        "network": "networks made smaller: {}", "simulator": "simulators made smaller: {}",
    }  # fmt: skip
    if asked.table.kind == "complexity":
        said["limit"] = "frames of {0} x {0} pixels are timed, and their seconds scaled up"
    told = [said[k].format(v) for k, v in words.items() if v and not (k == "times" and v == 1)]
    return "; ".join(told) or "as the settings are"


def _heading(section: Section) -> str:
    return (f"{section.data.name}: recipe {section.recipe}, split {section.data.split}, "
            f"{section.inputs} inputs")  # fmt: skip


def _different(section: Section) -> tuple[str, ...]:
    printed = any(name in line.row.printed for line in section.lines for name in section.printed)
    return section.not_comparable if printed else ()


def _rows(asked: Asked, section: Section) -> list[str]:
    metrics = asked.table.metrics
    names = [name for name in section.printed
             if any(name in line.row.printed for line in section.lines)]  # fmt: skip
    heads = ["method", "parameters", *metrics, *(f"printed {name}".strip() for name in names), ""]
    out = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for line in section.lines:
        cells = [line.row.name, f"{line.parameters:,}" if line.parameters else NONE]
        cells += [number(line, metric) for metric in metrics]
        cells += [summary.text(line.row.printed[name]) if name in line.row.printed else NONE
                  for name in names]  # fmt: skip
        out.append("| " + " | ".join([*cells, remark(line)]).replace("\n", " ") + " |")
    return [*out, ""]


def number(line: Line, metric: str) -> str:
    """Mean and spread as people read them."""
    mean, spread = line.mean(metric), line.spread(metric)
    if math.isnan(mean):
        return NONE
    shown = f"{mean:.3f}" if abs(mean) >= 0.1 or mean == 0 else f"{mean:.4f}"
    return shown if math.isnan(spread) else f"{shown} ± {spread:.3f}"


def remark(line: Line) -> str:
    """Why a row has no numbers, or why its printed ones are not to be compared."""
    said = [line.said] if line.said else []
    if line.row.not_comparable:
        said.append(f"not comparable: {line.row.not_comparable}")
    return "; ".join(said)


def _orders(asked: Asked, section: Section) -> list[str]:
    metric = asked.table.metrics[0]
    out = []
    for name in section.printed:
        same, of = summary.order(section, metric, 0, name)
        if of:
            where = f" on {name}" if name else ""
            out.append(
                f"By {metric}, {same} of {of} pairs of rows stand as the paper has them{where}."
            )
    return out


def drawings(asked: Asked, section: Section, outcomes: Sequence[Outcome]) -> dict[str, str]:
    """SVG texts by file name: the first metric, or what the table's axis says; training."""
    metric = asked.table.metrics[0]
    measured = [line for line in section.lines if not math.isnan(line.mean(metric))]
    head = f"{section.data.name}-".lstrip("-").replace(" ", "-")
    out = {}
    if measured:
        out[f"{head}{metric.replace(' ', '-')}.svg"] = _drawn(asked, section, measured, metric)
    curves = _trainings(section, outcomes)
    if curves:
        out[f"{head}training.svg"] = plots.lines(curves, "step of the last stage", "validation")
    return out


def _drawn(asked: Asked, section: Section, measured: list[Line], metric: str) -> str:
    axis = asked.table.axis
    if axis:
        curves: dict[str, list[plots.Point]] = {}
        for line in measured:
            x = line.mean(axis) if line.row.at is None else line.row.at
            name = line.row.name.partition(",")[0] if line.row.at is None else metric
            curves.setdefault(name, []).append((x, line.mean(metric), line.spread(metric)))
        return plots.lines(curves, axis, metric)
    printed = section.printed[0] if len(section.printed) == 1 else None
    rows = [
        (line.row.name, line.mean(metric), line.spread(metric),
         line.row.printed.get(printed, (math.nan,))[0] if printed is not None else math.nan)
        for line in measured
    ]  # fmt: skip
    return plots.bars(rows, metric)


def _trainings(section: Section, outcomes: Sequence[Outcome]) -> dict[str, list[plots.Point]]:
    """Validation losses of first seeds' last stages, where there are enough to be a line."""
    out: dict[str, list[plots.Point]] = {}
    for one in outcomes:
        unit = one.unit
        if one.scores and unit.data.name == section.data.name and len(unit.trainings) == 1:
            points = losses.curve(unit.trainings[0].folder)
            if len(points) >= 3 and unit.row.name not in out and not unit.row.jpeg:
                out[unit.row.name] = [(x, y, math.nan) for x, y in points]
    return out


def as_csv(asked: Asked, found: Sequence[Section]) -> str:
    """A line a row and data set: means, spreads and printed numbers."""
    metrics = asked.table.metrics
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    spread = [f"{metric} spread" for metric in metrics]
    printed = [f"{metric} printed" for metric in metrics]
    lines.writerow(("data", "row", "seeds", "pictures", *metrics, *spread, *printed, "remark"))
    for section in found:
        for line in section.lines:
            own = line.row.printed.get(section.data.name, (math.nan,) * len(metrics))
            values = [*map(line.mean, metrics), *map(line.spread, metrics), *own]
            lines.writerow((section.data.name, line.row.name, len(line.by_seed), line.pictures,
                            *("" if math.isnan(v) else f"{v:.6g}" for v in values),
                            remark(line)))  # fmt: skip
    return text.getvalue()


def as_json(asked: Asked, found: Sequence[Section], budget: str) -> str:
    """All of it, a row's numbers seed by seed."""
    words: dict[str, Any] = {
        "title": asked.table.title, "paper": asked.table.paper, "kind": asked.table.kind,
        "metrics": asked.table.metrics, "budget": budget,
        "budget_words": msgspec.to_builtins(asked.budget),
        "data": [_section(section) for section in found],
    }  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(words), indent=2).decode() + "\n"


def _section(section: Section) -> dict[str, Any]:
    return {
        "name": section.data.name, "recipe": section.recipe, "split": section.data.split,
        "inputs": section.inputs, "not_comparable": section.not_comparable,
        "rows": [
            {
                "name": line.row.name, "parameters": line.parameters or None,
                "by_seed": line.by_seed, "printed": line.row.printed, "remark": remark(line),
            }
            for line in section.lines
        ],
    }  # fmt: skip


def _put(path: Path, text: str) -> None:
    whole.save(path, text.encode())
