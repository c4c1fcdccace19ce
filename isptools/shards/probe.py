"""Have shards read in a process of its own first: HDF5 may crash or hang, or take all memory."""

import atexit
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

OVERTIME = -getattr(signal, "SIGPROF", 0)
_lock = Lock()
_helpers: dict[int, "subprocess.Popen[bytes]"] = {}  # by process, as a forked one needs its own


def outcomes(paths: Sequence[Path]) -> list[str]:
    """What keeps each file from being read, in a line, "" for nothing."""
    with _lock:
        out: list[str] = []
        while len(out) < len(paths):
            out += _some(paths[len(out) :])
        return out


def _some(paths: Sequence[Path]) -> Iterator[str]:
    """Of the first files, up to one that ends the helper."""
    helper, words = _helper(), json.dumps([str(path.absolute()) for path in paths])
    if not (helper.stdin and helper.stdout):
        raise ValueError("a process without pipes")
    try:
        helper.stdin.write(words.encode() + b"\n")
        helper.stdin.flush()
    except BrokenPipeError:  # it ended for want of work
        _end()
        return
    for _ in paths:
        line = helper.stdout.readline()
        if not line.endswith(b"\n"):
            code = helper.wait()
            _end()
            yield from [_fatal(code)] if code else []
            return
        yield json.loads(line)


def _helper() -> "subprocess.Popen[bytes]":
    """The process that reads for this one; it ends by itself some seconds after its last file."""
    found = _helpers.get(os.getpid())
    if found is None or found.poll() is not None:
        _end()
        # without the current folder on the module path: an h5py.py may lie among damaged shards
        command = [sys.executable, "-P", "-m", "isptools.shards.probed"]
        pipe = subprocess.PIPE
        found = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        _helpers[os.getpid()] = found
    return found


@atexit.register
def _end() -> None:
    """End the helper of this process, if it has one."""
    helper = _helpers.pop(os.getpid(), None)
    if helper:
        helper.kill()
        helper.communicate()


def _fatal(code: int) -> str:
    if code == OVERTIME:
        return "HDF5 comes to no end with it"
    if code < 0:
        return f"HDF5 crashes on it ({signal.Signals(-code).name})"
    return f"reading it ends the process with {code}"
