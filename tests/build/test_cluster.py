"""A Dask cluster and shares make the bytes of one process, whatever happens to them meanwhile."""

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from isptools.build import BuildError, Share, Summary, WaitError, cluster, folder, workers
from isptools.build.work import Work
from isptools.cli import main
from isptools.shards import disk
from tests.build import tiny as tinies
from tests.build.tiny import Tiny

dask = pytest.importorskip("dask", reason="needs the extra `cluster`")
distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
# Dask leaves sockets of connections that broke to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
posix = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
ROOM = """
import time
from pathlib import Path

from isptools.datasets.table import Select, find

FOLDER = Path(__file__).parents[1]


def numbers(data, named):
    end = time.monotonic() + 600  # a worker may outlive the test
    while (FOLDER / "hold").exists() and time.monotonic() < end:
        if not list(FOLDER.glob("*/.*.h5.*.tmp")):  # no shard is begun: the plan looks at it
            break
        time.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Before the next test, which may be of another module."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    """A client of a cluster of two processes."""
    how = {"threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(n_workers=2, silence_logs=50, **how) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def held(tiny: Tiny) -> Tiny:
    """With a file `hold` its shards are begun and not finished."""
    (tiny.folder / "manifest" / "room.py").write_text(ROOM)
    card = tiny.folder / "manifest" / "dataset.toml"
    card.write_text(card.read_text() + 'room = "room.py"\n')
    tiny.build(tiny.folder / "whole")
    (tiny.folder / "hold").touch()
    return tiny


@pytest.fixture
def meanwhile(held: Tiny) -> Iterator[Callable[..., Future[Summary]]]:
    with ThreadPoolExecutor() as threads:
        yield threads.submit
        (held.folder / "hold").unlink(missing_ok=True)


def until(true: Callable[[], Any]) -> Any:
    end = time.monotonic() + 600
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.02)
    assert found
    return found


def whole(tiny: Tiny, out: Path | None = None) -> bool:
    out = out or tiny.out
    same = tinies.listing(out) == tinies.listing(tiny.folder / "whole")
    return same and disk.stale(out) == disk.stale(out / ".journal") == []


def go_on(tiny: Tiny) -> None:
    (tiny.folder / "hold").unlink()


def address(client: Any) -> str:
    return str(client.scheduler.address)


@posix
def test_a_worker_that_is_killed_in_mid_shard(held: Tiny, local, meanwhile) -> None:
    building = meanwhile(held.build, cluster=address(local))
    until(lambda: len(disk.stale(held.out)) == 2)  # both have begun
    os.kill(next(iter(local.run(os.getpid).values())), signal.SIGKILL)
    go_on(held)
    assert building.result().made == 4
    assert whole(held)


def test_two_builds_race_for_a_folder(held: Tiny, local, meanwhile) -> None:
    building = meanwhile(held.build, cluster=address(local))
    until(lambda: disk.stale(held.out))
    for how in ({"cluster": address(local)}, {"share": Share(1, 2)}, {}):
        with pytest.raises(BuildError, match="another build is writing there") as error:
            held.build(**how)
        assert "\n" not in str(error.value)
    go_on(held)
    building.result()
    assert whole(held)


class Machines:
    """A scheduler and a worker as a cluster's people start them."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        where = ["--host", "127.0.0.1", "--no-dashboard"]
        self._dask("scheduler", *where, "--port", str(self.port))
        self.worker(self.address, "one")

    def worker(self, scheduler: str, name: str) -> None:
        words = ["--host", "127.0.0.1", "--no-dashboard", "--no-nanny", "--nthreads", "1"]
        self._dask("worker", scheduler, *words, "--name", name)

    def _dask(self, *words: str) -> None:
        line = [sys.executable, "-m", "dask", *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.running.append(subprocess.Popen(line, **quiet))

    def kill(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self.running = []


@pytest.fixture
def machines() -> Iterator[Machines]:
    made = Machines()
    yield made
    made.kill()


@posix
def test_a_worker_so_slow_that_another_one_takes_its_unit(
    held: Tiny, local, machines, meanwhile
) -> None:
    """It wakes up when its build is over, and leaves the folder as it is."""
    machines.worker(address(local), "slow")
    until(lambda: "slow" in {one["name"] for one in known(local).values()})
    building = meanwhile(held.build, cluster=address(local))
    (name,) = [at for at, one in known(local).items() if one["name"] == "slow"]
    until(lambda: local.processing()[name] and len(disk.stale(held.out)) == len(known(local)))
    (slow,) = machines.running

    async def given_up(dask_scheduler: Any) -> None:
        """As the scheduler does after its `worker-ttl`."""
        await dask_scheduler.remove_worker(name, stimulus_id="slow", close=False)

    slow.send_signal(signal.SIGSTOP)
    try:
        local.run_on_scheduler(given_up)
        go_on(held)
        assert building.result().made == 4
        before = tinies.listing(held.out)
        times = {path: path.stat().st_mtime_ns for path in held.out.glob("*.h5")}
    finally:
        slow.send_signal(signal.SIGCONT)
    slow.wait(600)  # it ends its unit first
    assert tinies.listing(held.out) == before
    assert whole(held)
    assert times == {path: path.stat().st_mtime_ns for path in held.out.glob("*.h5")}


def known(client: Any) -> dict[str, Any]:
    return dict(client.scheduler_info(n_workers=-1)["workers"])


@pytest.mark.long
def test_a_scheduler_that_is_restarted(held: Tiny, machines, meanwhile, monkeypatch) -> None:
    machines.start()
    building = meanwhile(held.build, cluster=machines.address)
    until(lambda: disk.stale(held.out))
    machines.kill()
    machines.start()
    go_on(held)
    assert building.result().made == 4
    assert whole(held)

    (held.folder / "hold").touch()
    later = held.folder / "later"
    building = meanwhile(held.build, later, cluster=machines.address)
    until(lambda: disk.stale(later))
    monkeypatch.setattr(cluster, "PATIENCE", 0.1)
    machines.kill()
    with pytest.raises(WaitError, match=r"the scheduler .* went away; what is finished is kept"):
        building.result()
    go_on(held)
    held.build(later)
    assert whole(held, later)


SBATCH = """#!/bin/sh
# a Slurm of one machine: it keeps the script, which goes when this ends, runs it, and says the
# job's number
cp "$1" "{jobs}-$$.sh"
setsid sh "{jobs}-$$.sh" > /dev/null 2>&1 &
echo "$!" >> {jobs}
echo "Submitted batch job $!"
"""


@pytest.fixture
def slurm(held: Tiny, monkeypatch) -> Callable[[str], Path]:
    """Puts an `sbatch` on the path; the file gets a line for each job, its number."""
    pytest.importorskip("dask_jobqueue", reason="needs the extra `cluster`")
    jobs, programs = held.folder / "jobs", held.folder / "programs"
    programs.mkdir()

    def put(sbatch: str, squeue: str = "#!/bin/sh\nexit 1\n") -> Path:
        stop = "#!/bin/sh\nkill -- -$1\n"
        for name, text in (("sbatch", sbatch), ("squeue", squeue), ("scancel", stop)):
            (programs / name).write_text(text.format(jobs=jobs))
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        return jobs

    return put


@pytest.mark.long  # two workers begin, some seconds each
@posix
def test_jobs_of_slurm(held: Tiny, slurm, meanwhile, monkeypatch) -> None:
    """As far as it goes without Slurm: the script that sbatch gets is run by a shell. A job that
    ends before the build does is asked for again."""
    jobs = slurm(SBATCH)
    monkeypatch.setattr(cluster, "AGAIN", "0.2s")
    words = f"slurm:jobs=1,memory=1GB,interface=lo,local_directory={held.folder}"
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "0.2s"}):
        building = meanwhile(held.build, cluster=words)
        until(lambda: disk.stale(held.out))
        os.killpg(int(jobs.read_text()), signal.SIGKILL)
        until(lambda: jobs.read_text().count("\n") == 2)
        go_on(held)
        assert building.result(600).made == 4
    assert whole(held)


