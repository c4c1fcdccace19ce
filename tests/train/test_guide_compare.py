"""The page on comparing is followed word by word, its own network as a row."""

import shutil

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

import msgspec
from click.testing import CliRunner

from isptools import shipped
from isptools.cli import main
from isptools.compare import methods
from isptools.compare.table import Budget, Data, Jpeg, Row, Table
from tests.test_docs import ROOT, blocks
from tests.train.test_guide_network import follow, here

GUIDE = ROOT / "docs/guides/compare.md"


def cells(page):
    """Of a table by the first of each row."""
    rows = [line.split("|")[1:-1] for line in page.read_text(encoding="utf-8").splitlines()]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows if row}


def test_the_guide_is_followed(tmp_path, shards_folder):
    """Its one line without a name is put where the page says, before what comes behind it."""
    (line,) = [text for kind, name, text in blocks(GUIDE) if kind == "toml" and not name]

    def run(words, folder):
        paper = folder / "paper.toml"
        if paper.exists():
            text = paper.read_text(encoding="utf-8")
            paper.write_text(text.replace("rows = [\n", f"rows = [\n{line}"), encoding="utf-8")
        return here(words, folder)

    shutil.copytree(shards_folder, tmp_path / "shards")  # so that the build finds it done
    said = follow(GUIDE, tmp_path, run)
    assert len(said) == 5
    numbers = cells(tmp_path / "compared/table.md")
    assert float(numbers["mine"][1]) > 0
    assert float(numbers["CameraNet"][1]) > 0
    assert numbers["the camera's software"][1] == "-"
    beside = cells(tmp_path / "beside/table.md")
    assert beside["mine"][0] == "12", "parameters"
    assert float(beside["mine"][1]) > 0
    assert float(beside["DeepISP"][1]) > 0
    printed = beside["method"].index("printed SID")
    assert beside["DeepISP"][printed] == "18.26 / 0.649 / 10.18"
    assert beside["mine"][printed] == "-"


def test_a_copy_is_the_table_and_is_written_over_nothing(tmp_path):
    paper = shipped.folder("recipes") / "papers/cameranet-v2-table-2.toml"
    copy = tmp_path / "new" / "paper.toml"
    words = ["compare", "cameranet-v2-table-2", "--copy", str(copy)]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.output) == (0, "")
    assert copy.read_bytes() == paper.read_bytes()
    copy.write_text("mine")
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert "is there already" in done.output
    assert copy.read_text() == "mine"
    done = CliRunner().invoke(main, ["compare", "table-9", "--copy", str(tmp_path / "x.toml")])
    assert done.exit_code == 1
    assert "isptools compare --list" in done.output
    assert not (tmp_path / "x.toml").exists()


def test_the_guide_names_every_word():
    text = GUIDE.read_text(encoding="utf-8")
    for kind in (Table, Budget, Data, Row, Jpeg):
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in text, f"{kind.__name__}: {field.name}"
    for name in set(methods.NAMES) - {"truth"}:
        assert f"`{name}`" in text, name
