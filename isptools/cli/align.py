"""`isptools align`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from isptools import whole
from isptools.cli.codes import LOOK
from isptools.cli.target import Into, Target

if TYPE_CHECKING:
    from isptools.cli.align_report import Judged
    from isptools.frame import Array


@click.command(name="align")
@click.argument("phone", type=click.Path(path_type=Path))
@click.argument("dslr", type=click.Path(path_type=Path))
@click.option("--out", type=Into(), required=True,
              help="Folder for the aligned pair and report.json.")  # fmt: skip
@click.option("--report", type=Target(), multiple=True,
              help="Another report: a .html with pictures, or a .json.")  # fmt: skip
@click.option("--reference", default="coarser", show_default=True,
              type=click.Choice(["coarser", "phone", "dslr"]),
              help="Whose pixels stay as they are.")  # fmt: skip
@click.option("--aspect", help="Cut to this proportion, as in 1080:800 [default: largest area].")
@click.option("--size", help="Resample both to this size, as in 1080x800.")
@click.option("--patch", default=100, show_default=True, type=click.IntRange(16),
              help="Side of the windows that are judged, pixels of the pair.")  # fmt: skip
@click.option("--reach", default=4, show_default=True, type=click.IntRange(0, 12),
              help="Pixels that a window may be shifted; 0 shifts none.")  # fmt: skip
@click.option("--turn", default=1.0, show_default=True, type=click.FloatRange(0, 3),
              help="Degrees that a window may be turned.")  # fmt: skip
@click.option("--least", default=0.9, show_default=True, type=click.FloatRange(-1, 1),
              help="Correlation above which a window is kept.")  # fmt: skip
@click.option("--offsets/--no-offsets", default=True, show_default=True,
              help="Local offsets behind the plane, where they help.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0),
              help="Of the robust fit.")  # fmt: skip
@click.option("--threshold", multiple=True, metavar="NAME=NUMBER",
              help="Another limit of the verdict; report.json lists all.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what report.json holds.")
def command(
    phone: Path, dslr: Path, out: Path, report: tuple[Path, ...], reference: str,
    aspect: str | None, size: str | None, patch: int, reach: int, turn: float, least: float,
    offsets: bool, seed: int, threshold: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Align PHONE and DSLR, two pictures (raw or not) of one scene, and say how well it went.

    Exit code 0 if the pair passes, 3 if it fails (no pair is written then).
    """
    from isptools.cli import align_report
    from isptools.cli.progress import shown
    from isptools.pair.accept import Search
    from isptools.pair.align import align
    from isptools.pair.warp import Choice

    for path in report:
        if path.suffix.lower() not in {".html", ".json"}:
            raise click.ClickException(f"--report {path}: give a name that ends in .html or .json")
    limits = _limits(threshold)
    choice = Choice(cast(Any, reference), _aspect(aspect), _size(size))
    _keep_apart(out, (phone, dslr))
    search = Search(reach, turn, least)
    with shown() as show:
        show("reading both pictures", 0, 1)
        pictures = _picture(phone), _picture(dslr)
        show("matching them", 0, 1)
        found = align(*pictures, limits, seed, offsets)
        show("laying them on each other, and judging every window", 0, 1)
        judged = align_report.judge((phone, dslr), pictures, found, limits, choice, search, patch)
        try:
            _write(judged, out, report)
        except OSError as error:
            where = error.filename or out
            raise click.ClickException(f"{where}: cannot be written ({error.strerror})") from None
    told = align_report.json(judged).decode() if as_json else f"{align_report.line(judged)}\n"
    click.echo(told, nl=False)
    if not judged.passed:
        raise click.exceptions.Exit(LOOK)


def _write(judged: "Judged", out: Path, report: tuple[Path, ...]) -> None:
    """The pair only if it passed; a pair of an earlier run does not stay beside a fail."""
    from isptools.cli import align_report

    out.mkdir(parents=True, exist_ok=True)
    for side in ("phone", "dslr"):
        target = out / f"{side}.png"
        target.unlink(missing_ok=True)
        if judged.passed and judged.pair is not None:
            whole.save(target, align_report.png(getattr(judged.pair, side)))
    for path in {out / "report.json", *report}:
        path.parent.mkdir(parents=True, exist_ok=True)
        html = path.suffix.lower() == ".html"
        whole.save(path, align_report.html(judged) if html else align_report.json(judged))


def _keep_apart(out: Path, inputs: tuple[Path, ...]) -> None:
    for path in inputs:
        if path.resolve() in {(out / f"{side}.png").resolve() for side in ("phone", "dslr")}:
            raise click.ClickException(f"{path} would be written over; choose another --out")


def _picture(path: Path) -> "Array":
    """An upright picture: a raw file goes through the chain to sRGB."""
    from isptools.cli import raws

    try:
        return raws.upright(path)
    except ValueError as error:
        text = str(error)
        raise click.ClickException(text if str(path) in text else f"{path}: {text}") from None


def _limits(given: tuple[str, ...]) -> Any:
    from dataclasses import fields, replace

    from isptools.pair.align import Limits

    names = {field.name for field in fields(Limits)}
    limits = Limits()
    for text in given:
        name, _, number = text.partition("=")
        if name not in names:
            raise click.ClickException(f"--threshold {text}: one of {', '.join(sorted(names))}")
        try:
            limits = replace(limits, **{name: float(number)})  # type: ignore[arg-type]  # all are numbers
        except ValueError:
            raise click.ClickException(f"--threshold {text}: {number!r} is no number") from None
    return limits


def _aspect(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        width, _, height = text.partition(":")
        aspect = float(width) / float(height or 1)
    except (ValueError, ZeroDivisionError):
        aspect = 0.0
    if not 1 / 8 <= aspect <= 8:
        raise click.ClickException(f"--aspect {text}: expected width:height, as in 1080:800")
    return aspect


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) > 15 and int(height) > 15):
        raise click.ClickException(f"--size {text}: expected widthxheight, as in 1080x800")
    return int(height), int(width)
