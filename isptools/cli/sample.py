"""`isptools sample`."""

from pathlib import Path

import click


@click.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@click.option("--seed", default=0, show_default=True, help="Other noise and other scenes.")
def command(name: str, out: Path, seed: int) -> None:
    """Write the miniature of data set NAME, made from code, in its real folder layout."""
    from isptools.datasets import miniature

    try:
        files = miniature(name, out, seed)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{len(files)} files of the {name} miniature in {out}")
