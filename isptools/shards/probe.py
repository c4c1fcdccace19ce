"""Read a whole shard in a process of its own: HDF5 may crash on a damaged file."""

import subprocess
import sys
from pathlib import Path

import hdf5plugin  # noqa: F401 - registers the decompression filter with HDF5

from isptools.shards.opened import opened


def survives(path: Path) -> bool:
    """Whether every number of the file can be read without an error or a crash."""
    command = [sys.executable, "-P", "-m", "isptools.shards.probe", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _read(path: str) -> None:
    with opened(path) as file:
        list(file.attrs.items())
        for dataset in file.values():
            list(dataset.attrs.items())
            for row in range(len(dataset)):
                dataset[row]


if __name__ == "__main__":
    _read(sys.argv[1])
