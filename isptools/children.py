"""Processes that this one starts: they run the code that is installed, not that of the folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def safe_path() -> Iterator[None]:
    """Start Python meanwhile without the current folder on its module path.

    Pools start their workers with `python -m` or `python -c`, which put it first: a `joblib.py`
    among somebody's photographs would run in every worker.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before
