"""`isptools eval`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isptools.cli.target import Target

if TYPE_CHECKING:
    from isptools.develop.steps import Step
    from isptools.frame import Array, Capture
    from isptools.shards import Shards
    from isptools.shards.schema import InputRow
    from isptools.train.evaluate import Protocol, Score
    from isptools.train.infer import How

    Scored = tuple[list[Score], dict[str, Any], Protocol]

PATH = click.Path(path_type=Path)
Beside = tuple[bool, Path | None]  # what needs no training; a folder of the camera's JPEGs


@click.command(name="eval")
@click.argument("run", type=PATH, required=False)
@click.option("--predictions", type=PATH,
              help="Instead of RUN: a folder of pictures made elsewhere, named by the inputs' keys "
                   "(KEY.png or .tif of 16 bits, .npy).")  # fmt: skip
@click.option("--shards", type=PATH, required=True, help="Folder of shards.")
@click.option("--split", default="test", show_default=True)
@click.option("--out", type=Target(),
              help="CSV; RUN/eval-SPLIT.csv if left out, none with --predictions.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Means and every picture as JSON.")
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
def command(
    run: Path | None, predictions: Path | None, shards: Path, split: str, out: Path | None,
    as_json: bool, tile: int | None, device: str, baselines: bool, camera: Path | None,
    code: Path | None,
) -> None:  # fmt: skip
    """Score the network of RUN on a split: per picture as CSV, and the means.

    With --predictions pictures that were made elsewhere; 3 where some are missing or do not fit.
    """
    from isptools.cli.extra import expect_train

    if (run is None) == (predictions is None):
        raise click.UsageError("give RUN or --predictions FOLDER")
    expect_train()
    from isptools.train import evaluate, infer

    wrong: list[str] = []
    try:
        how = infer.How(tile, infer.device_of(device))
        beside = (baselines, camera)
        if predictions:
            found, stamp, protocol = _of_pictures(predictions, shards, split, beside, wrong)
        else:
            assert run is not None
            found, stamp, protocol = _of_run(run, code, shards, split, beside, how)
            out = out or (run if run.is_dir() else run.parent) / f"eval-{split}.csv"
        if out:
            evaluate.write(out, found, stamp, protocol.columns)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{place}{error.strerror or error}") from None
    if as_json:
        click.echo(_json(found, stamp, protocol.columns, wrong))
    else:
        _tell(found, stamp, out, protocol.columns)
    if wrong:
        raise click.exceptions.Exit(3)


def _of_run(
    run: Path, code: Path | None, folder: Path, split: str, beside: Beside, how: "How"
) -> "Scored":
    from dataclasses import replace

    from isptools.train import checkpoint, evaluate

    network, settings = checkpoint.model(run, code)
    with evaluate.opened(folder, split, network) as source:
        others = _others(source, *beside)
        how = replace(how, precision=settings.precision)
        undone = settings.shading == "undone"
        found = list(evaluate.scores(network, source, others, how, undone))
        stamp = {"network": settings.title} | evaluate.protocol(source, split)
        return found, stamp, evaluate.of(source)


def _of_pictures(
    pictures: Path, folder: Path, split: str, beside: Beside, wrong: list[str]
) -> "Scored":
    """As `_of_run`; what is missing or does not fit is told and kept in `wrong`."""
    from isptools import shards
    from isptools.cli import predictions
    from isptools.train import evaluate

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

        found = list(evaluate.given(source, picture, _others(source, *beside)))
        if not found:
            raise ValueError(f"{pictures}: holds no picture of an input of {folder}, {split}")
        stamp = {"predictions": str(pictures)} | evaluate.protocol(source, split)
        return found, stamp, evaluate.of(source)


def _others(source: "Shards", baselines: bool, camera: Path | None) -> dict[str, Any]:
    """What is scored beside."""
    from isptools.train import evaluate

    linear = evaluate.station(source) == "camera"
    others = (_linear() if linear else _baselines()) if baselines else {}
    return others | ({"camera JPEG": _camera(camera)} if camera else {})


def _json(
    found: "list[Score]", stamp: dict[str, Any], columns: tuple[str, ...], wrong: list[str]
) -> str:
    """NaN and infinity as null, which JSON has no word for."""
    import json
    import math

    from isptools.train.evaluate import means

    def row(values: tuple[float, ...]) -> dict[str, float | None]:
        numbers = zip(columns, values, strict=True)
        return {name: x if math.isfinite(x) else None for name, x in numbers}

    pictures = [{"method": one.method, "key": one.key} | row(one.values) for one in found]
    told = {"protocol": stamp, "means": {name: row(one) for name, one in means(found).items()},
            "pictures": pictures, "left_out": wrong}  # fmt: skip
    return json.dumps(told, indent=1)


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
