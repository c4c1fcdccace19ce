"""`isptools develop`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isptools.cli.codes import CANT, LOOK
from isptools.cli.target import expect_apart, expect_writable

if TYPE_CHECKING:
    from isptools.frame import Array, Frame
    from isptools.train.camera import Camera
    from isptools.train.infer import How, Mosaic

PATH = click.Path(path_type=Path)


@click.command(name="develop")
@click.argument("model", type=PATH)
@click.argument("raws", type=PATH, nargs=-1, required=True, metavar="FILES...")
@click.option("--out", type=PATH, required=True,
              help=".png or .tif for one raw, a folder for several.")  # fmt: skip
@click.option("--gain", type=click.FloatRange(min=0, min_open=True), default=1.0,
              show_default=True, help="Exposure of a raw to make up for: the ratio.")  # fmt: skip
@click.option("--tile", type=click.IntRange(min=0),
              help="Side of the tiles in pixels, 0 for whole frames; left out: as large as fits "
                   "on a GPU, 1024 on a processor.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--code", type=PATH,
              help="Folder of the module of a run's own network.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="What was written, and what not, as JSON.")
def command(
    model: Path, raws: tuple[Path, ...], out: Path, gain: float, tile: int | None, device: str,
    code: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Develop FILES with the network MODEL (a run's folder or its file of weights), upright.

    They are raws, or finished pictures (JPEG, PNG, TIFF) for a network that takes those.
    """
    from isptools.cli.extra import expect_train

    expect_train()
    from isptools.cli.progress import shown
    from isptools.train import checkpoint, infer

    pairs = _targets(raws, out)
    for _, target in pairs:
        expect_writable(target)
        expect_apart(target, raws)
    try:
        camera, settings = checkpoint.model(model, code)
        how = infer.How(tile, infer.device_of(device), settings.precision)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    undone = settings.shading == "undone"
    files: list[dict[str, Any]] = []
    with shown() as show:
        for number, (raw, target) in enumerate(pairs):
            show("developing", number, len(pairs))
            try:
                picture = _developed(camera, how, raw, gain, undone)
                _write(target, picture)
            except ValueError as error:
                files.append({"raw": str(raw), "wrong": " ".join(str(error).split())})
            except OSError as error:
                said = f"{error.filename or target}: {error.strerror or error}"
                files.append({"raw": str(raw), "wrong": said})
            else:
                height, width = picture.shape[:2]
                files.append(
                    {"raw": str(raw), "out": str(target), "height": height, "width": width}
                )
                if not as_json:
                    click.echo(f"{target}: {width} x {height}")
    _end(files, as_json)


def _end(files: list[dict[str, Any]], as_json: bool) -> None:
    """What failed is told last; the others are developed all the same."""
    failed = [one["wrong"] for one in files if "wrong" in one]
    for said in failed:
        click.echo(f"Error: {said}", err=True)
    if as_json:
        click.echo(json.dumps({"files": files}, indent=1))
    if failed:
        raise click.exceptions.Exit(LOOK if len(failed) < len(files) else CANT)


def _developed(camera: "Camera", how: "How", path: Path, gain: float, undone: bool) -> Any:
    """(H, W, 3) uint16 sRGB of one file, upright."""
    from isptools.train import infer

    mosaic, flip = _opened(camera, path, gain, undone)
    pictures = infer.develop(camera, mosaic, how.tile, how.device, how.precision)
    return _picture(pictures, flip)


def _targets(raws: tuple[Path, ...], out: Path) -> list[tuple[Path, Path]]:
    if out.suffix.lower() in {".png", ".tif", ".tiff"}:
        if len(raws) > 1:
            raise click.ClickException(f"{out}: several raws need a folder")
        return [(raws[0], out)]
    if out.suffix:
        raise click.ClickException(f"{out}: give a name that ends in .tif, .tiff or .png")
    targets = [(raw, out / f"{raw.stem}.png") for raw in raws]
    if len({target for _, target in targets}) < len(targets):
        raise click.ClickException("two raws of one name would write the same picture")
    return targets


def _opened(camera: "Camera", path: Path, gain: float, undone: bool) -> "tuple[Mosaic, int]":
    """What the network takes of a file, and how it is to be turned upright."""
    from isptools import picture
    from isptools.cli import raws

    pictures = camera.intake.kind == "rgb"
    finished = path.suffix.lower().removeprefix(".") in picture.SUFFIXES
    if pictures != finished:
        takes = "finished pictures (JPEG, PNG, TIFF)" if pictures else "raws"
        raise ValueError(f"{path}: this network takes {takes}")
    if pictures:
        if gain != 1:
            raise ValueError(f"{path}: --gain is for raws; a finished picture has its brightness")
        return _finished(picture.read(path)), 0
    frame = raws.read(path)
    return _mosaic(frame, gain, path, undone), frame.capture.flip


def _finished(pixels: "Array") -> "Mosaic":
    """Of (H, W, 3) uint8 or uint16 sRGB, upright."""
    import numpy as np

    from isptools.train.infer import Mosaic

    none, white = (0.0, 0.0, 0.0), float(np.iinfo(pixels.dtype).max)
    return Mosaic(np.ascontiguousarray(pixels.transpose(2, 0, 1)), "RGB", none, white, none, none)


def _mosaic(frame: "Frame", gain: float, raw: Path, undone: bool) -> "Mosaic":
    """With what the file's opcode lists 1 and 2 say done, the second where shading is undone."""
    from isptools import fields
    from isptools.build.sides import Sides, on_its_side
    from isptools.develop.noise import noise_of
    from isptools.develop.steps import behind_first_list
    from isptools.train.data import mean_matrix
    from isptools.train.infer import Mosaic

    capture = frame.capture
    if capture.kind not in {"bayer", "xtrans"}:
        raise ValueError(f"{raw}: {capture.kind} pixels; a network takes mosaics")
    frame = behind_first_list(frame)
    lists: dict[int, tuple[int, ...]] = {1: (), 2: ()} if undone else {1: ()}
    frame, gains = on_its_side(frame, capture, Sides(lists))
    noise = noise_of(frame)
    pixels: Any = frame.pixels
    window = (0, 0, *pixels.shape)
    return Mosaic(
        pixels, capture.cfa, capture.black, capture.white, noise.shot, noise.read, gain,
        capture.xyz_to_camera, fields.gains(gains, window, capture.cfa) if gains else None,
        mean_matrix(capture),
    )  # fmt: skip


def _picture(pictures: dict[str, Any], flip: int) -> Any:
    """(H, W, 3) uint16 sRGB, upright; a network without an Enhance-Net is shown plainly."""
    import numpy as np

    from isptools.develop.autotone import encode_srgb
    from isptools.develop.orient import upright

    if "enhancement" in pictures:
        shown = np.clip(pictures["enhancement"], 0, 1).transpose(1, 2, 0)
        picture = np.rint(shown * 65535).astype(np.uint16)
    else:
        picture = encode_srgb(np.ascontiguousarray(pictures["restoration"].transpose(1, 2, 0)))
    return upright(np.ascontiguousarray(picture), flip)


def _write(target: Path, picture: Any) -> None:
    from isptools import whole
    from isptools.cli.render import encoded

    whole.save(target, encoded(target, picture))
