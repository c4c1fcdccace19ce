"""A miniature's shards, and the same with one input turned upside down."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from isptools.cli import main
from tests.report import ten
from tests.shards import made

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
    with made.changed(next(out.glob("sid-train-384*.h5"))) as file:
        pixels = file["input"][TURNED]
        file["input"][TURNED] = pixels[::-1, ::-1]
        key = file["meta"][TURNED]["key"].decode()
    for path in out.glob("*.h5"):
        with made.changed(path) as file:
            file.attrs["title"] = "<script>document.title='run'</script>"
    return out, key


@pytest.fixture(scope="session")
def ten_faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of shards with the ten faults of `ten`."""
    return ten.made(tmp_path_factory.mktemp("ten"))
