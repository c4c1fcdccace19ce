"""Lines of a table that a person, or a stranger, wrote."""

import csv
from collections.abc import Iterator
from pathlib import Path

from isptools.sources import ContentError, read


class TableError(ValueError):
    """A table that is none; one line for people."""


def rows(path: Path, delimiter: str = "\t") -> Iterator[tuple[int, list[str]]]:
    """The number of each line and its fields. TableError in one line if it is no such table."""
    try:
        text = read(path).decode("utf-8-sig")
        lines = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
        for row in lines:
            yield lines.line_num, row
    except ContentError as error:
        raise TableError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise TableError(f"{path}: it is not UTF-8; save it as UTF-8") from None
    except csv.Error as error:
        raise TableError(f"{path}: {error}") from None


def records(path: Path, delimiter: str = "\t") -> Iterator[tuple[int, dict[str, str]]]:
    """As `rows`, by the names of the first line; fields that are left out are "". TableError."""
    names: list[str] | None = None
    for number, row in rows(path, delimiter):
        if names is None:
            names = row
            if len(set(names)) != len(names):
                raise TableError(f"{path}: its first line names a column twice")
        elif row:
            if len(row) > len(names):
                raise TableError(f"{path}:{number}: more fields than the first line names")
            yield number, dict(zip(names, row + [""] * (len(names) - len(row)), strict=True))
