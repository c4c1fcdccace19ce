"""The papers' tables that ship: every row can be trained, and rows of each are, at budget tiny."""

import json
import math
import re

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from click.testing import CliRunner

from isptools import shipped
from isptools.cli import main
from isptools.compare import cost, histograms, methods, rows
from isptools.compare.plan import trains
from isptools.compare.table import BUDGETS, Table

PAPERS = {path.stem: path for path in sorted((shipped.folder("recipes") / "papers").glob("*.toml"))}
# of each table what is tried here: shards of which recipes, and which rows
TRIED = {
    "cameranet-v1-table-1": (["SID=sid"], ["without step 3"]),
    "cameranet-v1-table-2": (["FiveK=sid"], ["DCRaw", "Camera Raw"]),
    "cameranet-v1-table-3": (["Nikon D700=sid", "Sony A900=sid"], ["CameraNet"]),
    "cameranet-v2-figure-2": (["sid"], []),
    "cameranet-v2-jpeg": (["sid"], ["chain + auto-tone"]),
    "cameranet-v2-table-1": (["HDR+=sid"], ["without step 1", "perceptual loss"]),
    "cameranet-v2-table-2": (["sid"], ["L3", "LibRaw's default"]),
    "cameranet-v2-table-3": (["FiveK=sid"], []),
    "cameranet-v2-table-4": ([], ["DeepISP"]),
    "cameranet-v2-transfer": (["HDR+=sid", "FiveK=sid"], ["Enhance-Net of FiveK"]),
    "compression-aware-figure-5": (["sid"], ["truth, quality 80", "truth, quality 96"]),
    "compression-aware-table-1": (["sid"], ["quality 80, U-Net", "quality 80, DJS"]),
    "compression-aware-table-2": (["sid"], ["quality 80, ACN, trained with it"]),
    "compression-aware-table-3": (["sid"], ["quality 90, DJS, isp 1, compressed 0.1"]),
    "deepisp-figure-11": (["sid"], ["not shared", "opinion scores"]),
    "deepisp-figure-5": (["msr"], ["4 blocks"]),
    "deepisp-figure-6": (["msr"], ["8 filters"]),
    "deepisp-figure-7": (["msr"], ["without skip connections"]),
    "deepisp-table-1": (["msr"], ["AHD", "SEM"]),
    "dped-table-2": (["dped"], ["phone's picture", "Dong et al."]),
    "dped-table-3": (["dped"], ["MSE + texture"]),
}


def test_every_table_is_tried_and_listed():
    assert set(TRIED) == set(PAPERS)
    done = CliRunner().invoke(main, ["compare", "--list"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == list(PAPERS)


@pytest.mark.parametrize("name", PAPERS)
def test_every_row_is_known(name):
    """Settings, networks and stages of every trained row; names of every other one."""
    table = Table.load(PAPERS[name])
    assert set(table.budgets) <= set(BUDGETS)
    assert table.paper
    for row in table.rows:
        assert row.printed or table.kind != "losses"
        if row.cannot:
            continue
        if trains(table, row):
            every = table.data or (table.of("any"),)
            for data, budget in [(one, "tiny") for one in every] + [(every[0], "hour")]:
                assert rows.settings(table, row, data, table.budget(budget)).stages
        elif table.kind == "quality":
            assert row.method in methods.NAMES
        elif table.kind == "histograms":
            assert row.method in histograms.OPERATORS
        elif table.kind == "complexity":
            assert row.network
            assert set(table.metrics) <= set(cost.COLUMNS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What tables trained, for the next one that asks for the same."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def out(runs, tmp_path):
    """A folder for a table's own files."""
    (tmp_path / "runs").symlink_to(runs)
    return tmp_path


@pytest.mark.parametrize("name", TRIED)
def test_a_table_works_at_budget_tiny(name, shards_folder, pictures_folder, miniature, out):
    given, only = TRIED[name]
    words = ["compare", name, "--budget", "tiny", "--out", str(out), "--device", "cpu"]
    for word in given:
        data, _, recipe = word.rpartition("=")
        folder = {"sid": shards_folder, "dped": pictures_folder}.get(recipe) or miniature(recipe)
        words.append(f"{data}={folder}" if data else str(folder))
    for row in only:
        words += ["--row", row]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    text = (out / "table.md").read_text(encoding="utf-8")
    table = Table.load(PAPERS[name])
    for section in json.loads((out / "table.json").read_text(encoding="utf-8"))["data"]:
        assert [row["name"] for row in section["rows"]] == (
            only or [row.name for row in table.rows]
        )
        assert section["not_comparable"] or not given, "so few steps or pictures"
        parts = text.split("\n## ")
        expect_rows(table, section, next((p for p in parts if p.startswith(section["name"])), text))
    named = re.findall(r"!\[.*\]\((.*)\)", text)
    assert all((out / one).stat().st_size for one in named)
    assert any(one.endswith(".svg") for one in named)
    assert any(one.endswith(".png") for one in named) == (table.kind == "quality" and bool(given))


def expect_rows(table, section, text):
    """Each row has its numbers, the paper's and its reason, in the page as in the JSON."""
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines()}
    known = {row.name: row for row in table.rows}
    for row in section["rows"]:
        said, line = known[row["name"]], lines[row["name"]]
        if section["name"] in said.printed:
            assert " / ".join(f"{x:.10g}" for x in said.printed[section["name"]]) in line
        if said.cannot:
            assert row["remark"].startswith(said.cannot)
            assert said.cannot in line
            continue
        (measured,) = row["by_seed"]
        assert all(math.isfinite(measured[metric]) for metric in table.metrics)
        shown = measured[table.metrics[0]]
        assert f"| {shown:.{3 if shown >= 0.1 else 4}f} |" in line
