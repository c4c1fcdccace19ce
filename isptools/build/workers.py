"""Whether a cluster has a worker; where none comes, a build says so, and waits not for ever."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from isptools.datasets.listing import BuildError

LOOK = 5.0  # seconds between two looks
COME = 600.0  # seconds without a worker, where nothing is known of those that shall come
GONE = 120.0  # the same with no job in Slurm's queue: one that ended is asked for again meanwhile
QUEUE = ("squeue", "--noheader", "--format=%A %T %r", "--jobs")
SECONDS = 30.0  # that Slurm may take for an answer


class LostError(BuildError):
    """The scheduler or its workers stay away: the same command goes on later."""


@dataclass(slots=True)
class Waiting:
    """Patience with a cluster that has no worker, at its beginning or later."""

    client: Any
    where: str
    tell: Callable[[str], None]  # what is waited for; "" when it has come
    next: float = 0.0  # look
    since: float = 0.0  # a look that found no worker; 0 where there is one
    said: str = ""

    def look(self) -> None:
        """LostError where no worker has come for COME seconds; BuildError in one line where none
        will, since all of Slurm's jobs have ended."""
        now = time.monotonic()
        if now < self.next or self.client.status != "running":
            return
        self.next = now + LOOK
        if self.client.scheduler_info(n_workers=1)["workers"]:
            self.since = 0.0
            self._say("")
            return
        self.since = self.since or now
        self._judge(now - self.since, jobs(self.client.cluster))

    def _judge(self, seconds: float, asked: "Jobs | None") -> None:
        if asked and asked.queue:
            self.since = 0.0  # a queue may take days; a job ends where its worker finds nobody
            self._say(f"waiting for Slurm: job {asked.queue}")
        elif asked and asked.queue is not None and seconds > GONE:
            raise BuildError(
                f"--cluster {self.where}: every job of Slurm's ended before its worker came "
                f"({asked.numbers}): see {asked.log}"
            )
        elif seconds > COME:
            raise LostError(
                f"no worker has come to {self.where} within {COME / 60:.0f} minutes; what is "
                "finished is kept: run the same command when there are some"
            )
        else:
            self._say(f"waiting for a worker of {self.where}")

    def _say(self, text: str) -> None:
        if text != self.said:
            self.said = text
            self.tell(text)


@dataclass(frozen=True, slots=True)
class Jobs:
    """What was asked of Slurm."""

    numbers: str  # 17, 18
    log: str  # where the first one's output lies
    queue: str | None  # the first one's number, state and reason; "" if none lives; None: not known


def jobs(cluster: Any) -> Jobs | None:
    """Those of a dask_jobqueue.SLURMCluster; None of any other."""
    workers = getattr(cluster, "workers", {}).values()
    asked = [one for one in workers if getattr(one, "job_id", None)]
    if not asked:
        return None
    numbers, first = [str(one.job_id) for one in asked], asked[0]
    log = f"slurm-{numbers[0]}.out in the folder of this command"
    if first.log_directory:
        log = f"{first.log_directory}/{first.job_name or 'worker'}-{numbers[0]}.err"
    return Jobs(", ".join(numbers), log, queued(numbers))


def queued(numbers: list[str]) -> str | None:
    """Of jobs, the first one that waits or runs: "17 PENDING (Priority)". "" if none does, None
    where Slurm does not say."""
    said = None
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(
            [*QUEUE, ",".join(numbers)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    if said is None or (said.returncode and "invalid job id" not in said.stderr.lower()):
        return None
    number, _, rest = said.stdout.partition("\n")[0].strip().partition(" ")
    state, _, why = rest.partition(" ")
    return f"{number} {state} ({why})" if number else ""
