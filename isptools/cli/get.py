"""`isptools get`: where a data set is to be had, and the download of what needs no form."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isptools.cli.codes import STOPPED
from isptools.cli.output import now
from isptools.cli.target import Into

if TYPE_CHECKING:
    from isptools.datasets.card import Card, Part
    from isptools.get.wanted import Estimate, Wanted
    from isptools.get.web import Web

SHOWN = 10  # files of a dry run, failures


@click.command(name="get")
@click.argument("name")
@click.option("--out", type=Into(), help="Folder to download to.")
@click.option("--part", "chosen", multiple=True, help="Part to download; may be repeated.")
@click.option("--only", default="", help="Files whose place fits this pattern, as 'bursts/00*'.")
@click.option("--jobs", type=click.IntRange(1, 32), default=4, show_default=True,
              help="Files downloaded at a time.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Don't ask before the download.")
@click.option("--dry-run", is_flag=True, help="List and measure, download nothing.")
@click.option("--json", "as_json", is_flag=True, help="What is known of the set as JSON, no more.")
def command(
    name: str,
    out: Path | None,
    chosen: tuple[str, ...],
    only: str,
    jobs: int,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Tell where data set NAME is to be had, its licence and size; with --out, download it.

    Only what has a public plain address is downloaded; forms and logins are told, not bypassed. A
    download that was stopped goes on where it was when the same command runs again.
    """
    card = _card(name)
    if as_json:
        click.echo(_json(card))
        return
    for line in _about(card):
        click.echo(line)
    if out is None and not dry_run:
        return
    from isptools.get.wanted import PartError, estimate, parts_of, wanted
    from isptools.get.web import Web, WebError

    web = Web()
    try:
        parts = parts_of(card, chosen)
        if not parts:
            raise click.ClickException(
                f"nothing of {name} has a public plain address: get it as is said above"
            )
        files = wanted(card, parts, only, web)
        if not files:
            raise click.ClickException(f"no file of {name} fits {only!r}")
        size = estimate([one for one in files if out is None or not _there(one, out)], web)
    except (PartError, WebError) as error:
        raise click.ClickException(str(error)) from None
    _tell(files, size, out, dry_run)
    if not dry_run and out is not None:
        _expect_room(out, files, size)
        if not yes:
            with now().waiting():
                click.confirm("download them?", abort=True)
        _download(files, out, web, jobs, size)
        _told_what_next(card, parts, out)


def _card(name: str) -> "Card":
    """Of a data set, or of a recipe's."""
    from isptools import shipped
    from isptools.datasets.card import load
    from isptools.recipe import Recipe, find

    try:
        return load(name)
    except ValueError as error:
        try:
            recipe = Recipe.load(name)
            return load(recipe.data_set, find(name).parent)
        except ValueError:
            known = sorted(path.parent.name for path in
                           shipped.folder("manifests").glob("*/dataset.toml"))  # fmt: skip
            if (Path(name) / "dataset.toml").is_file():
                raise click.ClickException(str(error)) from None
            message = f"no data set {name!r}; there are {', '.join(known)}"
            raise click.ClickException(message) from None


def _json(card: "Card") -> str:
    import json

    words = ("name", "title", "home", "downloads", "licence", "redistribution", "size", "place")
    parts = [{"name": one.name, "about": one.about, "usual": one.usual} for one in card.parts]
    return json.dumps({word: getattr(card, word) for word in words} | {"parts": parts}, indent=1)


def _about(card: "Card") -> Iterator[str]:
    yield card.title
    yield f"  described at:    {card.home}"
    for number, download in enumerate(card.downloads):
        yield f"  {'' if number else 'to be had at:':16} {download}"
    yield f"  licence:         {card.licence}"
    yield f"  redistribution:  {card.redistribution}"
    yield f"  size:            {card.size}"
    yield f"  place:           {card.place}"
    if not card.parts:
        yield "  isptools can't download it: there is no public plain address (a form, a login)"
    for part in card.parts:
        usual = "" if part.usual else " (only with --part)"
        yield f"  part {part.name}:  {part.about}{usual}"
    if card.parts:
        yield f"  download it:     isptools get {card.name} --out DIR"


def _there(one: "Wanted", out: Path) -> bool:
    from isptools.get.download import there

    return there(one, out)


def _tell(files: "Sequence[Wanted]", size: "Estimate", out: Path | None, every: bool) -> None:
    if every:
        for one in files[:SHOWN]:
            known = "" if one.size is None else f"  {one.size / 1e6:.1f} MB"
            click.echo(f"    {one.path}{known}")
        if len(files) > SHOWN:
            click.echo(f"    ... and {len(files) - SHOWN} more")
    done = sum(_there(one, out) for one in files) if out else 0
    about = "" if size.sure else "about "
    before = f", {done} are there already" if done else ""
    click.echo(f"{len(files)} files{before}; to download: {about}{_human(size.bytes)}")


def _human(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def _expect_room(out: Path, files: "Sequence[Wanted]", size: "Estimate") -> None:
    from isptools.get.download import left

    try:
        out.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(out).free
    except OSError as error:
        raise click.ClickException(f"{out}: it can't be written ({error.strerror})") from None
    need = size.bytes - left(files, out)
    if free < need:
        raise click.ClickException(
            f"{out}: {_human(need)} are needed, {_human(free)} are free; make room, choose another "
            "--out, or take less with --only"
        )


def _download(
    files: "Sequence[Wanted]", out: Path, web: "Web", jobs: int, size: "Estimate"
) -> None:
    from isptools.cli.progress import shown, stoppable
    from isptools.get.download import download

    todo = [one for one in files if not _there(one, out)]
    total = max(1, round(size.bytes / 1e6))
    try:
        with stoppable(), shown() as show:
            show("megabytes", 0, total)
            failed = download(
                todo, out, web, jobs,
                lambda done: show("megabytes", min(total, round(done / 1e6)), total),
            )  # fmt: skip
    except OSError as error:
        place = error.filename or out
        raise click.ClickException(
            f"{place}: it can't be written ({error.strerror or error}); what has arrived is kept: "
            "run the same command again"
        ) from None
    except KeyboardInterrupt:
        click.echo("stopped; what has arrived is kept, run the same command to go on", err=True)
        raise click.exceptions.Exit(STOPPED) from None
    for one in failed[:SHOWN]:
        click.echo(f"  {one.path}: {one.why}", err=True)
    if failed:
        raise click.ClickException(
            f"{len(failed)} of {len(files)} files are missing, as {failed[0].path}; run the same "
            "command again to try only these"
        )
    click.echo(f"{len(files)} files in {out}")


def _told_what_next(card: "Card", parts: "Sequence[Part]", out: Path) -> None:
    packed = [part.into for part in parts if part.packed]
    if packed:
        click.echo(f"unpack {', '.join(packed)}: {card.place}")
    click.echo(
        f"next: isptools build RECIPE --source {out} --out DIR (isptools recipes lists them)"
    )
