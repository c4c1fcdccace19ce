"""Units on a Dask cluster: a scheduler that is running, processes of this machine, or Slurm's jobs.

Futures, not joblib's backend: docs/decisions/0031-shares-and-clusters.md says why.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from isptools.build import folder
from isptools.build.journal import Made
from isptools.build.share import told
from isptools.build.task import Undone, Unit, Wait
from isptools.build.work import Work
from isptools.build.workers import LostError, Waiting
from isptools.children import THREADS, safe_path
from isptools.datasets.listing import BuildError

PATIENCE = 60.0  # seconds for a scheduler that went away to come back
EXTRA = "in isptools' own folder, pip install '.[cluster]'"
SLURM = {"jobs": int, "cores": int, "processes": int}  # what is no text of its options
AGAIN = "30s"  # between two looks whether as many jobs are there as were asked for
BEGIN = "600"  # seconds that a job's worker may take to come: nodes read Python from busy disks
SOON = 0.1  # seconds between two looks for an answer, as Dask's own as_completed has it
Maker = Callable[[Unit, Work], Made | Undone]


@contextmanager
def opened(where: str) -> Iterator[Any]:
    """A client of `tcp://scheduler:8786`, `local:N` or `slurm[:name=value,...]`.

    What was started for it ends with it. BuildError in one line where there is no such cluster.
    """
    try:
        import distributed  # noqa: PLC0415 - an extra
    except ImportError:
        raise BuildError(f"--cluster needs Dask: {EXTRA}") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is told here
    with safe_path(), _started(where, distributed) as address:
        try:
            client = distributed.Client(address, timeout=PATIENCE / 2, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise BuildError(f"no Dask scheduler answers at {where}: {said}") from None
        try:
            yield client
        finally:
            with suppress(OSError, TimeoutError, CancelledError):
                client.close()


@contextmanager
def _started(where: str, distributed: Any) -> Iterator[Any]:
    """What a client connects to."""
    kind, _, words = where.partition(":")
    if "://" in where:
        yield where
    elif kind == "local" and words.isdecimal() and int(words):
        environment = dict.fromkeys(THREADS, "1")
        with distributed.LocalCluster(
            n_workers=int(words), threads_per_worker=1, memory_limit=0, env=environment,
            dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
        ) as cluster:  # fmt: skip
            yield cluster
    elif kind == "slurm":
        with _slurm(words) as cluster:
            yield cluster
    else:
        raise BuildError(
            f"no cluster {where!r}: give tcp://HOST:PORT of a scheduler, local:N, or "
            "slurm[:jobs=N,cores=N,memory=8GB,walltime=04:00:00,queue=NAME,...]"
        )


def _slurm(words: str) -> Any:
    """A cluster of Slurm's jobs, with one thread a worker, as many as `jobs` says at any time; all
    other options are dask_jobqueue.SLURMCluster's."""
    try:
        from dask_jobqueue.slurm import SLURMCluster  # noqa: PLC0415 - an extra
    except ImportError:
        raise BuildError(f"--cluster slurm needs dask-jobqueue: {EXTRA}") from None
    options = slurm_options(words)
    jobs = options.pop("jobs")
    try:
        cluster = SLURMCluster(**options, scheduler_options={"dashboard_address": "127.0.0.1:0"})
        try:
            _asked_for(jobs, cluster)
        except BaseException:
            with suppress(AssertionError):  # it wants jobs that never began to have ended
                cluster.close()
            raise
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise BuildError(f"--cluster slurm:{words}: {' '.join(str(error).split())}") from None
    return cluster


def _asked_for(jobs: int, cluster: Any) -> None:
    """Submit the jobs; RuntimeError or OSError with what sbatch says. One that ends before the
    build does, by its walltime for one, is asked for again."""

    async def submitted() -> None:
        await cluster
        for job in cluster.workers.values():  # what went wrong with one is not told before
            await job

    cluster.scale(jobs=jobs)
    cluster.sync(submitted)
    cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs, interval=AGAIN)


