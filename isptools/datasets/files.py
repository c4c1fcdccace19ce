"""Which of a data set's files are there, and under which names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from isptools import sources
from isptools.apart import apart, time_limit
from isptools.datasets.listing import BuildError, Line
from isptools.datasets.scene import Source
from isptools.raw import SUFFIXES as RAW
from isptools.sources import ContentError

SECONDS = 10.0  # that a manifest's expression may take for all names


@dataclass(frozen=True, slots=True)
class Found:
    """The file of a name, or why there is none (reason and detail)."""

    source: Source | None
    reason: str = ""
    detail: str = ""


@dataclass(slots=True)
class Folder:
    """The data set's root; each of its folders is listed once, and each name looked up once."""

    root: Path
    _listed: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    _found: dict[tuple[str, bool], Found] = field(default_factory=dict)

    def find(self, name: str, picture: bool = False) -> Found:
        """The file of a path: by its name, else the one raw file whose name differs only in case
        or extension (a picture's only in case). Two such files are refused, whichever is right.
        FaultError where the disk does not say what is there."""
        if (name, picture) not in self._found:
            self._found[name, picture] = self._look(name, picture)
        return self._found[name, picture]

    def _look(self, name: str, picture: bool) -> Found:
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
        if not pattern:
            return []
        known = {(str(path.parent), _stem(path.name)) for path in map(PurePosixPath, listed)}
        detail = "named like a file of the data set, but its manifest has no such file"
        others = [
            (PurePosixPath(parent) / name).as_posix()
            for parent in sorted({parent for parent, _ in known})
            for stem, names in self._names(parent).items()
            for name in names
            if (parent, stem) not in known
        ]
        fitting = _fitting(pattern, others)
        return [Line("", "", name, "unlisted", "unlisted", detail) for name in fitting]

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
    return _split(name)[0]


def _extension(name: str) -> str:
    return _split(name)[1]


def _split(name: str) -> tuple[str, str]:
    """Stem and extension of a name as pathlib has them, in lower case; thousands are asked for."""
    at = name.rfind(".")
    end = at if 0 < at < len(name) - 1 else len(name)
    return name[:end].casefold(), name[end + 1 :].casefold()


def _fitting(pattern: str, paths: Sequence[str]) -> list[str]:
    """Those whose name fits a manifest's regular expression, which may be one that never ends: it
    runs in another process for a limited time. BuildError."""
    if not paths:
        return []
    try:
        with time_limit(SECONDS):
            return apart(_matching, Path(pattern), pattern, list(paths))
    except (ContentError, re.error, RecursionError, OverflowError) as error:
        what = f"`input_name` {pattern!r} can't be used on file names"
        raise BuildError(f"{what} ({' '.join(str(error).split())}): mend dataset.toml") from None


def _matching(_: Path, pattern: str, paths: Sequence[str]) -> list[str]:
    expression = re.compile(pattern, re.IGNORECASE)
    return [path for path in paths if expression.fullmatch(PurePosixPath(path).name)]
