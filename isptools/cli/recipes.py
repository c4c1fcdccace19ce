"""`isptools recipes`."""

import click


@click.command()
def command() -> None:
    """List the recipes that ship, one a line."""
    from isptools import shipped
    from isptools.recipe import Recipe

    files = sorted(shipped.folder("recipes").glob("*.toml"))
    width = max(len(file.stem) for file in files)
    for file in files:
        click.echo(f"{file.stem:<{width}}  {Recipe.load(file).title}")
