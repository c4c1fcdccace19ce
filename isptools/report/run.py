"""The page of a training: is it done, did it learn, how fast, and what does it show?"""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isptools.report import plots
from isptools.report.facts import Fact, Top, uri
from isptools.report.template import rendered

LOG, SETTINGS = "log.csv", "settings.json"
ROSE = 1.05  # times its least that a validation loss may end
PICTURES = 24  # crops that are shown
LARGEST = 2_000_000  # bytes of a picture that goes into the page
SHOWN = ("training", "validation")  # on one plot; every other column has its own
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The scores of one split."""

    name: str
    protocol: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    means: tuple[tuple[str, tuple[str, ...]], ...]  # method, a mean a column
    pictures: int


@dataclass(frozen=True, slots=True)
class RunPage:
    """All that the page shows."""

    top: Top
    curves: tuple[plots.Plot, ...]
    tables: tuple[Table, ...]
    crops: tuple[tuple[str, str], ...]  # caption, data URI
    settings: tuple[tuple[str, str], ...]


def is_run(folder: Path) -> bool:
    """Whether a folder is the run of a training and holds no shards."""
    return (folder / SETTINGS).is_file() and not any(folder.glob("*.h5"))


def page(folder: Path) -> RunPage:
    """Of a folder that `isptools train` made. ValueError in one line where nothing is logged."""
    rows = _rows(folder / LOG)
    words = _settings(folder / SETTINGS)
    tables = tuple(_table(path) for path in sorted(folder.glob("eval-*.csv")))
    verdict, sentence = _verdict(folder, rows)
    title = str(words.get("title") or words.get("network", {}).get("name") or folder.name)
    top = Top(title, verdict, sentence, tuple(_facts(rows, tables)))
    crops = tuple(_crops(folder))
    flat = tuple((name, text) for name, text in _flat("", words) if text)
    return RunPage(top, tuple(_curves(rows)), tables, crops, flat)


def html(made: RunPage) -> bytes:
    """The page as one HTML file, UTF-8."""
    sizes = {"WIDTH": plots.WIDTH, "HEIGHT": plots.HEIGHT, "LEFT": plots.LEFT,
             "RIGHT": plots.RIGHT, "TOP": plots.TOP, "BOTTOM": plots.BOTTOM}  # fmt: skip
    return rendered("run.html.j2", made.top, {}, {"made": made, **sizes})


def numbers(made: RunPage) -> bytes:
    """Every number of the page, without its pictures."""
    out = {"verdict": made.top.verdict, "sentence": made.top.sentence, "title": made.top.title,
           "facts": [asdict(fact) for fact in made.top.facts],
           "scores": [asdict(table) for table in made.tables],
           "settings": dict(made.settings)}  # fmt: skip
    return json.dumps(out, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        said = getattr(error, "strerror", None) or error
        raise ValueError(f"{path}: no log of a training ({said})") from None
    if not rows:
        raise ValueError(f"{path}: nothing is logged yet; train on")
    return rows


def _settings(path: Path) -> dict[str, Any]:
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: no settings of a training ({error})") from None
    return words if isinstance(words, dict) else {}


def _number(row: Row, name: str) -> float:
    try:
        return float(row.get(name) or "nan")
    except ValueError:
        return math.nan


def _known(rows: Sequence[Row], name: str) -> list[float]:
    values = (_number(row, name) for row in rows)
    return [value for value in values if math.isfinite(value)]


def _verdict(folder: Path, rows: Sequence[Row]) -> tuple[str, str]:
    if not math.isfinite(_number(rows[-1], "training")):
        return "stop", "Do not use these weights: the loss is no longer a finite number."
    if not (folder / "model.safetensors").is_file():
        return "look", "It is not done: the same command goes on."
    last = [row for row in rows if row.get("stage") == rows[-1].get("stage")]
    held = _known(last, "validation")
    if held and min(held) > 0 and held[-1] > ROSE * min(held):
        times = held[-1] / min(held)
        return "look", (f"Look at the curves: the validation loss ended {times:.2f} times above "
                        "its least, so it may have learned its pictures by heart.")  # fmt: skip
    if not held:
        return "look", "It is done, but nothing was held out: no curve says whether it generalizes."
    return "ship", "It is done, and the validation loss ended near its least."


def _facts(rows: Sequence[Row], tables: Sequence[Table]) -> Iterator[Fact]:
    last, held = rows[-1], _known(rows, "validation")
    stages = len({row.get("stage") for row in rows})
    yield Fact("steps", str(last.get("step", "")), "", f"{stages} stages", "of the last stage")
    training = f"{_number(last, 'training'):.4g}"
    yield Fact("training loss", training, "", "", "mean since the line before")
    least = f"least {min(held):.4g}" if held else "nothing held out"
    value = f"{held[-1]:.4g}" if held else "none"
    yield Fact("validation loss", value, "", least, "on pictures that are not trained on")
    speeds, used = _known(rows, "mp_s"), _known(rows, "mfu")
    speed = f"{sum(speeds) / len(speeds):.3g}" if speeds else "unknown"
    mfu = f"MFU {sum(used) / len(used):.1%}" if used else "MFU unknown: the device's peak is not"
    yield Fact("speed", speed, "MP/s", mfu, "of the input's mosaic; MFU: share of the peak")
    yield _score(tables)


def _score(tables: Sequence[Table]) -> Fact:
    meaning = "of the network on the split"
    for table in tables:
        for method, values in table.means:
            if method == "network":
                return Fact(table.columns[0], values[0], "dB", table.name, meaning)
    return Fact("score", "none yet", "", "isptools eval RUN FOLDER", meaning)


def _curves(rows: Sequence[Row]) -> Iterator[plots.Plot]:
    """Losses together, then each other column that has numbers, over the steps of all stages."""
    places: list[float] = []
    before, stage = 0.0, rows[0].get("stage")
    for row in rows:
        if row.get("stage") != stage:
            before, stage = places[-1], row.get("stage")
        places.append(before + _number(row, "step"))
    names = [name for name in rows[0] if name and name not in {"stage", "step", *SHOWN}]

    def curve(name: str) -> list[tuple[float, float]]:
        return [(x, _number(row, name)) for x, row in zip(places, rows, strict=True)]

    yield plots.lines("loss", {name: curve(name) for name in SHOWN})
    for name in names:
        if len(set(_known(rows, name))) > 1:
            yield plots.lines(name.replace("_", " "), {name: curve(name)})


def _table(path: Path) -> Table:
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    stated = (line[2:].partition(": ") for line in text if line.startswith("# "))
    rows = list(csv.reader(line for line in text if not line.startswith("#")))
    if not rows or rows[0][:2] != ["method", "picture"]:
        raise ValueError(f"{path}: no scores of isptools eval")
    means = tuple((row[0], tuple(_three(value) for value in row[2:])) for row in rows[1:]
                  if row[1:2] == ["mean"])  # fmt: skip
    many = len({row[1] for row in rows[1:] if row[1:2] != ["mean"]})
    protocol = tuple((name, value.strip('"')) for name, _, value in stated)
    return Table(path.stem.removeprefix("eval-"), protocol, tuple(rows[0][2:]), means, many)


def _three(text: str) -> str:
    try:
        return f"{float(text):.3f}"
    except ValueError:
        return text


def _crops(folder: Path) -> Iterator[tuple[str, str]]:
    """What was saved on the way: the network's picture beside the truth."""
    for path in sorted((folder / "samples").glob("*.png"))[:PICTURES]:
        if path.stat().st_size <= LARGEST:
            yield path.stem, uri(path.read_bytes(), "png")


def _flat(before: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _flat(f"{before}.{name}".lstrip("."), each)
    else:
        yield before, json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
