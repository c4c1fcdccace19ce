"""The compared systems by their tiny presets, command by command: train, go on, eval, develop,
export."""

import csv

import imageio.v3 as imageio
import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools import shipped
from isptools.cli import main
from isptools.datasets import miniature
from isptools.train.settings import Settings

SMALL = {
    "compression-aware": {"network.widths": [3, 4], "network.reduction": 2,
                          "objective.simulator": '{kind="cas",widths=[3,4]}'},
    "dped": {"network.width": 4, "network.blocks": 1},
    "deepcamera": {"network.widths": [4, 4, 4], "network.depths": [1, 2, 2]},
    "l3": {},
    "srcnn": {},
    "johnson": {"network.width": 4, "network.blocks": 1},
    "nafnet": {"network.width": 4, "network.down": [1, 1], "network.middle": 1,
               "network.up": [1, 1]},
    "sid-unet": {"network.widths": [4, 6]},
}  # fmt: skip


def invoke(*words):
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A raw, and a phone's picture."""
    folder = tmp_path_factory.mktemp("inputs")
    raw = miniature("sid", folder)[0]
    pixels = np.random.default_rng(0).integers(0, 256, (60, 71, 3)).astype(np.uint8)
    imageio.imwrite(folder / "phone.jpg", pixels)
    return raw, folder / "phone.jpg"


# one of them; test_presets trains all eight in every run, test_promises stops and resumes them, and
# the commands of the others stand in test_use, test_compared, test_compression and test_systems
SHORT = ("srcnn",)


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in SHORT else pytest.mark.long) for one in SMALL]
)
def test_a_preset_goes_the_whole_way(name, request, inputs, tmp_path):
    pictures = name == "dped"
    shards = request.getfixturevalue("pictures_folder" if pictures else "shards_folder")
    run = tmp_path / "run"
    preset = Settings.load(shipped.folder("recipes") / "train" / f"{name}-tiny.toml")

    def train(steps):
        stages = ",".join(f'{{train="{s.train}",steps={steps},rate={s.rate}}}'
                          for s in preset.stages)  # fmt: skip
        changes = {"stages": f"[{stages}]", "patch": 40, "log_every": 1, **SMALL[name]}
        words = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
        invoke("train", name, shards, "--preset", "tiny", "--out", run, "--device", "cpu", *words)
        with (run / "log.csv").open(newline="") as file:
            return [(row["stage"], int(row["step"])) for row in csv.DictReader(file)]

    if len(preset.stages) == 1 and name != "l3":  # one that others began from stays as long
        assert train(1) == [(preset.stages[0].train, 1)]
    done = train(2)
    each = [2] if name == "l3" else [1, 2]
    assert done == [(stage.train, step) for stage in preset.stages for step in each]
    assert train(2) == done
    said = invoke("eval", run, shards, "--no-baselines")
    assert "network" in said
    assert (run / "eval-test.csv").exists()
    source, out = inputs[pictures], tmp_path / "x.png"
    invoke("develop", run, source, "--out", out)
    assert imageio.imread(out).shape[:2] == ((60, 71) if pictures else (384, 512))
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    invoke("export", run, "--onnx", tmp_path / "x.onnx", "--size", 64, 64)
    assert (tmp_path / "x.onnx").exists()
