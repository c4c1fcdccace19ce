"""Counts of the papers, exactly; operations; what each loss says of known pictures."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from isptools import measure  # noqa: E402 - behind the skip
from isptools.train import networks, objectives  # noqa: E402 - behind the skip
from isptools.train.camera import parameters, shown  # noqa: E402 - behind the skip
from isptools.train.listing import listing  # noqa: E402 - behind the skip
from isptools.train.networks.cameranet import halve  # noqa: E402 - behind the skip
from isptools.train.networks.deepisp import (  # noqa: E402 - behind the skip
    DeepISP,
    mean_affine,
    monomials,
)
from isptools.train.perceptual import Perceptual  # noqa: E402 - behind the skip
from isptools.train.settings import Settings, Stage  # noqa: E402 - behind the skip
from isptools.train.task import Task, span  # noqa: E402 - behind the skip

SMALL = {"widths": [8, 16, 24], "layers": 3}


def made(name, **options):
    return networks.built({"name": name, **options})[0]


def small(name):
    """With those of the small options that it has."""
    known = networks.opened(name).options.__struct_fields__
    return made(name, **{word: value for word, value in SMALL.items() if word in known})


@pytest.fixture(scope="module")
def listed():
    return {row["name"]: row for row in listing()}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("cameranet", 26_527_640),
        ("cameranet-noise", 26_527_928),
        ("deepisp", 629_790),
    ],
)
def test_parameters(listed, name, parameters):
    assert listed[name]["parameters"] == parameters


def test_parameters_without_and_with_other_global_blocks():
    """Released scripts: no global block in Restore-Net; papers' text: multiplication alone."""
    with torch.device("meta"):
        whole = made("cameranet", noise=False)
        bare = made("cameranet", noise=False, pooled="none")
        scaled = made("cameranet", noise=False, pooled="scale")
    assert parameters(whole.nets[0]) == 13_262_668
    assert parameters(whole.nets[1]) == 13_264_972
    assert parameters(whole.nets[1]) + parameters(bare.nets[0]) == 24_952_728
    assert round(parameters(scaled) / 1e6, 2) == 24.43


def test_operations(listed):
    assert listed["cameranet"]["gflops"] == pytest.approx(3278.98, abs=0.01)
    assert listed["cameranet"]["gflops_paper_way"] == pytest.approx(3292.28, rel=2e-4)
    assert listed["cameranet-noise"]["gflops_paper_way"] == pytest.approx(3294.03, rel=2e-4)
    assert listed["cameranet-v1"]["gflops_paper_way"] == pytest.approx(3306.69, rel=2e-4)
    assert listed["deepisp"]["gflops_paper_way"] == pytest.approx(12869.79, rel=1e-4)


