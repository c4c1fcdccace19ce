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
@click.option("--json", "as_json", is_flag=True, help="What it is, its scenes and files as JSON.")
def command(
    folder: Path, out: Path, kind: str | None, by: "By | None", jobs: int, overwrite: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write files.tsv for FOLDER: scenes, roles, exposures, ISO, sha256, and splits.

    Scenes come from names and capture times; the splits are of whole scenes, and near-duplicates
    stay together. The same files give the same table.
    """
    from isptools.cli.init import Asked, expect_new, left_out, proposed, save, summary, tell, tsv

    asked = Asked(kind, by, jobs, as_json)
    expect_new([out], overwrite)
    seen, found, table = proposed(folder, asked)
    save({out: tsv(table)}, overwrite)
    unused = left_out(seen, found, table)
    for line in summary(table, unused):
        asked.say(line)
    asked.say(f"wrote {out}: {len(table.entries)} lines, one for each role of a file")
    tell(folder, asked, found, table, unused, wrote=[str(out)])
