"""Real trainings, of seconds: resumed, shared between processes, stopped, spoiled."""

import csv
import errno
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

import imageio.v3 as imageio  # noqa: E402 - behind the skip
import msgspec  # noqa: E402 - behind the skip

from isptools import shipped  # noqa: E402 - behind the skip
from isptools.train import checkpoint, log, memory, networks, run  # noqa: E402 - behind the skip
from isptools.train.checkpoint import TrainError  # noqa: E402 - behind the skip
from isptools.train.objectives import Difference, Turn  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip
from isptools.train.run import Job, train  # noqa: E402 - behind the skip
from isptools.train.settings import Settings, Stage  # noqa: E402 - behind the skip
from tests.shards import made  # noqa: E402 - behind the skip

ALL = ("restore", "enhance", "joint")
CPU = Place("cpu")
PRESETS = sorted((shipped.folder("recipes") / "train").glob("*.toml"))


def quick(*stages, **changes):
    steps = {"steps": 6, "rate": 1e-3}
    words = {
        "title": "a test", "network": {"name": "cameranet", "widths": [6, 8]}, "patch": 32,
        "batch": 2, "save_every": 4, "log_every": 3,
        "stages": [{"train": stage, **steps} for stage in stages or ALL],
    }  # fmt: skip
    return Settings.of(words | changes)


def weights(folder, name="model.safetensors"):
    return checkpoint.load(Path(folder) / name)["model"]


def same(one, two, **tolerance):
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], **(tolerance or {"rtol": 0, "atol": 0}))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_valid(path):
    settings = Settings.load(path)
    assert settings.network["name"].startswith(path.stem.split("-")[0])
    networks.built(settings.network)


def test_presets_hold_the_papers_numbers():
    folder = shipped.folder("recipes") / "train"
    for name, share, epochs in (("sid", 0.9, 1000), ("hdrplus", 0.5, 4000), ("fivek", 0.1, 2000)):
        settings = Settings.load(folder / f"cameranet-{name}.toml")
        assert (settings.objective.share, settings.patch) == (share, 1024)
        assert settings.adam.betas == (0.9, 0.99)
        assert [stage.epochs for stage in settings.stages] == [epochs, 500, 200]


def test_rates_fall_at_three_quarters():
    stage = Stage("restore", steps=100, rate=1e-4)
    assert [stage.rate_at(s, 100) for s in (0, 74, 75, 99)] == pytest.approx(
        [1e-4, 1e-4, 1e-5, 1e-5]
    )
    smooth = Stage("restore", steps=100, rate=1e-4, decay="exponential")
    assert smooth.rate_at(75, 100) == pytest.approx(1e-5)
    assert Stage("restore", epochs=3).length(8, 5) == 5


@pytest.mark.parametrize(
    "network",
    [
        pytest.param({"name": "cameranet", "widths": [6, 8]}, marks=pytest.mark.long),
        pytest.param({"name": "deepisp", "layers": 2}, marks=pytest.mark.long),
        {"name": "cameranet-v1", "widths": [6, 8]},
        pytest.param({"name": "srgan-can", "noise": False}, marks=pytest.mark.long),
    ],
    ids=lambda network: network["name"],
)
def test_a_killed_and_resumed_run_ends_with_the_same_weights(network, shards_folder, tmp_path):
    stages = ("whole",) if network["name"] == "deepisp" else ALL
    settings = quick(*stages, network=network, ema=0.9)
    train(settings, Job(shards_folder, tmp_path / "whole", CPU))
    with pytest.raises(TrainError, match="go on"):
        train(settings, Job(shards_folder, tmp_path / "parts", CPU, stop_after=4))
    torch.manual_seed(99)  # what happens between the two must not matter
    torch.rand(7)
    train(settings, Job(shards_folder, tmp_path / "parts", Place("cpu", workers=1)))
    same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


@pytest.mark.long
def test_stages_side_by_side_are_stages_in_a_row(shards_folder, tmp_path):
    settings = quick()
    train(settings, Job(shards_folder, tmp_path / "row", CPU))
    for only in ("enhance", "restore"):
        train(settings, Job(shards_folder, tmp_path / "side", CPU, only=only))
    train(settings, Job(shards_folder, tmp_path / "side", CPU))
    assert (tmp_path / "side/model.safetensors").exists()
    same(weights(tmp_path / "row"), weights(tmp_path / "side"))
    with pytest.raises(TrainError):
        train(settings, Job(shards_folder, tmp_path / "early", CPU, only="restore", stop_after=2))
    with pytest.raises(TrainError, match="not done yet"):
        train(settings, Job(shards_folder, tmp_path / "early", CPU, only="joint"))


