"""Names and texts of strangers: shown escaped, stored as they are or refused, not followed."""

import errno
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from isptools import scratch
from isptools.build import BuildError, folder
from isptools.cli import main
from isptools.datasets.card import load
from isptools.datasets.listing import Line
from isptools.datasets.splits import listed_splits
from isptools.datasets.tables import TableError
from isptools.shards import disk
from isptools.shown import Escaping, shown
from tests.build import tiny as tinies
from tests.build.tiny import Tiny, make

ODD = "a\x1b[2Jb\u202ec\nd\udcff"
BYTES = b"evil\xff\x1b[31m.dng"


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return make(tmp_path / "tiny")


def card_with(tiny: Tiny, text: str) -> None:
    path = tiny.folder / "manifest" / "dataset.toml"
    path.write_text(path.read_text() + text)


def test_what_cannot_be_printed_is_escaped() -> None:
    assert shown(ODD) == r"a\x1b[2Jb\u202ec\nd\udcff"
    assert shown("Größe, 日本") == "Größe, 日本"
    written: list[str] = []
    Escaping(type("S", (), {"write": lambda _, text: written.append(text)})()).write("a\tb\x07\n")
    assert written == ["a\tb\\x07\n"]


def test_a_line_of_the_ledger_is_one_line() -> None:
    line = Line("", "s", "a\nb", "refused", "x", ODD)
    assert line.detail == shown(ODD)
    assert line.file == "a\nb"  # JSON holds it as it is
    assert Line("", "s", ODD, "refused", "x", "").file == shown(ODD)  # but not other bytes


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
def test_files_with_odd_names_do_not_stop_a_build(tiny: Tiny) -> None:
    card_with(tiny, "")
    where = tiny.source / "short"
    data = tiny.file("short/a1_0.dng").read_bytes()
    for name in (BYTES, b"new\nline.dng", "rtl\u202e.dng".encode()):
        (where / os.fsdecode(name)).write_bytes(data)
    path = tiny.folder / "manifest" / "dataset.toml"
    path.write_text(path.read_text().replace("'[a-z]\\d_\\d\\.dng'", "'(?s).*'"))
    summary = tiny.build()
    assert len(summary.shards) == 4
    lines = tinies.ledger(tiny.out)
    assert len(lines) == 3
    assert {line["reason"] for line in lines} == {"unlisted"}


def test_a_title_moves_no_cursor(tiny: Tiny) -> None:
    path = tiny.folder / "manifest" / "dataset.toml"
    path.write_text(path.read_text().replace('title = "Tiny"', 'title = "Ti\\u001b[2Jny"'))
    done = CliRunner().invoke(main, ["get", str(tiny.folder / "manifest")], color=True)
    assert "\x1b" not in done.output
    assert r"Ti\x1b[2Jny" in done.output


@pytest.mark.parametrize("pattern", ["(a+)+$", "(", "a{99999999999}", "(?P<x>"])
def test_an_expression_that_never_ends(
    tiny: Tiny, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isptools.datasets.files.SECONDS", 0.5)
    path = tiny.folder / "manifest" / "dataset.toml"
    path.write_text(path.read_text().replace("'[a-z]\\d_\\d\\.dng'", f"'{pattern}'"))
    tiny.file("short/" + "a" * 60 + "!").write_bytes(b"")
    if sys.platform == "win32" and pattern == "(a+)+$":
        pytest.skip("no time limit there")
    with pytest.raises(BuildError, match="input_name") as caught:
        tiny.build()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["../outside", "/etc", "a/../../b", "a\\\\..\\\\b"])
@pytest.mark.parametrize("word", ["roots", "rule", "unpaired"])
def test_a_manifest_leads_nowhere_else(tiny: Tiny, word: str, place: str) -> None:
    path = tiny.folder / "manifest" / "dataset.toml"
    text = path.read_text()
    added = {
        "roots": text.replace('roots = [".", "Tiny"]', f'roots = ["{place}"]'),
        "rule": text + f'[[rules]]\nname = "r"\ninput = "{place}"\ntruth = "b"\n',
        "unpaired": text + f'[[unpaired]]\nfolder = "{place}"\n',
    }
    path.write_text(added[word])
    with pytest.raises(ValueError, match="must be a path below"):
        load("manifest", tiny.folder)


