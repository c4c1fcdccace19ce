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
              help="Also score chain + auto-tone and LibRaw's default.")  # fmt: skip
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
            found = list(evaluate.scores(camera, source, _baselines() if baselines else {}, tile))
            stamp = {"network": settings.title} | evaluate.protocol(source, split)
        path = out or (run if run.is_dir() else run.parent) / f"eval-{split}.csv"
        evaluate.write(path, found, stamp)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    _tell(found, stamp, path)


def _tell(found: "list[Score]", stamp: dict[str, Any], path: Path) -> None:
    from isptools.train.evaluate import COLUMNS, means

    exclusions = ", ".join(stamp["exclusions"]) or "none"
    click.echo(
        f"{stamp['data_set']}, {stamp['split']}: {stamp['pairs']} pairs, exclusions: {exclusions}, "
        "whole frames, clipped to [0, 1]"
    )
    click.echo(f"{'method':<22}" + "".join(f"{name:>13}" for name in COLUMNS))
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


def _rendering(steps: "tuple[Step, ...]") -> Any:
    from isptools.develop.chain import develop
    from isptools.frame import Frame, Space

    def render(pixels: "Array", capture: "Capture") -> "Array":
        return develop(Frame(pixels, Space.SENSOR, capture), steps).pixels

    return render
