"""What settings may say, who refuses it, and what becomes of those of earlier versions."""

import json

import msgspec
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.train import checkpoint, claim, earlier, networks  # noqa: E402 - behind the skip
from isptools.train.checkpoint import TrainError  # noqa: E402 - behind the skip
from isptools.train.objectives import Lab  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip
from isptools.train.run import Job, train  # noqa: E402 - behind the skip
from isptools.train.settings import Settings, replaced_words  # noqa: E402 - behind the skip

WORDS = {"title": "x", "network": "cameranet", "stages": [{"train": "joint", "steps": 1}]}
# settings.json as the version before wrote it
FLAT = {
    "accumulate": 1, "adam_eps": 1e-08, "alpha": 0.5, "batch": 2, "betas": [0.9, 0.99],
    "channels_last": False, "color": 0.0, "compile": False, "display": "paper", "ema": 0.9,
    "eps": 0.001, "joint": "paper", "layers": 0, "log_every": 100, "logs": "paper",
    "loss": "l1-log", "masks": True, "network": "cameranet", "noise": True, "patch": 32,
    "perceptual": 0.0, "pooled": "scale-shift", "precision": "fp32", "save_every": 1000, "seed": 0,
    "share": 0.5, "stages": [{"decay": "step", "epochs": 0, "rate": 0.001, "steps": 6, "train":
    "restore"}], "title": "t", "variation": 0.0, "vgg": "", "widths": [6, 8],
}  # fmt: skip


def test_settings_hold_no_networks_knobs():
    fields = Settings.__struct_fields__
    assert len(fields) == 23
    for name in networks.NAMES:
        own = networks.opened(name).options
        assert own.__struct_config__.forbid_unknown_fields
        assert not set(own.__struct_fields__) & set(fields)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"name": "deepisp", "noise": False}, r"`noise` - at `\$.network`; its options: layers"),
        ({"name": "cameranet-v1", "display": "code"}, r"`display` - at `\$.network`"),
        ({"name": "cameranet", "widths": [4] * 6}, r"length <= 5 - at `\$.network.widths`"),
        ({"name": "cameranet", "pooled": "x"}, r"Invalid enum value 'x' - at `\$.network.pooled`"),
        ({"name": "deepisp", "layers": 0}, r">= 1 - at `\$.network.layers`"),
        ({"name": "mars"}, "no network 'mars'; there are cameranet, "),
    ],
)
def test_options_of_a_network_are_its_own(network, said):
    with pytest.raises(ValueError, match=said) as caught:
        networks.built(network)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pach": 3}, "pach"),
        ({"objective": {"loss": "l2", "eps": 1.0}}, r"`eps` - at `\$.objective`"),
        ({"objective": {"loss": "lab", "alpha": 2}}, r"at `\$.objective.alpha`"),
        ({"objective": {"loss": "mars"}}, r"mars.* at `\$.objective.loss`"),
        ({"objective": {"loss": "l1-log", "perceptual": 1}}, "perceptual needs `vgg`"),
        ({"network": {"widths": [3]}}, "give its name"),
        ({"network": 3}, r"at `\$.network`"),
        ({"stages": [{"train": "joint", "steps": 1}] * 2}, "none twice"),
        ({"share": 0.9, "eps": 1e-4}, "write objective.share for share, objective.eps for eps"),
        ({"widths": [3], "betas": [0, 0]}, "network.widths for widths, adam.betas for betas"),
    ],
)
def test_what_does_nothing_is_refused_with_its_path(changes, said):
    with pytest.raises(ValueError, match=said) as caught:
        Settings.of(WORDS | changes)
    assert "\n" not in str(caught.value)


def test_words_of_a_table_are_replaced_one_by_one():
    words = {"network": {"name": "cameranet", "widths": [3]}, "patch": 3}
    changes = {"network": {"widths": [4]}, "objective": {"loss": "l2"}, "patch": 5}
    assert replaced_words(words, changes) == {
        "network": {"name": "cameranet", "widths": [4]}, "objective": {"loss": "l2"}, "patch": 5,
    }  # fmt: skip
    assert replaced_words(words, {"network": "deepisp"})["network"]["name"] == "deepisp"
    assert words["network"]["widths"] == [3]


def test_settings_of_the_earlier_notation_mean_the_same():
    today = Settings.of(earlier.converted(FLAT))
    assert today.network == {
        "name": "cameranet", "noise": True, "pooled": "scale-shift", "display": "paper",
        "widths": [6, 8],
    }  # fmt: skip
    assert msgspec.to_builtins(today.objective)["eps"] == 0.001
    flat = FLAT | {"network": "deepisp-low", "loss": "lab", "alpha": 0.25, "layers": 3}
    other = Settings.of(earlier.converted(flat))
    assert other.network == {"name": "deepisp-low", "layers": 3}
    assert other.objective == Lab(alpha=0.25, divisor=100.0), "Lab was always divided"
    assert not earlier.converted(FLAT | {"noise": False})["network"]["noise"]
    whole = earlier.converted(FLAT | {"network": "deepisp"})
    assert whole["network"] == {"name": "deepisp"}, "0 layers meant the paper's number"
    assert earlier.converted(msgspec.to_builtins(today)) == msgspec.to_builtins(today)