@pytest.mark.parametrize(
    "data",
    ["split\tscene\n".encode("utf-16"), b"\xff\xfe\x00", b"split\tscene\trole\tpath\n" + b"\0" * 9],
)
def test_a_table_that_is_none_is_named(tiny: Tiny, data: bytes) -> None:
    path = tiny.folder / "manifest" / "files.tsv"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"files\.tsv") as caught:
        load("manifest", tiny.folder)
    assert "\n" not in str(caught.value)


def test_a_field_of_any_length_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "splits.tsv").write_text("a" * 200_000 + "\ttrain\n")
    with pytest.raises(TableError, match="field larger"):
        listed_splits(tmp_path / "splits.tsv")


def test_a_planted_lock_keeps_its_target(tiny: Tiny) -> None:
    victim = tiny.folder / "victim"
    victim.write_text("mine")
    tiny.out.mkdir()
    (tiny.out / ".lock").symlink_to(victim)
    with pytest.raises(BuildError, match="is a link"):
        tiny.build()
    assert victim.read_text() == "mine"


def test_planted_outputs_are_replaced_and_not_followed(tiny: Tiny) -> None:
    victim = tiny.folder / "victim"
    victim.write_text("mine")
    tiny.out.mkdir()
    for name in ("index.json", "ledger.jsonl"):
        (tiny.out / name).symlink_to(victim)
    tiny.build()
    assert victim.read_text() == "mine"
    assert not (tiny.out / "index.json").is_symlink()


def test_a_planted_journal_is_refused(tiny: Tiny) -> None:
    (other := tiny.folder / "other").mkdir()
    tiny.out.mkdir()
    (tiny.out / ".journal").symlink_to(other, target_is_directory=True)
    with pytest.raises(BuildError, match=r"\.journal is a link"):
        tiny.build()
    assert list(other.iterdir()) == []


def test_the_sweep_takes_only_names_of_ours(tmp_path: Path) -> None:
    ours = disk.temporary(tmp_path / "a.h5")
    theirs = [".mine.tmp", ".a.h5.0123.tmp", ".a.txt." + "0" * 32 + ".tmp", "a.h5.tmp"]
    for name in (ours.name, *theirs):
        (tmp_path / name).write_bytes(b"")
    folder.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(theirs)


@pytest.mark.skipif(sys.platform == "win32", reason="no locks of that kind")
def test_folders_of_killed_commands_are_swept(tmp_path: Path) -> None:
    dead = tmp_path / "isptools-abcdefgh"
    (dead / "files").mkdir(parents=True)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (dead / "held").write_text(str(ended.pid))  # nobody locks it any more
    new = tmp_path / "isptools-ijklmnop"  # about to be marked
    new.mkdir()
    other = tmp_path / "isptools-of-somebody"
    other.mkdir()
    link = tmp_path / "isptools-qrstuvwx"
    link.symlink_to(other, target_is_directory=True)
    scratch.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {new.name, other.name, link.name}


@pytest.mark.skipif(sys.platform == "win32", reason="no locks of that kind")
def test_a_folder_stays_where_its_disk_had_no_lock_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_lock(*_: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    with ExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.setattr("fcntl.flock", no_lock)
            held = stack.enter_context(scratch.folder(tmp_path))
        scratch.sweep(tmp_path)
        assert held.exists()


def test_a_folder_that_is_held_stays() -> None:
    with scratch.folder() as held, scratch.folder() as other:
        (held / "a").write_bytes(b"")
        scratch.sweep(held.parent.parent)
        assert (held / "a").exists()
        assert other != held
    assert not held.parent.exists()
