"""`isptools export`."""

import json
from pathlib import Path

import click

from isptools.cli.target import Target

PATH = click.Path(path_type=Path)


@click.command(name="export")
@click.argument("model", type=PATH)
@click.option("--onnx", type=Target(), required=True, help="File to write.")
@click.option("--size", nargs=2, type=click.IntRange(min=1), default=(512, 512), show_default=True,
              metavar="HEIGHT WIDTH", help="Of the frame, in pixels of the mosaic.")  # fmt: skip
@click.option("--code", type=PATH,
              help="Folder of the module of a run's own network.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="What was written, as JSON.")
def command(
    model: Path, onnx: Path, size: tuple[int, int], code: Path | None, as_json: bool
) -> None:
    """Write the network MODEL (a run's folder or its file of weights) as ONNX.

    ONNX Runtime must give the same picture within 1e-3, or nothing is written.
    """
    from isptools.cli.extra import expect_train

    expect_train()
    from isptools.cli.progress import busy
    from isptools.train import checkpoint
    from isptools.train.export import export

    try:
        camera, _ = checkpoint.model(model, code)
        with busy("writing ONNX, and comparing its picture with torch's"):
            worst = export(camera, onnx, *size)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{onnx}: {error.strerror}") from None
    if as_json:
        told = {"out": str(onnx), "height": size[0], "width": size[1], "worst": worst}
        click.echo(json.dumps(told))
        return
    click.echo(f"{onnx}: {size[1]} x {size[0]}, at most {worst:.1e} from torch's picture")
