"""`isptools compare`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isptools.cli import codes, output
from isptools.cli.target import Into, Target, expect_place, save

if TYPE_CHECKING:
    from isptools.compare.plan import Asked
    from isptools.compare.run import Outcome

PATH = click.Path(path_type=Path)


@click.command(name="compare")
@click.argument("table", required=False)
@click.argument("folder", nargs=-1, metavar="[[NAME=]FOLDER]...")
@click.option("--list", "listed", is_flag=True, help="The papers' tables that ship, one a line.")
@click.option("--copy", type=Target(), metavar="FILE", help="Write TABLE there, to change it.")
@click.option("--out", type=Into(), help="Folder; compare-TABLE if left out.")
@click.option("--budget", type=click.Choice(["tiny", "hour", "paper"]), default="hour",
              show_default=True, help="How much of the papers' trainings.")  # fmt: skip
@click.option("--row", "only", multiple=True, metavar="NAME", help="This row alone, and others so.")
@click.option("--seeds", help="Seeds in place of the table's, as 0,1,2.")
@click.option("--steps", type=click.IntRange(min=1), help="Steps a row in all.")
@click.option("--limit", type=click.IntRange(min=1), help="Score so many inputs.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True,
              help="Rows side by side.")  # fmt: skip
@click.option("--camera", type=PATH, help="The camera's own JPEGs, named as the raws.")
@click.option("--code", type=PATH, help="Folder of the modules of your own networks.")
@click.option("--json", "as_json", is_flag=True, help="Print what table.json holds; of --list all.")
def command(
    table: str | None, folder: tuple[str, ...], listed: bool, copy: Path | None, out: Path | None,
    budget: str, only: tuple[str, ...], seeds: str | None, steps: int | None, limit: int | None,
    device: str, jobs: int, camera: Path | None, code: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Train and score the rows of TABLE, a TOML or a paper's table that ships.

    FOLDER holds shards, one for each data set of the table; NAME says which where their recipe
    does not.

    The same command goes on where one was stopped, and does what is new in the table. A row that
    fails costs itself, and the command ends with 3.
    """
    if listed:
        _list(as_json)
        return
    if table is None:
        raise click.UsageError("give a TABLE, or --list")
    if copy is not None:
        _copy(table, copy)
        return
    from isptools.cli.extra import expect_train

    expect_train()
    from isptools.compare import plan
    from isptools.compare.run import run

    try:
        asked = _asked(table, folder, out, budget, only, device, code, camera)
        asked = _changed(asked, seeds, steps=steps, limit=limit)
        units = plan.units(asked)
        outcomes = run(asked, units, jobs, _say)
        page = _written(asked, outcomes, budget)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{place}{error.strerror or error}") from None
    except KeyboardInterrupt:
        click.echo("stopped; run the same command to go on", err=True)
        raise click.exceptions.Exit(codes.STOPPED) from None
    _tell(outcomes, page, as_json)


def _say(line: str) -> None:
    """What is done now, and until the next line."""
    output.now().remark(line)
    output.now().stage = line


def _list(as_json: bool) -> None:
    import json

    from isptools import shipped
    from isptools.compare.table import Table

    files = sorted((shipped.folder("recipes") / "papers").glob("*.toml"))
    titles = {file.stem: Table.load(file).title for file in files}
    if as_json:
        click.echo(json.dumps([{"name": name, "title": titles[name]} for name in titles], indent=1))
        return
    width = max(map(len, titles))
    for name, title in titles.items():
        click.echo(f"{name:<{width}}  {title}")


def _copy(name: str, target: Path) -> None:
    """The table as a file of the user's own, never over one that is there."""
    try:
        text = _path(name).read_bytes()
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{name}: {error.strerror}") from None
    if target.exists():
        raise click.ClickException(f"{target}: is there already; give another name")
    save(target, text)


def _asked(
    name: str, given: tuple[str, ...], out: Path | None, budget: str, only: tuple[str, ...],
    device: str, code: Path | None, camera: Path | None,
) -> "Asked":  # fmt: skip
    import msgspec

    from isptools.compare import plan
    from isptools.compare.table import Table

    path = _path(name)
    table = Table.load(path)
    unknown = set(only) - {row.name for row in table.rows}
    if unknown:
        raise ValueError(f"{path}: no row {', '.join(sorted(unknown))}")
    if only:
        kept = tuple(row for row in table.rows if row.name in only)
        table = msgspec.structs.replace(table, rows=kept)
    if not given and table.kind != "complexity":
        raise ValueError("give a FOLDER of shards, one for each data set")
    folders = plan.named(table, given)
    place = out or Path(f"compare-{path.stem}")
    expect_place(place)
    return plan.Asked(table, folders, place, table.budget(budget), device, code, camera)


def _path(name: str) -> Path:
    """A table of the user's, or of those that ship."""
    from isptools import shipped

    path = Path(name)
    ships = shipped.folder("recipes") / "papers" / f"{name}.toml"
    if path.suffix != ".toml" and ships.is_file():
        return ships
    if path.suffix != ".toml":
        raise ValueError(f"{name}: no table of that name ships; isptools compare --list")
    return path


def _changed(asked: "Asked", seeds: str | None, **words: int | None) -> "Asked":
    """With words of the budget replaced."""
    from dataclasses import replace

    import msgspec

    changes: dict[str, object] = {name: value for name, value in words.items() if value is not None}
    if seeds is not None:
        try:
            changes["seeds"] = tuple(int(word) for word in seeds.split(","))
        except ValueError:
            raise ValueError(f"--seeds {seeds}: expected numbers, as 0,1,2") from None
    return replace(asked, budget=msgspec.structs.replace(asked.budget, **changes))


def _written(asked: "Asked", outcomes: "list[Outcome]", budget: str) -> Path:
    from isptools.compare import crops, page, summary

    counts = summary.counted(outcomes, asked.code)
    found = summary.sections(asked, outcomes, counts)
    pictured = asked.table.kind == "quality"
    cuts = {one.data.name: crops.write(asked, outcomes, one.data.name) for one in found
            if pictured}  # fmt: skip
    return page.write(asked, outcomes, found, cuts, budget)


def _tell(outcomes: "list[Outcome]", page: Path, as_json: bool) -> None:
    output.now().stage = ""
    for one in outcomes:
        if one.said:
            where = f" on {one.unit.data.name}" if one.unit.data.name else ""
            click.echo(f"{one.unit.row.name}{where}: {one.said}", err=True)
    if as_json:
        click.echo(page.with_suffix(".json").read_text(encoding="utf-8"), nl=False)
    else:
        click.echo(f"{page}: {len(outcomes)} lines, {sum(one.wrong for one in outcomes)} failed")
    if any(one.wrong for one in outcomes):
        raise click.exceptions.Exit(codes.LOOK)
