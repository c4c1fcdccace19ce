"""`isptools report`: one page to look at."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from isptools.cli.codes import LOOK
from isptools.cli.target import Target

Page = tuple[bytes, bytes, str, str]  # HTML, JSON, verdict, sentence


@click.command(name="report")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=Target(), required=True, help="The page, as .html; .json beside it.")
@click.option("--source", type=click.Path(path_type=Path),
              help="Where the data set lies, to show files that the build left out.")  # fmt: skip
@click.option("--skip", type=click.IntRange(min=0), default=0,
              help="Begin the gallery behind so many samples, the worst: more than 5,000 are more "
                   "than a page.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes that measure.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what the .json holds.")
def command(
    folder: Path, out: Path, source: Path | None, skip: int, jobs: int, as_json: bool
) -> None:
    """Make one page of FOLDER: a verdict, its numbers, what is worst to look at.

    FOLDER holds shards, or is a run of `isptools train`, a comparison of `isptools compare`, or a
    pair of `isptools align`. The page needs no other file and no network. Every number stands in a
    .json of the same name. Exit code 3 if there is something to look at.
    """
    if out.suffix.lower() not in {".html", ".htm"}:
        raise click.ClickException(f"{out}: give a name that ends in .html")
    if source is not None and not source.is_dir():
        raise click.ClickException(f"{source}: no such folder; --source is where raw files lie")
    from isptools.shards import disk

    try:
        page, numbers, verdict, sentence = _maker(folder)(folder, Asked(source, skip, jobs))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    try:
        disk.save(out, page)
        disk.save(out.with_suffix(".json"), numbers)
    except OSError as error:
        raise click.ClickException(f"{out}: could not be written ({error.strerror})") from None
    if as_json:
        click.echo(numbers.decode(), nl=False)
    else:
        click.echo(sentence)
        click.echo(f"{out}: open it in a browser; {out.with_suffix('.json')} has its numbers")
    if verdict != "ship":
        raise click.exceptions.Exit(LOOK)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options say of a folder of shards."""

    source: Path | None
    skip: int
    jobs: int


def _maker(folder: Path) -> Callable[[Path, Asked], Page]:
    """Whose page it is, by what lies there. ValueError where it is nothing of that."""
    from isptools.report import comparison, run

    if not folder.is_dir():
        said = "it is a file; give its folder" if folder.exists() else "no such folder"
        raise ValueError(f"{folder}: {said}")

    if comparison.is_comparison(folder):
        return _comparison
    if run.is_run(folder):
        return _run
    if any(folder.glob("*.h5")):
        return _shards  # a page may lie beside them
    if (folder / "report.json").is_file():
        return _pair
    raise ValueError(f"{folder}: there are no shards (*.h5), and it is no run, comparison or pair")


def _shards(folder: Path, asked: Asked) -> Page:
    from isptools.cli.ledger_pictures import looking
    from isptools.cli.progress import shown
    from isptools.report import folder as of_folder
    from isptools.report.page import html

    with looking(folder, asked.source) as look, shown() as show:
        made = of_folder.page(folder, show, look, asked.skip, asked.jobs)
    return html(made), of_folder.numbers(made), made.verdict, made.sentence


def _run(folder: Path, _asked: Asked) -> Page:
    from isptools.report import run

    made = run.page(folder)
    return run.html(made), run.numbers(made), made.top.verdict, made.top.sentence


def _comparison(folder: Path, _asked: Asked) -> Page:
    from isptools.report import comparison

    made = comparison.page(folder)
    return comparison.html(made), comparison.numbers(made), made.top.verdict, made.top.sentence


def _pair(folder: Path, _asked: Asked) -> Page:
    """What `isptools align` left in its folder."""
    from isptools.cli import align_report

    return align_report.of_folder(folder)
