"""`isptools train --dry-run`: what it says of a small network, worked out by hand."""

import json
import re

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.cli import main
from isptools.train import dry, networks
from isptools.train.camera import parameters


def test_it_says_what_a_training_takes_and_keeps_nothing(shards_folder, tmp_path):
    """Of 8 inputs: 20 epochs in cuts of two are 80 steps."""
    words = [
        "train", "cameranet-tiny", shards_folder, "--out", tmp_path / "run", "--device", "cpu",
        "--dry-run", "--set", "network.widths=[4,6]", "--set", "patch=32", "--set",
        'stages=[{train="restore",epochs=20},{train="joint",steps=6}]',
    ]  # fmt: skip
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    whole, first, second, restore, joint, total = done.stdout.splitlines()
    camera, _ = networks.built({"name": "cameranet", "widths": [4, 6]})
    assert whole == f"cameranet: {parameters(camera):,} parameters"
    sizes = [f"{parameters(net):,}" for net in camera.nets]
    assert first == f"part 0: 5 x 16 x 16 to 3 x 32 x 32, {sizes[0]} parameters"
    assert second == f"part 1: 12 x 16 x 16 to 3 x 32 x 32, {sizes[1]} parameters"
    assert restore.startswith("restore: 80 steps of 2 cuts (20.0 epochs of 8 inputs), ")
    assert joint.startswith("joint: 6 steps of 2 cuts (1.5 epochs of 8 inputs), ")
    found = [re.search(r"([\d.e-]+) GFLOP and ([\d.]+) ms", line) for line in (restore, joint)]
    work, seconds = zip(*((float(x[1]), float(x[2])) for x in found), strict=True)
    assert work[1] > 1.5 * work[0] > 0, "both networks, not one"
    assert min(seconds) > 0
    minutes = float(re.search(r"about ([\d.]+) minutes", total)[1])
    assert minutes == pytest.approx((80 * seconds[0] + 6 * seconds[1]) / 60e3, abs=0.06)
    assert not (tmp_path / "run").exists()


def test_as_json_it_is_the_same_facts(shards_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(dry, "measured", lambda *_: dry.Took(0.5, 2**20))
    words = [
        "train", "cameranet-tiny", shards_folder, "--out", tmp_path / "run", "--device", "cpu",
        "--dry-run", "--set", "network.widths=[4,6]", "--set", "patch=32", "--json", "--set",
        'stages=[{train="restore",epochs=20},{train="joint",steps=6}]',
    ]  # fmt: skip
    done = CliRunner().invoke(main, list(map(str, words)))
    told = json.loads(done.stdout)
    camera, _ = networks.built({"name": "cameranet", "widths": [4, 6]})
    assert [net["parameters"] for net in told["nets"]] == [
        parameters(camera), *map(parameters, camera.nets)
    ]  # fmt: skip
    assert told["nets"][1]["takes"] == [5, 16, 16]
    assert [(stage["stage"], stage["steps"]) for stage in told["stages"]] == [
        ("restore", 80), ("joint", 6)
    ]  # fmt: skip
    assert told["seconds"] == 43  # 86 steps


def test_hours_are_said_as_people_do():
    assert dry._hours(90) == "1.5 minutes"
    assert dry._hours(2 * 3600) == "2.0 hours"


def test_what_would_end_a_training_ends_it(shards_folder, tmp_path):
    words = ["train", "cameranet-tiny", shards_folder, "--out", tmp_path / "run", "--device", "cpu",
             "--dry-run", "--set", "patch=6"]  # fmt: skip
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 1
    assert "does not suit this network" in done.stderr
