"""One worker, two, or killed half way and run again: the same bytes, and only whole shards."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from isptools.build import BuildError, build, develop, folder
from isptools.cli.codes import LOOK
from isptools.shards import disk
from isptools.shards.check import check
from tests.build import tiny as tinies
from tests.build.tiny import Tiny, frame, write
from tests.recipes import changed

MAIN = """
import signal
from isptools.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
main()
"""
ROOM = """
import time
from pathlib import Path

from isptools.datasets.table import Select, find

FOLDER = Path(__file__).parents[1]


def numbers(data, named):
    end = time.monotonic() + 60  # a worker may outlive the test
    while list(FOLDER.glob("out/.journal/*.h5.json")) and time.monotonic() < end:
        if (FOLDER / "go").exists():
            break
        time.sleep(0.01)
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


def command(tiny: Tiny, out: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-c", MAIN),
        *("build", str(tiny.folder / "recipe.toml")),
        *("--source", str(tiny.source), "--out", str(out), *more),
    ]


def stopped(tiny: Tiny, number: signal.Signals, jobs: int, group: bool = False) -> int:
    """Start a build, send a signal when the first unit is finished, and wait for its end."""
    running = begun(tiny, jobs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (os.killpg if group else os.kill)(running.pid, number)
    code = running.wait(60)
    (tiny.folder / "go").touch()
    return code


def begun(tiny: Tiny, jobs: int, **how: Any) -> subprocess.Popen[str]:
    """A build of `many` whose first unit is finished."""
    line = command(tiny, tiny.out, "--jobs", str(jobs))
    running = subprocess.Popen(line, start_new_session=True, text=True, **how)
    end = time.monotonic() + 60
    while not list((tiny.out / ".journal").glob("*.h5.json")) and time.monotonic() < end:
        time.sleep(0.01)
    return running


@pytest.fixture
def many(tiny: Tiny) -> Tiny:
    """Enough frames to stop half way: it waits after the first shard until there is a file `go`."""
    (tiny.folder / "manifest" / "room.py").write_text(ROOM)
    card = tiny.folder / "manifest" / "dataset.toml"
    card.write_text(card.read_text() + 'room = "room.py"\n')
    table = tiny.folder / "manifest" / "files.tsv"
    lines = [table.read_text().rstrip()]
    for number in range(8):
        scene = f"e{number}"
        write(tiny, f"long/{scene}.dng", frame(number, shape=(64, 80)))
        write(tiny, f"short/{scene}_0.dng", frame(number, 0.01, shape=(64, 80)))
        lines.append(f"train\t{scene}\ttruth\tlong/{scene}.dng\t10\t200")
        lines.append(f"train\t{scene}\tinput\tshort/{scene}_0.dng\t0.1\t200")
    table.write_text("\n".join(lines) + "\n")
    return tiny


def test_two_workers_make_the_same_bytes(tiny: Tiny) -> None:
    tiny.build()
    two = tiny.folder / "two"
    subprocess.run(command(tiny, two, "--jobs", "2"), check=True, capture_output=True)
    assert tinies.listing(two) == tinies.listing(tiny.out)


@posix
@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.long), 2])
def test_killed_half_way_and_run_again(many: Tiny, jobs: int) -> None:
    """The workers outlive the build that was killed, and may finish a shard meanwhile."""
    assert stopped(many, signal.SIGKILL, jobs) == -signal.SIGKILL
    finished = {path.name: disk.sha256(path) for path in many.out.glob("*.h5")}
    assert 0 < len(finished) < 12
    assert not (many.out / "index.json").exists()
    done = subprocess.run(
        command(many, many.out, "--jobs", str(jobs)), check=False, capture_output=True, text=True
    )
    assert done.returncode == LOOK, done.stderr  # some of its files are refused
    assert "finished before" in done.stdout
    assert disk.stale(many.out) == []
    whole = many.folder / "whole"
    many.build(whole)
    assert tinies.listing(many.out) == tinies.listing(whole)
    assert finished == {name: disk.sha256(whole / name) for name in finished}


@posix
@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGINT, 2), (signal.SIGTERM, 1)])
def test_interrupted_and_run_again(many: Tiny, number: signal.Signals, jobs: int) -> None:
    """Ctrl-C reaches the workers too, SIGTERM the build alone."""
    assert stopped(many, number, jobs, group=number == signal.SIGINT) == 130
    assert disk.stale(many.out) == disk.stale(many.out / ".journal") == []
    assert 0 < len(list(many.out.glob("*.h5"))) < 12
    assert many.build().kept > 0
    many.build(many.folder / "whole")
    assert tinies.listing(many.out) == tinies.listing(many.folder / "whole")


