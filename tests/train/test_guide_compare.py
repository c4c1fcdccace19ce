"""The page on comparing is followed word by word, its own network as a row."""

import shutil

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

import msgspec

from isptools.compare import methods
from isptools.compare.table import Budget, Data, Jpeg, Row, Table
from tests.test_docs import ROOT
from tests.train.test_guide_network import follow, here

GUIDE = ROOT / "docs/guides/compare.md"


def test_the_guide_is_followed(tmp_path, shards_folder):
    shutil.copytree(shards_folder, tmp_path / "shards")  # so that the build finds it done
    said = follow(GUIDE, tmp_path, here)
    assert len(said) == 3
    rows = (tmp_path / "compared/table.md").read_text(encoding="utf-8").splitlines()
    numbers = {row.split("|")[1].strip(): row.split("|")[3].strip() for row in rows if "|" in row}
    assert float(numbers["mine"]) > 0
    assert float(numbers["CameraNet"]) > 0
    assert numbers["the camera's software"] == "-"


def test_the_guide_names_every_word():
    text = GUIDE.read_text(encoding="utf-8")
    for kind in (Table, Budget, Data, Row, Jpeg):
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in text, f"{kind.__name__}: {field.name}"
    for name in set(methods.NAMES) - {"truth"}:
        assert f"`{name}`" in text, name
