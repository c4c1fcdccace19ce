"""Where the real files lie that some tests use; they are not part of the repository.

And what lets two processes test at once (pytest-xdist) on a machine that has other work.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from numba.core.caching import NullCache
from numba.core.dispatcher import Dispatcher

with pytest.MonkeyPatch.context() as patched:
    # OpenMP asks once, when it is loaded. LibRaw's threads would wait for each other by turning on
    # the spot, for pictures of 46 rows; our own threads ask later, and are as many as they are.
    patched.setenv("OMP_NUM_THREADS", "1")
    import rawpy  # noqa: F401

SHARED = Path(
    os.environ.get("ISPTOOLS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)


# a process tests whole files: one that begins with these last has the others wait for it
LONGEST = (
    "train/test_photographs.py", "train/test_card.py", "test_docs.py", "train/test_whole_way.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        file = item.nodeid.partition("::")[0].removeprefix("tests/")
        return LONGEST.index(file) if file in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"no real raws: {SHARED} is not there (set ISPTOOLS_DATA)")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def kernels_compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One process at a time compiles for numba's cache on disk; the next finds it there.

    Without it both compile what both need. And numba names a kernel's files by their number in the
    index, so that two that compile one kernel for other types write into the same file.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    lock = FileLock(tmp_path_factory.getbasetemp().parent / "kernels.lock")
    compile_ = Dispatcher.compile

    def alone(kernel: Dispatcher, signature: Any) -> Any:
        if isinstance(kernel._cache, NullCache):
            return compile_(kernel, signature)
        with lock:
            return compile_(kernel, signature)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Dispatcher, "compile", alone)
        yield