def slurm_options(words: str) -> dict[str, Any]:
    """Of `name=value,...`. BuildError in one line."""
    found: dict[str, Any] = {"jobs": 1, "cores": 1, "memory": "8GB", "death_timeout": BEGIN}
    for word in filter(None, words.split(",")):
        name, _, value = word.partition("=")
        try:
            found[name.strip()] = SLURM.get(name.strip(), str)(value)
        except ValueError:
            raise BuildError(f"--cluster slurm: {name} takes a number, not {value!r}") from None
        if not value:
            raise BuildError(f"--cluster slurm: give {name}=VALUE")
    return {"processes": found["cores"]} | found


def run(
    units: Sequence[Unit], work: Work, where: str, make: Maker, tell: Callable[[str], None]
) -> Iterator[Made | Undone]:
    """Make every unit over there and yield it when it is finished, in no fixed order.

    A worker that dies gives its unit to another; a unit that costs several workers is left undone.
    A scheduler that comes back within PATIENCE is given what is not finished; LostError where it
    does not, or where no worker comes. BuildError where workers can't write there, or have other
    versions, or all jobs ended before. `tell` is called with what is waited for while there is no
    worker, and with "" when there is one.
    """
    with opened(where) as client:
        waiting = Waiting(client, where, tell)
        left = {unit.name: unit for unit in units}
        while left:
            for name, answer in _once(list(left.values()), work, waiting, make):
                del left[name]
                yield answer
            if left:
                _reconnect(client, where)


def _once(
    units: Sequence[Unit], work: Work, waiting: Waiting, make: Maker
) -> Iterator[tuple[str, Made | Undone]]:
    """What becomes of units, until all are done or the scheduler is gone."""
    from distributed import KilledWorker  # noqa: PLC0415 - an extra

    client = waiting.client
    run_id = f"{work.token[-8:]}-{time.monotonic_ns()}"
    futures = {
        client.submit(_there, make, unit, work, key=f"{unit.name}-{run_id}", pure=False): unit
        for unit in units
    }
    try:
        for future in _ended(list(futures), waiting):
            unit = futures[future]
            try:
                yield unit.name, future.result()
            except KilledWorker as error:
                why = f"{unit.name}: {error.allowed_failures + 1} workers died of it"
                yield unit.name, Undone(unit.name, tuple(Wait(t.scene, why) for t in unit.tasks))
            except CancelledError:  # with its scheduler
                continue
    finally:
        with suppress(OSError, TimeoutError, CancelledError):
            client.cancel(list(futures))


def _ended(futures: Sequence[Any], waiting: Waiting) -> Iterator[Any]:
    """Each future when it has ended, as long as there are workers to wait for."""
    from distributed import as_completed  # noqa: PLC0415 - an extra

    ended = as_completed(futures, loop=waiting.client.loop)
    while ended.count():
        if ended.has_ready():
            yield next(ended)
        else:
            waiting.look()
            time.sleep(SOON)


def _reconnect(client: Any, where: str) -> None:
    end = time.monotonic() + PATIENCE
    while client.status != "running":
        if client.status == "closed" or time.monotonic() > end:
            raise LostError(
                f"the scheduler {where} went away; what is finished is kept: "
                "run the same command when it is back"
            )
        time.sleep(0.2)


def _there(make: Maker, unit: Unit, work: Work) -> Made | Undone:
    """One unit, in a worker."""
    import socket  # noqa: PLC0415 - for a line that is seldom told

    found = {name: version for name, version in work.versions.items() if name != "room"}
    if (here := _versions()) != found:
        raise BuildError(
            f"the worker on {socket.gethostname()} has other versions ({told(here, found)}): "
            "install the same ones there"
        )
    for place in (work.root, work.out):
        if not place.is_dir():
            raise BuildError(
                f"the worker on {socket.gethostname()} does not see the folder {place}: "
                "put it where all of them can read and write it"
            )
    folder.holds(work.out, work.token)
    return make(unit, work)


@cache
def _versions() -> dict[str, str]:
    from isptools.build.stamps import of_libraries  # noqa: PLC0415 - opens them

    return of_libraries()
