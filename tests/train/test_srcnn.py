"""SRCNN: the counts of its paper's forms, and its preset."""

import csv

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.cli import main
from isptools.train import networks


@pytest.mark.parametrize(("middle", "printed"), [(1, 8_032), (3, 24_416), (5, 57_184)])
def test_it_has_the_papers_weights(middle, printed):
    """Printed for one channel; three have two more planes before the first and behind the last."""
    camera, _ = networks.built({"name": "srcnn", "middle": middle})
    weights = sum(weight.numel() for weight in camera.parameters() if weight.ndim > 1)
    assert weights == printed + 2 * (9 * 9 * 64 + 5 * 5 * 32)


def test_the_preset_trains(shards_folder, tmp_path):
    words = [
        "train", "srcnn-tiny", shards_folder, "--out", tmp_path, "--device", "cpu",
        "--set", "log_every=5", "--set", 'stages=[{train="whole",steps=15,rate=1e-3}]',
    ]  # fmt: skip
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    with (tmp_path / "log.csv").open() as file:
        losses = [float(row["training"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]
