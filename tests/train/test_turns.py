"""DPED's losses by hand, its two turns, and a run that was stopped between them."""

import csv
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from torch import nn  # noqa: E402 - behind the skip

from isptools.train import adversarial, checkpoint, networks  # noqa: E402 - behind the skip
from isptools.train.adversarial import Enhancement  # noqa: E402 - behind the skip
from isptools.train.camera import parameters  # noqa: E402 - behind the skip
from isptools.train.discriminator import Discriminator, same  # noqa: E402 - behind the skip
from isptools.train.objectives import Enhanced, Pair  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip
from isptools.train.run import Job, train  # noqa: E402 - behind the skip
from isptools.train.settings import Settings  # noqa: E402 - behind the skip
from isptools.train.task import Task  # noqa: E402 - behind the skip

NONE = {"color": 0.0, "texture": 0.0, "content": 0.0, "variation": 0.0}


def loss(picture, truth, form="paper", trusted=1.0, **weights):
    work = Enhancement(Enhanced(**(NONE | {"form": form} | weights)), 16)
    return work({"enhancement": Pair("enhancement", picture, truth, trusted)}).item()


def test_the_discriminator_has_7361122_parameters():
    with torch.device("meta"):
        assert parameters(Discriminator(100)) == 7_361_122
    x = torch.rand(1, 1, 100, 100)
    assert same(x, 11, 4).shape[-2:] == (107, 107), "25 windows of 11 in steps of 4"
    assert Discriminator(33, 2)(torch.rand(2, 2, 33, 33)).shape == (2, 2)


def test_color_is_the_papers_gaussian():
    """Eqs. 2 to 4 of one pixel that differs by d: d^2 sum (A exp(-r^2 / 18))^2 a channel."""
    zero = torch.zeros(2, 3, 41, 41)
    spot = zero.clone()
    spot[0, :, 20, 20] = 0.5
    k = np.arange(-10, 11)
    radii = k[:, None] ** 2 + k**2
    wanted = 3 * 0.25 * ((0.053 * np.exp(-radii / 18)) ** 2).sum() / 2
    assert loss(spot, zero, color=1.0) == pytest.approx(wanted, rel=1e-5)
    wide = np.exp(-radii / 36)  # the root of a Gaussian of 3 pixels has 3 sqrt 2
    wanted = 3 * 0.25 * ((wide / wide.sum()) ** 2).sum() / 2 / 2
    assert loss(spot, zero, "code", color=1.0) == pytest.approx(wanted, rel=1e-4)
    flat = loss(zero + 0.5, zero, color=1.0)
    assert loss(zero + 0.5, zero, color=2.0, trusted=0.5) == pytest.approx(4 * flat)


def test_variation_and_squares_by_hand():
    """A ramp that rises by a down and b to the right."""
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(7.0), indexing="ij")
    ramp = (0.1 * y + 0.03 * x).expand(2, 3, 5, 7)
    paper = math.sqrt(3 * 4 * 6 * 0.13**2) / (3 * 5 * 7)
    assert adversarial.variation(ramp, "paper").item() == pytest.approx(paper, rel=1e-4)
    code = 0.1**2 + 0.03**2
    assert adversarial.variation(ramp, "code").item() == pytest.approx(code, rel=1e-4)
    off = ramp + 0.2
    assert loss(off, ramp, mse=1.0) == pytest.approx(3 * 5 * 7 * 0.04, rel=1e-4)
    assert loss(off, ramp, "code", mse=1.0) == pytest.approx(3 * 5 * 7 * 0.02, rel=1e-4)


def test_luma_is_tensorflows():
    """As its rgb_to_grayscale weighs them."""
    colors = torch.eye(3).view(3, 3, 1, 1)
    assert adversarial.gray(colors).flatten().tolist() == pytest.approx([0.2989, 0.587, 0.114])


class Features(nn.Module):
    """In VGG's place: the red channel."""

    def seen(self, picture):
        return [picture[:, :1]]


def test_content_is_the_distance_over_the_number_or_mean_squares():
    made = Enhancement(Enhanced(**(NONE | {"color": 1.0})), 16)
    made.vgg = Features()
    picture, truth = torch.zeros(2, 3, 4, 6), torch.zeros(2, 3, 4, 6)
    picture[1, 0] = 0.3
    assert made.content(picture, truth).item() == pytest.approx(
        math.sqrt(24 * 0.09) / 24 / 2, rel=1e-4
    )
    made.chosen = Enhanced(**(NONE | {"color": 1.0, "form": "code"}))
    assert made.content(picture, truth).item() == pytest.approx(0.09 / 2)


class Bright(nn.Module):
    """A judge that takes the brighter picture for real, by twice their difference."""

    def __init__(self):
        super().__init__()
        self.much = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        means = x.mean((2, 3))
        other = means[:, 1] if x.shape[1] == 2 else 0.5
        real = (means[:, 0] - other) * self.much
        return torch.stack([torch.zeros_like(real), real], 1)


def judged(form):
    made = Enhancement(Enhanced(**(NONE | {"form": form, "texture": 1.0})), 16)
    made.learned = Bright()
    return made


