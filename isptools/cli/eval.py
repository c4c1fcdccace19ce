"""`isptools eval`."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isptools.cli import codes
from isptools.cli.splits import several
from isptools.cli.target import Target, png, save

if TYPE_CHECKING:
    from isptools.shards import Shards
    from isptools.train.camera import Camera
    from isptools.train.evaluate import Protocol, Score
    from isptools.train.infer import How
    from isptools.train.settings import Settings

PATH = click.Path(path_type=Path)


@click.command(name="eval")
@click.argument("run", type=PATH, required=False)
@click.argument("folder", type=PATH, required=False)
@click.option("--predictions", type=PATH,
              help="Instead of RUN: a folder of pictures made elsewhere, named by the inputs' keys "
                   "(KEY.png or .tif of 16 bits, .npy).")  # fmt: skip
@click.option("--split", default="test", show_default=True, callback=several,
              help="Splits to score, with commas: val,test.")  # fmt: skip
@click.option("--out", type=Target(),
              help="CSV of one split; RUN/eval-SPLIT.csv if left out, none with "
                   "--predictions.")  # fmt: skip
@click.option("--image", type=Target(),
              help="PNG of the best, a middling and the worst input of one split of RUN, with "
                   "scores.")  # fmt: skip
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
@click.option("--codec", type=click.Choice(["jpeg", "webp", "jpeg2000", "avif"]),
              help="Also rate and quality behind this codec; jpeg for runs trained through "
                   "it.")  # fmt: skip
@click.option("--qualities", help="Of the codec: 80,90 or 80:96:2; dB of jpeg2000.")
@click.option("--beside", multiple=True, metavar="NAME=RUN",
              help="Another run in the curves of --codec.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True,
              help="Means, every picture and protocol of each split as JSON.")  # fmt: skip
def command(
    run: Path | None, folder: Path | None, predictions: Path | None, split: tuple[str, ...],
    out: Path | None, image: Path | None, tile: int | None, device: str, baselines: bool,
    camera: Path | None, code: Path | None, codec: str | None, qualities: str | None,
    beside: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Score the network of RUN on splits of FOLDER: per picture as CSV, and the means.

    With --predictions, and FOLDER alone, pictures that were made elsewhere; 3 where some are
    missing or do not fit.
    """
    places = [place for place in (run, folder) if place]
    if len(places) != (1 if predictions else 2):
        raise click.UsageError("give RUN and FOLDER, or --predictions PICTURES and FOLDER alone")
    if out and len(split) > 1:
        raise click.UsageError("--out takes one split; leave it out for a file each in RUN")
    if image and (len(split) > 1 or predictions):
        raise click.UsageError("--image is of RUN and one split")
    from isptools.cli.extra import expect_train

    expect_train()
    from isptools.cli import rates
    from isptools.train import infer

    told = []
    try:
        how = infer.How(tile, infer.device_of(device))
        scored = (
            Scored(how, baselines, camera, pictures=predictions)
            if predictions
            else _of_run(places[0], code, Scored(how, baselines, camera))
        )
        words = rates.Words(codec, qualities, beside, code)
        asked = rates.asked(None if predictions else places[0], scored.settings, words)
        for name in split:
            found = _scores(scored, places[-1], name)
            home = places[0] if places[0].is_dir() else places[0].parent
            path = out or (None if predictions else home / f"eval-{name}.csv")
            told.append(_written(path, found))
            if image:
                save(image, _sheet(scored, places[-1], name, found))
            if not as_json:
                _tell(found.scores, found.stamp, path, found.protocol.columns)
            if asked and path:
                curves = rates.score(asked, places[-1], name, scored.how)
                told[-1]["rates"] = rates.written(path, curves, found.stamp)
                if not as_json:
                    rates.tell(curves.points)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{place}{error.strerror or error}") from None
    if as_json:
        click.echo(json.dumps(told, indent=1))
    if any(one["left_out"] for one in told):
        raise click.exceptions.Exit(codes.LOOK)


