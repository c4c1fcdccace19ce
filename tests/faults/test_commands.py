"""Commands that build nothing: a decoder that dies and a disk that is full end them in one line."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from isptools import whole
from isptools.cli import main
from tests.build.tiny import Tiny, make

RAW, OTHER = "short/a1_0.dng", "short/a1_1.dng"
READING = (
    ("inspect", "RAW", "--image", "a.png"),
    ("render", "RAW", "--out", "a.png"),
    ("bad-pixels", "RAW", "OTHER", "--out", "a.toml"),
    ("fuse", "RAW", "OTHER", "--out", "a.dng", "--weights", "a.tif", "--report", "a.json",
     "--image", "a.png"),
    ("align", "RAW", "OTHER", "--out", "."),
)  # fmt: skip
WRITING = (
    *READING,
    ("inspect", "SHARD", "--image", "a.png"),
    ("report", "OUT", "--out", "a.html"),
    ("init", "SOURCE", "--out", "."),
    ("manifest", "SOURCE", "--out", "a.tsv"),
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    tiny = make(tmp_path_factory.mktemp("commands"))
    tiny.build()
    return tiny


def run(tiny: Tiny, here: Path, words: tuple[str, ...]) -> Result:
    """A command whose output stands in `here`."""
    places = {
        "RAW": tiny.file(RAW), "OTHER": tiny.file(OTHER), "OUT": tiny.out, "SOURCE": tiny.source,
        "SHARD": next(tiny.out.glob("*.h5")), ".": here,
    }  # fmt: skip
    names = {word: here / word for word in words if word.startswith("a.")}
    return CliRunner().invoke(main, [str((places | names).get(word, word)) for word in words])


def expect_one_line(done: Result, *told: str) -> None:
    assert (done.exit_code, type(done.exception)) == (1, SystemExit), done.output
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("Error: "))
    assert done.stderr.splitlines()[-1] == line
    for word in told:
        assert word in line


def deadly(path: Path, *_given: object) -> None:
    if path.name == Path(RAW).name:
        os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError("the other file is read after it")


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("words", [line for line in READING if line[0] != "fuse"],
                         ids=" ".join)  # fmt: skip
def test_a_decoder_that_dies(
    words: tuple[str, ...], tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own process: ours goes on to say so."""
    monkeypatch.setattr("isptools.cli.raws.Elsewhere", lambda *_: deadly)
    monkeypatch.setattr("isptools.apart.TRIES", 1)  # a process's start each
    expect_one_line(run(tiny, tmp_path, words), RAW, "SIGSEGV")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_a_frame_that_kills_its_decoder_is_no_frame(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isptools.cli.raws.Elsewhere", lambda *_: deadly)
    monkeypatch.setattr("isptools.apart.TRIES", 1)
    words = ("fuse", "RAW", "RAW", "--out", "a.dng")
    expect_one_line(run(tiny, tmp_path, words), "SIGSEGV")


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_a_disk_that_fills(
    words: tuple[str, ...], tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the data are to go to the disk: nothing is there under the name, and nothing beside."""

    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("isptools.whole.os.fsync", full)
    monkeypatch.setattr("isptools.raw.dng_write.os.fsync", full)
    done = run(tiny, tmp_path, words)
    if words[0] == "align":  # a pair that fails is none
        assert done.exit_code in {1, 2}
    else:
        expect_one_line(done, "No space left")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_output_that_takes_nothing() -> None:
    """What a command prints may go to a full disk, too."""
    if not Path("/dev/full").exists():
        pytest.skip("no device that is full")
    line = [sys.executable, "-c", "from isptools.cli import main; main()", "recipes"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["Error: the output: No space left on device"]


def test_what_is_written_follows_no_link(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whole")
    for name in ("a.png", ".a.png.part"):
        (tmp_path / name).symlink_to(secret)
    whole.save(tmp_path / "a.png", b"new")
    assert (tmp_path / "a.png").read_bytes() == b"new"
    assert secret.read_text() == "whole"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "secret"]


def test_what_is_raised_meanwhile_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def stopped() -> None:
        with whole.replaced(tmp_path / "a") as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_verify_tells_how_far_it_is(tiny: Tiny) -> None:
    words = ("build", str(tiny.folder / "recipe.toml"), "--source", "SOURCE", "--out", "OUT")
    done = run(tiny, tiny.folder, (*words, "--verify"))
    assert done.exit_code == 0, done.output
    assert "hashing shards: 4/4" in done.stderr
    assert "hashing" not in run(tiny, tiny.folder, words).stderr
