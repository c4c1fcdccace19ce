"""Which files of a data set are there, and under which names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from isptools import sample
from isptools.build.folder import BuildError
from isptools.build.journal import Source
from isptools.build.ledger import Line
from isptools.manifest import DataSet, Entry, Rule

# A file beside the listed one with the same stem is a second file for one key if it is a raw file;
# sidecars and previews (.xmp, .jpg) are not.
RAW = frozenset(
    {
        *("3fr", "ari", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "iiq", "k25"),
        *("kdc", "mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "qtk", "raf", "raw", "rw2"),
        *("rwl", "sr2", "srf", "srw", "x3f"),
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """The file of an entry, or why there is none (reason and detail)."""

    source: Source | None
    reason: str = ""
    detail: str = ""


@dataclass(slots=True)
class Folder:
    """The data set's root, listed once."""

    root: Path
    _listed: dict[str, dict[str, list[Source]]] = field(default_factory=dict)

    def find(self, entry: Entry) -> Found:
        """The file of an entry: by its name, else the one raw file whose name differs only in case
        or extension (a picture's only in case). Two such files are refused, whichever is right."""
        path = PurePosixPath(entry.path)
        own = {_extension(path.name)}
        same = [
            source
            for source in self._names(str(path.parent)).get(_stem(path.name), ())
            if _extension(source.path) in (own if entry.role == "final" else RAW | own)
        ]
        if not same:
            return Found(None, "missing", "the file is not there")
        if len(same) > 1:
            names = ", ".join(PurePosixPath(source.path).name for source in same)
            return Found(None, "two-files", f"two files for one key, keep one: {names}")
        other = PurePosixPath(same[0].path).name
        if other != path.name:
            return Found(same[0], "other-name", f"found as {other} instead of {path.name}")
        return Found(same[0])

    def unlisted(self, entries: Iterable[Entry], pattern: str) -> list[Line]:
        """Files named as the data set names its inputs, beside listed files, but not listed."""
        known = {(str(path.parent), _stem(path.name)) for path in map(_pure, entries)}
        lines = []
        for parent in sorted({parent for parent, _ in known}):
            for stem, sources in self._names(parent).items():
                for source in sources:
                    name = PurePosixPath(source.path).name
                    if (parent, stem) not in known and _named(pattern, name):
                        detail = (
                            "named like a file of the data set, but its manifest has no such file"
                        )
                        lines.append(Line("", "", source.path, "unlisted", "unlisted", detail))
        return lines

    def _names(self, parent: str) -> dict[str, list[Source]]:
        """Files of a folder below the root by stem in lower case."""
        if parent not in self._listed:
            names: dict[str, list[Source]] = {}
            folder = self.root / parent
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if path.is_file():
                    names.setdefault(_stem(path.name), []).append(source(self.root, path))
            self._listed[parent] = names
        return self._listed[parent]


def source(root: Path, path: Path) -> Source:
    """A file as it stands: path below the root, size, time of its last change."""
    status = path.stat()
    return Source(path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns)


def root(data_set: DataSet, entries: Iterable[Entry], folder: Path) -> Folder:
    """The first of the data set's roots below a folder that holds a listed file.

    BuildError with all a person needs to get the data set if there is none.
    """
    wanted = list(entries)
    for place in data_set.roots:
        candidate = Folder(folder / place)
        if any(candidate.find(entry).reason != "missing" for entry in wanted):
            return candidate
    raise BuildError(missing(data_set, folder))


def missing(data_set: DataSet, folder: Path | None) -> str:
    """One message: which data set, where it is to be had, licence, size, place, and the sample."""
    name = data_set.name
    where = f"not in {folder}" if folder else "needed; name its folder with --source"
    lines = [
        f"{data_set.title} is {where}",
        f"  get it:   {data_set.home}",
        *(f"            {download}" for download in data_set.downloads),
        f"  licence:  {data_set.licence}",
        f"  size:     {data_set.size}",
        f"  place:    {data_set.place}",
    ]
    if name in sample.NAMES:
        lines.append(
            f"  or build its miniature without it: isptools build {name} --sample --out DIR"
        )
    return "\n".join(lines)


def _pure(entry: Entry) -> PurePosixPath:
    return PurePosixPath(entry.path)


def _stem(name: str) -> str:
    return PurePosixPath(name).stem.casefold()


def _extension(name: str) -> str:
    return PurePosixPath(name).suffix[1:].casefold()


def _named(pattern: str, name: str) -> bool:
    return bool(pattern) and re.fullmatch(pattern, name, re.IGNORECASE) is not None


def rules(data_set: DataSet, names: Sequence[str]) -> tuple[Rule, ...]:
    """The manifest's rules of these names; all for none. BuildError for an unknown name."""
    known = {rule.name: rule for rule in data_set.rules}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BuildError(f"{data_set.name} has no rule {unknown[0]!r}; it has: {', '.join(known)}")
    return tuple(known[name] for name in names or known)
