"""`isptools check`: is a folder of shards whole, and are its pairs pairs?"""

from pathlib import Path

import click


@click.command(name="check")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Verify the shards in FOLDER: hashes, tables, splits, and that each pair is one.

    Lists every problem and exits with 1, or prints what is there and exits with 0.
    """
    from rich.console import Console

    from isptools.cli.progress import Bar, Lines
    from isptools.shards.check import check

    console = Console(stderr=True)
    try:
        with Bar(console) if console.is_terminal else Lines(console) as shown:
            problems = check(folder, lambda done, total: shown.show("shards", done, total))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    wrong = [problem for problem in problems if problem.sure]
    unsure = [problem for problem in problems if not problem.sure]
    for problem in (*wrong, *unsure):
        click.echo(("problem: " if problem.sure else "not sure: ") + str(problem))
    if wrong:
        click.echo(f"{folder}: {len(wrong)} problem{'s' * (len(wrong) > 1)}")
        raise click.exceptions.Exit(1)
    click.echo(_summary(folder, len(unsure)))


def _summary(folder: Path, unsure: int) -> str:
    from isptools import shards

    with shards.open(folder) as opened:
        scenes = {(table.split, truth.scene) for table in opened.tables for truth in table.truths}
        told = f", {unsure} pairs too dark or too small to tell" if unsure else ""
        return (
            f"{folder}: no problems: {len(opened.tables)} shards, {len(opened)} inputs, "
            f"{len(scenes)} scenes; hashes, tables, splits and pairs agree{told}"
        )
