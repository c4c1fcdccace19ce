"""What needs no quiet card, made beforehand in processes side by side: compilers' work and proofs.

Compilers leave what they made on disk, where the measurement finds it: one after the other they
would take most of the eight minutes.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from card import frames, proofs, rates
from card.made import Size

from isptools.children import safe_path

SECONDS = 200  # for all of them


def run(script: Path, out: Path, words: list[list[str]]) -> None:
    """Start this script once for each list of words; what isn't done in time is ended."""
    began = time.monotonic()
    logs = [out / f"ahead-{at}.log" for at in range(len(words))]
    with safe_path():
        children = [_started(script, one, log) for one, log in zip(words, logs, strict=True)]
    for child, log, one in zip(children, logs, words, strict=True):
        try:
            child.wait(max(SECONDS - (time.monotonic() - began), 0.1))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        print(f"ahead, {time.monotonic() - began:.0f} s: {' '.join(one[4:])}: {child.returncode}")
        if child.returncode:
            print(log.read_text(errors="replace")[-1500:], flush=True)


def _started(script: Path, words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("w") as out:
        command = [sys.executable, str(script), *words]
        return subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)


def compiled(size: Size, what: str, name: str, stage: str) -> None:
    """One network compiled as it is measured later: a step, a frame, or the whole loop."""
    quick = replace(size, seconds=0.01)
    if what == "frame":
        frames.network_row(quick, name, "bf16", compiled=True)
    else:
        rates.step_row(quick, name, stage, what)


def looped(size: Size, source: Path, large: Path, out: Path) -> None:
    """Large shards, and the loop over them once."""
    from loader import enlarge

    large.mkdir()
    enlarge(source, large)
    (large / ".done").touch()
    proofs.feeding(size, large, out, "resident", 0, 8)


def found(out: Path) -> dict[str, Any]:
    """The proofs of a child, as far as it came."""
    path = out / "gpu.json"
    return json.loads(path.read_text()) if path.exists() else {}
