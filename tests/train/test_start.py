"""How weights begin: moments of the published starts, worked out by hand, for every network."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from torch import nn  # noqa: E402 - behind the skip

from isptools.train import networks, rendered, start  # noqa: E402 - behind the skip
from isptools.train.camera import parameters  # noqa: E402 - behind the skip

OTHERWISE = {"deepisp", "deepisp-low", "srcnn", "nafnet", "l3", "compression-aware"}
GLOROT = [name for name in networks.NAMES if name not in OTHERWISE]


def made(name, **options):
    torch.manual_seed(1)
    return networks.built({"name": name, **options})[0]


def fans(module):
    field = math.prod(getattr(module, "kernel_size", (1,)))
    return (field * (getattr(module, "in_channels", 0) or module.in_features),
            field * (getattr(module, "out_channels", 0) or module.out_features))  # fmt: skip


@pytest.mark.parametrize("name", GLOROT)
def test_networks_of_tensorflow_begin_by_glorot(name):
    """Variance 2 / (fan in + fan out), uniform: nothing beyond sqrt(6 / (fan in + fan out))."""
    widths = {"widths": [16, 32, 48]} if name.startswith("cameranet") else {}
    ratios = []
    for module in made(name, **widths).modules():
        identity = isinstance(module, nn.Conv2d) and module.bias is None  # CAN's, see below
        if isinstance(module, nn.Linear | nn.Conv2d) and not identity:
            both = sum(fans(module))
            assert module.weight.abs().max() <= math.sqrt(6 / both)
            assert not module.bias.any()
            if module.weight.numel() > 500:
                ratios.append((module.weight.var() * both / 2).item())
    assert ratios
    assert all(0.8 < ratio < 1.25 for ratio in ratios)
    assert sum(ratios) / len(ratios) == pytest.approx(1, abs=0.03)


def test_transposed_convolutions_begin_near_0():
    """The public code's deviation of 1e-3, which Glorot's does not replace."""
    for module in made("cameranet").modules():
        if isinstance(module, nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx(1e-3, rel=0.05)


def test_can_begins_as_the_identity():
    """Chen, Xu and Koltun 2017: what enters a dilated convolution leaves it, channel by channel."""
    can = made("srgan-can").nets[1]
    x = torch.rand(1, 3, 20, 30)
    for convolution in can.convs:
        x = nn.functional.pad(x, (0, 0, 0, 0, 0, convolution.in_channels - x.shape[1]))
        torch.testing.assert_close(convolution(x)[:, :3], x[:, :3])
        assert not convolution(x)[:, 3:].any()
        x = convolution(x)
    assert can.head.weight.std() > 0.1


def test_srcnn_begins_by_a_gaussian_of_a_thousandth():
    """Dong et al.: "a Gaussian distribution with zero mean and standard deviation 0.001"."""
    module = made("srcnn").nets[0]
    assert module[2].weight.std().item() == pytest.approx(1e-3, rel=0.02)
    assert module[2].weight.mean().item() == pytest.approx(0, abs=2e-5)
    assert all(not layer.bias.any() for layer in module if isinstance(layer, nn.Conv2d))


def test_deepisps_high_level_begins_by_glorot():
    """Lasagne's way; W's weights are made a hundredth where a training begins."""
    net = made("deepisp").nets[0]
    for module in (*net.high, net.matrix):
        both = sum(fans(module))
        assert module.weight.var().item() * both / 2 == pytest.approx(1, abs=0.06)
        assert not module.bias.any()


def test_deepisps_low_level_keeps_the_size_of_features():
    """Ours, see docs/train.md: He's variance, 2 / fan in, and residual maps at a hundredth."""
    low = made("deepisp-low").nets[0]
    for convolution in low.convs[1:]:
        features, residual = convolution.weight[:-3], convolution.weight[-3:]
        assert features.var().item() * 64 * 9 / 2 == pytest.approx(1, abs=0.05)
        assert (residual.std() / features.std()).item() == pytest.approx(0.01, rel=0.2)
        assert not convolution.bias.any()


@pytest.mark.parametrize(("width", "within"), [(16, 0.02), (64, 0.003)])
def test_dpeds_generator_may_begin_as_the_picture(width, within):
    """Every value a picture has, edges included; as many numbers; and a slope for every one."""
    net = made("dped", width=width, blocks=2, start="picture").nets[0]
    x = torch.linspace(0, 1, 3 * 30 * 34).view(1, 3, 30, 34)
    x = torch.cat([x, x.flip(3)[:, [2, 0, 1]]])  # colors apart
    out = net(x)
    assert (out - x).abs().max() < within
    assert parameters(net) == parameters(made("dped", width=width, blocks=2).nets[0])
    (out - 0.5 * x).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())
    with pytest.raises(ValueError, match="needs a width of 3 or more"):
        made("dped", width=2, start="picture")


def test_isp_net_may_begin_as_a_rendering():
    """A drawn camera: its matrix, a gamma and a curve; fitted, it is met, in pictures not seen."""
    random = np.random.default_rng(0)
    matrix = np.array([[1.8, -0.6, -0.2], [-0.3, 1.6, -0.3], [0.1, -0.7, 1.6]])

    def pair(seed):
        y = np.random.default_rng(seed).random((3, 8, 8)).repeat(6, 1).repeat(6, 2)
        linear = (3 * y**2 - 2 * y**3) ** 2.2
        x = np.einsum("ck,khw->chw", np.linalg.inv(matrix), linear)
        return (x + random.normal(0, 1e-4, x.shape)).astype(np.float32), y.astype(np.float32)

    camera = made("compression-aware", widths=[16, 16, 16], reduction=4, start="rendered")
    counted = parameters(made("compression-aware", widths=[16, 16, 16], reduction=4))
    assert parameters(camera) == counted
    camera.begin([pair(seed) for seed in range(6)])
    x, y = pair(9)
    flat = np.s_[..., 2::6, 2::6]  # pixels whose neighbors are alike
    with torch.no_grad():
        made_of = camera.nets[0](torch.from_numpy(x)[None])[0].numpy()
    assert np.sqrt(np.mean((made_of - y)[flat] ** 2)) < 0.045
    camera.nets[0](torch.from_numpy(x)[None]).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in camera.nets[0].parameters())


@pytest.mark.parametrize("bias", [True, False])
def test_a_map_that_is_carried_is_another_and_nothing_else(bias):
    layer = nn.Conv2d(3, 4, 3, padding=1, bias=bias)
    nn.init.ones_(layer.weight)
    if bias:
        nn.init.ones_(layer.bias)
    start.carry(layer, [2], [1])
    x = torch.rand(1, 3, 5, 5)
    out = layer(x)
    assert torch.equal(out[:, 1], x[:, 2])
    assert (out[:, 0, 2, 2] > x.sum((1, 2, 3)) / 5).all(), "others stay"


def test_a_rendering_is_fitted_to_pixels_spread_over_the_picture():
    """All of a small picture's; of one with twice as many as are looked at, every second."""
    for pixels, every in ((rendered.PIXELS - 1, 1), (2 * rendered.PIXELS, 2)):
        x = np.arange(2 * pixels, dtype=np.float32).reshape(2, 1, pixels)
        ours, theirs = rendered._some(x, -x)
        assert ours.tolist() == [[i, pixels + i] for i in range(0, pixels, every)]
        assert (theirs == -ours).all()