def workers(pid: int) -> list[int]:
    """Processes below `pid` that work for it."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == pid and b"isptools.serving" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:  # it ended meanwhile
            continue
    return found


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="looks for workers in /proc"
)


@needs_proc
def test_a_worker_that_is_killed(many: Tiny) -> None:
    """As by a system that runs out of memory: another one makes its unit."""
    running = begun(many, 2, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.kill(workers(running.pid)[0], signal.SIGKILL)
    (many.folder / "go").touch()
    _, errors = running.communicate(timeout=60)
    assert running.returncode == LOOK, errors  # some of its files are refused
    assert "Traceback" not in errors
    assert disk.stale(many.out) == []
    many.build(many.folder / "whole")
    assert tinies.listing(many.out) == tinies.listing(many.folder / "whole")


def test_what_is_finished_is_kept(tiny: Tiny) -> None:
    tiny.build()
    before = {path: path.stat().st_mtime_ns for path in tiny.out.glob("*.h5")}
    again = tiny.build()
    assert (again.made, again.kept) == (0, 4)
    assert before == {path: path.stat().st_mtime_ns for path in tiny.out.glob("*.h5")}


def test_only_the_unit_of_a_changed_file_is_made_again(tiny: Tiny) -> None:
    tiny.build()
    write(tiny, "short/c3_1.dng", frame(2, 0.011))
    again = tiny.build()
    assert (again.made, again.kept) == (1, 3)
    tiny.build(tiny.folder / "fresh")
    assert tinies.listing(tiny.out) == tinies.listing(tiny.folder / "fresh")


def test_a_file_that_comes_later_joins(tiny: Tiny) -> None:
    tiny.file("short/b2_1.dng").rename(tiny.folder / "kept")
    tiny.file("long/d4_long.dng").rename(tiny.folder / "late")
    first = tiny.build()
    assert first.refusals["missing"] == {"missing": 2}
    (tiny.folder / "kept").rename(tiny.file("short/b2_1.dng"))
    (tiny.folder / "late").rename(tiny.file("long/d4_long.dng"))
    second = tiny.build()
    assert (second.made, second.kept, second.refusals) == (2, 2, {})
    tiny.build(tiny.folder / "fresh")
    assert tinies.listing(tiny.out) == tinies.listing(tiny.folder / "fresh")


def test_a_scene_that_is_gone_takes_its_shard_along(tiny: Tiny) -> None:
    tiny.build()
    tiny.file("long/d4_long.dng").unlink()
    again = tiny.build()
    assert [shard.split for shard in again.shards] == ["train", "train", "val"]
    assert not list(tiny.out.glob("*test*.h5"))
    assert [problem for problem in check(tiny.out) if problem.sure] == []


def test_a_shard_that_was_cut_is_made_again(tiny: Tiny) -> None:
    tiny.build()
    before = tinies.listing(tiny.out)
    path = tiny.out / "tiny-val-64x80-0000.h5"
    path.write_bytes(path.read_bytes()[:-1])
    assert tiny.build().made == 1
    assert tinies.listing(tiny.out) == before


def test_other_versions_make_all_again(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.build()
    monkeypatch.setattr("isptools.raw.libraw_version", lambda: "0.0.1")
    assert tiny.build().made == 4
    monkeypatch.setattr("isptools.raw.libraw_version", lambda: "0.0.2")
    with pytest.raises(BuildError, match=r"other versions \(libraw 0\.0\.1, now 0\.0\.2\)"):
        tiny.build(splits=("train",))


@pytest.mark.parametrize(
    ("file", "old", "new", "made"),
    [
        ("files.tsv", "short/c3_0.dng\t0.1", "short/c3_0.dng\t0.2", 1),
        ("dataset.toml", 'licence = "CC0"', 'licence = "CC BY"', 4),
    ],
)
def test_what_the_manifest_states_is_in_the_shards(
    tiny: Tiny, file: str, old: str, new: str, made: int
) -> None:
    tiny.build()
    path = tiny.folder / "manifest" / file
    path.write_text(path.read_text().replace(old, new))
    assert tiny.build().made == made
    tiny.build(tiny.folder / "fresh")
    assert tinies.listing(tiny.out) == tinies.listing(tiny.folder / "fresh")


def test_nothing_stays_of_a_recipe_that_made_no_shard(tiny: Tiny) -> None:
    held = {path: path.read_bytes() for path in tiny.source.glob("*/*.dng")}
    for path in held:
        path.write_bytes(b"")
    other = changed(tiny.recipe, tile=24)
    assert tiny.build(recipe=other).shards == ()
    for path, data in held.items():
        path.write_bytes(data)
    assert tiny.build(splits=("train",)).refusals == {}


def test_splits_one_after_the_other_give_the_same_folder(tiny: Tiny) -> None:
    tiny.build(tiny.folder / "whole")
    for splits in (("test",), ("val", "train")):
        tiny.build(splits=splits)
    assert tinies.listing(tiny.out) == tinies.listing(tiny.folder / "whole")
    assert [problem for problem in check(tiny.out) if problem.sure] == []


def test_leftovers_of_a_killed_build_are_removed(tiny: Tiny) -> None:
    tiny.build()
    whole = tinies.listing(tiny.out)
    (tiny.out / f".tiny-val-64x80-0000.h5.{'0' * 32}.tmp").write_bytes(b"half")
    (tiny.out / ".journal" / f".x.json.{'0' * 32}.tmp").write_bytes(b"half")
    (tiny.out / ".journal" / "tiny-val-64x80-0000.h5.json").write_text("{cut of")
    (tiny.out / ".journal" / "tiny-test-64x80-0000.h5.json").unlink()  # killed between the two
    assert tiny.build().made == 2
    assert tinies.listing(tiny.out) == whole
    assert disk.stale(tiny.out) == disk.stale(tiny.out / ".journal") == []


def test_an_index_stands_only_where_all_is_whole(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.build()
    write(tiny, "short/c3_1.dng", frame(2, 0.011))

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("isptools.build.develop._input_frame", broken)
        with pytest.raises(KeyboardInterrupt):
            tiny.build()
    assert not (tiny.out / "index.json").exists()
    assert disk.stale(tiny.out) == []
    tiny.build()
    assert [problem for problem in check(tiny.out) if problem.sure] == []


def test_recipes_are_never_mixed(tiny: Tiny) -> None:
    tiny.build()
    before = tinies.listing(tiny.out)
    other = changed(tiny.recipe, tile=24)
    with pytest.raises(BuildError, match="of another recipe") as error:
        tiny.build(recipe=other)
    assert "\n" not in str(error.value)
    shutil.rmtree(tiny.out / ".journal")
    with pytest.raises(BuildError, match="of another recipe"):
        tiny.build(recipe=other)
    assert tinies.listing(tiny.out) == before
    assert tiny.build().made == 4  # the journal is gone, so nothing is known to be finished
    assert tinies.listing(tiny.out) == before


def test_files_that_are_none_of_ours_stay(tiny: Tiny) -> None:
    tiny.out.mkdir()
    (tiny.out / "mine.h5").write_bytes(b"mine")
    with pytest.raises(BuildError, match=r"mine\.h5"):
        tiny.build()
    assert (tiny.out / "mine.h5").read_bytes() == b"mine"


def test_two_builds_in_one_folder(tiny: Tiny) -> None:
    with folder.locked(tiny.out), pytest.raises(BuildError, match="another build is writing"):
        tiny.build()
    tiny.build()


def test_a_worker_that_outlived_its_build_writes_nothing(tiny: Tiny) -> None:
    """Another build holds the folder by now: the old worker must not publish into it."""
    kept = []
    real = develop.make
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "isptools.build.develop.make", lambda *work: kept.append(work) or real(*work)
        )
        tiny.build()
    for path in tiny.out.glob("*.h5"):
        path.unlink()
    with folder.locked(tiny.out), pytest.raises(BuildError, match="nothing was written"):
        develop.make(*kept[0])
    assert list(tiny.out.glob("*.h5")) == []
    assert disk.stale(tiny.out) == []


def test_journal_and_index_know_no_time_and_no_place(tiny: Tiny) -> None:
    tiny.file("short/a1_0.dng").write_bytes(b"")
    tiny.file("short/b2_0.dng").write_bytes(tiny.file("short/b2_0.dng").read_bytes()[:5000])
    tiny.build()
    assert len(tinies.ledger(tiny.out)) == 2
    moved = Tiny(tiny.folder.with_name("elsewhere"))
    shutil.copytree(tiny.folder, moved.folder, ignore=shutil.ignore_patterns("out"))
    build(moved.recipe, moved.source, moved.out, tinies.Options(jobs=1, data_set=moved.opened()))
    assert tinies.listing(moved.out) == tinies.listing(tiny.out)
    for text in ((tiny.out / "index.json").read_text(), (tiny.out / "ledger.jsonl").read_text()):
        assert str(tiny.folder) not in text
    entry = json.loads((tiny.out / ".journal" / "tiny-val-64x80-0000.h5.json").read_text())
    assert [source["path"] for source in entry["sources"]] == [
        "long/c3_long.dng", "short/c3_0.dng", "short/c3_1.dng",
    ]  # fmt: skip
