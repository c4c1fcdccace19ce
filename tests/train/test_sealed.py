"""Weights on disk: any reader of safetensors finds them, and no flipped byte is used."""

import json
import random

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from isptools.cli import main
from isptools.train import checkpoint, networks
from isptools.train.checkpoint import TrainError
from isptools.train.sealed import seal, unseal
from isptools.train.settings import Settings

SEED = 20260113
FLIPS = 60  # benchmarks/faults_shards.py takes more


def state():
    """As a stage saves it: keys that are integers, tuples, laid out in another order, infinite."""
    wide = torch.randn(3, 4, 5, 5).to(memory_format=torch.channels_last)
    group = {"lr": 1e-3, "betas": (0.9, 0.999), "foreach": None, "params": [0]}
    moments = {"step": torch.tensor(3.0), "exp_avg": torch.arange(6.0).view(2, 3).T}
    adam = {"state": {0: moments}, "param_groups": [group]}
    return {"format": 3, "settings": '{"a":"b"}', "model": {"nets.0.weight": wide},
            "optimizers": [adam], "mean": [], "random": torch.get_rng_state(),
            "scaler": {"scale": float("inf")}, "done": False}  # fmt: skip


def same(one, two):
    assert type(one) is type(two)
    if isinstance(one, torch.Tensor):
        assert one.dtype == two.dtype
        assert torch.equal(one, two)
    elif isinstance(one, dict):
        assert list(one) == list(two)
        for key in one:
            same(one[key], two[key])
    elif isinstance(one, list | tuple):
        for first, second in zip(one, two, strict=True):
            same(first, second)
    else:
        assert one == two


def test_a_state_comes_back_as_it_was():
    held = state()
    data = seal(held)
    same(unseal(data), held)
    assert seal(unseal(data)) == data


def test_nothing_but_tensors_and_values_is_sealed():
    with pytest.raises(TypeError, match=r"^a\.b is a set"):
        seal({"a": {"b": {1}}})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    words = {"title": "t", "network": {"name": "srcnn"}, "patch": 32, "batch": 1,
             "stages": [{"train": "whole", "steps": 1, "rate": 1e-3}]}  # fmt: skip
    settings = Settings.of(words)
    camera, _ = networks.built(settings.network)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    held = {"network": "srcnn", "settings": settings.to_json(), "model": camera.state_dict()}
    checkpoint.save(path, held)
    return path


def test_any_reader_of_safetensors_finds_the_weights(model):
    ours, found = checkpoint.load(model)["model"], load_file(model)
    assert found.keys() == {f"model.{name}" for name in ours}
    assert all(torch.equal(found[f"model.{name}"], ours[name]) for name in ours)
    camera, settings = checkpoint.model(model)
    assert settings.title == "t"
    same(dict(camera.state_dict()), ours)


def test_every_flipped_byte_is_one_line(model, tmp_path):
    """In the head, where types, places and settings stand, as in the weights."""
    chance = random.Random(SEED)
    data = model.read_bytes()
    head = 8 + int.from_bytes(data[:8], "little")
    places = [*range(24), *(chance.randrange(head) for _ in range(FLIPS)),
              *(chance.randrange(head, len(data)) for _ in range(FLIPS))]  # fmt: skip
    path = tmp_path / "model.safetensors"
    for at in places:
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
        with pytest.raises(TrainError, match="no checkpoint of isptools") as caught:
            checkpoint.model(path)
        assert "\n" not in str(caught.value), at
    for length in (0, 1, 7, 8, 100, head, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(TrainError, match="no checkpoint of isptools"):
            checkpoint.model(path)


def test_a_flip_in_weights_of_the_earlier_format_is_one_line(model, tmp_path):
    """torch takes no look at the sums that its own files hold."""
    held = checkpoint.load(model) | {"format": 2}
    torch.save(held, tmp_path / "model.pt")
    same(checkpoint.load(tmp_path / "model.pt"), held)
    data = (tmp_path / "model.pt").read_bytes()
    weights = next(iter(held["model"].values())).numpy().tobytes()
    at = data.index(weights) + 10
    (tmp_path / "model.pt").write_bytes(data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :])
    with pytest.raises(TrainError, match="is damaged"):
        checkpoint.model(tmp_path)


@pytest.mark.parametrize("changes", [
    {"model": 3}, {"model": {"a": 1}}, {"settings": 1}, {"settings": "{"}, {"settings": "[]"},
    {"format": "3"}, {"format": 99}, {"settings": json.dumps({"network": {"name": "os:system"}})},
])  # fmt: skip
def test_a_forged_file_is_one_line(changes, model, tmp_path):
    """One whose hash is right."""
    (tmp_path / "model.safetensors").write_bytes(seal(checkpoint.load(model) | changes))
    done = CliRunner().invoke(main, ["export", str(tmp_path), "--onnx", str(tmp_path / "x.onnx")])
    assert (done.exit_code, done.output.count("\n")) == (1, 1), (done.output, done.exception)


def test_a_file_says_its_format_and_holds_tensors_alone(tmp_path):
    """3 today; what isptools itself wrote of older ones is read, and 4 is not."""
    file = tmp_path / "model.safetensors"
    state = {"network": "x", "settings": "", "model": {"a": torch.ones(1)}, "step": 3}
    checkpoint.save(file, state)
    assert checkpoint.load(file)["format"] == 3
    assert checkpoint.standing(tmp_path / "model.pt") == file
    assert checkpoint.standing(tmp_path / "none.pt") == tmp_path / "none.pt"
    for wrong in ({"format": 4}, {"model": {"a": torch.ones(1), "b": 1}}, {"step": 1.5}):
        checkpoint.save(file, state | wrong)
        with pytest.raises(TrainError, match=r"model\.safetensors: "):
            checkpoint.load(file)
    file.unlink()
    for form, good in ((1, True), (2, True), (3, False), (0, False)):
        torch.save(state | {"format": form}, tmp_path / "model.pt")
        if good:
            assert checkpoint.load(file)["step"] == 3
        else:
            with pytest.raises(TrainError, match=rf"format {form}, this version reads 3"):
                checkpoint.load(file)