@posix
def test_what_sbatch_refuses_is_said(held: Tiny, slurm) -> None:
    slurm("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    with pytest.raises(
        BuildError, match=r"--cluster slurm:interface=lo: .*invalid partition"
    ) as error:
        held.build(cluster="slurm:interface=lo")
    assert "\n" not in str(error.value)


QUEUED = """#!/bin/sh
# a Slurm whose job waits once, and has ended when it is asked for again
test -e {jobs}.asked && {{ echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1; }}
touch {jobs}.asked
echo '17 PENDING Resources'
"""


@posix
def test_a_job_that_ends_before_its_worker_comes(held: Tiny, slurm, monkeypatch) -> None:
    """It is waited for as long as Slurm knows it, and no longer."""
    slurm("#!/bin/sh\necho 'Submitted batch job 17'\n", QUEUED)
    monkeypatch.setattr(workers, "LOOK", 0.0)
    monkeypatch.setattr(workers, "GONE", 0.2)
    told: list[tuple[str, int, int]] = []
    with pytest.raises(BuildError, match=r"every job of Slurm's ended .*\(17\): see slurm-17.out"):
        held.build(cluster="slurm:interface=lo", progress=lambda *one: told.append(one))
    waited = [one for one in told if one[0].startswith("waiting")]
    assert waited == [
        ("waiting for Slurm: job 17 PENDING (Resources)", 0, 1),
        ("waiting for Slurm: job 17 PENDING (Resources)", 1, 1),
        ("waiting for a worker of slurm:interface=lo", 0, 1),
    ]


