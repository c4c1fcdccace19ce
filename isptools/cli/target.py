"""What a command is to write: looked at before any work; the folder of a file is made."""

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import click

from isptools import whole
from isptools.storage.places import url_of


class Target(click.Path):
    """A file to write. Its folder is made; one line if it can't be, or takes no files."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if ctx is None or not ctx.resilient_parsing:
            expect_writable(path)
        return path


class Into(click.Path):
    """A folder to write to, or an address. One line if files can't be put there; makes nothing."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if (ctx is None or not ctx.resilient_parsing) and not url_of(path):
            expect_place(path)
        return path


def expect_writable(path: Path) -> None:
    """ClickException if `path` can't become a file; makes the folder it is to stand in."""
    if path.is_dir():
        raise click.ClickException(f"{path}: it is a folder; give the name of a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{path}: its folder can't be made ({error.strerror})") from None
    if why := _no_files(path.parent):
        raise click.ClickException(f"{path}: its folder takes no files ({why})")


def expect_place(folder: Path) -> None:
    """ClickException if files can't be put there; makes nothing."""
    there = next(one for one in (folder, *folder.absolute().parents) if os.path.lexists(one))
    if not there.is_dir():
        which = "it" if there == folder else there
        raise click.ClickException(f"{folder}: {which} is no folder; choose another --out")
    if why := _no_files(there):
        which = "it" if there == folder else there
        raise click.ClickException(
            f"{folder}: {which} takes no files ({why}); choose another --out"
        )


def _no_files(folder: Path) -> str:
    """Why, or "". Rights alone do not tell: it is tried."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def save(path: Path, data: bytes) -> None:
    """Whole or not at all. ClickException."""
    try:
        whole.save(path, data)
    except OSError as error:
        raise click.ClickException(f"{path}: could not be written ({error.strerror})") from None


def png(picture: Any) -> bytes:
    """Of (H, W, 3) uint8 RGB."""
    import cv2  # a tenth of the time that Pillow takes, and as small

    return bytes(cv2.imencode(".png", picture[..., ::-1])[1].data)


def tif(picture: Any, **how: Any) -> bytes:
    import tifffile

    made = io.BytesIO()
    tifffile.imwrite(made, picture, metadata=None, **how)
    return made.getvalue()
