"""`isptools init`: what is this folder of captures, and how is it built?"""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from isptools.propose.look import Seen
    from isptools.propose.proposal import By, Proposal
    from isptools.propose.table import Table

WAYS = ("names", "time")  # as isptools.propose.proposal.By
BY = "What holds where names and EXIF times contradict each other."
KINDS = ("pairs", "exposures", "bursts", "camera", "raws")  # as in isptools.propose.kinds
PATH = click.Path(path_type=Path)
HELP = """
  What to do: put raw files there (DNG, ARW, CR3, NEF, RAF, ...), and beside them what shall be the
  truth: pictures of the same names, longer exposures of the same scenes (short/ and long/, or a
  sub-folder a scene), bursts (a sub-folder each), or pictures of another camera (phone/ and dslr/
  with the same names). Or say what it is with --kind, or write the manifest yourself:
  the guide "add a data set" in the project's documentation tells how"""


@click.command(name="init")
@click.argument("folder", type=PATH)
@click.option("--out", type=PATH, default=".", help="Where recipe and manifest go. Default: here.")
@click.option("--kind", type=click.Choice(KINDS), help="What it is, if you know better.")
@click.option(
    "--by",
    type=click.Choice(("names", "time")),
    help="What holds where names and EXIF times contradict each other.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes that read files.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Overwrite an earlier proposal.")
def command(
    folder: Path, out: Path, kind: str | None, by: "By | None", jobs: int, overwrite: bool
) -> None:
    """Look at FOLDER of your own captures, say what it is, and write a recipe that builds it.

    Raws for themselves, raws with the camera's picture, short and long exposures, bursts, or pairs
    of two cameras. Writes NAME.toml and NAME-manifest/, where NAME is the folder's name.
    """
    from isptools.propose import recipes

    seen, found, table = proposed(folder, kind, jobs, by)
    name = recipes.slug(folder)
    place = out / f"{name}-manifest"
    unused = left_out(seen, found, table)
    files = {
        out / f"{name}.toml": recipes.recipe(name, found),
        place / "dataset.toml": recipes.data_set(name, found, table, folder),
        place / "files.tsv": tsv(table),
        place / "README.md": recipes.readme(found, table, unused),
    }
    save(files, overwrite)
    for line in summary(table, unused):
        click.echo(line)
    click.echo(f"wrote {out / name}.toml and {place}: read them, they have comments")
    words = (f"{out / name}.toml", "--source", folder, "--out", out / f"{name}-shards")
    click.echo(f"next: isptools build {shlex.join(map(str, words))}")


def proposed(
    folder: Path, kind: str | None, jobs: int, by: "By | None"
) -> "tuple[Sequence[Seen], Proposal, Table]":
    """What lies there, what it is, and its table; says it, and ends here if it can't be told."""
    from isptools.cli.progress import shown
    from isptools.propose.kinds import proposals
    from isptools.propose.look import seen_files
    from isptools.propose.table import table

    if not folder.is_dir():
        raise click.ClickException(f"{folder}: no such folder")
    try:
        with shown() as show:
            seen = seen_files(folder, lambda done, total: show("headers", done, total))
            for line in told(folder, seen):
                click.echo(line)
            if kind in {None, "pairs"} and (folder / "pairs.csv").is_file():
                click.echo("pairs.csv says which pictures belong together; no manifest is needed")
                place = shlex.quote(str(folder))
                click.echo(f"next: isptools build pairs --source {place} --out shards")
                raise click.exceptions.Exit(0)
            if kind is None:
                _expect_one_kind(folder, seen)
            found, why = _chosen(proposals(folder, seen, by), kind, folder)
            files = table(
                folder, found.kind, found.shots, jobs,
                lambda done, total: show("files", done, total),
            )  # fmt: skip
    except OSError as error:
        where = error.filename or folder
        raise click.ClickException(f"{where}: it can't be read ({error.strerror})") from None
    if not files.entries:
        for one in files.unreadable:
            click.echo(f"  {one.path}: {one.wrong}", err=True)
        _give_up(folder, "no raw's pixels can be read")
    for line in why:
        click.echo(line)
    return seen, found, files


