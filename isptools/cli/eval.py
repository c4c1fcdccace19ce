"""`isptools eval`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isptools.cli.splits import several
from isptools.cli.target import Target

if TYPE_CHECKING:
    from isptools.develop.steps import Step
    from isptools.frame import Array, Capture
    from isptools.shards.schema import InputRow
    from isptools.train.camera import Camera
    from isptools.train.evaluate import Score
    from isptools.train.infer import How
    from isptools.train.settings import Settings

PATH = click.Path(path_type=Path)


@click.command(name="eval")
@click.argument("run", type=PATH)
@click.argument("folder", type=PATH)
@click.option("--split", default="test", show_default=True, callback=several,
              help="Splits to score, with commas: val,test.")  # fmt: skip
@click.option("--out", type=Target(),
              help="CSV of one split; RUN/eval-SPLIT.csv if left out.")  # fmt: skip
@click.option("--tile", type=click.IntRange(min=0),
              help="Side of the tiles in pixels, 0 for whole frames; left out: as large as fits "
                   "on a GPU, 1024 on a processor.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--baselines/--no-baselines", default=True, show_default=True,
              help="Also score what needs no training.")  # fmt: skip
@click.option("--camera", type=PATH,
              help="Also score the camera's own JPEGs, named as the raws.")  # fmt: skip
@click.option("--code", type=PATH,
              help="Folder of the module of a run's own network.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Means and protocol of each split as JSON.")
def command(
    run: Path, folder: Path, split: tuple[str, ...], out: Path | None, tile: int | None,
    device: str, baselines: bool, camera: Path | None, code: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Score the network of RUN on splits of FOLDER: per picture as CSV, and the means."""
    if out and len(split) > 1:
        raise click.UsageError("--out takes one split; leave it out for a file each in RUN")
    from isptools.cli.extra import expect_train

    expect_train()
    from isptools.train import checkpoint, infer

    told = []
    try:
        network, settings = checkpoint.model(run, code)
        how = infer.How(tile, infer.device_of(device), settings.precision)
        scored = Scored(network, settings, how, baselines, camera)
        for name in split:
            found, stamp, columns = _scores(scored, folder, name)
            path = out or (run if run.is_dir() else run.parent) / f"eval-{name}.csv"
            told.append(_written(path, found, stamp, columns))
            if not as_json:
                _tell(found, stamp, path, columns)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{place}{error.strerror or error}") from None
    if as_json:
        click.echo(json.dumps(told, indent=1))


@dataclass(frozen=True, slots=True)
class Scored:
    """A network, how it is run, and what is scored beside it."""

    network: "Camera"
    settings: "Settings"
    how: "How"
    baselines: bool
    camera: Path | None


def _scores(
    scored: Scored, folder: Path, split: str
) -> "tuple[list[Score], dict[str, Any], tuple[str, ...]]":
    """Every picture's, what they hold for, and the columns' names."""
    from isptools.cli.progress import shown
    from isptools.train import evaluate

    with evaluate.opened(folder, split, scored.network) as source, shown() as show:
        linear = evaluate.station(source) == "camera"
        others = (_linear() if linear else _baselines()) if scored.baselines else {}
        others |= {"camera JPEG": _camera(scored.camera)} if scored.camera else {}
        undone = scored.settings.shading == "undone"
        found, seen = [], 0
        show(f"scoring {split}", 0, len(source))
        for one in evaluate.scores(scored.network, source, others, scored.how, undone):
            seen += one.method == "network"
            found.append(one)
            show(f"scoring {split}", seen - (seen == len(source)), len(source))
        show(f"scoring {split}", len(source), len(source))
        stamp = {"network": scored.settings.title} | evaluate.protocol(source, split)
        return found, stamp, evaluate.of(source).columns


def _written(
    path: Path, found: "list[Score]", stamp: dict[str, Any], columns: tuple[str, ...]
) -> dict[str, Any]:
    """As CSV; gives the means as JSON takes them."""
    from isptools.train import evaluate

    evaluate.write(path, found, stamp, columns)
    means = {
        method: {name: None if value != value else value  # noqa: PLR0124 - NaN is no JSON
                 for name, value in zip(columns, row, strict=True)}
        for method, row in evaluate.means(found).items()
    }  # fmt: skip
    return {"file": str(path), "means": means} | stamp


def _tell(
    found: "list[Score]", stamp: dict[str, Any], path: Path, columns: tuple[str, ...]
) -> None:
    from collections import Counter

    from isptools.train.evaluate import means

    count = Counter(one.method for one in found)
    exclusions = ", ".join(stamp["exclusions"]) or "none"
    click.echo(
        f"{stamp['data_set']}, {stamp['split']}: {stamp['pairs']} pairs, exclusions: {exclusions}, "
        + ("whole frames" if stamp["crop"] == "none" else f"without {stamp['crop']}")
        + f", clipped to {stamp['clipping']}"
    )
    click.echo(f"{'method':<22}" + "".join(f"{name:>13}" for name in columns))
    for method, row in means(found).items():
        some = "" if count[method] == stamp["pairs"] else f", {count[method]} of {stamp['pairs']}"
        click.echo(f"{method + some:<22}" + "".join(f"{value:>13.3f}" for value in row))
    click.echo(f"{path}: every picture")


def _baselines() -> dict[str, Any]:
    from isptools.develop import steps as s

    start = (s.Levels(), s.Balance(), s.Demosaic())
    libraw = (s.Levels(0.75), s.Balance("daylight"), s.Demosaic(), s.ToSpace("srgb"),
              s.Encode(auto_bright=True))  # fmt: skip
    return {
        "chain + auto-tone": _rendering((*start, s.ToXYZ(), s.AutoTone())),
        "LibRaw's default": _rendering(libraw),
    }


def _linear() -> dict[str, Any]:
    """Plain demosaicking, for truths in linear camera RGB."""
    from isptools.develop import steps as s

    gains = s.Balance("user", (1.0, 1.0, 1.0, 1.0))
    return {
        "bilinear": _rendering((s.Levels(), gains, s.Demosaic("linear"))),
        "AHD": _rendering((s.Levels(), gains, s.Demosaic("ahd"))),
    }


def _camera(folder: Path) -> Any:
    """The camera's JPEG of a raw, laid onto the sensor; refused where it does not lie there."""
    from isptools.build import lineup
    from isptools.frame import UnsupportedError

    files = {path.stem.lower(): path for path in sorted(folder.iterdir())
             if path.suffix.lower() in {".jpg", ".jpeg"}}  # fmt: skip
    chain = _baselines()["chain + auto-tone"]

    def render(pixels: "Array", capture: "Capture", facts: "InputRow") -> "Array | None":
        path = files.get(Path(facts.source).stem.lower())
        try:
            if path is None:
                raise UnsupportedError("no camera JPEG of that name")
            picture = lineup.laid_picture(path, chain(pixels, capture, facts), capture).pixels
        except (UnsupportedError, lineup.MisfitError) as error:
            click.echo(f"{facts.key}: {error}; left out", err=True)
            return None
        return picture.astype("uint16") * (257 if picture.dtype.itemsize == 1 else 1)

    return render


def _rendering(steps: "tuple[Step, ...]") -> Any:
    from isptools.develop.chain import develop
    from isptools.frame import Frame, Space

    def render(pixels: "Array", capture: "Capture", _: "InputRow") -> "Array":
        return develop(Frame(pixels, Space.SENSOR, capture), steps).pixels

    return render
