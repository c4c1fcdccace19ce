"""The files of a miniature onto the disk."""

from collections.abc import Iterable
from pathlib import Path


def written(files: Iterable[tuple[str, bytes]], out: Path) -> list[Path]:
    """Write (path, content) below `out`, existing files replaced; returns the paths in order."""
    paths = []
    for path, data in files:
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        paths.append(target)
    return paths
