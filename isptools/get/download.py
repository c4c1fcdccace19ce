"""Files whole or not at all: resumed where they broke off, verified, then given their names."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp

from isptools.get.wanted import Wanted
from isptools.get.web import StoppedError, Web, WebError

PIECE = 1 << 20  # bytes that are read at once
REST, BEHIND = 206, 416  # HTTP: from where was asked; there is nothing
LARGEST = 1 << 40  # bytes of a file whose size nobody states
TICK = 0.2  # seconds between two looks at how far it is


class TooMuchError(WebError):
    """A server that sends more than is stated."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that is not there, and why."""

    path: str
    why: str


@dataclass(slots=True)
class _Counter:
    """Bytes on the disk, of all files."""

    done: int = 0


def download(
    files: Sequence[Wanted],
    out: Path,
    web: Web,
    connections: int = 4,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> list[Failed]:
    """Fetch what is not there yet, several files at a time; what could not be had is returned.

    A file arrives as NAME.part, is compared with its size and checksum, and renamed. A later call
    goes on where this one was stopped. OSError if the disk takes no more: everything stops.
    """
    todo = [one for one in files if not there(one, out)]
    counters = [_Counter() for _ in todo]
    failed: list[Failed] = []
    with ThreadPoolExecutor(connections) as pool:
        running = {
            pool.submit(_one, one, out / one.path, web, counter): one
            for one, counter in zip(todo, counters, strict=True)
        }
        try:
            for future in _finished(running):
                progress(sum(counter.done for counter in counters))
                if future and (error := future.exception()):
                    if not isinstance(error, WebError):
                        raise error
                    failed.append(Failed(running[future].path, str(error)))
        except BaseException:
            web.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return sorted(failed, key=lambda one: one.path)


def there(one: Wanted, out: Path) -> bool:
    """A finished file has its name; one of another size than is stated is fetched again."""
    try:
        size = (out / one.path).stat().st_size
    except OSError:
        return False
    return one.size is None or size == one.size


def left(files: Sequence[Wanted], out: Path) -> int:
    """Bytes on the disk of files that are not finished."""
    parts = [_part(out / one.path) for one in files if not there(one, out)]
    return sum(part.stat().st_size for part in parts if part.is_file())


def _finished(running: dict[Future[None], Wanted]) -> Iterator[Future[None] | None]:
    """Each future as it ends, and None now and then."""
    open_ones = set(running)
    while open_ones:
        done, open_ones = wait(open_ones, TICK, FIRST_COMPLETED)
        yield None
        yield from done


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _tag(target: Path) -> Path:
    """Beside the part stands which version of the file it is of (ETag or time of change)."""
    return target.with_name(f"{target.name}.part.tag")


def _one(one: Wanted, target: Path, web: Web, counter: _Counter) -> None:
    if web.stop.is_set():
        raise StoppedError
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _part(target)

    def reached() -> int:
        return part.stat().st_size if part.is_file() else 0

    for again in (True, False):
        try:
            web.tried(lambda: _fetch(one, target, web, counter), one.url, reached)
            wrong = _wrong(one, part)
        except TooMuchError as error:
            wrong = str(error)
        if not wrong:
            break
        part.unlink(missing_ok=True)  # what is wrong from the start can't be gone on with
        _tag(target).unlink(missing_ok=True)
        counter.done = 0
        if not again:
            raise WebError(f"{one.url}: {wrong}, twice")
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)
    _tag(target).unlink(missing_ok=True)


def _opened(part: Path, start: int) -> BinaryIO:
    """What is there already, or a new file: never what a link of that name points at."""
    if part.is_symlink() or not start:
        part.unlink(missing_ok=True)
        return part.open("xb")
    return part.open("rb+")


def _fetch(one: Wanted, target: Path, web: Web, counter: _Counter) -> None:
    """One request: all of the file, or what its part lacks."""
    part, tag = _part(target), _tag(target)
    have = part.stat().st_size if part.is_file() else 0
    version = tag.read_text("ascii", "replace") if tag.is_file() else ""
    headers = {}
    if have and version:
        headers = {"Range": f"bytes={have}-", "If-Range": version}
    elif have and (one.md5 or one.sha256):  # a mixture of two versions would be noticed
        headers = {"Range": f"bytes={have}-"}
    try:
        stream = web.open(one.url, headers)
    except aiohttp.ClientResponseError as error:
        if error.status != BEHIND:
            raise
        headers = dict(error.headers or {})
        total = headers.get("Content-Range", "").rpartition("/")[2]
        if total != str(have):
            part.unlink()  # longer than the file: not of it
            raise aiohttp.ClientPayloadError from None
        counter.done = have
        return
    try:
        _expect_file(one, stream.r)
        version, start = _version(stream.r), have if stream.r.status == REST else 0
        with _opened(part, start) as file:
            tag.unlink(missing_ok=True)
            with tag.open("x", encoding="ascii", errors="replace") as told:
                told.write(version)
            file.seek(start)
            counter.done = start
            while piece := stream.read(_most(one, counter.done)):
                file.write(piece)
                counter.done += len(piece)
                _expect_no_more(one, counter.done)
                if web.stop.is_set():
                    raise StoppedError
    finally:
        stream.close()


def _most(one: Wanted, done: int) -> int:
    """Bytes to be read at once: of a file whose size is stated, one more than is left."""
    return PIECE if one.size is None else min(PIECE, max(one.size - done, 0) + 1)


def _expect_no_more(one: Wanted, done: int) -> None:
    limit = LARGEST if one.size is None else one.size
    if done > limit:
        raise TooMuchError(f"more bytes arrive than the {limit} that are stated")


def _expect_file(one: Wanted, response: Any) -> None:
    """A page where a file was asked for is a form or a login."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "text/html" and not one.path.lower().endswith((".html", ".htm")):
        raise WebError(f"{one.url}: the server sends a page instead of the file (a form, a login?)")


def _version(response: Any) -> str:
    """What tells this version of a file from another, as If-Range takes it."""
    tag: str = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    changed: str = response.headers.get("Last-Modified", "")
    return changed


def _wrong(one: Wanted, part: Path) -> str:
    """What is wrong with a file that arrived, or an empty text."""
    size = part.stat().st_size
    if one.size is not None and size != one.size:
        return f"{size} bytes arrived, {one.size} are stated"
    for name, stated in (("md5", one.md5), ("sha256", one.sha256)):
        if stated:
            with part.open("rb") as file:
                found = hashlib.file_digest(file, name).hexdigest()
            if found != stated:
                return f"its {name} is {found}, {stated} is stated"
    return ""
