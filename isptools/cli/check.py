"""`isptools check`: is a folder of shards whole, and are its pairs pairs?"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isptools.cli.codes import CANT, DONE, LOOK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isptools.shards.check import Checked, Problem
    from isptools.shards.schema import TruthRow
    from isptools.shards.seen import Number, Seen
    from isptools.shards.table import Table


PASSING_ON = {
    "allowed": "",
    "forbidden": ": keep these shards to yourself",
    "unknown": ": nothing is stated; ask before you pass these shards on",
}


@click.command(name="check")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True,
              help="Worker processes.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Every problem and number as JSON.")
def command(folder: Path, jobs: int, as_json: bool) -> None:
    """Verify the shards in FOLDER: hashes, tables, splits, and that each pair is one.

    Each input is compared with its truths in level, color, CFA phase, place, noise and clipping.
    Lists every problem and exits with 3, with 1 where something can't be read at all, or prints
    what is there, its licence and whether it may be passed on, and exits with 0.
    """
    from isptools.cli.progress import shown
    from isptools.shards.check import examined

    _expect_shards(folder)
    try:
        with shown() as show:
            found = examined(folder, lambda done, total: show("shards", done, total), jobs)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    problems = found.problems
    if as_json:
        click.echo(_json(found))
        raise click.exceptions.Exit(_code(problems))
    wrong = [problem for problem in problems if problem.sure]
    unsure = [problem for problem in problems if not problem.sure]
    for problem in (*wrong, *unsure):
        click.echo(("problem: " if problem.sure else "not sure: ") + str(problem))
    for text in _worst(found):
        click.echo(text)
    if wrong:
        click.echo(f"{folder}: {len(wrong)} problem{'s' * (len(wrong) > 1)}")
        raise click.exceptions.Exit(_code(problems))
    try:
        told = list(_told(folder, found, len(unsure)))
    except ValueError as error:  # the build made no shard
        raise click.ClickException(str(error)) from None
    for text in told:
        click.echo(text)


def _code(problems: "list[Problem]") -> int:
    """What can't be read was not checked either."""
    from isptools.shards.check import UNFIT

    sure = {problem.what for problem in problems if problem.sure}
    return CANT if sure & UNFIT else LOOK if sure else DONE


def _expect_shards(folder: Path) -> None:
    """ClickException for what is no folder that a build made."""
    if folder.is_file():
        raise click.ClickException(f"{folder}: it is a file; give the folder of shards it is in")
    made = ("index.json", ".journal", "ledger.jsonl")
    if (
        folder.is_dir()
        and not any(folder.glob("*.h5"))
        and not any((folder / name).exists() for name in made)
    ):
        raise click.ClickException(f"{folder}: there are no shards (*.h5); give what build made")


def _worst(found: "Checked") -> "Iterator[str]":
    """For each thing that was measured the pair that is nearest to its limit, worst first."""
    worst: dict[str, tuple[Number, Seen]] = {}
    for pair in found.seen:
        for number in pair.numbers:
            before = worst.get(number.kind)
            if before is None or number.share > before[0].share:
                worst[number.kind] = number, pair
    if not worst:
        return
    yield "pairs as seen, the worst of each kind:"
    yield "  what          of limit     value     limit  pair"
    for number, pair in sorted(worst.values(), key=lambda each: -each[0].share):
        yield (
            f"  {number.kind:12} {number.share:9.0%} {number.value:9.3g} {number.limit:9.3g}  "
            f"{pair.key}, {pair.name}"
        )


def _json(found: "Checked") -> str:
    """The same for the same shards."""
    import msgspec

    of_truth = ("key", "quality_db", "quality_origin")
    told = {
        "problems": found.problems,
        "pairs": found.seen,
        "truths": [{name: getattr(truth, name) for name in of_truth} for truth in found.truths],
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=1).decode()


def _told(folder: Path, found: "Checked", unsure: int) -> "Iterator[str]":
    """Of a folder without problems."""
    if not found.tables:
        raise ValueError(f"{folder}: there are no shards (*.h5)")
    yield _summary(folder, found.tables, unsure)
    yield from _terms(found.tables)
    yield from _truths(found.truths)
    yield from _quality(found.tables)


def _truths(truths: "list[TruthRow]") -> "Iterator[str]":
    """How good the truths are."""
    known = [truth for truth in truths if truth.quality_db is not None]
    if not known:
        yield "truth quality: not stored (shards of an earlier version, or nothing is known)"
        return
    values = sorted(truth.quality_db or 0.0 for truth in known)
    least = min(known, key=lambda truth: truth.quality_db or 0.0)
    origins = ", ".join(sorted({truth.quality_origin for truth in known}))
    yield (
        f"truth quality: good to {values[len(values) // 2]:.1f} dB in the median, from "
        f"{values[0]:.1f} dB ({least.key}) to {values[-1]:.1f} dB; known of {len(known)} of "
        f"{len(truths)} truths, by {origins}"
    )


def _terms(tables: "list[Table]") -> "Iterator[str]":
    """Under which licence the data set stands, and whether its shards may be passed on."""
    stated = {(one.attrs["licence"], one.attrs["redistribution"]) for one in tables}
    for licence, redistribution in sorted(stated):
        yield f"licence: {licence}"
        yield f"redistribution: {redistribution}{PASSING_ON.get(redistribution, '')}"


def _quality(tables: "list[Table]") -> "Iterator[str]":
    """How well pairs of two cameras lie on each other; nothing for other shards."""
    from isptools.shards.quality import PERCENT, quality

    found = quality(tables)
    if found is None:
        return
    yield f"alignment of {found.pairs} pairs:"
    yield "  percentile        " + "".join(f"{percent:>8}" for percent in PERCENT)
    yield "  correlation       " + "".join(f"{value:8.3f}" for value in found.correlation)
    if found.residual:
        yield "  residual shift px " + "".join(f"{value:8.3f}" for value in found.residual)
    yield f"  (residual shift by phase correlation, {found.measured} pairs where it could be told)"
    yield f"worst {len(found.worst)} by correlation:"
    for row in found.worst:
        left = "" if row.residual_px is None else f", {row.residual_px:.2f} px left"
        yield f"  {row.correlation:6.3f}  {row.key}{left}"


def _summary(folder: Path, tables: "list[Table]", unsure: int) -> str:
    scenes = {(table.split, truth.scene) for table in tables for truth in table.truths}
    told = f", {unsure} pairs too dark or too small to tell" if unsure else ""
    bare = sum(not table.sealed for table in tables)
    told += f"; {bare} shards hold no checksums (built before there were any)" if bare else ""
    return (
        f"{folder}: no problems: {len(tables)} shards, {sum(map(len, tables))} inputs, "
        f"{len(scenes)} scenes; hashes, tables, splits and pairs agree{told}"
    )
