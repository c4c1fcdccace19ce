"""`isptools inspect`: the facts of a raw file, or what a shard holds and where it came from."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isptools.cli.output import now
from isptools.cli.target import Target, png, save

if TYPE_CHECKING:
    from isptools.shards.read import Shards

ROWS = 6  # of a shard that are shown
NO_SUMS = "none: built before there were any, so damage goes unseen; build again to have them"
HDF5 = b"\x89HDF\r\n\x1a\n"
Lines = Iterator[tuple[str, Any]]


@click.command(name="inspect")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--image", type=Target(), help="Write a picture of it (PNG); of a folder of all.")
@click.option("--json", "as_json", is_flag=True, help="The facts as JSON; of a shard all rows.")
def command(file: Path, image: Path | None, as_json: bool) -> None:
    """Show the facts of a raw FILE, of a folder of captures, or what a shard holds and its source.

    With --image: a quick half-size rendering of the raw file, upright; for a shard its first rows,
    input (brought to its truth's exposure), restoration, enhancement and a fused truth's weight
    (red: not to be trusted) side by side. Raws and pictures of a folder, and of those in it, become
    a sheet with captions. What is dark is brightened, and that is said.
    """
    try:
        show = _folder if file.is_dir() else _shard if _is_shard(file) else _raw
        picture = show(file, image is not None, as_json)
    except (ValueError, OSError) as error:
        raise click.ClickException(" ".join(str(error).split())) from None
    if image is not None:
        _save(image, picture, as_json)


def _is_shard(file: Path) -> bool:
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise ValueError(f"{file}: it is no regular file")  # one that waits for a writer, say
        with file.open("rb") as opened:
            return opened.read(len(HDF5)) == HDF5
    except OSError as error:
        raise ValueError(f"{file}: it can't be read ({error.strerror})") from None


def _save(path: Path, picture: Any, as_json: bool) -> None:
    save(path, png(picture))
    if not as_json:
        click.echo(f"{path}: {picture.shape[1]} x {picture.shape[0]} pixels")


def _print(lines: Lines) -> None:
    for name, value in lines:
        first, *more = _text(value)
        click.echo(f"{name:<20} {first}")
        for line in more:
            click.echo(f"{'':<20} {line}")


def _text(value: Any) -> list[str]:
    """A value as lines: a matrix takes a line a row."""
    if value is None or value in {"", ()}:
        return ["not stated"]
    if isinstance(value, float):
        return [f"{value:.6g}"]
    if isinstance(value, tuple) and isinstance(value[0], tuple):
        return [" ".join(_text(row)) for row in value]
    if isinstance(value, tuple) and len(value) > 4 and len(set(value)) == 1:
        return [f"{_text(value[0])[0]} ({len(value)} times)"]
    if isinstance(value, tuple):
        return [" ".join(_text(item)[0] for item in value)]
    return str(value).splitlines()


def _raw(file: Path, wanted: bool, as_json: bool) -> Any:
    from isptools.cli import raws
    from isptools.cli.progress import busy

    with busy(f"reading {file.name}"):
        frame, told = raws.looked(file, wanted)
    told = [("file", file), *told]
    if as_json:
        _print_json({name.strip(): value for name, value in told})
    else:
        _print(iter(told))
    if frame is None:
        return None
    from isptools.report.pictures import of_raw
    from isptools.report.sheet import brightened

    picture, stops = brightened(of_raw(frame))
    if stops:
        now().remark(f"{file}: dark, shown {stops:.1f} stops brighter")
    return picture


def _folder(place: Path, wanted: bool, as_json: bool) -> Any:
    from isptools.cli import contact

    told = contact.told(place)
    if as_json:
        _print_json({"folder": str(place), "files": [one.words() for one in told]})
    else:
        for line in contact.lines(told):
            click.echo(line)
    return contact.pictures(place, told) if wanted else None


def _print_json(words: dict[str, Any]) -> None:
    import msgspec

    encoded = msgspec.json.encode(words, enc_hook=str)
    click.echo(msgspec.json.format(encoded, indent=1).decode())


def _shard(file: Path, wanted: bool, as_json: bool) -> Any:
    from isptools import shards

    with shards.open(file) as opened:
        if as_json:
            _print_json(_told(file, opened))
        else:
            _print(_provenance(file, opened))
            click.echo()
            for line in _rows(opened):
                click.echo(line)
        if not wanted:
            return None
        from isptools.report.sheet import of_shard

        return of_shard(opened, ROWS)


def _told(file: Path, opened: "Shards") -> dict[str, Any]:
    """Attributes, tables and rows, as they are stored."""
    from isptools.shards.contents import contents

    table = opened.tables[0]
    tables = {
        one.name: {"shape": one.shape, "kind": one.kind, "bytes": one.bytes, "tiles": one.tiles}
        | dict(one.attrs)
        for one in contents(file)
    }
    rows = [opened.facts(i) for i in range(len(opened))]
    return {"file": str(file), "attributes": dict(table.attrs), "tables": tables, "rows": rows}


def _provenance(file: Path, opened: "Shards") -> Lines:
    import json

    from isptools.shards.contents import contents
    from isptools.shards.made import made_by

    table = opened.tables[0]
    attrs = table.attrs
    recipe = made_by(attrs)
    yield "shard", f"{file} ({file.stat().st_size / 1e6:.1f} MB, format {attrs['format']})"
    if attrs["sample"]:
        yield "sample", "made from code, not from photographs"
    yield "data set", attrs["title"]
    yield "split", attrs["split"]
    yield "licence", attrs["licence"]
    yield "redistribution", attrs["redistribution"]
    yield "citation", attrs["citation"].strip()
    yield "recipe", f"{recipe.name}: {recipe.title}"
    yield "  sha256", attrs["recipe_sha256"]
    for part, steps in json.loads(attrs["steps"]).items():
        yield f"  {part}", "\n".join(_step(step) for step in steps) or "nothing"
    versions = json.loads(attrs["versions"])
    yield "checksums", "of every tile and table" if table.sealed else NO_SUMS
    yield "made with", ", ".join(f"{name} {version}" for name, version in versions.items())
    for stored in contents(file):
        tiles = f", tiles {stored.tiles}" if stored.tiles else ""
        size = f"{stored.bytes / 1e6:.2f} MB stored"
        yield stored.name, f"{stored.shape} {stored.kind}, {size}{tiles}"
        for name in ("space", "meaning", "note"):
            if name in stored.attrs:
                yield f"  {name}", stored.attrs[name]


def _step(step: dict[str, Any]) -> str:
    options = ", ".join(f"{k} {v}" for k, v in step.items() if k != "step" and v is not None)
    return f"{step['step']} ({options})" if options else str(step["step"])


def _rows(opened: "Shards") -> Iterator[str]:
    yield f"{'key':<36} {'truth':>5} {'exposure s':>10} {'ISO':>6} {'ratio':>6}  camera"
    for i in range(min(ROWS, len(opened))):
        row = opened.facts(i)
        numbers = [_text(value)[0] for value in (row.exposure_s, row.iso, row.ratio)]
        truth = max(row.restoration, row.enhancement)
        yield (
            f"{row.key:<36} {truth:>5} {numbers[0]:>10} {numbers[1]:>6} {numbers[2]:>6}  "
            f"{row.make} {row.model}"
        )
    if len(opened) > ROWS:
        yield f"... and {len(opened) - ROWS} more"
    for made in opened.tables[0].fusions[:ROWS]:
        yield (
            f"{made.key}: {made.frames} frames fused, {made.refused} refused, "
            f"{made.effective_frames:.2f} effective, {made.trusted:.1%} of it to be trusted"
        )
