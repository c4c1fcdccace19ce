"""`isptools train`."""

from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)


@click.command(name="train")
@click.argument("network", type=click.Choice(["cameranet", "cameranet-v1", "deepisp"]))
@click.option("--shards", type=PATH, required=True, help="Folder of shards with a train split.")
@click.option("--out", type=PATH, required=True, help="Folder of the run.")
@click.option("--preset", help="Settings that ship: recipes/train/NETWORK-PRESET.toml.")
@click.option("--settings", type=PATH, help="Your own TOML of settings.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Replace one setting.")
@click.option("--only", default="", help="One stage: restore, enhance, joint or whole.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--devices", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--workers", type=click.IntRange(min=0), default=0, show_default=True,
              help="Processes that read shards.")  # fmt: skip
def command(
    network: str, shards: Path, out: Path, preset: str | None, settings: Path | None,
    changes: tuple[str, ...], only: str, device: str, devices: int, nodes: int, workers: int,
) -> None:  # fmt: skip
    """Train NETWORK from shards; the same command goes on where a run was stopped."""
    from contextlib import nullcontext

    from rich.console import Console

    from isptools.cli.extra import expect_train
    from isptools.cli.progress import Bar

    expect_train()
    from isptools.train.place import Place
    from isptools.train.run import Job, train
    from isptools.train.settings import Settings

    console = Console(stderr=True)
    bar = Bar(console) if console.is_terminal else None

    def show(stage: str, step: int, of: int, loss: float | None) -> None:
        said = "" if loss is None else f"loss {loss:.4f}"
        if bar:
            bar.show(stage, step, of, said)
        elif said:
            click.echo(f"{stage}: {step}/{of}, {said}", err=True)

    try:
        chosen = Settings.load(settings or _shipped(network, preset), _changed(changes))
        place = Place(device, devices, nodes, workers)
        with bar or nullcontext():
            path = train(chosen, Job(shards, out, place, only, show=show))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or out}: {error.strerror or error}") from None
    except KeyboardInterrupt:
        click.echo(f"stopped; the last checkpoint stays in {out}, run the same command", err=True)
        raise click.exceptions.Exit(130) from None
    click.echo(f"{path}: {chosen.title}; score it with: isptools eval {out} --shards {shards}")


def _shipped(network: str, preset: str | None) -> Path:
    from isptools import shipped

    folder = shipped.folder("recipes") / "train"
    default = {"cameranet": "sid", "cameranet-v1": "sid", "deepisp": "s7"}[network]
    path = folder / f"{network}-{preset or default}.toml"
    if not path.is_file():
        known = ", ".join(
            sorted(file.stem.removeprefix(f"{network}-") for file in folder.glob(f"{network}-*"))
        )
        raise ValueError(f"no preset {preset!r} for {network}; there are {known}")
    return path


def _changed(words: tuple[str, ...]) -> dict[str, Any]:
    import msgspec

    out: dict[str, Any] = {}
    for word in words:
        key, _, value = word.partition("=")
        try:
            out |= msgspec.toml.decode(f"{key} = {value}")
        except msgspec.DecodeError:
            raise ValueError(f"--set {word}: expected KEY=VALUE with a TOML value") from None
    return out
