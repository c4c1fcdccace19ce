"""`make gpu` in the tiny form of a processor: it must not rot before the day a GPU is there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")

ROOT = Path(__file__).resolve().parents[2]


def test_the_tiny_form_measures_and_proves_everything(shards_folder, tmp_path):
    page = tmp_path / "gpu.md"
    marked = "<!-- measured: begin -->\nstale figures\n<!-- measured: end -->"
    page.write_text(f"before\n{marked}\nbehind\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/gpu.py"), "--tiny", "--device", "cpu", "--out",
         str(tmp_path), "--page", str(page), "--shards", str(shards_folder)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["failed"] == []
    assert found["left_out"] == []
    assert all(row["held"] for row in found["proofs"])
    assert {row["network"] for row in found["steps"]} >= {"cameranet", "deepisp"}
    assert all(row["falls"] for row in found["steps"])
    assert {row["data"] for row in found["feeding"]} == {"read", "resident"}
    assert all(row["apart"] < 1e-5 for row in found["develop"])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("behind\n")
    assert "stale figures" not in text
    assert "### What must hold" in text
