"""The examples of the documents, run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from isptools import shards
from isptools.cli import main as command_line
from isptools.shards.schema import FusionRow

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(document: str, language: str) -> list[str]:
    text = (DOCS / document).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run(code: str, folder: Path) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_the_h5py_example(sony: Path) -> None:
    code = blocks("shard-format.md", "python")[0]
    assert len([line for line in code.splitlines() if line]) <= 10
    assert "isptools" not in code
    first, second = run(code, sony).splitlines()
    assert first == "sid/00001/00001_00_0.04s RGGB x 250, truth in xyz"
    with shards.open(sony, "train") as opened:
        sample = opened[0]
    assert sample.restoration is not None
    green = sample.input[0::2, 1::2].mean(dtype=np.float64) * 250
    luminance = sample.restoration[1].mean(dtype=np.float64)
    assert second == f"green of the input {green:.3f}, Y of its truth {luminance:.3f}"


def test_the_example_with_isptools(sony: Path) -> None:
    lines = run(blocks("shard-format.md", "python")[1], sony).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("sid/") and "(128, 128)" in line for line in lines)


def test_the_first_build(tmp_path: Path) -> None:
    for line in blocks("guides/first-build.md", "sh")[0].splitlines():
        program, *arguments = line.split()
        assert program == "isptools"
        code = f"from isptools.cli import main; main({arguments!r})"
        assert run(code, tmp_path), line
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    found = run(blocks("guides/first-build.md", "python")[0], tmp_path).splitlines()
    assert found[0] == "8 samples of 3 scenes"
    assert len(found) == 3


@pytest.mark.parametrize("document", ["shard-format.md", "guides/first-build.md"])
def test_every_option_that_is_named_exists(document: str) -> None:
    named = set(re.findall(r"(--[a-z]+)", (DOCS / document).read_text()))
    known = {
        option
        for name in ("build", "check", "inspect", "ledger", "stats")
        for parameter in command_line.get_command(None, name).params  # type: ignore[attr-defined, arg-type]
        for option in parameter.opts
    }
    assert named <= known


def test_every_column_is_described(sony: Path) -> None:
    text = (DOCS / "shard-format.md").read_text()
    with shards.open(sony) as opened:
        row, truth = opened.facts(0), opened.truth_facts(0)
        attrs = opened.tables[0].attrs
    names = {*row.__slots__, *truth.__slots__, *FusionRow.__slots__, *attrs}
    short = {name.replace("restoration_", "").replace("enhancement_", "") for name in names}
    assert {name for name in short if name not in text and f"_{name}" not in text} == set()