@pytest.mark.long  # items of several processes are held by test_data and test_resume
def test_two_processes_train_as_one(shards_folder, tmp_path):
    """Gloo, two processes of one item each, against one process of two items."""
    word = [
        "-m", "isptools.cli", "train", "cameranet", "--preset", "tiny", "--device", "cpu",
        str(shards_folder), "--set", "network.widths=[6,8]", "--set", "patch=32",
        "--set", 'stages=[{train="restore",steps=4,rate=1e-3}]',
    ]  # fmt: skip
    both = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for name, start, batch in (("two", both, 1), ("one", [sys.executable], 2)):
        done = subprocess.run(
            [*start, *word, "--set", f"batch={batch}", "--out", str(tmp_path / name)],
            capture_output=True, text=True, check=False, timeout=120,
            env=dict(__import__("os").environ, OMP_NUM_THREADS="1", GLOO_SOCKET_IFNAME="lo"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
    same(weights(tmp_path / "one"), weights(tmp_path / "two"), rtol=1e-4, atol=1e-6)


def test_accumulated_steps_are_larger_batches(shards_folder, tmp_path):
    for name, batch, accumulate in (("a", 4, 1), ("b", 2, 2)):
        settings = quick("restore", batch=batch, accumulate=accumulate)
        train(settings, Job(shards_folder, tmp_path / name, CPU))
    same(weights(tmp_path / "a"), weights(tmp_path / "b"), rtol=1e-3, atol=1e-5)


def test_every_turn_of_an_objective_moves_its_own_weights(shards_folder, tmp_path, monkeypatch):
    """As a GAN has two: the second sees the same cuts and what the first has moved."""

    def halves(self, trained):
        middle = len(trained) // 2
        return Turn(trained[:middle], self.forward), Turn(trained[middle:], self.forward)

    stages = [{"train": "restore", "steps": 3, "rate": 1e-3}]
    settings = quick(stages=stages, accumulate=2, ema=0.5)
    one_step = quick(stages=[{"train": "restore", "steps": 1, "rate": 1e-3}], accumulate=2)
    train(one_step, Job(shards_folder, tmp_path / "one", CPU))
    monkeypatch.setattr(Difference, "turns", halves)
    train(one_step, Job(shards_folder, tmp_path / "two", CPU))
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    trained = [name for name in one if name.startswith("nets.0.")]
    middle = len(trained) // 2
    same({n: one[n] for n in trained[:middle]}, {n: two[n] for n in trained[:middle]})
    torch.manual_seed(one_step.seed)
    fresh = networks.built(one_step.network)[0].state_dict()
    assert not all(torch.equal(two[n], fresh[n]) for n in trained[middle:]), "its turn came"
    assert not all(torch.equal(two[n], one[n]) for n in trained[middle:]), "behind the first"
    with pytest.raises(TrainError, match="go on"):
        train(settings, Job(shards_folder, tmp_path / "parts", CPU, stop_after=2))
    train(settings, Job(shards_folder, tmp_path / "parts", CPU))
    train(settings, Job(shards_folder, tmp_path / "whole", CPU))
    same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_the_mean_of_weights_is_their_exponential_mean(shards_folder, tmp_path):
    steps = {"stages": [{"train": "restore", "steps": 3, "rate": 1e-2}], "save_every": 1}
    plain, mean = quick("restore", **steps), quick("restore", ema=0.6, **steps)
    torch.manual_seed(plain.seed)
    expected = networks.built(plain.network)[0].state_dict()
    for done in range(3):
        if done < 2:
            with pytest.raises(TrainError, match="go on"):
                train(plain, Job(shards_folder, tmp_path / "plain", CPU, stop_after=1))
        else:
            train(plain, Job(shards_folder, tmp_path / "plain", CPU))
        now = weights(tmp_path / "plain", "restore.safetensors")
        expected = {name: 0.6 * value + 0.4 * now[name] for name, value in expected.items()}
    train(mean, Job(shards_folder, tmp_path / "mean", CPU))
    ours = weights(tmp_path / "mean", "restore.safetensors")
    trained = [name for name in ours if name.startswith("nets.0.")]
    same({n: ours[n] for n in trained}, {n: expected[n] for n in trained}, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stage", ["restore", pytest.param("enhance", marks=pytest.mark.long)])
def test_one_scene_is_learned_by_heart(stage, shards_folder, tmp_path):
    """The loss falls to a small part; the number of steps is what a test may take."""
    settings = quick(
        stages=[{"train": stage, "steps": 120, "rate": 4e-3}],
        network={"name": "cameranet", "widths": [12, 24]}, log_every=20, save_every=500,
    )  # fmt: skip
    train(settings, Job(shards_folder, tmp_path, CPU))
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == [20, 40, 60, 80, 100, 120]
    assert float(rows[-1]["training"]) < 0.5 * float(rows[0]["training"])
    assert math.isfinite(float(rows[-1]["validation"]))
    assert imageio.imread(tmp_path / f"samples/{stage}.png").shape == (32, 64, 3)
    assert 0 <= float(rows[-1]["waiting"]) < 1


def test_precision_and_memory_layout(shards_folder, tmp_path):
    objective = {"loss": "l1-log", "joint": "code", "logs": "code", "color": 0.1, "variation": 0.1}
    network = {"name": "cameranet", "widths": [6, 8], "display": "code"}
    settings = quick("joint", precision="bf16", channels_last=True, objective=objective,
                     network=network)  # fmt: skip
    train(settings, Job(shards_folder, tmp_path, CPU))
    assert all(value.isfinite().all() for value in weights(tmp_path).values())


def test_a_truth_that_a_later_stage_needs_is_missed_at_once(tmp_path):
    pictures = {"restoration": made.spec().pictures["restoration"]}
    (tmp_path / "shards").mkdir()
    made.shard(tmp_path / "shards", made.spec(pictures=pictures))
    with pytest.raises(ValueError, match="no enhancement truth"):
        train(quick(), Job(tmp_path / "shards", tmp_path / "run", CPU))
    assert not (tmp_path / "run/restore.safetensors").exists()


def test_half_precision_needs_a_gpu(shards_folder, tmp_path):
    with pytest.raises(TrainError, match="fp16 needs a GPU"):
        train(quick("restore", precision="fp16"), Job(shards_folder, tmp_path, CPU))


def test_nan_is_refused_and_the_last_checkpoint_stays(shards_folder, tmp_path):
    settings = quick("restore", stages=[{"train": "restore", "steps": 40, "rate": 1e30}])
    with pytest.raises(TrainError, match="no longer a finite number"):
        train(settings, Job(shards_folder, tmp_path, CPU))
    if (tmp_path / "restore.safetensors").exists():
        assert all(
            value.isfinite().all() for value in weights(tmp_path, "restore.safetensors").values()
        )
    assert not (tmp_path / "model.safetensors").exists()
    assert not (tmp_path / "log.csv").exists(), "seen before the first line at step 3"


def test_weights_that_are_no_numbers_are_not_saved(shards_folder, tmp_path, monkeypatch):
    """The loss of a step is computed before its move: a move to NaN has still a finite one."""
    steps = []

    def spoiled(self, *words, **more):
        steps.append(0)
        out = plain(self, *words, **more)
        if len(steps) == 6:
            with torch.no_grad():
                self.param_groups[0]["params"][0].fill_(math.nan)
        return out

    plain = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", spoiled)
    settings = quick("restore", save_every=2, log_every=100)
    with pytest.raises(TrainError, match="no longer a finite number"):
        train(settings, Job(shards_folder, tmp_path, CPU))
    state = checkpoint.load(tmp_path / "restore.safetensors")
    assert state["step"] == 4
    assert all(value.isfinite().all() for value in state["model"].values())


def test_a_full_disk_leaves_the_last_checkpoint(shards_folder, tmp_path, monkeypatch):
    settings = quick("restore")
    with pytest.raises(TrainError):
        train(settings, Job(shards_folder, tmp_path, CPU, stop_after=4))
    before = (tmp_path / "restore.safetensors").read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainError, match="No space left on device"):
        train(settings, Job(shards_folder, tmp_path, CPU))
    assert (tmp_path / "restore.safetensors").read_bytes() == before
    assert not list(tmp_path.glob(".*.part"))


def test_a_folder_holds_one_run(shards_folder, tmp_path):
    with pytest.raises(TrainError):
        train(quick("restore"), Job(shards_folder, tmp_path, CPU, stop_after=1))
    with pytest.raises(TrainError, match="other settings"):
        train(quick("restore", seed=1), Job(shards_folder, tmp_path, CPU))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"text", "no checkpoint"), ("foreign", "no checkpoint"), ("later", "format 99"),
     ("other", "another network"), ("pickle", "no checkpoint")],
)  # fmt: skip
def test_other_files_are_no_models(content, said, tmp_path):
    path = tmp_path / "model.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        state = {
            "foreign": {"x": 1}, "later": {"format": 99}, "pickle": {"format": 1, "x": Path("x")},
            "other": {"format": 2, "settings": quick().to_json(), "model": {}},
        }[content]  # fmt: skip
        torch.save(state, path)
    with pytest.raises(TrainError, match=said) as caught:
        checkpoint.model(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("patch", "network"), [(288, "cameranet"), (24, "deepisp"), (31, "cameranet")]
)
def test_a_patch_too_small_is_refused(patch, network, shards_folder, tmp_path):
    """The Enhance-Net's lowest level is dilated by 8: nine pixels of 32 are the least."""
    size = {"widths": [2] * (5 if patch == 288 else 2)} if network == "cameranet" else {"layers": 1}
    settings = quick("whole", network={"name": network, **size}, patch=patch, batch=1,
                     stages=[{"train": "whole", "steps": 1}])  # fmt: skip
    if patch == 288:
        train(settings, Job(shards_folder, tmp_path / "fits", CPU))
        settings = msgspec.structs.replace(settings, patch=256)
    with pytest.raises(TrainError, match="take a multiple of 2 from"):
        train(settings, Job(shards_folder, tmp_path / "small", CPU))


