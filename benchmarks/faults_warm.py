"""Imported by the process that the others are forked from: kernels are loaded once, not each time.

They are compiled without threads, and tries run with one; a process with threads must not fork.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import faults_kills

with TemporaryDirectory(prefix="faults-") as _place:
    _said = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for _of in (faults_kills.of_build, faults_kills.of_fused):
        (Path(_place) / _of.__name__).mkdir()
        _of(Path(_place) / _of.__name__).work(1)
    os.dup2(_said, 2)
    os.close(_said)
    sys.stderr.flush()
