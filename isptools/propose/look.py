"""What lies in a folder of captures, from the heads of its files."""

import calendar
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from PIL import ExifTags, Image

from isptools import raw, sources
from isptools.apart import apart
from isptools.picture import SUFFIXES as PICTURES
from isptools.raw import SUFFIXES as RAW
from isptools.raw import listed
from isptools.shown import shown, storable
from isptools.sources import ContentError

MOSAICS = ("bayer", "xtrans")


@dataclass(frozen=True, slots=True)
class Seen:
    """One file, as far as its head says; None for what it does not state."""

    path: str  # below the folder, with forward slashes
    size: int  # bytes
    kind: Literal["raw", "picture", "other"]
    wrong: str = ""  # why it can't be used
    mosaic: str = ""  # of a raw: "bayer" or "xtrans"
    shape: tuple[int, int] = (0, 0)  # height, width
    camera: str = ""
    exposure_s: float | None = None
    iso: float | None = None
    taken: float | None = None  # seconds; only differences mean something

    @property
    def stem(self) -> str:
        """The file's name without its extension, in lower case."""
        return PurePosixPath(self.path).stem.casefold()

    @property
    def folder(self) -> str:
        """The folder of the file below the place that was looked at."""
        return PurePosixPath(self.path).parent.as_posix()

    @property
    def usable(self) -> bool:
        """Whether it is a raw or a picture that can be read."""
        return not self.wrong and self.kind != "other"


def seen_files(
    folder: Path, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> list[Seen]:
    """Every file below a folder, in the order of their paths.

    Hidden files and folders, and links to folders, are passed over. OSError if the folder can't be
    read.
    """
    paths = sorted(_files(folder))
    found = []
    for done, path in enumerate(paths):
        progress(done, len(paths))
        found.append(_seen(folder, path))
    progress(len(paths), len(paths))
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.is_file():
            yield path


def _seen(folder: Path, path: Path) -> Seen:
    name, size = path.relative_to(folder).as_posix(), sources.status(path).st_size
    if not storable(name):
        return Seen(shown(name), size, "other", "its name is not UTF-8: rename it")
    suffix = path.suffix[1:].lower()
    if suffix in RAW:
        return _raw(path, name, size)
    if suffix in PICTURES:
        return _picture(path, name, size)
    return Seen(name, size, "other")


def _raw(path: Path, name: str, size: int) -> Seen:
    try:
        head = apart(listed.header, path.absolute())
    except (raw.RawError, ContentError) as error:
        said = " ".join(str(error).split()).removeprefix(f"{path.absolute()}: ")
        return Seen(name, size, "raw", said)
    wrong = "" if head.kind in MOSAICS else f"a {head.kind} file has no mosaic"
    if head.kind in {"quad", "nona"}:
        wrong = f'a {head.kind} Bayer file; a recipe of your own takes it with the step "bin"'
    return Seen(
        name, size, "raw", wrong, head.kind, (head.height, head.width),
        f"{head.make} {head.model}".strip(), head.exposure_s, head.iso, head.taken,
    )  # fmt: skip


def _picture(path: Path, name: str, size: int) -> Seen:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(path) as opened:
                shape = (opened.height, opened.width)
                head = opened.getexif()
                facts: dict[int, Any] = {**head, **head.get_ifd(ExifTags.IFD.Exif)}
    except (OSError, SyntaxError, ValueError, Warning, Image.DecompressionBombError) as error:
        return Seen(name, size, "picture", f"it is no picture that can be read ({error})")
    make, model = (_text(facts.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    return Seen(
        name, size, "picture", "", "", shape,
        model if model.casefold().startswith(make.casefold()) else f"{make} {model}".strip(),
        _number(facts.get(ExifTags.Base.ExposureTime)),
        _number(facts.get(ExifTags.Base.ISOSpeedRatings)),
        _seconds(facts),
    )  # fmt: skip


def _text(value: Any) -> str:
    return value.strip("\0 ") if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    try:
        number = float(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, ZeroDivisionError, IndexError):
        return None
    return number if number > 0 else None


def _seconds(facts: dict[int, Any]) -> float | None:
    for tag in (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTime):
        try:
            return float(calendar.timegm(time.strptime(_text(facts.get(tag)), "%Y:%m:%d %H:%M:%S")))
        except (ValueError, OverflowError):
            continue
    return None
