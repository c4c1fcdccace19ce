"""`isptools recipes`."""

from pathlib import Path

import click


@click.command(name="recipes")
@click.option("--convert", type=click.Path(path_type=Path), metavar="FILE",
              help="Print a recipe of before 0.2 in today's notation.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Names, titles and data sets as JSON.")
def command(convert: Path | None, as_json: bool) -> None:
    """List the recipes that ship, one a line; `isptools compare --list` has the papers' tables."""
    if convert:
        click.echo(_converted(convert), nl=False)
        return
    from isptools import shipped
    from isptools.recipe import Recipe

    files = sorted(shipped.folder("recipes").glob("*.toml"))
    if as_json:
        import json

        found = {file.stem: Recipe.load(file) for file in files}
        rows = [{"name": name, "title": one.title, "data_set": one.data_set, "sha256": one.sha256}
                for name, one in found.items()]  # fmt: skip
        click.echo(json.dumps(rows, indent=1))
        return
    width = max(len(file.stem) for file in files)
    for file in files:
        click.echo(f"{file.stem:<{width}}  {Recipe.load(file).title}")
    click.echo("# tables of papers, trained and scored by one command: isptools compare --list")


def _converted(path: Path) -> str:
    from isptools.convert import converted

    try:
        return converted(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise click.ClickException(f"{path}: {error}") from None
