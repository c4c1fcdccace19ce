"""`isptools report`: one page to look at."""

from pathlib import Path

import click

from isptools.cli.codes import LOOK
from isptools.cli.target import Target, save


@click.command(name="report")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=Target(), required=True, help="The page, as .html; .json beside it.")
@click.option("--json", "as_json", is_flag=True, help="Print what the .json holds.")
def command(folder: Path, out: Path, as_json: bool) -> None:
    """Make one page of the shards in FOLDER: a verdict, its numbers, the worst pairs to look at.

    The page needs no other file and no network. Every number stands in a .json of the same name.
    Exit code 0 if all is well, 3 if there is something to look at.
    """
    if out.suffix.lower() not in {".html", ".htm"}:
        raise click.ClickException(f"{out}: give a name that ends in .html")
    from isptools.cli.progress import shown
    from isptools.report import folder as of_folder
    from isptools.report.page import html

    try:
        with shown() as show:
            made = of_folder.page(folder, show)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    save(out, html(made))
    save(out.with_suffix(".json"), of_folder.numbers(made))
    if as_json:
        click.echo(of_folder.numbers(made).decode(), nl=False)
    else:
        click.echo(made.sentence)
        click.echo(f"{out}: open it in a browser; {out.with_suffix('.json')} has its numbers")
    if made.verdict != "ship":
        raise click.exceptions.Exit(LOOK)
