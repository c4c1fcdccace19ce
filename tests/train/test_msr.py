"""DeepISP's low level on MSR: the shipped preset on the miniature, and its own scores."""

import csv

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools import measure, shards
from isptools.cli import main
from isptools.develop.demosaic.linear import linear
from isptools.train import checkpoint, infer
from isptools.train.settings import Settings


def invoke(*words):
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("msr") / "shards"
    invoke("build", "msr", "--sample", "--out", out)
    return out


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """The preset, with fewer layers and steps."""
    out = tmp_path_factory.mktemp("msr") / "run"
    stages = 'stages=[{train="whole",steps=12,rate=1e-3,decay="none"}]'
    invoke(
        "train",
        "deepisp-msr",
        folder,
        "--out",
        out,
        "--set",
        "network.layers=3",
        "--set",
        "log_every=4",
        "--set",
        stages,
        "--device",
        "cpu",
    )
    return out


def test_the_preset_trains(run):
    with (run / "log.csv").open() as file:
        losses = [float(row["training"]) for row in csv.DictReader(file) if row["training"]]
    assert losses[-1] < losses[0]


def test_eval_takes_the_data_sets_own_scores(folder, run):
    text = invoke("eval", run, folder)
    assert "without 7 pixels on every side, clipped to [0, 255]" in text
    lines = (run / "eval-test.csv").read_text().splitlines()
    stamp = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    assert stamp["data_set"] == '"msr"'
    assert "16 bits" in stamp["psnr_linear"]
    assert "Klatzer" in stamp["psnr_srgb"]
    assert "s_cielab_pixels_per_degree" not in stamp
    table = list(csv.DictReader(line for line in lines if not line.startswith("# ")))
    means = {row["method"]: row for row in table if row["picture"] == "mean"}
    assert set(means) == {"network", "bilinear", "AHD"}
    camera, _ = checkpoint.model(run)
    with shards.open(folder, "test") as opened:
        for i in range(len(opened)):
            facts, sample = opened.facts(i), opened[i]
            truth = sample.restoration.transpose(1, 2, 0)
            colors = np.array([[0, 1], [1, 2]], np.uint8)
            pictures = {
                "network": infer.develop(camera, infer.Mosaic.of_row(opened.raw(i), facts))[
                    "restoration"
                ].transpose(1, 2, 0),
                "bilinear": linear(opened.raw(i), colors, False) / np.float32(65535),
            }
            for method, picture in pictures.items():
                row = next(r for r in table if r["method"] == method and r["picture"] == sample.key)
                assert float(row["psnr_linear"]) == pytest.approx(
                    measure.linear_psnr(picture, truth), abs=1e-3
                )
                assert float(row["psnr_srgb"]) == pytest.approx(
                    measure.srgb_psnr(picture, truth), abs=1e-2
                )


def test_linear_camera_rgb_is_no_xyz(folder, tmp_path):
    """CameraNet shows what it restored as XYZ: it must not take this truth for it."""
    words = ["train", "cameranet", "--preset", "tiny", str(folder), "--out",
             str(tmp_path / "run"), "--device", "cpu"]  # fmt: skip
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert "restoration stands at camera, expected xyz" in done.output


def test_the_preset_holds_the_papers_numbers():
    from isptools import shipped  # noqa: PLC0415 - only here

    settings = Settings.load(shipped.folder("recipes") / "train" / "deepisp-msr.toml")
    assert settings.stages[0].epochs == 5000
    assert settings.stages[0].rate == 5e-5
    assert (settings.adam.betas, settings.adam.eps) == ((0.9, 0.999), 1e-8)
    assert settings.network == {"name": "deepisp-low"}, "the paper's 20 layers"