@pytest.mark.parametrize("name", networks.NAMES)
def test_every_network_gives_pictures_of_the_frames_size_and_learns(name):
    torch.manual_seed(0)
    model = small(name)
    side = model.intake.side
    x = torch.rand(2, model.intake.inputs, 96 // side, 192 // side)
    pictures = model(x)
    assert set(pictures) == {
        word
        for word, at in (("restoration", model.restored), ("enhancement", model.enhanced))
        if at >= 0
    }
    assert all(picture.shape == (2, 3, 96, 192) for picture in pictures.values())
    sum(picture.square().mean() for picture in pictures.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("side", [7, 8, 9, 12])
def test_halving_is_tensorflows_same(side):
    """ceil(side / 2) windows; where one more pixel is needed it is added behind (TF's rule)."""
    x = torch.rand(1, 1, side, side)
    before = (2 * (-(-side // 2) - 1) + 3 - side) // 2
    out = halve(x)[0, 0]
    assert out.shape == (-(-side // 2),) * 2
    for i, j in np.ndindex(out.shape):
        window = x[0, 0, max(2 * i - before, 0) : 2 * i - before + 3,
                   max(2 * j - before, 0) : 2 * j - before + 3]  # fmt: skip
        assert out[i, j] == window.max()


def test_the_global_block_scales_and_shifts():
    net = small("cameranet").nets[0]
    x = torch.rand(1, 5, 32, 32)
    pooled = net.bottom(x).mean((2, 3))
    torch.testing.assert_close(net(x, pooled), net(x))
    assert not torch.equal(net(x, pooled * 2), net(x))


def test_displays():
    """IEC 61966-2-1: 0.2140 is shown as one half; beyond [0, 1] is clipped."""
    x = torch.tensor([-0.2, 0.2140411, 1.3]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    torch.testing.assert_close(shown(x, "paper")[0, 0, 0], torch.tensor([0.0, 0.5, 1.0]))
    assert shown(x, "code")[0, 0, 0, 2] == pytest.approx(1.3 ** (1 / 2.2))
    white = torch.tensor([0.95047, 1.0, 1.08883]).view(1, 3, 1, 1)
    torch.testing.assert_close(shown(white, "v1").flatten(), torch.ones(3), atol=1e-5, rtol=0)


def test_restoration_loss_by_hand():
    picture = torch.full((1, 3, 2, 2), 0.5)
    truth = torch.full((1, 3, 2, 2), 0.25)
    assert objectives.restoration(picture, truth).item() == pytest.approx(0.25 + np.log(2))
    dark = torch.full((1, 3, 2, 2), -0.1)
    assert objectives.restoration(dark, truth, 1e-3).item() == pytest.approx(0.35 + np.log(250))
    coded = objectives.restoration(dark, truth, 1e-3, "code").item()
    assert coded == pytest.approx(0.35 + np.log(0.251 / 0.001))


def test_a_joint_loss_is_shared_by_lambda():
    """Both pictures of a network: lambda and 1 - lambda; two enhancements: their sum."""
    zero, one = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    restored = objectives.Pair("restoration", one * 2, zero, 1.0)
    enhanced = objectives.Pair("enhancement", one, zero, 0.5)  # half of its pixels count
    loss = objectives.Difference(objectives.L2(share=0.9))
    both = {"restoration": restored, "enhancement": enhanced}
    assert loss(both).item() == pytest.approx(0.9 * 4 + 0.1 * 2)
    assert loss({"enhancement": enhanced, "from truth": enhanced}).item() == pytest.approx(4)
    assert loss({"restoration": restored}).item() == pytest.approx(4)


def test_lab_is_the_measured_one():
    picture = np.random.default_rng(0).random((6, 7, 3))
    ours = objectives.lab(torch.tensor(picture.transpose(2, 0, 1)[None]))[0].permute(1, 2, 0)
    np.testing.assert_allclose(ours.numpy(), measure.lab_of_srgb(picture), atol=1e-3)


def test_losses_vanish_on_equal_pictures_and_have_gradients():
    picture = torch.rand(1, 3, 32, 32, requires_grad=True)
    assert objectives.deepisp(picture, picture.detach()).item() == pytest.approx(0, abs=1e-5)
    assert objectives.color(picture, picture.detach()).item() == 0
    assert objectives.variation(torch.full((1, 3, 4, 4), 0.3)).item() == 0
    total = objectives.deepisp(picture, torch.zeros(1, 3, 32, 32)) + objectives.color(
        picture, torch.ones(1, 3, 32, 32)
    )
    total.backward()
    assert picture.grad.isfinite().all()


def test_perceptual_loss_needs_weights_of_the_user(tmp_path):
    with pytest.raises(ValueError, match="torchvision's vgg19"):
        Perceptual(tmp_path / "vgg19.pth")
    (tmp_path / "x.pth").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="no VGG-19 weights"):
        Perceptual(tmp_path / "x.pth")


def test_perceptual_loss_with_weights(tmp_path):
    torch.manual_seed(0)
    sizes = [w for w in Perceptual.PLAN if w]
    at, last, state = 0, 3, {}
    for width in Perceptual.PLAN:
        if width:
            state[f"features.{at}.weight"] = torch.randn(width, last, 3, 3) * 0.05
            state[f"features.{at}.bias"] = torch.zeros(width)
            last = width
        at += 2 if width else 1
    assert len(sizes) == 16
    torch.save(state, tmp_path / "vgg.pth")
    loss = Perceptual(tmp_path / "vgg.pth")
    picture = torch.rand(1, 3, 32, 32)
    assert loss(picture, picture) == 0
    assert loss(picture, picture.flip(3)) > 0


def test_w_starts_from_the_mean_affine_regression():
    random = np.random.default_rng(1)
    maps = [random.normal(size=(3, 4)) for _ in range(2)]
    pairs = []
    for affine in maps:
        x = random.random((3, 8, 9)).astype(np.float32)
        flat = np.concatenate([x.reshape(3, -1), np.ones((1, 72))])
        pairs.append((x, (affine @ flat).reshape(3, 8, 9).astype(np.float32)))
    mean = mean_affine(pairs)
    np.testing.assert_allclose(mean, (maps[0] + maps[1]) / 2, atol=1e-4)
    net = DeepISP(layers=2)
    fresh = net.matrix.weight.detach().clone()
    net.start_from(mean)
    torch.testing.assert_close(net.matrix.weight.detach(), fresh / 100)
    with torch.no_grad():
        w = net.matrix(torch.zeros(1, 64)).view(3, 10)
        x = torch.rand(1, 3, 2, 2)
        ours = torch.einsum("ck,nkhw->nchw", w, monomials(x))[0, :, 1, 0]
    expected = mean[:, :3] @ x[0, :, 1, 0].numpy() + mean[:, 3]
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-5)


def triples():
    """A batch of one cut of 32 pixels with both truths and a mask."""
    return {
        "restoration": torch.rand(1, 3, 32, 32), "restoration_scale": torch.ones(1),
        "enhancement": torch.rand(1, 3, 32, 32), "enhancement_scale": torch.ones(1),
        "raw": torch.randint(100, 4000, (1, 32, 32)).to(torch.uint16),
        "black": torch.full((1, 4), 64.0), "white": torch.tensor([4095.0]),
        "gain": torch.ones(1), "shot": torch.full((1, 4), 1e-4), "read": torch.full((1, 4), 1e-6),
        "xyz_from_camera": torch.eye(3)[None], "mask": torch.full((1, 32, 32), 255).byte(),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("joint", "pictures"),
    [("paper", {"restoration", "enhancement"}), ("code", {"enhancement", "from truth"})],
)
def test_a_joint_stage_compares_what_paper_or_code_do(joint, pictures):
    words = {"title": "", "network": {"name": "cameranet", "widths": [4, 6]},
             "objective": {"loss": "l2", "joint": joint},
             "stages": [{"train": "joint", "steps": 1}]}  # fmt: skip
    settings = Settings.of(words)
    task = Task(networks.built(settings.network)[0], settings, settings.stages[0])
    seen = []
    task.difference.register_forward_pre_hook(lambda _, given: seen.append(set(given[0])))
    task.turns = (objectives.Turn((), task.difference),)
    task(triples())
    assert seen == [pictures]
    with torch.no_grad():
        assert task.strip(triples()).shape == (3, 32, 4 * 32)


@pytest.mark.parametrize("loss", ["l1-log", "l2", "lab"])
def test_untrusted_pixels_take_no_part_in_the_loss(loss):
    torch.manual_seed(0)
    words = {"title": "", "network": {"name": "cameranet", "widths": [4, 6]},
             "objective": {"loss": loss}, "stages": [{"train": "joint", "steps": 1}]}  # fmt: skip
    settings = Settings.of(words)
    task = Task(networks.built(settings.network)[0], settings, settings.stages[0])
    batch = triples()
    plain = task({name: x for name, x in batch.items() if name != "mask"})
    torch.testing.assert_close(task(batch), plain)
    batch["mask"][:, 5:20] = 0
    masked = task(batch)
    assert masked != plain
    for name in ("restoration", "enhancement"):
        batch[name][:, :, 5:20] = 0.123  # what stands there does not matter
    torch.testing.assert_close(task(batch), masked)
    batch["mask"][:] = 0
    assert task(batch) == 0


@pytest.mark.parametrize("name", networks.NAMES)
def test_options_are_strict_and_stand_still(name):
    with pytest.raises(ValueError, match="nonsense"):
        networks.built({"name": name, "nonsense": 1})
    options = networks.opened(name).options()
    for word in options.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(options, word, 1)


def test_eps_of_the_logarithms_is_a_thousandth_if_nothing_is_said():
    black, dim = torch.zeros(1, 3, 1, 1), torch.full((1, 3, 1, 1), 1e-2)
    expected = 1e-2 + math.log(1e-2 / 1e-3)
    assert objectives.restoration(black, dim).item() == pytest.approx(expected, rel=1e-5)


def test_stages_are_those_of_the_networks_parts():
    def fits(name, train):
        camera, _ = networks.built({"name": name})
        return span(camera, Stage(train, steps=1))

    assert fits("srgan-can", "restore") == (0, 0)
    assert fits("srgan-can", "enhance") == (1, 1)
    assert fits("srcnn", "whole") == (0, 0)
    for train in ("restore", "enhance", "joint"):
        with pytest.raises(ValueError, match="use 'whole'"):
            fits("srgan-can-one-stage", train)
