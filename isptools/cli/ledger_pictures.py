"""Pictures of what a ledger names, from where the data set lies."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isptools.frame import Array
    from isptools.report.left import Look
    from isptools.shards.ledger import Line

WORDS = 12  # of a file's name that may hold spaces


@contextmanager
def looking(folder: Path, source: Path | None) -> "Iterator[Look | None]":
    """What shows the files of a ledger's lines.

    Those of a miniature are made again; of other shards without `source` there are none.
    """
    from isptools import scratch, shards
    from isptools.shards.ledger import NAME

    if not (folder / NAME).is_file():
        yield None
        return
    with shards.open(folder) as opened:
        attrs = opened.tables[0].attrs
    name = str(attrs["data_set"])
    if source is not None:
        yield Files(_roots(source, name)).pictures
    elif attrs["sample"] and _ships(name):
        from isptools.cli.progress import busy
        from isptools.datasets import miniature

        with scratch.folder() as place:
            with busy("miniature"):
                miniature(name, place)
            yield Files(_roots(place, name)).pictures
    else:
        yield None


def _ships(name: str) -> bool:
    from isptools import shipped

    plain = re.fullmatch(r"[\w-]+", name) is not None  # shards are written by strangers too
    return plain and (shipped.folder("manifests") / name / "dataset.toml").is_file()


def _roots(place: Path, name: str) -> tuple[Path, ...]:
    """Where paths of the ledger may begin."""
    from isptools.datasets import card

    roots = card.load(name).roots if _ships(name) else ()
    return (place, *(place / root for root in roots))


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a data set."""

    roots: Sequence[Path]

    def pictures(self, line: "Line") -> "Sequence[tuple[str, Array]]":
        """The file of a line, and those that its detail names; none that can't be shown."""
        from isptools.cli.contact import small

        found = []
        for name in dict.fromkeys((line.file.partition("@")[0], *self._named(line.detail))):
            path = self._path(name)
            with suppress(ValueError):
                found += [(name, small(path))] if path else []
        return found

    def _named(self, detail: str) -> Iterator[str]:
        """Names of files that are there, the longest that ends at a word with a suffix."""
        words = detail.split(" ")
        for end, word in enumerate(words):
            if "." not in word.strip(".,:;"):
                continue
            for start in range(max(0, end + 1 - WORDS), end + 1):
                name = " ".join(words[start : end + 1]).strip(",:;")
                if self._path(name):
                    yield name
                    break

    def _path(self, name: str) -> Path | None:
        """Of a file below a root."""
        if not name or "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
            return None
        with suppress(OSError):
            return next((root / name for root in self.roots if (root / name).is_file()), None)
        return None
