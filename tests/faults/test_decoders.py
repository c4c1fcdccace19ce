"""A decoder may die: one row of the ledger, and every other unit is built, wherever it runs."""

import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config

from isptools import apart, children
from isptools.children import Child, DiedError, Limits, each
from isptools.serving import send
from isptools.shards.check import check
from isptools.sources import ContentError, FaultError
from tests.build import tiny as tinies
from tests.build.tiny import Tiny, make

# Runs in the decoder, as LibRaw does: it dies of files that begin with a word.
ROOM = """
import os
import signal

import numpy as np

from isptools.datasets.table import Select, find


def numbers(data, named):
    if data.startswith(b"crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if data.startswith(b"killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    if data.startswith(b"leave"):
        os._exit(3)
    if data.startswith(b"hang"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        while True:
            signal.pause()
    if data.startswith(b"eat"):
        return np.ones(1 << 36, np.uint16)
    if data.startswith(b"odd"):
        raise KeyError("nobody foresaw this")
"""
DEADLY = {
    "crash": "SIGSEGV", "killed": "SIGKILL", "leave": "status 3", "hang": "SIGALRM",
    "eat": "more memory", "odd": "KeyError",
}  # fmt: skip
posix = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    tiny = make(tmp_path / "tiny")
    (tiny.folder / "manifest" / "room.py").write_text(ROOM)
    card = tiny.folder / "manifest" / "dataset.toml"
    card.write_text(card.read_text() + 'room = "room.py"\n')
    return tiny


def poisoned(tiny: Tiny) -> dict[str, str]:
    """Two files of each of three scenes made deadly; what each row is to say."""
    words = iter(DEADLY.items())
    told = {}
    for scene in ("a1", "b2", "c3"):
        for number in range(2):
            word, said = next(words)
            path = tiny.file(f"short/{scene}_{number}.dng")
            path.write_bytes(word.encode() + path.read_bytes())
            told[f"short/{scene}_{number}.dng"] = said
    return told


@posix
@pytest.mark.parametrize("how", ["one", "two", pytest.param("threading", marks=pytest.mark.long)])
def test_a_deadly_file_costs_one_row(tiny: Tiny, how: str) -> None:
    told = poisoned(tiny)
    if how == "threading":
        with parallel_config(backend="threading", n_jobs=2):
            summary = tiny.build(seconds=2.0)
    else:
        summary = tiny.build(jobs=1 if how == "one" else 2, seconds=2.0)
    lines = {line["file"]: line for line in tinies.ledger(tiny.out)}
    assert set(lines) == set(told)
    for name, said in told.items():
        assert lines[name]["kind"] == "refused"
        assert said in lines[name]["detail"], lines[name]
        assert name in lines[name]["detail"]
        assert str(tiny.folder) not in lines[name]["detail"]
    assert [shard.split for shard in summary.shards] == ["test"]
    assert [problem for problem in check(tiny.out) if problem.sure] == []


@posix
def test_a_deadly_file_on_a_cluster_costs_one_row(tiny: Tiny) -> None:
    """Processes of a scheduler of its own, which would give up a task whose worker dies."""
    distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
    path = tiny.file("short/b2_1.dng")
    path.write_bytes(b"crash" + path.read_bytes())
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster), parallel_config(backend="dask"):
        summary = tiny.build()
    (line,) = tinies.ledger(tiny.out)
    assert (line["file"], line["kind"]) == ("short/b2_1.dng", "refused")
    assert "SIGSEGV" in line["detail"]
    assert len(summary.shards) == 4


@posix
def test_what_a_decoder_died_of_is_told() -> None:
    with pytest.raises(ContentError, match="SIGABRT"):
        apart.apart(_die, Path("a"), signal.SIGABRT)
    with pytest.raises(FaultError, match="SIGTERM"):  # somebody stopped it: nothing is known
        apart.apart(_die, Path("a"), signal.SIGTERM)
    with apart.time_limit(0.2), pytest.raises(ContentError, match=r"within 0\.2 seconds"):
        apart.apart(_sleep, Path("a"))


def _die(_path: Path, number: int) -> None:
    os.kill(os.getpid(), number)


def _sleep(_path: Path) -> None:
    time.sleep(60)


def test_arrays_come_back_as_they_were() -> None:
    child = Child()
    try:
        for size in (3, 1 << 20, 1 << 20, 1 << 21):
            kept = [child.call(_numbers, size, seed) for seed in range(3)]
            for seed, (one, other) in enumerate(kept):  # memory is used again only when let go
                assert np.array_equal(one, _numbers(size, seed)[0])
                assert np.array_equal(other, _numbers(size, seed)[1])
    finally:
        child.close()


def _numbers(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, 65536, size, np.uint16), random.random(size, np.float32)


def test_an_exception_and_a_limit_leave_the_child_alive() -> None:
    child = Child()
    try:
        with pytest.raises(ValueError, match="invalid literal"):
            child.call(int, "x")
        with pytest.raises(MemoryError):
            child.call(np.ones, 1 << 33, limits=Limits(bytes=1 << 30))
        assert child.call(abs, -3) == 3
    finally:
        child.close()


def test_a_child_that_died_while_idle_is_replaced() -> None:
    some = children.Children()
    first = some.call(os.getpid, limits=Limits())
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert some.call(os.getpid, limits=Limits()) != first
    some.close()


@posix
def test_an_item_that_kills_two_children_is_given_up() -> None:
    found = dict(each(_killed_by, range(5), 2))
    assert isinstance(found.pop(3), DiedError)
    assert found == {0: 0, 1: 1, 2: 2, 4: 4}


def _killed_by(item: int) -> int:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


BUSY = """
import os, sys, time
from isptools.children import Child
import threading
child = Child()
print(child.process.pid, flush=True)
child.call({call})
"""


@posix
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize("call", ["time.sleep, 600", "sum, range(10**15)"])
def test_a_child_ends_with_its_parent(call: str) -> None:
    """Whatever it does: C code that holds the interpreter, too."""
    parent = subprocess.Popen(
        [sys.executable, "-c", BUSY.format(call=call)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    while _state(child) not in ("R", "S"):
        pass
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 60
    while _state(child) not in ("Z", "") and time.monotonic() < end:
        time.sleep(0.01)
    assert _state(child) in ("Z", "")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def test_what_is_written_to_a_working_child_does_not_end_it() -> None:
    """On a busy machine the system tells a reader of what it has read already."""
    child = Child()
    try:
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(child.call, time.sleep, 0.5)
            while not child.busy:
                time.sleep(0.01)
            time.sleep(0.1)  # it sleeps by now, or the message waits: both have to hold
            assert child.process.stdin is not None
            send(child.process.stdin, pickle.dumps((abs, (-3,), None, [])))
            assert answer.result() is None
        assert child._answer() == (True, 3)
    finally:
        child.close()


SERVED = """
import multiprocessing, os, sys, time
from isptools.children import end_with_parent
def work(pipe):
    end_with_parent()
    pipe.send(os.getpid())
    time.sleep(600)
if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    context.Process(target=work, args=(theirs,), daemon=True).start()
    print(ours.recv(), flush=True)
    time.sleep(600)
"""


@posix
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_process_of_a_fork_server_ends_with_who_asked_for_it(tmp_path: Path) -> None:
    script = tmp_path / "served.py"
    script.write_text(SERVED)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _state(child) in ("R", "S")
        parent.kill()
    end = time.monotonic() + 60
    while _state(child) not in ("Z", "") and time.monotonic() < end:
        time.sleep(0.01)
    assert _state(child) in ("Z", "")