def test_no_worker_ever_comes(tiny: Tiny, monkeypatch) -> None:
    """The same command goes on when there are some."""
    monkeypatch.setattr(workers, "LOOK", 0.0)
    monkeypatch.setattr(workers, "COME", 0.2)
    how = {"n_workers": 0, "processes": False, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(**how) as nobody:
        where = nobody.scheduler_address
        with pytest.raises(WaitError, match=f"no worker has come to {where} within") as error:
            tiny.build(cluster=where)
    assert "\n" not in str(error.value)
    assert tiny.build().made == 4


@pytest.mark.parametrize(
    ("code", "out", "err", "queue"),
    [
        (0, "18 RUNNING None\n19 PENDING (Priority)\n", "", "18 RUNNING (None)"),
        (0, "", "", ""),
        (1, "", "slurm_load_jobs error: Invalid job id specified\n", ""),
        (1, "", "squeue: error: Unable to contact slurm controller\n", None),
    ],
)
def test_what_slurm_says_of_jobs(code, out, err, queue, monkeypatch) -> None:
    def run(line: list[str], **_: Any) -> Any:
        assert line[0] == "squeue"
        assert line[-1] == "17,18,19"
        return subprocess.CompletedProcess(line, code, out, err)

    monkeypatch.setattr(workers.subprocess, "run", run)
    assert workers.queued(["17", "18", "19"]) == queue


def test_local_processes(tmp_path: Path) -> None:
    """The command line, with a shipped data set."""
    one, two = tmp_path / "one", tmp_path / "two"
    for out, more in ((one, []), (two, ["--cluster", "local:1"])):
        line = ["build", "sid", "--sample", "--split", "val", "--out", str(out), *more]
        done = CliRunner().invoke(main, line)
        assert done.exit_code == 0, done.output
    assert tinies.listing(one) == tinies.listing(two)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("here", "no cluster 'here': give tcp://HOST:PORT"),
        ("local:0", "no cluster 'local:0'"),
        ("slurm:cores=many", "cores takes a number, not 'many'"),
        ("slurm:queue=", "give queue=VALUE"),
        ("tcp://127.0.0.1:9", "no Dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_no_such_cluster(tiny: Tiny, where: str, says: str, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    if where.startswith("slurm"):
        pytest.importorskip("dask_jobqueue", reason="needs the extra `cluster`")
    with pytest.raises(BuildError) as error:
        tiny.build(cluster=where)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_worker_that_has_other_versions_or_sees_no_folder(tiny: Tiny, monkeypatch) -> None:
    with folder.locked(tiny.out) as token:
        work = Work(tiny.recipe, tiny.card, {}, tiny.source, tiny.out, None, token)
        with pytest.raises(BuildError, match=r"other versions \(.*numpy .*, now none"):
            cluster._there(None, None, work)
        monkeypatch.setattr(cluster, "_versions", dict)
        gone = replace(work, root=Path("/gone"))
        with pytest.raises(BuildError, match="does not see the folder /gone"):
            cluster._there(None, None, gone)


@pytest.mark.parametrize("order", ["123", "312"])
def test_shares_make_what_one_call_makes(tiny: Tiny, order: str) -> None:
    tiny.file("short/b2_0.dng").write_bytes(b"")  # a line of the ledger
    tiny.build(tiny.folder / "whole")
    for number, sign in enumerate(order, start=1):
        for path in tiny.source.rglob("*.dng"):  # each machine has a copy of its own
            os.utime(path, (number, number))
        summary = tiny.build(share=Share(int(sign), 3))
        assert (tiny.out / "index.json").exists() == (number == 3) == (not summary.missing)
    assert whole(tiny)
    shutil.rmtree(tiny.folder / "whole" / ".journal")
    shutil.rmtree(tiny.out / ".journal")


@posix
def test_two_shares_at_once(held: Tiny) -> None:
    """Processes of their own, each in the middle of a shard while the other one is."""
    line = [sys.executable, "-m", "isptools.cli", "build", str(held.folder / "recipe.toml")]
    line += ["--source", str(held.source), "--out", str(held.out), "--share"]
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    running = []
    try:
        for number in (1, 2):  # the second one finds the headers that the first one looked at
            running.append(subprocess.Popen([*line, f"{number}/2"], **how))
            until(lambda: len(disk.stale(held.out)) == len(running))
    finally:
        go_on(held)
        said = [one.communicate(timeout=600)[0] for one in running]
    assert [one.returncode for one in running] == [0, 0], said
    assert whole(held)


def test_shares_hold_a_folder_together_and_each_once(tmp_path: Path) -> None:
    with folder.locked(tmp_path, Share(1, 2)) as one, folder.locked(tmp_path, Share(2, 2)) as two:
        folder.holds(tmp_path, one)
        folder.holds(tmp_path, two)
        for share, says in (
            (Share(2, 2), "share 2/2 or another build"),
            (Share(2, 3), "another build"),
            (None, "another build"),
        ):
            with pytest.raises(BuildError, match=says), folder.locked(tmp_path, share):
                pass
    with folder.locked(tmp_path):
        with pytest.raises(BuildError, match="this worker's build is gone"):
            folder.holds(tmp_path, one)
        with pytest.raises(BuildError, match="another"), folder.locked(tmp_path, Share(1, 2)):
            pass


def test_shares_with_other_versions_are_no_build(tiny: Tiny, monkeypatch) -> None:
    tiny.build(share=Share(1, 2))
    monkeypatch.setattr("isptools.build.versions", lambda _: {"libraw": "0.0.1"})
    with pytest.raises(BuildError, match=r"made by another share with other versions .*libraw"):
        tiny.build(share=Share(2, 2))
    assert not (tiny.out / "index.json").exists()


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/5"])
def test_no_share(text: str, tmp_path: Path) -> None:
    line = ["build", "sid", "--sample", "--out", str(tmp_path), "--share", text]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 2
    assert "is no share: give I/N" in done.output
