"""`isptools eval`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isptools.cli.target import Target

if TYPE_CHECKING:
    from isptools.develop.steps import Step
    from isptools.frame import Array, Capture
    from isptools.shards.schema import InputRow
    from isptools.train.evaluate import Score

PATH = click.Path(path_type=Path)


@click.command(name="eval")
@click.argument("run", type=PATH)
@click.option("--shards", type=PATH, required=True, help="Folder of shards.")
@click.option("--split", default="test", show_default=True)
@click.option("--out", type=Target(), help="CSV; RUN/eval-SPLIT.csv if left out.")
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
def command(
    run: Path, shards: Path, split: str, out: Path | None, tile: int | None, device: str,
    baselines: bool, camera: Path | None, code: Path | None, codec: str | None,
    qualities: str | None, beside: tuple[str, ...],
) -> None:  # fmt: skip
    """Score the network of RUN on a split: per picture as CSV, and the means."""
    from isptools.cli import rates
    from isptools.cli.extra import expect_train

    expect_train()
    from isptools.train import checkpoint, evaluate, infer
    from isptools.train.rates import write

    try:
        network, settings = checkpoint.model(run, code)
        asked = rates.asked(settings, codec, qualities, beside)
        with evaluate.opened(shards, split, network) as source:
            others = _untrained(evaluate.station(source), network.intake.kind) if baselines else {}
            others |= {"camera JPEG": _camera(camera)} if camera else {}
            how = infer.How(tile, infer.device_of(device), settings.precision)
            undone = settings.shading == "undone"
            found = list(evaluate.scores(network, source, others, how, undone))
            columns = evaluate.of(source).columns
            stamp = {"network": settings.title} | evaluate.protocol(source, split)
            curves = asked and rates.score(
                run, asked, source, how, settings, qualities, beside, code
            )
        path = out or (run if run.is_dir() else run.parent) / f"eval-{split}.csv"
        evaluate.write(path, found, stamp, columns)
        written = curves and write(path.parent, f"{path.stem}-{asked}", curves[0],
                                   {**stamp, **curves[1]})  # fmt: skip
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{place}{error.strerror or error}") from None
    _tell(found, stamp, path, columns)
    if curves:
        rates.tell(curves[0])
        click.echo(", ".join(map(str, written)))


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


def _untrained(station: str, kind: str) -> dict[str, Any]:
    """What needs no training, for these truths and inputs."""
    if kind == "rgb":
        return {"the picture itself": _as_it_is}
    return _linear() if station == "camera" else _baselines()


def _as_it_is(pixels: "Array", _: "Capture", facts: "InputRow") -> "Array":
    """A finished picture as it went in, (H, W, 3) uint16."""
    whole = 65535 // int(facts.white)  # 8 bits or 16
    return pixels.transpose(1, 2, 0).astype("uint16") * whole


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