@pytest.mark.parametrize("form", ["paper", "code"])
def test_texture_by_hand(form):
    """Picture 0.3, truth 0.9: how real the first looks is 2 (0.3 - 0.9), or 2 (0.3 - 0.5)."""
    made = judged(form)
    picture = torch.full((4, 3, 8, 8), 0.3, requires_grad=True)
    truth = torch.full((4, 3, 8, 8), 0.9)
    luma = sum(adversarial.GRAY)
    if form == "paper":
        wanted = math.log(1 + math.exp(-2 * (0.3 - 0.9) * luma))
    else:
        wanted = -50 * math.log(1 + math.exp(2 * (0.3 * luma - 0.5)))
    found = made.texture(picture, truth)
    assert found.item() == pytest.approx(wanted, rel=1e-4)
    found.backward()
    assert (picture.grad < 0).all(), "brighter looks more real"
    assert made.learned.much.grad is None, "the judge is not taught in the network's turn"


@pytest.mark.parametrize("form", ["paper", "code"])
def test_a_judge_is_asked_in_random_order_and_its_answers_are_counted(form):
    torch.manual_seed(3)
    made = judged(form)
    picture = torch.full((200, 3, 4, 4), 0.3, requires_grad=True)
    pair = {"enhancement": Pair("enhancement", picture, torch.full((200, 3, 4, 4), 0.9), 1.0)}
    made.judge(pair).backward()
    assert picture.grad is None
    assert made.learned.much.grad is not None
    assert made.noted() == {"accuracy": 1.0}
    assert made.noted() == {"accuracy": 0.0}, "since it was last asked"
    dark = {"enhancement": Pair("enhancement", pair["enhancement"].truth, picture, 1.0)}
    made.judge(dark)
    assert made.noted() == {"accuracy": 0.0}
    made.eval()
    assert made.judge(pair).item() == made.judge(pair).item(), "no chance where it validates"


SMALL = {
    "title": "t", "network": {"name": "dped", "width": 3, "blocks": 1}, "patch": 24, "batch": 2,
    "objective": {"loss": "dped", "form": "paper", "content": 0.0, "variation": 1.0,
                  "judge": 0.25},
    "stages": [{"train": "whole", "steps": 4, "rate": 1e-3, "decay": "none"}],
    "log_every": 2, "save_every": 100,
}  # fmt: skip


@pytest.fixture(scope="module")
def small_judge():
    """The real one would be 700,000 weights in a test of what moves when."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("isptools.train.discriminator.FULLY", 8)
        layers = ((4, 11, 4), (6, 5, 2), (6, 3, 1))
        patched.setattr("isptools.train.discriminator.LAYERS", layers)
        yield


@pytest.mark.usefixtures("small_judge")
def test_each_turn_moves_its_own_weights_alone():
    settings = Settings.of(SMALL)
    task = Task(networks.built(settings.network)[0], settings, settings.stages[0])
    x = torch.randint(0, 255, (2, 3, 24, 24)).to(torch.uint8)
    batch = {"raw": x, "black": torch.zeros(2, 3), "white": torch.full((2,), 255.0),
             "gain": torch.ones(2), "enhancement": x.flip(3),
             "enhancement_scale": torch.full((2,), 1 / 255)}  # fmt: skip
    both = [list(task.camera.parameters()), list(task.difference.learned.parameters())]
    for turn in (0, 1):
        assert [id(p) for p in task.turns[turn].parameters] == [id(p) for p in both[turn]]
        task(batch, turn).backward()
        assert all(p.grad is not None for p in both[turn])
        assert all(p.grad is None for p in both[1 - turn])
        task.zero_grad(set_to_none=True)


@pytest.mark.usefixtures("small_judge")
def test_a_run_stopped_between_turns_ends_as_one_that_was_not(pictures_folder, tmp_path):
    """Both networks, both optimizers, and chance."""
    settings = Settings.of(SMALL)
    train(settings, Job(pictures_folder, tmp_path / "whole", Place("cpu")))
    job = Job(pictures_folder, tmp_path / "parts", Place("cpu"), stop_after=1)
    for calls in range(3):
        with pytest.raises(checkpoint.TrainError, match="go on"):
            train(settings, job)
        torch.rand(calls + 1)
    train(settings, job)
    whole, parts = (checkpoint.load(tmp_path / name / "whole.safetensors")
                    for name in ("whole", "parts"))  # fmt: skip
    for name in ("model", "beside"):
        assert whole[name].keys() == parts[name].keys()
        assert whole[name]
        assert all(torch.equal(whole[name][k], parts[name][k]) for k in whole[name])
    rates = [optimizer["param_groups"][0]["lr"] for optimizer in whole["optimizers"]]
    assert rates == [1e-3, 0.25e-3], "the judge's own"
    for ours, theirs in zip(whole["optimizers"], parts["optimizers"], strict=True):
        for at, held in ours["state"].items():
            assert all(torch.equal(held[k], theirs["state"][at][k]) for k in held)
    with (tmp_path / "whole/log.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [0 <= float(row["accuracy"]) <= 1 for row in rows] == [True, True]


def test_content_says_where_its_weights_are_to_be_had():
    with pytest.raises(ValueError, match=r"vgg19-dcbb9e9d\.pth"):
        Settings.of(SMALL | {"objective": {"loss": "dped", "content": 0.1}})
    with pytest.raises(ValueError, match="one of color, texture, content and mse"):
        Settings.of(SMALL | {"objective": {"loss": "dped", **NONE}})


def test_accuracy_is_of_what_was_told_apart_since_it_was_asked():
    work = Enhancement(Enhanced(**(NONE | {"texture": 1.0})), 16)
    work.right.copy_(torch.tensor([1, 1]))
    assert work.noted() == {"accuracy": 1.0}
    assert work.noted() == {"accuracy": 0.0}, "nothing since"
    work.right.copy_(torch.tensor([3, 8]))
    assert work.noted() == {"accuracy": 3 / 8}
