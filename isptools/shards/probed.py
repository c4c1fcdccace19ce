"""The process that reads shards first: lists of paths as JSON come in, a line each goes out."""

import contextlib
import json
import select
import signal
import sys
from collections import deque
from pathlib import Path

from isptools.shards import sums
from isptools.shards.columns import Rows
from isptools.shards.opened import Opened, let_in
from isptools.shards.schema import TABLES

SECONDS = 20  # of the processor's time for one shard
IDLE = 20  # seconds without a file, after which it ends
MEMORY = 1 << 30  # bytes beyond what Python and the libraries take


def outcome(path: Path) -> str:
    """What keeps a file from being read: "" also where it can be, but is no good shard."""
    try:
        with let_in(path, chunks=True) as file:
            _read(file)
    except MemoryError:
        return f"it takes more than {MEMORY >> 30} GB to read its tables"
    except Exception as error:  # HDF5 and NumPy raise nearly any type for a damaged file
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def _read(file: Opened) -> None:
    """All but pixels. What a row lacks or contradicts is for others to say."""
    sums.seals(file.file, file.found)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        for name, kind in TABLES.items():
            deque(Rows(kind, file[name][:]) if name in file else (), maxlen=0)


def _bound_memory() -> None:
    if sys.platform != "linux":
        return
    import resource  # noqa: PLC0415 - not on every system

    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, most))


def main() -> None:
    """Answer lines until there are none for a while, or the process that asks is gone."""
    _bound_memory()
    while _asked() and (line := sys.stdin.readline()):
        for path in json.loads(line):
            _bound_time(SECONDS)
            print(json.dumps(outcome(Path(path))), flush=True)  # noqa: T201 - that is the answer
            _bound_time(0)


def _asked() -> bool:
    if sys.platform == "win32":  # a pipe can't be waited for there with an end in sight
        return True
    return bool(select.select([sys.stdin], [], [], IDLE)[0])


def _bound_time(seconds: int) -> None:
    """Of the processor; its signal ends the process, also inside a library. 0 for no bound."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    main()
