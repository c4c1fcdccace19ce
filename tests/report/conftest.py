"""A miniature's shards, and the same with one input turned upside down."""

import shutil
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner

from isptools.cli import main

TURNED = 2  # row of the training shard


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "sid"
    done = CliRunner().invoke(main, ["build", "sid", "--sample", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="session")
def planted(honest: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder, and the key of the input that was turned; its title wants to be run."""
    out = tmp_path_factory.mktemp("planted") / "sid"
    shutil.copytree(honest, out)
    with h5py.File(next(out.glob("sid-train-384*.h5")), "r+") as file:
        pixels = file["input"][TURNED]
        file["input"][TURNED] = pixels[::-1, ::-1]
        key = file["meta"][TURNED]["key"].decode()
    for path in out.glob("*.h5"):
        with h5py.File(path, "r+") as file:
            file.attrs["title"] = "<script>document.title='run'</script>"
    return out, key
