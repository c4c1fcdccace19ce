"""`isptools init`: what is this folder of captures, and how is it built?"""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from isptools.cli.target import Into

if TYPE_CHECKING:
    from isptools.datasets.card import Split
    from isptools.propose.look import Seen
    from isptools.propose.proposal import By, Proposal
    from isptools.propose.table import Table

WAYS = ("names", "time")  # as isptools.propose.proposal.By
BY = "What holds where names and EXIF times contradict each other."
SPLITS: "tuple[Split, ...]" = ("train", "val", "test")
ENTRY = ("split", "scene", "role", "path", "exposure_s", "iso", "sha256")
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
@click.option(
    "--out", type=Into(), default=".", help="Where recipe and manifest go. Default: here."
)
@click.option("--kind", type=click.Choice(KINDS), help="What it is, if you know better.")
@click.option(
    "--by",
    type=click.Choice(("names", "time")),
    help="What holds where names and EXIF times contradict each other.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes that read files.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Overwrite an earlier proposal.")
@click.option("--json", "as_json", is_flag=True, help="What it is, its scenes and files as JSON.")
def command(
    folder: Path, out: Path, kind: str | None, by: "By | None", jobs: int, overwrite: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Look at FOLDER of your own captures, say what it is, and write a recipe that builds it.

    Raws for themselves, raws with the camera's picture, short and long exposures, bursts, or pairs
    of two cameras. Writes NAME.toml and NAME-manifest/, where NAME is the folder's name.
    """
    from isptools.propose import recipes

    asked, name = Asked(kind, by, jobs, as_json), recipes.slug(folder)
    place = out / f"{name}-manifest"
    expect_new((out / f"{name}.toml", place / "files.tsv"), overwrite)
    seen, found, table = proposed(folder, asked)
    unused = left_out(seen, found, table)
    files = {
        out / f"{name}.toml": recipes.recipe(name, found),
        place / "dataset.toml": recipes.data_set(name, found, table, folder),
        place / "files.tsv": tsv(table),
        place / "README.md": recipes.readme(found, table, unused),
    }
    save(files, overwrite)
    for line in summary(table, unused):
        asked.say(line)
    asked.say(f"wrote {out / name}.toml and {place}: read them, they have comments")
    words = (f"{out / name}.toml", "--source", folder, "--out", out / f"{name}-shards")
    following = f"isptools build {shlex.join(map(str, words))}"
    asked.say(f"next: {following}")
    tell(folder, asked, found, table, unused, wrote=list(map(str, files)), next=following)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user says of the folder, how many processes read it, and who listens."""

    kind: str | None
    by: "By | None"
    jobs: int
    as_json: bool

    def say(self, line: str) -> None:
        """To people."""
        if not self.as_json:
            click.echo(line)

    def tell(self, **words: Any) -> None:
        """To a program."""
        from json import dumps

        if self.as_json:
            click.echo(dumps(words, indent=1, ensure_ascii=False))


def proposed(folder: Path, asked: Asked) -> "tuple[Sequence[Seen], Proposal, Table]":
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
                asked.say(line)
            if asked.kind in {None, "pairs"} and (folder / "pairs.csv").is_file():
                _listed(folder, asked)
            if asked.kind is None:
                _expect_one_kind(folder, seen, asked)
            found, why = _chosen(proposals(folder, seen, asked.by), folder, asked)
            files = table(
                folder, found.kind, found.shots, asked.jobs,
                lambda done, total: show("files", done, total),
            )  # fmt: skip
    except OSError as error:
        where = error.filename or folder
        raise click.ClickException(f"{where}: it can't be read ({error.strerror})") from None
    if not files.entries:
        for one in files.unreadable:
            click.echo(f"  {one.path}: {one.wrong}", err=True)
        _give_up(folder, "no raw's pixels can be read", (), asked)
    for line in why:
        asked.say(line)
    return seen, found, files


def tell(
    folder: Path, asked: Asked, found: "Proposal", table: "Table", unused: "Sequence[Seen]",
    **more: Any,
) -> None:  # fmt: skip
    """The same to a program."""
    asked.tell(
        folder=str(folder), kind=found.kind, why=found.why,
        scenes={split: table.scenes(split) for split in SPLITS}, together=table.together,
        files=[{name: getattr(one, name) for name in ENTRY} for one in table.entries],
        unused=[{"path": one.path, "why": one.wrong} for one in unused], **more,
    )  # fmt: skip


def _listed(folder: Path, asked: Asked) -> NoReturn:
    """A folder whose pairs a table names, which a recipe that ships reads."""
    why = "pairs.csv says which pictures belong together; no manifest is needed"
    following = f"isptools build pairs --source {shlex.quote(str(folder))} --out shards"
    asked.say(f"{why}\nnext: {following}")
    asked.tell(folder=str(folder), kind="pairs", why=why, next=following)
    raise click.exceptions.Exit(0)


def _chosen(
    found: "Sequence[Proposal]", folder: Path, asked: Asked
) -> "tuple[Proposal, list[str]]":
    """The first that fits, and what is to be said about it."""
    from isptools.propose.kinds import chosen
    from isptools.propose.proposal import NAMES

    kind = asked.kind
    if kind is None:
        best = chosen(found)
    else:
        best = next((one for one in found if one.kind == kind and one.shots), None)
    if best is None:
        reasons = [one.doubt or one.why for one in found if kind in {None, one.kind}]
        what = f"as {kind} it has no scene" if kind else "can't tell what this is"
        _give_up(folder, what, reasons, asked)
    reason = best.why if kind is None else f"you say so; {best.why}"
    lines = [f"this is: {NAMES[best.kind]} (kind {best.kind})", f"  because {reason}"]
    lines += [
        f"  it could also be {NAMES[other.kind]} (--kind {other.kind}): {other.why or other.doubt}"
        for other in found
        if other.kind != best.kind
    ]
    return best, lines


def _expect_one_kind(folder: Path, seen: "Sequence[Seen]", asked: Asked) -> None:
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
        what = "its folders are of several kinds; begin with one of them"
        _give_up(folder, what, reasons, asked)


def _give_up(folder: Path, what: str, reasons: Sequence[str], asked: Asked) -> NoReturn:
    asked.tell(folder=str(folder), kind=None, why=what, reasons=reasons)
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
    counts = ", ".join(f"{split} {table.scenes(split)}" for split in SPLITS)
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


def expect_new(paths: Iterable[Path], overwrite: bool) -> None:
    """ClickException if one is there already."""
    there = [path for path in paths if path.exists()]
    if there and not overwrite:
        raise click.ClickException(
            f"{there[0]} is there already; --overwrite replaces it, --out takes another folder"
        )


def save(files: dict[Path, str], overwrite: bool) -> None:
    """Write all or, if one is there already, nothing."""
    from isptools import whole

    expect_new(files, overwrite)
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            whole.save(path, text.encode())
    except OSError as error:
        place = error.filename or path
        raise click.ClickException(f"{place}: it can't be written ({error.strerror})") from None
