"""Nothing of the current folder, or from beside the data, runs: by no command, in no worker."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from isptools.cli import COMMANDS
from tests.build.tiny import Tiny, make

NAMES = ("h5py", "hdf5plugin", "joblib", "numpy", "numba", "isptools", "sitecustomize", "msgspec",
         "rawpy", "cv2", "torch", "pickle", "struct")  # fmt: skip
COMMAND = Path(sys.executable).with_name("isptools")
TRAINED = ("train", "srcnn", "shards", "--out", "run", "--set", "steps=1",
           "--set", "batch=1", "--jobs", "1")  # fmt: skip
# in an order in which each finds what it needs; one that is refused has read all the same
LINES: tuple[tuple[str, ...], ...] = (
    ("build", "../recipe.toml", "--source", "../raw", "--out", "shards", "--jobs", "2"),
    ("check", "shards"),
    ("ledger", "shards"),
    ("doctor", "--no-test"),
    ("inspect", "shards/tiny-train-64x80-0000.h5", "--image", "shard.png"),
    ("stats", "shards"),
    ("inspect", "../raw/long/a1_long.dng"),
    ("render", "../raw/long/a1_long.dng", "--out", "a.png"),
    ("render", "../raw/long/b2_long.dng", "--out", "b.png"),
    ("align", "a.png", "b.png", "--out", "aligned"),
    ("fuse", "../raw/short/a1_0.dng", "../raw/short/a1_1.dng", "--out", "fused.dng"),
    ("bad-pixels", "../raw/short/a1_0.dng", "../raw/short/a1_1.dng"),
    ("init", "../raw", "--out", "proposed"),
    ("manifest", "../raw", "--out", "files.tsv", "--jobs", "2"),
    ("show", "../recipe.toml"),
    ("recipes",),
    ("get", "../manifest"),
    ("sample", "pairs", "--out", "miniature"),
    ("models",),
    TRAINED,
    ("eval", "run", "shards"),
    ("convert", "shards", "--to", "npz", "--out", "npz"),
    ("compare", "cameranet-v2-figure-2", "shards", "--out", "compared", "--budget", "tiny"),
    ("report", "shards", "--out", "page.html"),
    ("develop", "run", "../raw/short/a1_0.dng", "--out", "c.png"),
    ("export", "run", "--onnx", "c.onnx"),
)
# one of every way to start: workers, decoders, readers of shards; test_foreign trains
QUICK = ("build", "check", "render", "align", "manifest", "report")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder to stand in, and that of the data, full of code that leaves a mark."""
    tiny: Tiny = make(tmp_path / "tiny")
    here = tiny.folder / "here"
    here.mkdir()
    for folder in (here, tiny.folder, tiny.source, tiny.source / "long", tiny.folder / "manifest"):
        for name in NAMES:
            mark = tmp_path / "ran"
            text = f"import pathlib; pathlib.Path({str(mark)!r}).write_text({name!r})\n"
            (folder / f"{name}.py").write_text(text + "raise SystemExit(3)\n")
    return here


def test_every_command_is_tried() -> None:
    assert {line[0] for line in LINES} == set(COMMANDS)


@pytest.mark.parametrize(
    "names", [QUICK, pytest.param(tuple(COMMANDS), marks=pytest.mark.long)], ids=["some", "all"]
)
def test_no_command_runs_code_of_the_folder(
    trap: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    for line in (one for one in LINES if one[0] in names):
        done = subprocess.run(
            [COMMAND, *line], cwd=trap, env=environment, capture_output=True, text=True, check=False
        )
        mark = tmp_path / "ran"
        assert not mark.exists(), f"isptools {line[0]} ran {mark.read_text()}.py"
        assert "Traceback" not in done.stderr, done.stderr
        if line[0] == "build":  # what others need
            assert done.returncode == 0, done.stderr
            for name in NAMES:
                shutil.copy(trap / f"{name}.py", trap / "shards")
