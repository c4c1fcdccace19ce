"""Files that commands write: whole or not at all, since a disk may be full and a command killed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A free name beside `path`; the file of that name takes its place in the end.

    What a command that was killed left under that name goes first, and a link that somebody put
    there: nothing is written where it leads. Where something is raised nothing is left.
    """
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def save(path: Path, data: bytes) -> None:
    """A file of these bytes, which are on the disk when it has its name. OSError."""
    with replaced(path) as part, part.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
