"""TIFFs whose directories go in circles or never end: read_tags ends, and soon."""

import io
import struct
import subprocess
import sys

import pytest

from isptools.raw.tags import MOST, read_tags


def directory(next_offset: int, tags: tuple[tuple[int, int, int, int], ...] = ()) -> bytes:
    rows = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return struct.pack("<H", len(tags)) + rows + struct.pack("<I", next_offset)


ONE = ((256, 4, 1, 7),)  # ImageWidth 7
SIZE = len(directory(0, ONE))


def chain(count: int, last: int) -> bytes:
    """`count` directories one after another; the last points to directory number `last`."""
    nexts = [8 + SIZE * (i + 1) for i in range(count - 1)] + [8 + SIZE * last]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(directory(each, ONE) for each in nexts)


CASES = {
    "one that points at itself, 26 bytes": chain(1, 0),
    "three in a circle": chain(3, 0),
    "a circle behind a tail": chain(150, 120),
    "120 and back to the second": chain(120, 1),
    "a sub-directory that is its own parent":
        b"II*\0" + struct.pack("<I", 8) + directory(0, ((256, 4, 1, 7), (330, 4, 1, 8))),
    "its own parent twice over": b"II*\0" + struct.pack("<I", 8)
        + directory(0, ((256, 4, 1, 7), (330, 4, 2, 38))) + struct.pack("<II", 8, 8),
    "200,000 in a row": chain(200_000, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_ends_with_what_was_found(name: str) -> None:
    opened: list[int] = []

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            opened.append(self.tell())
            return super().read(size)

    tags = read_tags(Counted(CASES[name]))
    assert tags is not None
    assert tags.main[256] == (7,)
    assert len(opened) < 40 * MOST  # what it read does not grow with the chain


def test_the_smallest_loop_ends_for_people(tmp_path) -> None:
    (tmp_path / "loop.dng").write_bytes(CASES["one that points at itself, 26 bytes"])
    for command in ("inspect", "render"):
        words = [sys.executable, "-m", "isptools.cli", command, "loop.dng"]
        words += ["--out", "x.png"] if command == "render" else []
        done = subprocess.run(
            words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 1
        assert "loop.dng" in done.stderr
        assert "Traceback" not in done.stderr
