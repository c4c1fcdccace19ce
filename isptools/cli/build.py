"""`isptools build`: raw files in, shards out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isptools.cli.codes import LOOK, STOPPED, WAITS
from isptools.cli.splits import SPLITS, several
from isptools.cli.target import Into
from isptools.shown import shown as escaped
from isptools.storage.places import url_of

if TYPE_CHECKING:
    from isptools.build import Share, Summary
    from isptools.datasets import Opened
    from isptools.datasets.card import Split
    from isptools.recipe import Recipe
    from isptools.storage.shadow import Shadow

SECONDS = 300.0  # isptools.apart's, without its imports
PATH = click.Path(path_type=Path)


@click.command(name="build")
@click.argument("recipe")
@click.option("--source", type=PATH, help="Folder of the data set, or its address: s3://bucket/a.")
@click.option("--out", type=Into(), required=True, help="Folder for the shards, or its address.")
@click.option("--staging", type=click.FloatRange(min=0, min_open=True), default=20.0,
              show_default=True, metavar="GB",
              help="Large files of an address that are here at once.")  # fmt: skip
@click.option("--sample", is_flag=True, help="Use the miniature, which is made from code.")
@click.option(
    "--split",
    callback=several,
    help="Splits to make, with commas: train,val,test. All if left out.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Worker processes."
)
@click.option("--share", metavar="I/N", help="Make one of N shares of the work: N calls into one "
              "folder, on any machines and in any order, make what one call makes.")  # fmt: skip
@click.option("--cluster", help="Work on a Dask cluster: tcp://HOST:PORT of its scheduler, "
              "local:N, or slurm[:jobs=N,cores=N,memory=8GB,...].")  # fmt: skip
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
    staging: float,
    sample: bool,
    split: "tuple[Split, ...] | None",
    jobs: int,
    share: str | None,
    cluster: str | None,
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
    _expect_fitting(sample, source, out, verify, share, cluster, jobs)
    part = _share(share)
    chosen, data_set = _chosen(recipe, sample, limit)

    from isptools.build import BuildError, Options, WaitError, build
    from isptools.build.ledger import odd
    from isptools.cli.progress import shown, stoppable
    from isptools.storage import StorageError

    options = partial(Options, jobs, split, enhanced, data_set, verify, seconds=time_limit,
                      share=part, cluster=cluster)  # fmt: skip

    try:
        with (
            stoppable(),
            _files(data_set, source, sample, int(staging * 1e9)) as (place, shadow),
            _folder(out) as (folder, finished),
            shown() as show,
        ):
            found = options(progress=show, shadow=shadow, finished=finished)
            summary = build(chosen, place, folder, found)
    except WaitError as error:
        click.echo(escaped(f"Error: {error}"), err=True)
        raise click.exceptions.Exit(WAITS) from None
    except (BuildError, StorageError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        click.echo(f"stopped; whole shards stay in {out}, run the same command to go on", err=True)
        raise click.exceptions.Exit(STOPPED) from None
    target = str(url_of(out) or out)
    if as_json:
        click.echo(_json(summary, target))
    else:
        _tell(summary, target)
    if summary.waits:
        click.echo(escaped(_waiting(summary)), err=True)
        raise click.exceptions.Exit(WAITS)
    if odd(summary.refusals) and not summary.recipe.sample:  # a miniature's faults are meant
        raise click.exceptions.Exit(LOOK)


def _expect_fitting(
    sample: bool, source: Path | None, out: Path, verify: bool, share: str | None,
    cluster: str | None, jobs: int,
) -> None:  # fmt: skip
    """UsageError for options that say two things."""
    if sample and source:
        raise click.UsageError("--sample makes its own files; leave out --source")
    elsewhere = share or (cluster if cluster and not cluster.startswith("local:") else None)
    if elsewhere and (url_of(out) or url_of(source or "")):
        raise click.UsageError(
            f"addresses are staged on this machine, and {elsewhere} does not see that: copy the "
            "files to a disk that all share"
        )
    if url_of(out) and verify:
        raise click.UsageError("--verify hashes files here: leave it out where --out is an address")
    if cluster and jobs > 1:
        raise click.UsageError("--cluster brings its own workers; leave out --jobs")


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


def _share(text: str | None) -> "Share | None":
    from isptools.build import Share

    try:
        return Share.parse(text) if text else None
    except ValueError as error:
        raise click.UsageError(str(error)) from None


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
def _folder(out: Path) -> Iterator[tuple[Path, "Callable[[str], None]"]]:
    """Where shards are made, and what is done with each: of an address, they are put there."""
    url = url_of(out)
    if not url:
        yield out, lambda _name: None
        return
    from isptools import scratch
    from isptools.storage.outlet import Outlet

    with scratch.folder() as folder:
        outlet = Outlet(url, folder)
        outlet.pull()
        yield folder, outlet.push
        outlet.close()


@contextmanager
def _files(
    data_set: "Opened", source: Path | None, sample: bool, staging: int
) -> "Iterator[tuple[Path, Shadow | None]]":
    """The folder of the raw files; the miniature, and the shadow of an address, live only as long
    as the build."""
    import os

    from isptools import scratch
    from isptools.datasets import miniature
    from isptools.datasets.listing import missing

    if not sample:
        if source is None:
            raise click.ClickException(missing(data_set.card, None))
        url = url_of(source)
        if not url:
            yield source, None
            return
        from isptools.storage.shadow import shadow

        with scratch.folder() as folder:
            made = shadow(url, folder / "source", staging)
            yield made.root, made
        return
    try:
        with scratch.folder() as folder:
            for path in miniature(data_set.card.name, folder):
                os.utime(path, (0, 0))  # the same each time: a second build finds it unchanged
            yield folder, None
    except OSError as error:
        message = f"cannot write the miniature to {error.filename}: {error.strerror or error}"
        raise click.ClickException(message) from None


def _tell(summary: "Summary", out: str) -> None:
    size = sum(shard.bytes for shard in summary.shards) / 1e6
    if summary.recipe.sample:
        click.echo("made from code, not from photographs")
    before = f", {summary.kept} units finished before" if summary.kept else ""
    click.echo(f"{out}: {len(summary.shards)} shards, {size:.1f} MB{before}")
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
        click.echo(f"what was left out, and why: isptools ledger {out}")
    if summary.missing:
        number, first = len(summary.missing), summary.missing[0]
        more = f" and {number - 1} more" if number > 1 else ""
        click.echo(f"  other shares have still to make {first}{more}; the last of them writes "
                   "the index")  # fmt: skip
    elif not summary.waits and not url_of(out):
        click.echo(f"verify with: isptools check {out}")


def _counted(kind: str, reasons: dict[str, int]) -> str:
    """Each reason once: where it says no more than the kind, its number alone."""
    return ", ".join(
        f"{number}" if reason == kind else f"{reason} {number}"
        for reason, number in reasons.items()
    )


def _json(summary: "Summary", out: str) -> str:
    import msgspec

    words = ("recipe", "shards", "made", "kept", "refusals", "mended", "waits", "missing")
    told = {"out": out} | {word: getattr(summary, word) for word in words}
    told["recipe"] = summary.recipe.name
    return msgspec.json.format(msgspec.json.encode(told), indent=1).decode()
