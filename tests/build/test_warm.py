"""What is compiled beside a build's chain is what its decoders and `check` would compile."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from isptools.build import warm
from isptools.children import Child, DiedError
from tests.build.tiny import make

FOUND = """
import sys
from isptools.build import warm
from isptools.compiled import _Kernel
from isptools.cli import main
from isptools.raw import ljpeg
from isptools.shards import passes

kernels = [one for room in (passes, ljpeg) for one in vars(room).values() if type(one) is _Kernel]

def seen():
    return {(one.function.__name__, each) for one in kernels for each in one.compiled().signatures}

warm.compile_others()
before = seen()
try:
    main(["check", sys.argv[1]])
except SystemExit as done:
    assert done.code in (0, None), done.code
print(sorted(name for name, _ in seen() - before), sorted({name for name, _ in before}))
assert before >= seen()
"""


def test_check_compiles_nothing_more(tmp_path: Path) -> None:
    tiny = make(tmp_path / "tiny")
    tiny.build(tmp_path / "shards")
    done = subprocess.run(
        [sys.executable, "-c", FOUND, str(tmp_path / "shards")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


class Slow(Child):
    """A child that works until it is closed."""

    def __init__(self, **_: Any) -> None:
        self.called, self.closed = threading.Event(), threading.Event()

    def call(self, *_given: Any, **_limits: Any) -> Any:
        self.called.set()
        self.closed.wait()
        raise DiedError(-9)

    def close(self) -> None:
        self.closed.set()


def test_an_interrupt_does_not_wait_for_the_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "PATIENCE", 0)
    child = Slow()
    monkeypatch.setattr(warm, "Child", lambda **_: child)

    def interrupted() -> None:
        with warm._others_beside():
            child.called.wait()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert child.closed.is_set()
