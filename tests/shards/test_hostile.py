"""Shards from strangers: one line and exit 1, or the pixels that are there; never anything else."""

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from isptools import shards
from isptools.cli import main
from tests.build.tiny import make
from tests.shards import hostile

STARTS = ("Error: ", "problem: ")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny = make(tmp_path_factory.mktemp("sound"))
    tiny.build()
    return next(tiny.out.glob("tiny-train-*-0000.h5"))


def everything(path: Path) -> list[np.ndarray]:
    with shards.open(path) as opened:
        return [
            part for sample in opened for part in (sample.input, sample.restoration,
                                                   sample.enhancement) if part is not None
        ]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in hostile.CHANGES if name not in hostile.WHOLE])
def test_what_is_crafted_is_one_line(name: str, sound: Path, tmp_path: Path) -> None:
    if name == "zeros that unpack" and "CI" in os.environ:
        pytest.skip("takes a gigabyte of memory to make")
    path = hostile.crafted(sound, tmp_path, name)
    if name not in hostile.READABLE:
        with pytest.raises((ValueError, OSError), match=path.name) as caught:
            everything(path)
        assert "\n" not in str(caught.value)
    image = tmp_path / "x.png"
    commands = (["check", path.parent], ["inspect", path, "--image", image], ["stats", path])
    for words in commands[: 1 if name in hostile.READABLE else 3]:
        done = CliRunner().invoke(main, list(map(str, words)))
        told = [line for line in done.output.splitlines() if line.startswith(STARTS)]
        assert (done.exit_code, type(done.exception)) == (1, SystemExit), (words, done.output)
        assert told, done.output
    assert not image.exists()


@pytest.mark.parametrize("name", hostile.WHOLE)
def test_what_is_added_does_no_harm(name: str, sound: Path, tmp_path: Path) -> None:
    path = hostile.crafted(sound, tmp_path, name)
    for one, other in zip(everything(path), everything(sound), strict=True):
        np.testing.assert_array_equal(one, other)
    for words in (["check", path.parent], ["inspect", path], ["stats", path]):
        done = CliRunner().invoke(main, list(map(str, words)))
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ["check", str(path.parent)])
    attribute = name in {"odd attribute", "long name"}
    assert ("none that this version knows" in done.output) != attribute


def test_what_is_no_file_does_not_hang(tmp_path: Path, sound: Path) -> None:
    """A pipe that nobody writes into, a folder, and a link that leads nowhere."""
    (tmp_path / "folder.h5").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "gone.h5").symlink_to(tmp_path / "nowhere")
    for path in tmp_path.glob("*.h5"):
        place = tmp_path / path.stem
        place.mkdir()
        path.rename(place / path.name)
        (place / "z.h5").write_bytes(sound.read_bytes())
        with pytest.raises(ValueError, match=f"{path.name}: not a readable shard"):
            shards.open(place)
        for words in (["check", place], ["stats", place], ["inspect", place / path.name]):
            done = CliRunner().invoke(main, list(map(str, words)))
            assert (done.exit_code, type(done.exception)) == (1, SystemExit), done.output


def test_a_file_that_ends_the_process_that_reads_it_is_one_line(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As HDF5 does now and then; the other files of the folder are still looked at."""
    from isptools.shards import opened, probe  # noqa: PLC0415 - looked into here alone

    bad = tmp_path / "a.h5"
    bad.write_bytes(sound.read_bytes())
    good = tmp_path / "b.h5"
    good.write_bytes(sound.read_bytes())
    wrapper = tmp_path / "wrapper.py"
    wrapper.write_text(
        "import ctypes, sys\n"
        "from isptools.shards import probed\n"
        "plain = probed.outcome\n"
        "def outcome(path):\n"
        "    return ctypes.string_at(0) if path.name == 'a.h5' else plain(path)\n"
        "probed.outcome = outcome\n"
        "probed.main()\n"
    )
    plain = probe.subprocess.Popen
    monkeypatch.setattr(
        probe.subprocess, "Popen",
        lambda command, **words: plain([command[0], "-P", str(wrapper)], **words),
    )  # fmt: skip
    probe._end()
    opened.looked_at([bad, good])
    probe._end()
    with pytest.raises(ValueError, match=r"HDF5 crashes on it \(SIG"):
        shards.open(bad)
    assert len(shards.open(good)) > 0
