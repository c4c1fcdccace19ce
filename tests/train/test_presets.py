"""The presets of the papers' data sets train from the miniatures of those, made small."""

import csv
import math

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from click.testing import CliRunner  # noqa: E402 - behind the skip

from isptools import shipped  # noqa: E402 - behind the skip
from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.train import checkpoint  # noqa: E402 - behind the skip
from isptools.train.settings import Settings  # noqa: E402 - behind the skip


@pytest.mark.parametrize(
    ("preset", "recipe", "small"),
    [
        ("cameranet-fivek", "fivek", {"network.widths": [6, 8]}),
        ("cameranet-hdrplus", "hdrplus", {"network.widths": [6, 8]}),
        ("deepisp-s7", "s7-isp", {"network.layers": 2}),
        ("deepisp-s7", "s7-isp-mimic", {"network.layers": 2}),
    ],
)
def test_a_preset_trains_from_its_miniature(preset, recipe, small, tmp_path):
    """Its networks, losses and stages as they are; patch, widths and steps made small."""
    built = CliRunner().invoke(
        main, ["build", recipe, "--sample", "--out", str(tmp_path / "shards")]
    )
    assert built.exit_code == 0, built.output
    network, _, name = preset.partition("-")
    settings = Settings.load(shipped.folder("recipes") / "train" / f"{preset}.toml")
    stages = ", ".join(f'{{train="{s.train}", steps=3, rate={s.rate}}}' for s in settings.stages)
    changes = {"patch": 64, "stages": f"[{stages}]", "log_every": 1, **small}
    words = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    done = CliRunner().invoke(
        main,
        ["train", network, "--preset", name, "--shards", str(tmp_path / "shards"), "--device",
         "cpu", "--out", str(tmp_path / "run"), *words],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    model = checkpoint.load(tmp_path / "run/model.safetensors")["model"]
    assert all(torch.isfinite(value).all() for value in model.values())
    with (tmp_path / "run/log.csv").open(newline="") as lines:
        losses = [float(row["training"]) for row in csv.DictReader(lines)]
    assert len(losses) == 3 * len(settings.stages)
    assert all(map(math.isfinite, losses))
