"""The promises that every network keeps, asked of every one that ships and of broken ones."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools import testing  # noqa: E402 - behind the skip
from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.train import networks  # noqa: E402 - behind the skip

SMALL = {"widths": [4, 6, 8], "layers": 3, "width": 4, "blocks": 1, "levels": 3}
SMALLER = {
    "deepcamera": {"widths": [4, 4, 4], "depths": [1, 2, 2]},
    "nafnet": {"width": 4, "down": [1, 1], "middle": 1, "up": [1, 1]},
}
FOLDERS = {"cameranet-xtrans": "xtrans_folder", "dped": "pictures_folder"}


@pytest.fixture(scope="session")
def xtrans_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "sid-fuji"
    done = CliRunner().invoke(main, ["build", "sid-fuji", "--sample", "--out", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


# forms of networks whose own promises are looked at in every run
LONG = (
    "cameranet",
    "cameranet-v1", "cameranet-one-stage", "cameranet-three-stage", "srgan-can",
    "srgan-can-one-stage", "deepisp-low", "deepcamera", "sid-unet",
    "cameranet-xtrans", "nafnet",
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=pytest.mark.long if one in LONG else ()) for one in networks.NAMES],
)
def test_every_network_that_ships_keeps_its_promises(name, request):
    folder = request.getfixturevalue(FOLDERS.get(name, "shards_folder"))
    known = networks.opened(name).options.__struct_fields__
    small = {word: SMALL[word] for word in known if word in SMALL} | SMALLER.get(name, {})
    testing.network(name, folder, small)


STRANGER = """
import msgspec, torch
from torch import nn
from isptools.train.camera import Camera, Net
from isptools.train.intake import BILINEAR


class Options(msgspec.Struct, frozen=True{strict}):
    width: int = 4


class Body(nn.Module):
    def __init__(self, width):
        super().__init__()
        {init}
        self.first, self.last = nn.Conv2d(3, width, 5, padding=2), nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x):
        x = nn.functional.dropout(self.first(x).relu(), 0.2, self.training)
        {forward}
        return self.last(x){more}


def network(options: Options) -> Camera:
    return Camera([Net(module=Body(options.width), reach={reach})], BILINEAR, enhanced=0)
"""
GOOD = {"strict": ", forbid_unknown_fields=True", "init": "", "forward": "", "more": "", "reach": 3}


def stranger(folder, name, **changes):
    (folder / f"{name}.py").write_text(STRANGER.format(**(GOOD | changes)), encoding="utf-8")
    return f"{name}:network"


@pytest.mark.parametrize(
    ("broken", "changes", "said"),
    [
        ("options", {"strict": ""}, "forbid_unknown_fields"),
        ("reach", {"reach": 2}, "reach or stride"),
        ("pooled", {"forward": "x = x / (1 + x.mean((2, 3), keepdim=True))"}, "reach or stride"),
        ("crop", {"more": "[..., 1:]"}, "has the shape"),
        ("idle", {"init": "self.idle = nn.Parameter(torch.ones(1))"}, "idle has no finite grad"),
        ("random", {"init": "import random; self.gain = nn.Parameter(torch.tensor("
         "random.random()))", "forward": "x = x * self.gain"}, "fresh weights differ"),
        ("memory", {"init": "self.count = 0", "forward": "self.count += 1; x = x * self.count"
         " if self.training else x"}, "other weights"),
        ("nan", {"more": ".log()"}, "holds NaN"),
        ("constant", {"more": " * 0 + 1"}, "hardly depends"),
    ],
)  # fmt: skip
def test_a_promise_that_is_broken_is_named(broken, changes, said, shards_folder, tmp_path):
    name = stranger(tmp_path, f"stranger_{broken}", **changes)
    with pytest.raises(AssertionError, match=said):
        testing.network(name, shards_folder, code=tmp_path)


def test_a_strangers_network_keeps_its_promises(shards_folder, tmp_path):
    """Dropout included: chance goes on where a run was stopped."""
    name = stranger(tmp_path, "stranger_good")
    testing.network(name, shards_folder, {"width": 3}, tmp_path)


def test_a_step_that_moves_nothing_is_named(shards_folder, monkeypatch):
    monkeypatch.setattr(torch.optim.Adam, "step", lambda *_, **__: None)
    with pytest.raises(AssertionError, match="no weight moved"):
        testing.network("deepisp-low", shards_folder, {"layers": 2})


def test_importing_the_promises_loads_no_torch():
    code = "import sys, isptools.testing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'mars'"):
        _ = testing.mars
