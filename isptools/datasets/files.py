"""Which of a data set's files are there, and under which names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from isptools import sources
from isptools.datasets.listing import Line
from isptools.datasets.scene import Source
from isptools.raw import SUFFIXES as RAW


@dataclass(frozen=True, slots=True)
class Found:
    """The file of a name, or why there is none (reason and detail)."""

    source: Source | None
    reason: str = ""
    detail: str = ""


@dataclass(slots=True)
class Folder:
    """The data set's root; each of its folders is listed once."""

    root: Path
    _listed: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def find(self, name: str, picture: bool = False) -> Found:
        """The file of a path: by its name, else the one raw file whose name differs only in case
        or extension (a picture's only in case). Two such files are refused, whichever is right.
        FaultError where the disk does not say what is there."""
        path = PurePosixPath(name)
        own = {_extension(path.name)}
        same = [
            one
            for one in self._names(str(path.parent)).get(_stem(path.name), ())
            if _extension(one) in (own if picture else RAW | own)
        ]
        if not same:
            return Found(None, "missing", "the file is not there")
        if len(same) > 1:
            return Found(None, "two-files", f"two files for one key, keep one: {', '.join(same)}")
        source = source_of(self.root, self.root / path.parent / same[0])
        if same[0] != path.name:
            return Found(source, "other-name", f"found as {same[0]} instead of {path.name}")
        return Found(source)

    def unlisted(self, listed: Iterable[str], pattern: str) -> list[Line]:
        """Files named as the data set names its inputs, beside listed files, but not listed."""
        known = {(str(path.parent), _stem(path.name)) for path in map(PurePosixPath, listed)}
        detail = "named like a file of the data set, but its manifest has no such file"
        return [
            Line("", "", (PurePosixPath(parent) / name).as_posix(), "unlisted", "unlisted", detail)
            for parent in sorted({parent for parent, _ in known})
            for stem, names in self._names(parent).items()
            for name in names
            if (parent, stem) not in known and _named(pattern, name)
        ]

    def _names(self, parent: str) -> dict[str, list[str]]:
        """Files of a folder below the root by stem in lower case."""
        if parent not in self._listed:
            names: dict[str, list[str]] = {}
            for name in sources.files(self.root / parent):
                names.setdefault(_stem(name), []).append(name)
            self._listed[parent] = names
        return self._listed[parent]


def source_of(root: Path, path: Path) -> Source:
    """A file as it stands: path below the root, size, time of its last change. FaultError."""
    status = sources.status(path)
    return Source(path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns)


def _stem(name: str) -> str:
    return PurePosixPath(name).stem.casefold()


def _extension(name: str) -> str:
    return PurePosixPath(name).suffix[1:].casefold()


def _named(pattern: str, name: str) -> bool:
    return bool(pattern) and re.fullmatch(pattern, name, re.IGNORECASE) is not None
