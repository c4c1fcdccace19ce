"""`isptools sample`."""

from pathlib import Path

import click


@click.command(name="sample")
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0),
              help="Other noise and other scenes.")  # fmt: skip
def command(name: str, out: Path, seed: int) -> None:
    """Write the miniature of data set NAME, made from code, in its real folder layout."""
    from isptools.cli.progress import busy
    from isptools.datasets import miniature

    try:
        with busy("drawing"):
            files = miniature(name, out, seed)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{len(files)} files of the {name} miniature in {out}")
