"""A fault of the machine is no fact about the data: nothing is refused for it, and nothing lost."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isptools import sources
from isptools.cli.build import WAITS
from isptools.shards.check import check
from isptools.shards.proof import proved
from tests.build import tiny as tinies
from tests.build.tiny import Tiny, make
from tests.faults.machine import failing

MAIN = (sys.executable, "-c", "from isptools.cli import main; main()")
UNIT = "tiny-train-64x80-0001.h5"  # of scene b2


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return make(tmp_path / "tiny")


def run(tiny: Tiny, environment: dict[str, str] | None = None, jobs: int = 1):
    recipe = str(tiny.folder / "recipe.toml")
    where = ("--source", str(tiny.source), "--out", str(tiny.out), "--jobs", str(jobs))
    return subprocess.run(
        [*MAIN, "build", recipe, *where], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("name", "number", "calls"),
    [
        ("long/b2_long.dng", errno.EIO, "r"),
        ("short/b2_1.dng", errno.ESTALE, "o"),
        ("short/b2_0.dng", errno.EACCES, "os"),
    ],
)
def test_what_cannot_be_read_just_now_waits(
    tiny: Tiny, jobs: int, name: str, number: int, calls: str
) -> None:
    done = run(tiny, failing(name, number, calls), jobs)
    assert done.returncode == WAITS, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Error: 1 scene waits")
    assert os.strerror(number) in last
    assert name in last
    assert "b2" in last
    assert "run the same command again" in last
    assert "Traceback" not in done.stderr
    there = {path.name for path in tiny.out.glob("*.h5")}
    assert len(there) == 3
    assert UNIT not in there
    assert not (tiny.out / ".journal" / f"{UNIT}.json").exists()
    assert not (tiny.out / "index.json").exists()
    again = run(tiny)
    assert again.returncode == 0, again.stderr
    assert "3 units finished before" in again.stdout
    tiny.build(tiny.folder / "whole")
    assert tinies.listing(tiny.out) == tinies.listing(tiny.folder / "whole")


def test_a_finished_build_stays_when_its_source_fails(tiny: Tiny) -> None:
    tiny.build()
    before = {path.name: path.read_bytes() for path in tiny.out.glob("*.h5")}
    assert run(tiny, failing("long/b2_long.dng", errno.EIO, "ors")).returncode == WAITS
    assert {path.name: path.read_bytes() for path in tiny.out.glob("*.h5")} == before
    assert run(tiny).returncode == 0
    assert [problem for problem in check(tiny.out) if problem.sure] == []


def test_a_folder_that_cannot_be_listed(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.build()
    before = tinies.listing(tiny.out)
    monkeypatch.setattr(sources, "PAUSES", (0.0,))

    listed = os.scandir

    def fails(path: str = ".") -> object:
        if tiny.source in Path(path).parents:
            raise OSError(errno.ETIMEDOUT, "Connection timed out", str(path))
        return listed(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", fails)
        with pytest.raises(ValueError, match=r"Connection timed out.*run the same command again"):
            tiny.build()
    assert tinies.listing(tiny.out) == before


def test_it_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    errors = iter([errno.EIO, errno.ESTALE, errno.ENOENT])

    def action() -> str:
        for number in errors:
            raise OSError(number, os.strerror(number))
        return "came"

    assert sources.patiently(action, tmp_path) == "came"
    assert pauses == sorted(pauses)
    assert len(set(pauses)) == 3


def test_a_fact_about_a_file_is_not_tried_again(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "regular file|directory"), (tmp_path / ("a" * 300), "too long")):
        with pytest.raises(sources.ContentError, match=words):
            sources.read(path)
    os.mkfifo(tmp_path / "pipe.dng")
    with pytest.raises(sources.ContentError, match="no regular file"):
        sources.read(tmp_path / "pipe.dng")


def test_a_decoder_cannot_swallow_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PAUSES", ())
    (tmp_path / "a").write_bytes(bytes(100))

    def decoder(file) -> str:
        try:
            file.read(10)
        except OSError:
            return "no picture"
        return "fine"

    class Broken(sources._Watched):
        def readinto(self, _buffer):
            with self._remembered():
                raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sources, "_Watched", Broken)
    with pytest.raises(sources.FaultError, match="Input/output"):
        sources.part(tmp_path / "a", decoder)


def test_a_scene_that_vanished_is_named(tiny: Tiny) -> None:
    """A shard taken out of folder, index and counts alike: only the plan still knows of it."""
    tiny.build()
    index = json.loads((tiny.out / "index.json").read_text())
    assert index["planned"]["train"] == {"a1": 2, "b2": 2}
    index["shards"] = [shard for shard in index["shards"] if shard["name"] != UNIT]
    index["counts"]["train"] = {"inputs": 2, "scenes": 1, "shards": 1}
    del index["proof"]
    (tiny.out / "index.json").write_bytes(proved(json.dumps(index).encode()))
    (tiny.out / UNIT).unlink()
    (problem,) = (one for one in check(tiny.out) if one.sure)
    assert problem.what == "vanished"
    assert "b2" in problem.detail