def test_settings_are_strict(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('title = "x"\nnetwork = "cameranet"\nstages = []\npach = 3\n')
    with pytest.raises(ValueError, match="pach"):
        Settings.load(path)
    for stage in ('{train = "joint"}', '{train = "joint", steps = 1, epochs = 1}'):
        path.write_text(f'title = "x"\nnetwork = "cameranet"\nstages = [{stage}]\n')
        with pytest.raises(ValueError, match="epochs or steps"):
            Settings.load(path)


def test_the_patch_that_fits_is_found():
    """A network that is out of memory above 100 pixels, as CUDA would say it."""

    class Greedy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, batch):
            if batch["raw"].shape[-1] > 100:
                raise torch.cuda.OutOfMemoryError
            return self.weight * batch["raw"].float().sum()

    batch = {"raw": torch.zeros(1, 512, 512), "black": torch.zeros(1, 4)}
    model = Greedy()
    assert memory.fitting_patch(model, batch, 512) == 96
    assert model.weight.grad is None, "what was tried leaves no gradient"
    assert memory.fitting_patch(Greedy(), batch, 512, least=98) == 0, "96 do not suit the network"


def test_out_of_memory_says_what_fits(shards_folder, tmp_path, monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(run.Task, "forward", full)
    with pytest.raises(TrainError, match="a patch of 32 pixels does not fit"):
        train(quick("restore"), Job(shards_folder, tmp_path, CPU))


def test_the_log_of_a_killed_run_is_cut_back(tmp_path):
    """To its checkpoint: the lines behind it come again, and half a line is none."""
    path = tmp_path / "log.csv"
    head = ",".join(log.COLUMNS)
    lines = [f"{stage},{step},1,1,1,1,1,1,1" for stage in ("restore", "enhance") for step in (3, 6)]
    whole = "\r\n".join([head, *lines, ""])
    path.write_bytes((whole + "enhance,9,0.00").encode())
    log.cut_back(path, "enhance", 4)
    assert path.read_bytes().decode() == "\r\n".join([head, *lines[:3], ""])
    log.cut_back(path, "enhance", 4)
    assert path.read_bytes().decode() == "\r\n".join([head, *lines[:3], ""])
    path.write_bytes(head[:9].encode())
    log.cut_back(path, "restore", 0)
    assert not path.exists(), "the next line writes a whole head"
    log.cut_back(path, "restore", 0)
