"""`isptools build`: raw files in, shards out."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isptools.cli.codes import LOOK, STOPPED, WAITS
from isptools.cli.splits import SPLITS, several
from isptools.shown import shown as escaped

if TYPE_CHECKING:
    from isptools.build import Summary
    from isptools.datasets import Opened
    from isptools.datasets.card import Split
    from isptools.recipe import Recipe

SECONDS = 300.0  # isptools.apart's, without its imports
PATH = click.Path(path_type=Path)


@click.command(name="build")
@click.argument("recipe")
@click.option("--source", type=PATH, help="Folder of the data set.")
@click.option("--out", type=PATH, required=True, help="Folder for the shards.")
@click.option("--sample", is_flag=True, help="Use the miniature, which is made from code.")
@click.option(
    "--split",
    callback=several,
    help="Splits to make, with commas: train,val,test. All if left out.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Worker processes."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first scenes of each split.")
@click.option("--enhanced", type=PATH, help="Folder of your own enhanced pictures, by scene.")
@click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), default=SECONDS,
              show_default=True, help="Seconds that one file may take to be decoded.")  # fmt: skip
@click.option("--verify", is_flag=True,
              help="Hash the shards that are there, and build anew what differs.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="What was made and left out as JSON.")
def command(
    recipe: str,
    source: Path | None,
    out: Path,
    sample: bool,
    split: "tuple[Split, ...] | None",
    jobs: int,
    limit: int | None,
    enhanced: Path | None,
    time_limit: float,
    verify: bool,
    as_json: bool,
) -> None:
    """Build the shards of RECIPE (a shipped name or a .toml file) from raw files.

    A build that was stopped goes on where it was when the same command runs again. Exit code 3 if
    files were refused (see `isptools ledger`); the others are built.
    """
    if sample and source:
        raise click.UsageError("--sample makes its own files; leave out --source")
    chosen, data_set = _chosen(recipe, sample, limit)

    from isptools.build import BuildError, Options, WaitError, build
    from isptools.build.ledger import odd
    from isptools.cli.progress import shown, stoppable

    options = partial(Options, jobs, split, enhanced, data_set, verify, seconds=time_limit)

    try:
        with stoppable(), _files(data_set, source, sample) as place, shown() as show:
            summary = build(chosen, place, out, options(progress=show))
    except WaitError as error:
        click.echo(escaped(f"Error: {error}"), err=True)
        raise click.exceptions.Exit(WAITS) from None
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        click.echo(f"stopped; whole shards stay in {out}, run the same command to go on", err=True)
        raise click.exceptions.Exit(STOPPED) from None
    if as_json:
        click.echo(_json(summary))
    else:
        _tell(summary)
    if summary.waits:
        click.echo(escaped(_waiting(summary)), err=True)
        raise click.exceptions.Exit(WAITS)
    if odd(summary.refusals) and not summary.recipe.sample:  # a miniature's faults are meant
        raise click.exceptions.Exit(LOOK)


def _waiting(summary: "Summary") -> str:
    """One line: how many scenes, why, and what to do."""
    scenes = sorted({wait.scene for wait in summary.waits})
    more = f" and {len(scenes) - 1} more" if len(scenes) > 1 else ""
    waits = "1 scene waits" if len(scenes) == 1 else f"{len(scenes)} scenes wait"
    why = " ".join(summary.waits[0].why.split())
    return (
        f"Error: {waits}, since files could not be read just now ({why}): {scenes[0]}{more}; "
        "run the same command again to go on"
    )


def _chosen(name: str, sample: bool, limit: int | None) -> "tuple[Recipe, Opened]":
    """The recipe and its data set, which may lie beside the recipe's file."""
    import msgspec

    from isptools import datasets
    from isptools.recipe import Recipe, find

    try:
        recipe = Recipe.load(name)
        data_set = datasets.opened(recipe.source, find(name).parent)
        if sample:
            data_set = datasets.in_small(data_set)
            recipe = msgspec.structs.replace(recipe, sample=True)
        return (recipe.small(limit) if limit else recipe), data_set
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _files(data_set: "Opened", source: Path | None, sample: bool) -> Iterator[Path]:
    """The folder of the raw files; the miniature lives only as long as the build."""
    import os

    from isptools import scratch
    from isptools.datasets import miniature
    from isptools.datasets.listing import missing

    if not sample:
        if source is None:
            raise click.ClickException(missing(data_set.card, None))
        yield source
        return
    try:
        with scratch.folder() as folder:
            for path in miniature(data_set.card.name, folder):
                os.utime(path, (0, 0))  # the same each time: a second build finds it unchanged
            yield folder
    except OSError as error:
        message = f"cannot write the miniature to {error.filename}: {error.strerror or error}"
        raise click.ClickException(message) from None


def _tell(summary: "Summary") -> None:
    size = sum(shard.bytes for shard in summary.shards) / 1e6
    if summary.recipe.sample:
        click.echo("made from code, not from photographs")
    before = f", {summary.kept} units finished before" if summary.kept else ""
    click.echo(f"{summary.out}: {len(summary.shards)} shards, {size:.1f} MB{before}")
    click.echo("  split  shards  scenes  inputs")
    for name in SPLITS:
        of_split = [shard for shard in summary.shards if shard.split == name]
        if of_split:
            scenes, inputs = (sum(getattr(s, k) for s in of_split) for k in ("scenes", "rows"))
            click.echo(f"  {name:5}  {len(of_split):6}  {scenes:6}  {inputs:6}")
    for line in summary.mended:
        click.echo(f"  mended: {line}")
    for kind, reasons in summary.refusals.items():
        click.echo(f"  {kind}: {_counted(kind, reasons)}")
    if summary.refusals:
        click.echo(f"what was left out, and why: isptools ledger {summary.out}")
    if not summary.waits:
        click.echo(f"verify with: isptools check {summary.out}")


def _counted(kind: str, reasons: dict[str, int]) -> str:
    """Each reason once: where it says no more than the kind, its number alone."""
    return ", ".join(
        f"{number}" if reason == kind else f"{reason} {number}"
        for reason, number in reasons.items()
    )


def _json(summary: "Summary") -> str:
    import msgspec

    words = ("recipe", "shards", "made", "kept", "refusals", "mended", "waits")
    told = {"out": str(summary.out)} | {word: getattr(summary, word) for word in words}
    told["recipe"] = summary.recipe.name
    return msgspec.json.format(msgspec.json.encode(told), indent=1).decode()
