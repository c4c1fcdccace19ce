"""Training needs torch; without it these tests are skipped. Threads stay few: nets are tiny."""

import contextlib
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from isptools.cli import main

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of commands that tests start or call
with contextlib.suppress(ModuleNotFoundError):
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shards_folder(tmp_path_factory):
    """The miniature SID, Sony: 8 training inputs, 3 for validation, 2 for testing."""
    if ready := os.environ.get("ISPTOOLS_MINIATURE"):  # benchmarks/mutants.py builds it once
        return Path(ready)
    folder = tmp_path_factory.mktemp("shards") / "sid"
    done = CliRunner().invoke(main, ["build", "sid", "--sample", "--out", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="session")
def pictures_folder(tmp_path_factory):
    """The miniature DPED: 39 pairs of finished pictures to train on, 11 for testing."""
    folder = tmp_path_factory.mktemp("shards") / "dped"
    done = CliRunner().invoke(main, ["build", "dped", "--sample", "--out", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="session")
def miniature(tmp_path_factory):
    """The shards of a recipe's miniature, made once."""
    folder = tmp_path_factory.mktemp("miniatures")

    def shards(recipe):
        if not (folder / recipe).exists():
            words = ["build", recipe, "--sample", "--out", str(folder / recipe)]
            built = CliRunner().invoke(main, words)
            assert built.exit_code == 0, built.output
        return folder / recipe

    return shards
