"""The page of a comparison: its tables, plots and cuts."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isptools.report.facts import Fact, Top, uri
from isptools.report.template import rendered

TABLE = "table.json"
PICTURES = 60
LARGEST = 2_000_000  # bytes of a picture that goes into the page


@dataclass(frozen=True, slots=True)
class Section:
    """One data set's rows: name, parameters, means with their spread, remark."""

    title: str
    rows: tuple[tuple[str, str, tuple[str, ...], str], ...]


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    """All that the page shows."""

    top: Top
    metrics: tuple[str, ...]
    sections: tuple[Section, ...]
    pictures: tuple[tuple[str, str], ...]  # caption, data URI
    about: tuple[tuple[str, str], ...]


def is_comparison(folder: Path) -> bool:
    """Whether a folder is one that `isptools compare` wrote."""
    return (folder / TABLE).is_file()


def page(folder: Path) -> ComparisonPage:
    """Of a folder that `isptools compare` made. ValueError in one line where it is damaged."""
    path = folder / TABLE
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
        metrics = tuple(map(str, words["metrics"]))
        sections = tuple(_section(each, metrics) for each in words["data"])
        told = tuple(_facts(words, metrics))
        missing = sum(not any(row["by_seed"]) for each in words["data"] for row in each["rows"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: no table of isptools compare ({said})") from None
    verdict = "look" if missing else "ship"
    sentence = (f"{missing} rows have no numbers; their remarks say why." if missing
                else "Every row has its numbers.")  # fmt: skip
    top = Top(str(words.get("title", folder.name)), verdict, sentence, told)
    about = tuple((name, _text(words[name])) for name in ("paper", "kind", "budget", "budget_words")
                  if words.get(name))  # fmt: skip
    return ComparisonPage(top, metrics, sections, tuple(_pictures(folder)), about)


def html(made: ComparisonPage) -> bytes:
    """The page as one HTML file, UTF-8."""
    return rendered("comparison.html.j2", made.top, {}, {"made": made})


def numbers(made: ComparisonPage) -> bytes:
    """Every number of the page, without its pictures."""
    out = {"title": made.top.title, "verdict": made.top.verdict, "sentence": made.top.sentence,
           "facts": [asdict(fact) for fact in made.top.facts], "metrics": made.metrics,
           "sections": [asdict(each) for each in made.sections]}  # fmt: skip
    return json.dumps(out, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _section(words: Mapping[str, Any], metrics: Sequence[str]) -> Section:
    name = f"{words['name']}: " if words.get("name") else ""
    title = f"{name}recipe {words['recipe']}, split {words['split']}, {words['inputs']} inputs"
    return Section(title, tuple(_row(row, metrics) for row in words["rows"]))


def _row(row: Mapping[str, Any], metrics: Sequence[str]) -> tuple[str, str, tuple[str, ...], str]:
    count = f"{row['parameters']:,}" if row.get("parameters") else ""
    cells = tuple(_mean(row["by_seed"], metric) for metric in metrics)
    return str(row["name"]), count, cells, str(row.get("remark") or "")


def _values(by_seed: Any, metric: str) -> list[float]:
    """One a seed: a mapping of metrics, or a list of such mappings."""
    seeds = by_seed.values() if isinstance(by_seed, dict) else by_seed
    found = [each.get(metric) for each in seeds if isinstance(each, dict)]
    return [float(value) for value in found if value is not None and math.isfinite(value)]


def _mean(by_seed: Any, metric: str) -> str:
    values = _values(by_seed, metric)
    if not values:
        return ""
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:.3f}"
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return f"{mean:.3f} ± {spread:.3f}"


def _facts(words: Mapping[str, Any], metrics: Sequence[str]) -> Iterator[Fact]:
    rows = [row for each in words["data"] for row in each["rows"]]
    seeds = max((len(row["by_seed"]) for row in rows), default=0)
    sets = f"{len(words['data'])} data sets"
    yield Fact("rows", str(len(rows)), "", sets, "methods that are compared")
    budget = f"budget {words.get('budget', '')}"
    yield Fact("seeds", str(seeds), "", budget, "trainings of each row")
    best = max(rows, key=lambda row: max(_values(row["by_seed"], metrics[0]), default=-math.inf))
    value = _mean(best["by_seed"], metrics[0])
    yield Fact(metrics[0], value or "none", "", str(best["name"]), "the highest mean of a row")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _pictures(folder: Path) -> Iterator[tuple[str, str]]:
    """Plots and cuts that lie in the folder; an SVG that is an image runs no script."""
    kinds = {".svg": "svg+xml", ".png": "png", ".jpg": "jpeg"}
    paths = [*sorted(folder.glob("*.*")), *sorted(folder.glob("cuts/**/*.*"))]
    for path in [each for each in paths if each.suffix in kinds][:PICTURES]:
        if path.stat().st_size <= LARGEST:
            name = path.relative_to(folder).with_suffix("").as_posix()
            yield name, uri(path.read_bytes(), kinds[path.suffix])
