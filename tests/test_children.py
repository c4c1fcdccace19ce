"""Nothing of the current folder runs: photographs may lie beside anybody's code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from isptools.children import safe_path
from tests.build.tiny import Tiny, make

# what the children of a build, of `check` and of a training import; each leaves a mark if it runs
NAMES = ("h5py", "hdf5plugin", "joblib", "numpy", "struct", "isptools", "msgspec", "rawpy", "cv2")
COMMAND = Path(sys.executable).with_name("isptools")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in NAMES:
        text = f"import pathlib; pathlib.Path({str(folder / 'ran')!r}).write_text({name!r})\n"
        (folder / f"{name}.py").write_text(text + "raise SystemExit(3)\n")
    return folder


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    return subprocess.run(
        [COMMAND, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_build_manifest_and_check_run_no_code_of_the_folder(tmp_path: Path, trap: Path) -> None:
    tiny: Tiny = make(tmp_path / "tiny")
    where = ("--source", str(tiny.source), "--out", "shards", "--jobs", "2")
    built = run("build", str(tiny.folder / "recipe.toml"), *where, cwd=trap)
    assert built.returncode == 0, built.stderr
    shards = sorted((trap / "shards").glob("*.h5"))
    assert len(shards) == 4
    for shard in shards:  # damaged, so that `check` looks from a process of its own
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1
        shard.write_bytes(data)
    assert run("check", "shards", cwd=trap).returncode == 1
    listed = run("manifest", str(tiny.source), "--out", "m", "--jobs", "2", cwd=trap)
    assert "Traceback" not in listed.stderr
    assert not (trap / "ran").exists(), (trap / "ran").read_text()


def test_the_trap_works(trap: Path) -> None:
    subprocess.run([sys.executable, "-m", "joblib"], cwd=trap, check=False)
    assert (trap / "ran").exists()


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with safe_path():
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert "PYTHONSAFEPATH" not in os.environ
    monkeypatch.setenv("PYTHONSAFEPATH", "x")
    with safe_path():
        pass
    assert os.environ["PYTHONSAFEPATH"] == "x"
