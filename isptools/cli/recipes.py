"""`isptools recipes`."""

from pathlib import Path

import click


@click.command()
@click.option("--convert", type=click.Path(path_type=Path), metavar="FILE",
              help="Print a recipe of before 0.2 in today's notation.")  # fmt: skip
def command(convert: Path | None) -> None:
    """List the recipes that ship, one a line."""
    if convert:
        click.echo(_converted(convert), nl=False)
        return
    from isptools import shipped
    from isptools.recipe import Recipe

    files = sorted(shipped.folder("recipes").glob("*.toml"))
    width = max(len(file.stem) for file in files)
    for file in files:
        click.echo(f"{file.stem:<{width}}  {Recipe.load(file).title}")


def _converted(path: Path) -> str:
    from isptools.convert import converted

    try:
        return converted(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise click.ClickException(f"{path}: {error}") from None
