"""`isptools bad-pixels`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isptools.cli.target import Target, save

if TYPE_CHECKING:
    from isptools.frame import Frame


@click.command(name="bad-pixels")
@click.argument("raws", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--ratio", default=0.9, show_default=True, type=click.FloatRange(0, 1),
              help="Share of the pictures a site must stand out in.")  # fmt: skip
@click.option("--out", type=Target(),
              help="Write the step, for [truth] of a recipe, to this file.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Camera and sites as JSON.")
def command(raws: tuple[Path, ...], ratio: float, out: Path | None, as_json: bool) -> None:
    """Find hot and dead pixels of one camera in several RAWS, and confirm them over all.

    On a single picture fine texture is found too: give several with other content.
    """
    from isptools.cli.raws import read
    from isptools.develop import badpixels

    found, camera, shape = [], "", None
    for path in raws:
        try:
            frame = read(path)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        name = _camera(frame)
        if shape is not None and (name, frame.pixels.shape) != (camera, shape):
            raise click.ClickException(f"{path}: another camera or size than {raws[0]}")
        if frame.capture.kind != "bayer":
            raise click.ClickException(f"{path}: bad pixels are found on Bayer mosaics only")
        camera, shape = name, frame.pixels.shape
        found.append(badpixels.candidates(frame.pixels))  # type: ignore[arg-type]  # sensor is uint16
        if not as_json:
            click.echo(f"{path}: {len(found[-1])} candidates")
    sites = badpixels.confirm(found, ratio)
    if as_json:
        click.echo(json.dumps({"camera": camera, "sites": sites.tolist()}))
    else:
        click.echo(
            f"{camera or 'camera'}: {len(sites)} bad pixels in at least {ratio:.0%} of {len(raws)}"
        )
    if out is not None:
        save(out, _step(camera, sites.tolist()).encode())


def _camera(frame: "Frame") -> str:
    return f"{frame.capture.make} {frame.capture.model}".strip()


def _step(camera: str, sites: list[list[int]]) -> str:
    quoted = camera.replace("\\", "\\\\").replace('"', '\\"')
    return f'prepare = [{{ step = "bad-pixels", camera = "{quoted}", sites = {sites} }}]\n'
