"""Which files a data set's parts consist of: their addresses, places, sizes and checksums."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec

from isptools.datasets.card import Card, Part
from isptools.get.web import Web

PAGES = 10_000  # that a list may have
PAGE = 1000  # objects of a bucket in one answer
ASKED = 5  # files that are asked for their size where no list states it


class PartError(ValueError):
    """Parts that are not there, or a list that can't be read; one line for people."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to be had."""

    url: str
    path: str  # below the output folder, with forward slashes
    size: int | None = None
    md5: str = ""  # hexadecimal, as the list states it
    sha256: str = ""  # as the data set states it


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much there is to download, in bytes."""

    bytes: int
    sure: bool  # False: guessed from some of the files


def parts_of(card: Card, names: Sequence[str]) -> tuple[Part, ...]:
    """The named parts, or those that are taken if none is named. PartError in one line for a name
    that is none."""
    known = {part.name: part for part in card.parts}
    unknown = [name for name in names if name not in known]
    if unknown:
        have = ", ".join(known) or "none"
        raise PartError(f"{card.name} has no part {unknown[0]!r}; it has: {have}")
    if names:
        return tuple(known[name] for name in names)
    return tuple(part for part in known.values() if part.usual)


def wanted(card: Card, parts: Sequence[Part], only: str, web: Web) -> list[Wanted]:
    """The files of some parts whose place fits a pattern (all for ""), ordered by place.

    Only lists are downloaded. PartError in one line.
    """
    hashes = {entry.path: entry.sha256 for entry in card.files or ()}
    found: dict[str, Wanted] = {}
    for part in parts:
        for one in _bucket(part, web) if part.bucket else _named(part, card):
            _expect_below(one.path, part)
            if not only or fnmatch(one.path, only):
                known = hashes.get(one.path, "")
                found[one.path] = Wanted(one.url, one.path, one.size, one.md5, known)
    return [found[path] for path in sorted(found)]


def estimate(files: Sequence[Wanted], web: Web) -> Estimate:
    """The sum of the sizes; where they are not stated, some files spread over all are asked."""
    unknown = [one for one in files if one.size is None]
    sizes = sum(one.size or 0 for one in files)
    if not unknown:
        return Estimate(sizes, True)
    step = max(1, len(unknown) // ASKED)
    asked = [size for one in unknown[::step][:ASKED] if (size := web.size(one.url)) is not None]
    mean = sum(asked) / len(asked) if asked else 0
    return Estimate(round(sizes + mean * len(unknown)), len(asked) == len(unknown))


def _named(part: Part, card: Card) -> Iterator[Wanted]:
    if "{scene}" not in part.url:
        yield Wanted(part.url, part.into)
        return
    for row in card.scenes:
        url = part.url.replace("{scene}", quote(row.scene))
        yield Wanted(url, part.into.replace("{scene}", row.scene))


def _bucket(part: Part, web: Web) -> Iterator[Wanted]:
    """Objects of a Google Cloud Storage bucket below a prefix, by its public JSON interface."""
    fields = "items(name,size,md5Hash),nextPageToken"
    token, pages, seen = "", 0, set[str]()
    while True:
        query = {"prefix": part.prefix, "maxResults": PAGE, "fields": fields, "pageToken": token}
        asked = {name: value for name, value in query.items() if value}
        url = f"{part.url}/storage/v1/b/{part.bucket}/o?{urlencode(asked)}"
        answer = _answer(web.text(url), url)
        for item in _items(answer, url):
            path = item.name.removeprefix(part.prefix)
            if path and not path.endswith("/"):
                address = f"{part.url}/{part.bucket}/{quote(item.name)}"
                yield Wanted(address, part.into + path, item.size, item.digest)
        token = answer.get("nextPageToken", "")
        if not token:
            return
        pages += 1
        if not isinstance(token, str) or token in seen or pages >= PAGES:
            raise PartError(f"part {part.name}: the server's list does not end")
        seen.add(token)


class Item(msgspec.Struct, frozen=True):
    """An object of a bucket."""

    name: str
    size: Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
    md5Hash: str = ""  # noqa: N815 - as the server writes it

    @property
    def digest(self) -> str:
        """The MD5 that the bucket states, in hexadecimal."""
        return base64.b64decode(self.md5Hash, validate=True).hex()


def _items(answer: dict[str, Any], url: str) -> list[Item]:
    try:
        items = msgspec.convert(answer.get("items", []), list[Item], strict=False)
        for item in items:
            if len(item.digest) not in {0, 32}:
                raise ValueError("a checksum is none")
    except ValueError as error:
        said = " ".join(str(error).split())
        raise PartError(f"{url}: the server's answer is no list of a bucket ({said})") from None
    return items


def _answer(text: bytes, url: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise PartError(f"{url}: the server's answer is no list of a bucket")
    return answer


def _expect_below(path: str, part: Part) -> None:
    pure = PurePosixPath(path)
    odd = (
        "\\" in path
        or "\0" in path
        or not path.isprintable()
        or pure.parts != tuple(path.split("/"))
    )
    if not path or pure.is_absolute() or ".." in pure.parts or odd or _is_ours(pure.name):
        raise PartError(f"part {part.name}: {path!r} is no place below the output folder")


def _is_ours(name: str) -> bool:
    """A name that a file bears while it arrives."""
    return name.endswith((".part", ".part.tag"))
