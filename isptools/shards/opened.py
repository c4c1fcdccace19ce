"""Open a finished shard for reading."""

from pathlib import Path
from typing import Any

import h5py

REFUSED = "unable to lock file"  # HDF5's words


def opened(path: Path | str) -> Any:
    """The file; without a lock where the disk gives none, as a network disk may: a shard never
    changes once it has its name. OSError if it can't be read."""
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if REFUSED not in str(error):
            raise
    return h5py.File(path, "r", locking=False)
