"""The door to object stores: fsspec, with one line where something is not there."""

import hashlib
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

PIECE = 1 << 22  # bytes that are read or written at once
PAUSES = (0.5, 2.0, 8.0)  # seconds before the second, third and fourth try
URL = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(?!/)(.+)", re.DOTALL)
T = TypeVar("T")


class StorageError(ValueError):
    """An address that gives or takes nothing; one line for people."""


def url_of(place: str | Path) -> str | None:
    """The address that a text or a path means; None for a place of this machine.

    pathlib makes one slash of two: Path("s3://bucket/a") is known again.
    """
    text = os.fspath(place)
    found = URL.fullmatch(text)
    if not found or found[1] == "file" or Path(text).exists():
        return None
    return f"{found[1]}://{found[2].rstrip('/')}"


def is_web(url: str) -> bool:
    """Whether a web server answers there, whose names are quoted in addresses."""
    return url.startswith(("http://", "https://"))


def below(url: str, name: str) -> str:
    """The address of a file below another, by its name as a disk has it."""
    return f"{url}/{quote(name) if is_web(url) else name}"


def system(url: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the name it has there. StorageError."""
    import fsspec  # noqa: PLC0415 - most calls need none

    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise StorageError(
            f"{url}: {' '.join(str(error).split())} (s3fs: in isptools' own folder, "
            "pip install '.[storage]')"
        ) from None
    except ValueError as error:
        raise StorageError(f"{url}: {' '.join(str(error).split())}") from None
    return found


def tried(action: Callable[[], T], url: str) -> T:
    """Do it, again where the line or the store fails. StorageError in the end.

    FileNotFoundError passes: that is an answer. So does an error of this machine's own disk.
    """
    for pause in (*PAUSES, None):
        try:
            return action()
        except (FileNotFoundError, StorageError):
            raise
        except Exception as error:
            # each library has its own kinds of error, that have nothing in common
            if isinstance(error, OSError) and error.filename and Path(error.filename).is_absolute():
                raise
            if pause is None or isinstance(error, PermissionError):
                said = " ".join(str(error).split()) or type(error).__name__
                raise StorageError(f"{url}: {said}") from None
        time.sleep(pause)
    raise AssertionError("the last try returned or raised")


def download(url: str, target: Path, size: int, sha256: str | None = None) -> None:
    """Fetch one file whole. StorageError where it is not there, or not what is stated."""
    try:
        tried(lambda: _fetched(url, target, size, sha256), url)
    except FileNotFoundError:
        raise StorageError(f"{url}: there is no such file") from None
    except BaseException:
        with suppress(OSError):
            target.unlink(missing_ok=True)
        raise


def _fetched(url: str, target: Path, size: int, sha256: str | None) -> None:
    files, name = system(url)
    digest, done = hashlib.sha256(), 0
    how = {"block_size": PIECE, "cache_type": "readahead"}
    with files.open(name, "rb", **how) as source, target.open("wb") as file:
        while piece := source.read(min(PIECE, size + 1 - done)):
            done += len(piece)
            digest.update(piece)
            file.write(piece)
    if done != size:
        more = "more than" if done > size else f"{done} of"
        raise StorageError(f"{url}: {more} {size} bytes came")
    if sha256 and digest.hexdigest() != sha256:
        raise StorageError(f"{url}: its bytes are not those that were stated (sha256)")


def upload(source: Path, url: str) -> None:
    """Put one file there, read it back, and compare the sha256. StorageError."""
    with source.open("rb") as file:
        wanted = hashlib.file_digest(file, "sha256").hexdigest()
    tried(lambda: _put(source, url), url)
    found = tried(lambda: _digest(url), url)
    if found != wanted:
        raise StorageError(f"{url}: what is there is not what was written (sha256)")


def _put(source: Path, url: str) -> None:
    files, name = system(url)
    files.put_file(str(source), name)


def _digest(url: str) -> str:
    files, name = system(url)
    digest = hashlib.sha256()
    with files.open(name, "rb", block_size=PIECE, cache_type="readahead") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def small(url: str, most: int = 64 << 20) -> bytes | None:
    """A small file as a whole, None where there is none. StorageError."""

    def whole() -> bytes:
        files, name = system(url)
        with files.open(name, "rb") as file:
            data: bytes = file.read(most + 1)
        return data

    try:
        data = tried(whole, url)
    except FileNotFoundError:
        return None
    if len(data) > most:
        raise StorageError(f"{url}: more than {most >> 20} MB, which it can't have")
    return data
