"""The first training of a newcomer: photographs to a network that beats the chain on new ones.

Photographs are those that scikit-image carries inside; they are saved as JPEG, as people have them.
"""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from click.testing import CliRunner  # noqa: E402 - behind the skip

from isptools.cli import main  # noqa: E402 - behind the skip

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    inside = Path(skimage.__file__).parent / "data"
    there = [name for name in NAMES if (inside / name).is_file()]
    if len(there) < len(NAMES):
        pytest.skip("this scikit-image carries other photographs")
    for name in there:
        picture = cv2.imread(str(inside / name))
        cv2.imwrite(str((folder / name).with_suffix(".jpg")), picture)
    return folder


def invoke(*words):
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output


def test_the_shown_preset_beats_the_chain_on_a_photograph_it_never_saw(photographs, tmp_path):
    """The commands of docs/train.md. It led by 7 dB and more when this was written."""
    out, run = tmp_path / "s", tmp_path / "r"
    invoke("build", "unprocess", "--source", photographs, "--out", out)
    invoke("train", "cameranet", out, "--out", run, "--preset", "tiny",
           "--device", "cpu")  # fmt: skip
    invoke("eval", run, out)
    lines = (run / "eval-test.csv").read_text().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    psnr, s_cielab = (
        {row["method"]: float(row[name]) for row in rows if row["picture"] == "mean"}
        for name in ("psnr", "s_cielab")
    )
    for other in ("chain + auto-tone", "LibRaw's default"):
        assert psnr["network"] > psnr[other] + 3
        assert s_cielab["network"] < s_cielab[other] - 3  # a lower difference is better
    lines = (run / "log.csv").read_text().splitlines()
    trained = {row["stage"]: row for row in csv.DictReader(lines)}
    assert set(trained) == {"restore", "enhance", "joint"}
    assert all(np.isfinite(float(row["validation"])) for row in trained.values())
