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

CASES = [
    ("cameranet-fivek", "fivek", {"network.widths": [6, 8]}),
    ("cameranet-hdrplus", "hdrplus", {"network.widths": [6, 8]}),
    ("cameranet-sid", "sid-cameranet", {"network.widths": [6, 8]}),
    ("cameranet-tiny", "unprocess", {}),
    ("cameranet-v1-fivek", "fivek", {"network.widths": [6, 8]}),
    ("cameranet-v1-hdrplus", "hdrplus", {"network.widths": [6, 8]}),
    ("cameranet-v1-sid", "sid-cameranet", {"network.widths": [6, 8]}),
    (
        "compression-aware-fivek",
        "fivek-libraw",
        {
            "network.widths": [3, 4],
            "network.reduction": 2,
            "objective.simulator": '{kind="cas",widths=[3,4]}',
        },
    ),
    ("compression-aware-tiny", "unprocess", {}),
    ("deepcamera-tiny", "unprocess", {}),
    ("deepisp-demo", "sid", {}),
    ("deepisp-msr", "msr", {"network.layers": 2}),
    ("deepisp-s7", "s7-isp", {"network.layers": 2}),
    ("deepisp-s7", "s7-isp-mimic", {"network.layers": 2}),
    ("deepisp-tiny", "unprocess", {}),
    ("dped-code", "pairs", {"network.width": 4, "batch": 2, "objective.content": 0}),
    ("dped-paper", "dped", {"network.width": 4, "batch": 2, "objective.content": 0}),
    ("dped-tiny", "dped", {}),
    ("johnson-tiny", "unprocess", {}),
    ("l3-tiny", "unprocess", {}),
    ("nafnet-tiny", "unprocess", {}),
    ("sid-unet-tiny", "unprocess", {}),
    ("srcnn-tiny", "unprocess", {}),
]


def test_every_preset_has_a_case():
    shipped_presets = {path.stem for path in (shipped.folder("recipes") / "train").glob("*.toml")}
    assert shipped_presets == {preset for preset, _, _ in CASES}


SHORT = ("cameranet-sid",)  # and the tiny ones; what the others need built takes minutes
# tiny ones whose training test_photographs, test_whole_way, test_compression and test_promises hold
LONG = ("cameranet-tiny", "compression-aware-tiny", "dped-tiny", "johnson-tiny", "nafnet-tiny")


@pytest.mark.parametrize(
    ("preset", "recipe", "small"),
    [
        pytest.param(
            *case,
            marks=()
            if case[0] not in LONG and (case[0].endswith("-tiny") or case[0] in SHORT)
            else pytest.mark.long,
        )
        for case in CASES
    ],
)
def test_a_preset_trains_and_validates_from_its_miniature(
    preset, recipe, small, miniature, tmp_path
):
    """Its networks, losses and stages as they are; patch, widths and steps made small."""
    settings = Settings.load(shipped.folder("recipes") / "train" / f"{preset}.toml")
    stages = ", ".join(f'{{train="{s.train}", steps=3, rate={s.rate}}}' for s in settings.stages)
    changes = {"patch": 64, "stages": f"[{stages}]", "log_every": 1, **small}
    words = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    done = CliRunner().invoke(
        main,
        ["train", preset, str(miniature(recipe)), "--device", "cpu",
         "--out", str(tmp_path / "run"), *words],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    model = checkpoint.load(tmp_path / "run/model.safetensors")["model"]
    assert all(torch.isfinite(value).all() for value in model.values())
    with (tmp_path / "run/log.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    steps = [1 if stage.train == "fit" else 3 for stage in settings.stages]
    assert len(rows) == sum(steps)
    for column in ("training", "validation"):
        assert all(math.isfinite(float(row[column])) for row in rows), column
