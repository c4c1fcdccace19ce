"""`isptools convert`: shards for other tools."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from isptools.cli.splits import several
from isptools.cli.target import Into

KINDS = ("webdataset", "zarr", "parquet", "tiff", "exr", "npz")  # isptools.exports.KINDS
PATH = click.Path(path_type=Path)


@click.command(name="convert")
@click.argument("folder", type=PATH)
@click.option("--to", "kind", type=click.Choice(KINDS), required=True, help="What to write.")
@click.option("--out", type=Into(), required=True, help="New folder to write to.")
@click.option("--patches", type=click.IntRange(min=1), metavar="N",
              help="Cut frames into squares of N pixels, whole CFA cells.")  # fmt: skip
@click.option("--split", callback=several, help="Only these splits, with commas.")
@click.option("--overwrite", is_flag=True, help="Replace what is at --out.")
@click.option("--json", "as_json", is_flag=True, help="What was written, as JSON.")
def command(
    folder: Path, kind: str, out: Path, patches: int | None, split: tuple[str, ...] | None,
    overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write the shards in FOLDER (or one shard) as files of another tool, with all facts.

    Numbers are as stored (physical for exr); README.md and facts.jsonl say what they mean, and the
    licence stands in each container.
    """
    from isptools.cli.progress import shown
    from isptools.exports import Options, convert

    try:
        with shown() as show:

            def progress(done: int, total: int) -> None:
                show("inputs_out", done, total)

            made = convert(folder, kind, out, Options(split, patches, overwrite, progress))
    except (ValueError, OSError) as error:
        raise click.ClickException(" ".join(str(error).split())) from None
    if as_json:
        click.echo(json.dumps({"out": str(out), **asdict(made)}))
        return
    click.echo(f"{out}: {made.records} records in {made.files} files, {made.bytes / 1e6:.1f} MB")
    for terms in made.redistribution:
        said = {"forbidden": ": keep them to yourself", "unknown": ": ask before you pass them on"}
        click.echo(f"redistribution: {terms}{said.get(terms, '')}")
