"""Networks of strangers: whose code runs, from where, and what is said where none is found."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.train import checkpoint, foreign, networks  # noqa: E402 - behind the skip

MODULE = """
import msgspec
from pathlib import Path
from torch import nn
from isptools.train.camera import Camera, Net
from isptools.train.intake import BILINEAR

Path(__file__).with_name("ran").touch()


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    width: int = 3


def network(options: Options) -> Camera:
    body = nn.Sequential(nn.Conv2d(3, options.width, 1), nn.Conv2d(options.width, 3, 1))
    return Camera([Net(module=body, reach=0)], BILINEAR, enhanced=0)


def plain() -> Camera:
    return network(Options())


def unsaid(options: Options):
    Path(__file__).with_name("called").touch()


def loose(options) -> Camera:
    Path(__file__).with_name("called").touch()


number = 3
"""
SETTINGS = """
title = "somebody's"
patch = 32
network = { width = 4 }
stages = [{ train = "whole", steps = 2 }]
"""


def write(folder, name, text=MODULE):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text, encoding="utf-8")


@pytest.fixture
def command(tmp_path):
    """`python -m isptools.cli` in a folder, as Python would put that folder on its path."""

    def run(*words, folder=tmp_path):
        done = subprocess.run(
            [sys.executable, "-m", "isptools.cli", *map(str, words)],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        # on a busy machine a command says that it is alive
        lines = [one for one in done.stderr.splitlines(True) if not re.match(r"\w+: \d+ s$", one)]
        return done.returncode, done.stdout + "".join(lines)

    return run


@pytest.mark.long
def test_a_run_of_somebody_elses_runs_no_code_of_the_folder(command, shards_folder, tmp_path):
    """Trained where it lies, scored with --code, and from nowhere else."""
    write(tmp_path, "theirs")
    (tmp_path / "x.toml").write_text(SETTINGS, encoding="utf-8")
    run = tmp_path / "run"
    words = ("train", "theirs:network", shards_folder, "--out", run, "--device", "cpu")
    status, said = command(*words, "--settings", "x.toml")
    assert status == 0, said
    assert f"isptools eval {run} {shards_folder} --code ." in said
    assert checkpoint.load(run / "model.safetensors")["network"] == "theirs:network"
    (tmp_path / "ran").unlink()
    for asked in (("eval", run, shards_folder),
                  ("develop", run, "a.dng", "--out", "x.png"),
                  ("export", run, "--onnx", "x.onnx")):  # fmt: skip
        status, said = command(*asked)
        assert status == 1
        assert said.count("\n") == 1
        assert "theirs:network: no module theirs installed; name its folder with --code" in said
    assert not (tmp_path / "ran").exists(), "the current folder is nobody's word"
    status, said = command("eval", run, shards_folder, "--no-baselines", "--code", ".")
    assert status == 0, said
    assert (tmp_path / "ran").exists()


def test_a_module_beside_is_not_taken_for_an_installed_one(tmp_path):
    write(tmp_path, "theirs_2", "import joblib\n" + MODULE)
    write(tmp_path, "joblib", "raise SystemExit('ran')")
    before = sys.modules.pop("joblib", None), list(sys.path)
    assert foreign.imported("theirs_2:plain", tmp_path)
    assert "site-packages" in sys.modules["joblib"].__file__
    assert sys.path == before[1]


def test_modules_of_one_folder_find_each_other(tmp_path):
    write(tmp_path, "blocks_3", "WIDTH = 5\n")
    write(tmp_path, "theirs_3", "from blocks_3 import WIDTH\n" + MODULE)
    assert foreign.imported("theirs_3:plain", tmp_path)
    write(tmp_path / "package_3", "inner")
    assert foreign.imported("package_3.inner:plain", tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Modules of every kind, imported once."""
    folder = tmp_path_factory.mktemp("theirs")
    write(folder, "theirs_4")
    write(folder, "broken_4", "def x(:\n")
    write(folder, "raising_4", "raise OSError('no such\\nluck')")
    write(folder, "needing_4", "import mars_4")
    write(folder, "code")
    write(folder, "joblib")
    return folder


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("theirs_4:mars", "has no function mars"),
        ("theirs_4:number", "has no function number"),
        ("theirs_4:unsaid", "expected `def network"),
        ("theirs_4:loose", "expected `def network"),
        ("theirs_4:", "expected module:callable"),
        ("theirs 4:plain", "expected module:callable"),
        ("../theirs_4:plain", "expected module:callable"),
        ("missing_4:plain", "no module missing_4 in"),
        ("missing_4.inner:plain", "no module missing_4 in"),
        ("broken_4:plain", "can't be imported: SyntaxError"),
        ("raising_4:plain", "can't be imported: OSError: no such luck"),
        ("needing_4:plain", "ModuleNotFoundError: No module named 'mars_4'"),
        ("code:plain", "another module has this name"),
        ("joblib:plain", "another module has this name"),
        ("os:abort", "os: a module of Python itself"),
        ("joblib.hashing:hash", "another module has this name"),
        ("msgspec.json:decode", "expected `def network"),
    ],
)
def test_what_is_no_network_is_one_line(name, said, folder):
    with pytest.raises(ValueError, match=said) as caught:
        networks.opened(name, folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "called").exists(), "what does not say that it makes a network"


