"""`isptools manifest`: the table of a folder's files."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isptools.cli.init import BY, KINDS, PATH, WAYS
from isptools.cli.target import Target

if TYPE_CHECKING:
    from isptools.propose.proposal import By


@click.command(name="manifest")
@click.argument("folder", type=PATH)
@click.option("--out", type=Target(), default="files.tsv", show_default=True, help="File to write.")
@click.option("--kind", type=click.Choice(KINDS), help="What it is, if you know better.")
@click.option("--by", type=click.Choice(WAYS), help=BY)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes that read files.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Overwrite an earlier table.")
def command(
    folder: Path, out: Path, kind: str | None, by: "By | None", jobs: int, overwrite: bool
) -> None:
    """Write files.tsv for FOLDER: scenes, roles, exposures, ISO, sha256, and splits.

    Scenes come from names and capture times; the splits are of whole scenes, and near-duplicates
    stay together. The same files give the same table.
    """
    from isptools.cli.init import left_out, proposed, save, summary, tsv

    seen, found, table = proposed(folder, kind, jobs, by)
    save({out: tsv(table)}, overwrite)
    for line in summary(table, left_out(seen, found, table)):
        click.echo(line)
    click.echo(f"wrote {out}: {len(table.entries)} lines; docs/guides/own-captures.md")
