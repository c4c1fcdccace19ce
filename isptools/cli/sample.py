"""`isptools sample`."""

import filecmp
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from isptools.cli.target import Into


@click.command(name="sample")
@click.argument("name")
@click.option("--out", type=Into(), required=True, help="Folder to write to.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0),
              help="Other noise and other scenes.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="What was written, as JSON.")
def command(name: str, out: Path, seed: int, as_json: bool) -> None:
    """Write the miniature of data set NAME, made from code, in its real folder layout."""
    from isptools import scratch
    from isptools.cli.progress import busy
    from isptools.datasets import miniature

    there = out.is_dir()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with busy("drawing"), scratch.folder(out) as place:  # all of it, or nothing
            files = miniature(name, place, seed)
            _expect_free(out, place, files)
            names = [file.relative_to(place) for file in files]
            for file, below in zip(files, names, strict=True):
                target = out / below
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)
    except ValueError as error:
        _leave(out, there)
        raise click.ClickException(str(error)) from None
    except OSError as error:
        _leave(out, there)
        why = error.strerror or error
        raise click.ClickException(f"{out}: it can't be written there ({why})") from None
    if as_json:
        told = {"data_set": name, "out": str(out), "seed": seed,
                "files": [below.as_posix() for below in names]}  # fmt: skip
        click.echo(json.dumps(told, indent=1))
        return
    click.echo(f"{len(files)} files of the {name} miniature in {out}")


def _expect_free(out: Path, place: Path, files: Sequence[Path]) -> None:
    """ValueError where another file has one of the names: the data set's own, maybe."""
    for file in files:
        there = out / file.relative_to(place)
        if there.exists() and not filecmp.cmp(file, there, shallow=False):
            raise ValueError(f"{there} is there, and another file: choose a new folder with --out")


def _leave(out: Path, there: bool) -> None:
    """Without an empty folder that was not there before."""
    if not there:
        with suppress(OSError):
            out.rmdir()