@dataclass(frozen=True, slots=True)
class Scored:
    """A network or pictures of it, how it is run, and what is scored beside it."""

    how: "How"
    baselines: bool
    camera: Path | None
    network: "Camera | None" = None
    settings: "Settings | None" = None
    pictures: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The scores of a split, what they hold for, and what was left out, a line each."""

    scores: "list[Score]"
    stamp: dict[str, Any]
    protocol: "Protocol"
    left_out: list[str]


def _of_run(run: Path, code: Path | None, scored: Scored) -> Scored:
    from isptools.train import checkpoint

    network, settings = checkpoint.model(run, code)
    how = replace(scored.how, precision=settings.precision)
    return replace(scored, how=how, network=network, settings=settings)


def _scores(scored: Scored, folder: Path, split: str) -> Found:
    from isptools.cli.progress import shown

    with shown() as show:
        if scored.pictures:
            return _of_pictures(scored, folder, split)
        return _of_network(scored, folder, split, show)


def _of_network(scored: Scored, folder: Path, split: str, show: Any) -> Found:
    from isptools.train import evaluate

    network, settings = scored.network, scored.settings
    assert network is not None
    assert settings is not None
    with evaluate.opened(folder, split, network) as source:
        undone = settings.shading == "undone"
        found, seen = [], 0
        show(f"scoring {split}", 0, len(source))
        for one in evaluate.scores(network, source, _others(source, scored), scored.how, undone):
            seen += one.method == "network"
            found.append(one)
            show(f"scoring {split}", seen - (seen == len(source)), len(source))
        show(f"scoring {split}", len(source), len(source))
        stamp = {"network": settings.title} | evaluate.protocol(source, split)
        return Found(found, stamp, evaluate.of(source), [])


def _sheet(scored: Scored, folder: Path, split: str, found: Found) -> bytes:
    """What the network makes of its best and worst inputs, as PNG."""
    from isptools.cli.eval_sheet import picture
    from isptools.cli.progress import busy
    from isptools.train import evaluate

    network, settings = scored.network, scored.settings
    assert network is not None
    assert settings is not None
    with busy("making the picture"), evaluate.opened(folder, split, network) as source:
        undone = settings.shading == "undone"
        others = _others(source, scored)
        return png(picture(network, source, found.scores, others, scored.how, undone))


def _of_pictures(scored: Scored, folder: Path, split: str) -> Found:
    """What is missing or does not fit is told and kept in `left_out`."""
    from isptools import shards
    from isptools.cli import predictions
    from isptools.train import evaluate

    pictures, wrong = scored.pictures, list[str]()
    assert pictures is not None

    def tell(line: str) -> None:
        wrong.append(line)
        click.echo(line, err=True)

    with shards.open(folder, split) as source:
        there = predictions.found(pictures, [source.facts(i).key for i in range(len(source))])
        for line in there.wrong:
            tell(line)

        def picture(i: int) -> "predictions.Floats | None":
            path = there.files.get(source.facts(i).key)
            try:
                return predictions.read(path, source.shape(i)) if path else None
            except ValueError as error:
                tell(f"{error}; left out")
                return None

        found = list(evaluate.given(source, picture, _others(source, scored)))
        if not found:
            raise ValueError(f"{pictures}: holds no picture of an input of {folder}, {split}")
        stamp = {"predictions": str(pictures)} | evaluate.protocol(source, split)
        return Found(found, stamp, evaluate.of(source), wrong)


def _others(source: "Shards", scored: Scored) -> dict[str, Any]:
    """What is scored beside."""
    from isptools.train import evaluate

    kind = scored.network.intake.kind if scored.network else ""
    others = _untrained(evaluate.station(source), kind) if scored.baselines else {}
    return others | ({"camera JPEG": _camera(scored.camera)} if scored.camera else {})


def _written(path: Path | None, found: Found) -> dict[str, Any]:
    """As CSV; gives what JSON takes: NaN and infinity as null, which it has no word for."""
    from isptools.train import evaluate

    columns = found.protocol.columns
    if path:
        evaluate.write(path, found.scores, found.stamp, columns)

    def row(values: tuple[float, ...]) -> dict[str, float | None]:
        numbers = zip(columns, values, strict=True)
        return {name: x if math.isfinite(x) else None for name, x in numbers}

    means = {method: row(values) for method, values in evaluate.means(found.scores).items()}
    pictures = [{"method": one.method, "key": one.key} | row(one.values) for one in found.scores]
    told = {"file": str(path) if path else None, "means": means, "pictures": pictures}
    return told | {"left_out": found.left_out} | found.stamp


def _tell(
    found: "list[Score]", stamp: dict[str, Any], path: Path | None, columns: tuple[str, ...]
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
    if path:
        click.echo(f"{path}: every picture")


def _untrained(station: str, kind: str) -> dict[str, Any]:
    """What needs no training, for these truths and inputs."""
    from isptools.compare.methods import itself

    if kind == "rgb":
        return {"the picture itself": itself}
    return _linear() if station == "camera" else _baselines()


def _baselines() -> dict[str, Any]:
    from isptools.compare.methods import METHODS

    return {"chain + auto-tone": METHODS["auto-tone"], "LibRaw's default": METHODS["libraw"]}


def _linear() -> dict[str, Any]:
    """Plain demosaicking, for truths in linear camera RGB."""
    from isptools.compare.methods import METHODS

    return {"bilinear": METHODS["bilinear"], "AHD": METHODS["ahd"]}


def _camera(folder: Path) -> Any:
    """The camera's JPEG of a raw, laid onto the sensor; refused where it does not lie there."""
    from isptools.compare.methods import camera_jpeg

    return camera_jpeg(folder, lambda line: click.echo(line, err=True))