def test_a_function_without_options_takes_none(tmp_path):
    write(tmp_path, "theirs_5")
    camera, table = networks.built({"name": "theirs_5:plain"}, tmp_path)
    assert table == {"name": "theirs_5:plain"}
    assert camera.enhanced == 0
    with pytest.raises(ValueError, match=r"unknown field `width` - at `\$.network`"):
        networks.built({"name": "theirs_5:plain", "width": 3}, tmp_path)


def test_models_counts_a_strangers_network(tmp_path, monkeypatch):
    write(tmp_path, "theirs_6")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["models", "theirs_6:network", "deepisp"])
    assert done.exit_code == 0, done.output
    assert [line.split()[:2] for line in done.output.splitlines()[1:]] == [
        ["theirs_6:network", "24"], ["deepisp", "629,790"],
    ]  # fmt: skip
    done = CliRunner().invoke(main, ["models", "mars"])
    assert done.exit_code == 1
    assert "no network 'mars'; there are cameranet, " in done.output
    assert done.output.count("\n") == 1


ASKS = """
import torch
from torch import nn
from isptools.train.camera import Camera, Net
from isptools.train.intake import BILINEAR


def listed() -> Camera:
    layer = nn.Conv2d(3, 3, 1)
    layer.bias.data[:] = torch.tensor(layer.weight.mean((1, 2, 3)).tolist())
    return Camera([Net(module=layer, reach=0)], BILINEAR, enhanced=0)


def of_arrays() -> Camera:
    layer = nn.Conv2d(3, 3, 1)
    layer.bias.data[:] = torch.from_numpy(layer.weight.detach().numpy().mean((1, 2, 3)))
    return Camera([Net(module=layer, reach=0)], BILINEAR, enhanced=0)
"""


@pytest.mark.parametrize("name", ["lists:listed", "arrays:of_arrays", "dped"])
def test_what_reads_numbers_while_it_is_made_is_outlined_all_the_same(tmp_path, name):
    """As a row of a table is planned, and as `isptools models` counts it."""
    write(tmp_path, name.partition(":")[0], ASKS)
    table = {"name": name} | (
        {"width": 6, "blocks": 1, "start": "picture"} if name == "dped" else {}
    )
    state = torch.get_rng_state()
    camera, options = networks.outlined(table, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    made, stated = networks.built(table, tmp_path)
    assert stated == options
    assert {(k, v.shape) for k, v in camera.state_dict().items()} == {
        (k, v.shape) for k, v in made.state_dict().items()
    }
    assert {x.device.type for x in camera.state_dict().values()} == {"meta"}
