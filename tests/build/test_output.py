"""A disk that takes no more, a folder that can't be written: one line, whole shards, and go on."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from isptools.build import BuildError
from isptools.shards import disk
from tests.build import tiny as tinies
from tests.build.tiny import Tiny
from tests.recipes import changed

MAIN = (sys.executable, "-c", "from isptools.cli import main; main()")


def command(tiny: Tiny, out: Path, *more: str) -> list[str]:
    recipe = str(tiny.folder / "recipe.toml")
    return [*MAIN, "build", recipe, "--source", str(tiny.source), "--out", str(out), *more]


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error of a command that ended as it should: exit 1, one line, no traceback."""
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert done.stderr.splitlines()[-1] == lines[0]
    assert "Traceback" not in done.stderr
    return lines[0]


def mounts() -> bool:
    """Whether this user may mount a file system in a namespace of their own."""
    if not shutil.which("unshare"):
        return False
    probe = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(not mounts(), reason="no file system can be mounted here")


@needs_mounts
def test_a_full_disk(tiny: Tiny, tmp_path: Path) -> None:
    """A disk for about two of the four shards; then room is made and the same command goes on."""
    tiny.build()
    size = sum(path.stat().st_size for path in tiny.out.glob("*.h5")) * 6 // 10 // 1024
    small = tmp_path / "small"
    small.mkdir()
    script = f"""
        mount -t tmpfs -o size={size}k tmpfs {small}
        "$@"; first=$?
        ls -A {small}/out {small}/out/.journal > {tmp_path}/listed
        mount -o remount,size=40m {small}
        "$@" > {tmp_path}/second 2>&1
        cp {small}/out/* {tmp_path}/
        exit $first
    """
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *command(tiny, small / "out", "--jobs", "2")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    line = one_line(done)
    assert "No space left on device" in line
    assert "run the same command again" in line
    listed = (tmp_path / "listed").read_text()
    assert ".tmp" not in listed
    assert "index.json" not in listed
    assert 0 < listed.count(".h5.json") < 4
    assert "finished before" in (tmp_path / "second").read_text()
    for name, data in tinies.listing(tiny.out).items():
        assert (tmp_path / name).read_bytes() == data


@needs_mounts
def test_a_read_only_output(tiny: Tiny, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    script = f'mount -t tmpfs tmpfs {place}; mount -o remount,ro {place}; "$@"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *command(tiny, place / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Read-only file system" in one_line(done)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
def test_a_limit_on_file_sizes(tiny: Tiny) -> None:
    done = subprocess.run(
        command(tiny, tiny.out), capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    line = one_line(done)
    assert "File too large" in line
    assert list(tiny.out.glob("*.h5")) == []
    assert disk.stale(tiny.out) == []


def test_an_output_below_a_file(tiny: Tiny) -> None:
    with pytest.raises(BuildError, match=r"cannot write .*recipe\.toml.*--out"):
        tiny.build(tiny.folder / "recipe.toml" / "out")


def test_an_output_that_is_a_file(tiny: Tiny) -> None:
    with pytest.raises(BuildError, match="cannot write"):
        tiny.build(tiny.folder / "recipe.toml")


def test_a_recipe_without_a_name_for_files(tiny: Tiny) -> None:
    with pytest.raises(BuildError, match="can't be part of a file name"):
        tiny.build(recipe=changed(tiny.recipe, name="a/b"))
