"""`isptools eval`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isptools.develop.steps import Step
    from isptools.frame import Array, Capture
    from isptools.train.evaluate import Score

PATH = click.Path(path_type=Path)


@click.command(name="eval")
@click.argument("run", type=PATH)
@click.option("--shards", type=PATH, required=True, help="Folder of shards.")
@click.option("--split", default="test", show_default=True)
@click.option("--out", type=PATH, help="CSV; RUN/eval-SPLIT.csv if left out.")
@click.option("--tile", type=click.IntRange(min=0), default=1024, show_default=True,
              help="Side of the tiles in pixels; 0 for whole frames.")  # fmt: skip
@click.option("--baselines/--no-baselines", default=True, show_default=True,
              help="Also score what needs no training.")  # fmt: skip
def command(
    run: Path, shards: Path, split: str, out: Path | None, tile: int, baselines: bool
) -> None:
    """Score the network of RUN on a split: per picture as CSV, and the means."""
    from isptools.cli.extra import expect_train

    expect_train()
    from isptools.train import checkpoint, evaluate

    try:
        camera, settings = checkpoint.model(run)
        with evaluate.opened(shards, split, camera) as source:
            linear = evaluate.station(source) == "camera"
            others = (_linear() if linear else _baselines()) if baselines else {}
            found = list(evaluate.scores(camera, source, others, tile))
            columns = evaluate.of(source).columns
            stamp = {"network": settings.title} | evaluate.protocol(source, split)
        path = out or (run if run.is_dir() else run.parent) / f"eval-{split}.csv"
        evaluate.write(path, found, stamp, columns)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    _tell(found, stamp, path, columns)


def _tell(
    found: "list[Score]", stamp: dict[str, Any], path: Path, columns: tuple[str, ...]
) -> None:
    from isptools.train.evaluate import means

    exclusions = ", ".join(stamp["exclusions"]) or "none"
    click.echo(
        f"{stamp['data_set']}, {stamp['split']}: {stamp['pairs']} pairs, exclusions: {exclusions}, "
        + ("whole frames" if stamp["crop"] == "none" else f"without {stamp['crop']}")
        + f", clipped to {stamp['clipping']}"
    )
    click.echo(f"{'method':<22}" + "".join(f"{name:>13}" for name in columns))
    for method, row in means(found).items():
        click.echo(f"{method:<22}" + "".join(f"{value:>13.3f}" for value in row))
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


def _rendering(steps: "tuple[Step, ...]") -> Any:
    from isptools.develop.chain import develop
    from isptools.frame import Frame, Space

    def render(pixels: "Array", capture: "Capture") -> "Array":
        return develop(Frame(pixels, Space.SENSOR, capture), steps).pixels

    return render
