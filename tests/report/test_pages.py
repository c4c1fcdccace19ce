"""The pages of a training and of a comparison."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from isptools.cli import main
from isptools.report import plots


def report(folder: Path, out: Path) -> Result:
    return CliRunner().invoke(main, ["report", str(folder), "--out", str(out)])


def test_a_run_shows_curves_scores_crops_and_settings(run: Path, tmp_path: Path) -> None:
    done = report(run, tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text()
    assert "&lt;b&gt;mine" in page
    assert "<b>mine" not in page
    for word in ("31.000", "network.layers", "data:image/png", "MFU unknown", "It is done"):
        assert word in page
    told = json.loads((tmp_path / "page.json").read_text())
    assert told["verdict"] == "ship"
    assert told["scores"][0]["means"][0] == ["network", ["31.000", "0.850"]]
    facts = {fact["name"]: fact["value"] for fact in told["facts"]}
    assert facts["validation loss"] == "2"
    assert facts["speed"] == "4"  # the mean of 2.5, 3.5, 4.5, 5.5


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (lambda run: (run / "model.safetensors").unlink(), 3, "not done"),
        (lambda run: _last(run, "1", "9"), 3, "learned its pictures by heart"),
        (lambda run: _last(run, "nan", "2"), 3, "no longer a finite number"),
        (lambda run: (run / "log.csv").unlink(), 1, "log.csv"),
        (lambda run: (run / "log.csv").write_text(""), 1, "nothing is logged"),
        (lambda run: (run / "settings.json").write_text("{"), 1, "settings.json"),
        (lambda run: (run / "eval-test.csv").write_text("a\n"), 1, "eval-test.csv"),
    ],
)
def test_a_run_that_needs_a_look_says_why(run: Path, tmp_path: Path, change, code, word) -> None:
    change(run)
    done = report(run, tmp_path / "page.html")
    assert done.exit_code == code, done.output
    assert word in done.output


def _last(run: Path, training: str, validation: str) -> None:
    with (run / "log.csv").open("a") as file:
        file.write(f"joint,50,1e-3,{training},{validation},2,nan\n")


def test_a_comparison_shows_its_tables_and_plots(compared: Path, tmp_path: Path) -> None:
    done = report(compared, tmp_path / "page.html")
    assert done.exit_code == 3, done.output  # a row has no numbers
    assert "1 rows have no numbers" in done.output
    page = (tmp_path / "page.html").read_text()
    assert "a &lt;i&gt;" in page
    assert "31.000 ± 1.414" in page  # by hand: the deviation of 30 and 32
    assert "12,345" in page
    assert "data:image/svg+xml;base64," in page
    (compared / "table.json").write_text('{"metrics": 3}')
    assert report(compared, tmp_path / "page.html").exit_code == 1


def test_lines_stand_where_their_numbers_are() -> None:
    made = plots.lines("t", {"a": [(0, 1.0), (10, 3.0)], "b": [(5, 2.0), (6, np.nan)]})
    ends = dict(made.lines)
    left, right = plots.LEFT, plots.WIDTH - plots.RIGHT
    low, high = plots.HEIGHT - plots.BOTTOM, plots.TOP
    assert ends["a"] == f"{left:.1f},{low:.1f} {right:.1f},{high:.1f}"
    assert ends["b"] == f"{(left + right) / 2:.1f},{(low + high) / 2:.1f}"


def test_a_scale_is_a_round_number() -> None:
    assert [plots.nice(most) for most in (0.37, 0.99, 1.0, 4.9, 73)] == [0.2, 0.5, 1, 2, 50]
