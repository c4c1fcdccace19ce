"""A machine that fails: calls into the system that give an error for some files."""

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

HERE = Path(__file__).parent


@lru_cache
def shim() -> str:
    """The library that is loaded before the system's; skips where none can be made."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("no C compiler, or no Linux, to make calls fail with")
    made = Path(mkdtemp(prefix="faults-")) / "eio.so"
    line = [compiler, "-shared", "-fPIC", "-o", str(made), str(HERE / "eio.c"), "-ldl"]
    subprocess.run(line, check=True)
    return str(made)


def failing(path: str, number: int, calls: str, until: Path | None = None) -> dict[str, str]:
    """An environment in which `calls` (letters: open, read, stat) of a file fail."""
    told = {"FAULT_PATH": path, "FAULT_ERRNO": str(number), "FAULT_CALLS": calls}
    if until:
        told["FAULT_UNTIL"] = str(until)
    return {**os.environ, "LD_PRELOAD": shim(), **told}
