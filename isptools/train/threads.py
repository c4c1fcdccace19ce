"""How many threads compute and how many processes read: measured, not guessed."""

import math
import os
import time
from pathlib import Path

STAT = Path("/proc/stat")
LOOK = 0.25  # seconds of looking at what others take
ENOUGH = 0.05  # share of a step that may go into waiting before readers are started
QUOTA = Path("/sys/fs/cgroup/cpu.max")


def allowed() -> int:
    """Cores that this process may use: of its affinity, no more than its container's share."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = QUOTA.read_text().split()
        share = math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or "max"
        return cores or 1
    return max(min(cores or 1, share), 1)


def free(seconds: float = LOOK) -> int:
    """Cores that nobody else keeps busy just now, one at least.

    Threads of a small network wait for each other by turning on the spot: one more than there are
    free cores makes a training several times slower.
    """
    cores = allowed()
    busy = _busy(seconds)
    if busy is None:
        return cores
    return max(1, min(cores, round(cores - busy)))


def _busy(seconds: float) -> float | None:
    """Cores' worth of work of all processes meanwhile; None where the system does not tell."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if not before or not after:
        return None
    total = sum(after) - sum(before)
    idle = (after[3] + after[4]) - (before[3] + before[4])  # idle, waiting for a disk
    return (total - idle) / total * len(_lines()) if total else None


def _ticks() -> list[int]:
    """What this process's cores did since the start, by kind, as /proc/stat counts it."""
    rows = [[int(x) for x in line.split()[1:9]] for line in _lines()]
    return [sum(column) for column in zip(*rows, strict=True)]


def _lines() -> list[str]:
    try:
        lines = STAT.read_text().splitlines()
    except OSError:
        return []
    own = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    return [line for line in lines if line.partition(" ")[0] in own]


def readers(reading: float, computing: float, cores: int) -> int:
    """Processes that read as fast as steps compute; 0 where reading takes hardly any of a step.

    `reading` and `computing` are seconds of a step; `cores` are those that are free for it.
    """
    if reading < ENOUGH * (reading + computing):
        return 0
    return min(math.ceil(reading / max(computing, 1e-9)), cores)
