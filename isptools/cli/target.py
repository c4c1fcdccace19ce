"""What a command is to write: looked at before any work; the folder of a file is made."""

import io
import os
import tempfile
from collections.abc import Callable, Iterable
from functools import wraps
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


def expect_apart(out: Path, inputs: Iterable[Path]) -> None:
    """ClickException if what is to be written is what is read: a photograph would be gone."""
    for path in inputs:
        if out.is_file() and path.is_file() and out.samefile(path):
            raise click.ClickException(f"{out}: it is read too; choose another name to write to")


def guarded(command: click.Command) -> Callable[..., Any]:
    """Its callback, which begins only where no file that it writes is one that it reads."""
    callback = command.callback
    assert callback is not None  # click's own
    targets = {one.name for one in command.params if isinstance(one.type, Target)}
    paths = {one.name for one in command.params if isinstance(one.type, click.Path)} - targets

    @wraps(callback)
    def checked(**values: Any) -> Any:
        inputs = [path for name in paths for path in _several(values.get(str(name)))]
        for name in targets:
            for out in _several(values.get(str(name))):
                expect_apart(out, inputs)
        return callback(**values)

    return checked


def _several(value: Any) -> tuple[Path, ...]:
    """Of an option or argument that is given, left out, or given many times."""
    return value if isinstance(value, tuple) else () if value is None else (value,)


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
