"""A disk that gives no locks: a network disk without a lock server, as HDF5 meets it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FLOCK = """
int flock(int fd, int op)
{
    extern int *__errno_location(void);
    *__errno_location() = 37; /* ENOLCK */
    return -1;
}
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("cc"), reason="needs Linux and a C compiler"
)
@pytest.mark.parametrize("command", ["check", "stats", "inspect", "open"])
def test_finished_shards_are_read_without_a_lock(command: str, sony: Path, tmp_path: Path) -> None:
    (tmp_path / "flock.c").write_text(FLOCK)
    library = tmp_path / "flock.so"
    made = ["cc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "flock.c")]
    subprocess.run(made, check=True)
    place = next(sony.glob("*.h5")) if command == "inspect" else sony
    words = ["-m", "isptools.cli", command, str(place)]
    if command == "open":
        words = ["-c", f"import isptools.shards as s; print(s.open({str(sony)!r})[0].input.shape)"]
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    call = [sys.executable, *words]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