def _chosen(
    found: "Sequence[Proposal]", kind: str | None, folder: Path
) -> "tuple[Proposal, list[str]]":
    """The first that fits, and what is to be said about it."""
    from isptools.propose.kinds import chosen
    from isptools.propose.proposal import NAMES

    if kind is None:
        best = chosen(found)
    else:
        best = next((one for one in found if one.kind == kind and one.shots), None)
    if best is None:
        reasons = [one.doubt or one.why for one in found if kind in {None, one.kind}]
        what = f"as {kind} it has no scene" if kind else "can't tell what this is"
        _give_up(folder, what, reasons)
    reason = best.why if kind is None else f"you say so; {best.why}"
    lines = [f"this is: {NAMES[best.kind]} (kind {best.kind})", f"  because {reason}"]
    lines += [
        f"  it could also be {NAMES[other.kind]} (--kind {other.kind}): {other.why or other.doubt}"
        for other in found
        if other.kind != best.kind
    ]
    return best, lines


def _expect_one_kind(folder: Path, seen: "Sequence[Seen]") -> None:
    """A folder of folders of several kinds is several data sets: say which, and end here."""
    from isptools.propose.kinds import of_folders
    from isptools.propose.proposal import NAMES

    parts = of_folders(folder, seen)
    if len({one.kind for one in parts.values() if one.kind != "raws"}) > 1:
        reasons = [
            f"{name}/ is {NAMES[one.kind]}, because {one.why}: "
            f"isptools init {shlex.quote(str(folder / name))}"
            for name, one in parts.items()
        ]
        _give_up(folder, "its folders are of several kinds; begin with one of them", reasons)


def _give_up(folder: Path, what: str, reasons: Sequence[str] = ()) -> NoReturn:
    click.echo(f"{folder}: {what}; nothing was written", err=True)
    for reason in reasons:
        click.echo(f"  {reason}", err=True)
    click.echo(HELP, err=True)
    raise click.exceptions.Exit(1)


def told(folder: Path, seen: "Sequence[Seen]") -> Iterator[str]:
    """What lies in a folder: counts by kind, cameras, sizes."""
    size = sum(one.size for one in seen) / 1e6
    yield f"{folder}: {len(seen)} files, {size:.1f} MB"
    names = (("raw", "raw files"), ("picture", "pictures"), ("other", "others"))
    for kind, name in names:
        those = [one for one in seen if one.kind == kind]
        if not those:
            continue
        suffixes = Counter(Path(one.path).suffix.lower() or "no suffix" for one in those)
        ends = ", ".join(f"{suffix} {number}" for suffix, number in sorted(suffixes.items()))
        yield f"  {len(those)} {name}: {ends}"
        good = [one for one in those if one.usable]
        cameras = Counter(
            f"{one.camera or 'camera not stated'} {one.shape[1]} x {one.shape[0]}" for one in good
        )
        for camera, number in sorted(cameras.items()):
            yield f"    {number} {camera}"
        wrong = [one for one in those if one.wrong]
        if wrong:
            yield f"    {len(wrong)} can't be used, as {wrong[0].path}: {wrong[0].wrong}"


def left_out(seen: "Sequence[Seen]", found: "Proposal", table: "Table") -> "list[Seen]":
    """Raws and pictures that the proposal has no use for."""
    from dataclasses import replace

    from isptools.propose.kinds import mosaic
    from isptools.propose.table import files_of

    used = {one.path for shot in found.shots for one in files_of(shot)}
    main, out = mosaic(seen), [*table.unreadable]
    for one in seen:
        if one.path not in used and one.kind != "other":
            other = one.usable and one.mosaic and one.mosaic != main
            why = f"a {one.mosaic} file: build it from a folder of its own" if other else one.wrong
            out.append(replace(one, wrong=why))
    return out


def summary(table: "Table", unused: "Sequence[Seen]") -> Iterator[str]:
    """Scenes of each split, what was kept together, what is not used."""
    counts = ", ".join(f"{split} {table.scenes(split)}" for split in ("train", "val", "test"))
    yield f"scenes: {counts}"
    for group in table.together:
        yield f"  near-duplicates, kept in one split: {', '.join(group)}"
    for one in unused[:5]:
        yield f"  not used: {one.path}{': ' + one.wrong if one.wrong else ''}"
    if len(unused) > 5:
        yield f"  not used: {len(unused) - 5} more"


def tsv(table: "Table") -> str:
    from isptools.propose.table import text

    return text(table)


def save(files: dict[Path, str], overwrite: bool) -> None:
    """Write all or, if one is there already, nothing."""
    from isptools import whole

    there = [path for path in files if path.exists()]
    if there and not overwrite:
        raise click.ClickException(
            f"{there[0]} is there already; --overwrite replaces it, --out takes another folder"
        )
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            whole.save(path, text.encode())
    except OSError as error:
        place = error.filename or path
        raise click.ClickException(f"{place}: it can't be written ({error.strerror})") from None