def test_a_run_of_the_earlier_format_goes_on_and_is_opened(shards_folder, tmp_path):
    settings = Settings.of(earlier.converted(FLAT))
    train(settings, Job(shards_folder, tmp_path / "today", Place("cpu")))
    with pytest.raises(TrainError, match="go on"):
        train(settings, Job(shards_folder, tmp_path / "before", Place("cpu"), stop_after=4))
    state = checkpoint.load(tmp_path / "before/restore.safetensors")
    (tmp_path / "before/restore.safetensors").unlink()
    state |= {"format": 1, "settings": json.dumps(FLAT), "optimizer": state.pop("optimizers")[0]}
    torch.save(state, tmp_path / "before/restore.pt")
    (tmp_path / "before/settings.json").write_text(json.dumps(FLAT), encoding="utf-8")
    train(settings, Job(shards_folder, tmp_path / "before", Place("cpu")))
    models = [
        checkpoint.load(tmp_path / name / "model.safetensors") for name in ("today", "before")
    ]
    for one, two in zip(*(model["model"].values() for model in models), strict=True):
        assert torch.equal(one, two)
    torch.save(models[0] | {"format": 1, "settings": json.dumps(FLAT)}, tmp_path / "model.pt")
    few = json.dumps({"network": "cameranet", "title": "of another tool"})
    torch.save(models[0] | {"format": 2, "settings": few}, tmp_path / "other.pt")
    with pytest.raises(TrainError, match="made by another version: holds no 'betas'"):
        checkpoint.model(tmp_path / "other.pt")
    camera, opened = checkpoint.model(tmp_path)
    assert opened.title == "t"
    assert torch.equal(next(camera.parameters()), next(iter(models[0]["model"].values())))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mars"], "no network or preset 'mars'; networks: cameranet, "),
        (["mars"], "presets: cameranet-fivek, "),
        (
            ["cameranet"],
            "cameranet: give --preset fivek or hdrplus or sid or tiny or v1-fivek or ",
        ),
        (["srgan-can"], "srgan-can: no preset of it ships; give --settings FILE"),
        (["mine:network"], "mine:network: no preset of it ships"),
        (["deepisp", "--preset", "mars"], "deepisp: give --preset demo or msr or s7 or tiny, or "),
        (["cameranet-tiny", "--preset", "tiny"], "cameranet-tiny is a preset itself"),
        (["deepisp", "--settings", "x.toml"], "x.toml: its network is cameranet, not deepisp"),
        (
            ["cameranet-tiny", "--settings", "x.toml"],
            "its network is cameranet, not cameranet-tiny",
        ),
        (["mars", "--settings", "y.toml"], "no network 'mars'"),
        (["cameranet", "--settings", "x.toml", "--preset", "tiny"], "not both"),
        (["cameranet", "--settings", "z.toml"], "write network.noise for noise"),
        (["cameranet-tiny", "--set", "eps=1e-3"], "write objective.eps for eps"),
        (["cameranet-tiny", "--set", "network.layers=3"], "`layers` - at `$.network`"),
    ],
)
def test_a_name_is_never_ignored(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stages = 'stages = [{ train = "joint", steps = 1 }]'
    (tmp_path / "x.toml").write_text(f'title = "x"\nnetwork = "cameranet"\n{stages}\n')
    (tmp_path / "y.toml").write_text(f'title = "y"\n{stages}\n')
    (tmp_path / "z.toml").write_text(f'title = "z"\nnoise = false\n{stages}\n')
    done = CliRunner().invoke(main, ["train", *words, "s", "--out", "o"])
    assert done.exit_code == 1
    assert said in done.output
    assert done.output.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_a_run_goes_on_although_its_network_has_more_options_today(tmp_path):
    """Those that came since are as they were."""
    settings = Settings.of({
        "title": "x", "stages": [{"train": "whole", "steps": 1}], "network": {"name": "deepisp"},
    })  # fmt: skip
    whole = msgspec.structs.replace(settings, network=networks.written_out(settings.network))
    assert {"layers", "maps"} <= set(whole.network)
    (tmp_path / "settings.json").write_text(settings.to_json())
    assert claim.changed(tmp_path, whole) == []
    other = msgspec.structs.replace(whole, network=whole.network | {"maps": 1})
    with pytest.raises(TrainError, match="maps"):
        claim.changed(tmp_path, other)
