"""Losses and blocks against the papers' equations: by hand, by loops in NumPy, by scikit-image."""

import math

import numpy as np
import pytest
from skimage.color import rgb2lab

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from torch.nn import functional as F  # noqa: E402, N812 - behind the skip, the usual name

from isptools.train import networks, objectives  # noqa: E402 - behind the skip
from isptools.train.networks.cameranet import Convolution, Form, UNet  # noqa: E402 - behind the skip
from isptools.train.networks.deepisp import LowLevel, monomials  # noqa: E402 - behind the skip
from isptools.train.perceptual import Perceptual  # noqa: E402 - behind the skip


def flat(*color, side=24):
    return torch.tensor(color, dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, side, side)


def pair(side=23, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.random((side, side, 3)) ** 2
    return np.clip(truth + 0.1 * rng.standard_normal(truth.shape), 0, 1), truth


def tensor(picture):
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]


# -- losses ----------------------------------------------------------------------------------------


def lightness(gray):
    """CIE L* of an encoded gray above the straight parts of both curves."""
    return 116 * (((gray + 0.055) / 1.055) ** 2.4) ** (1 / 3) - 16


@pytest.mark.parametrize(("alpha", "divisor"), [(0.5, 1.0), (0.5, 100.0), (0.2, 1.0)])
def test_deepisps_loss_of_two_grays(alpha, divisor):
    """L1 is a third of the difference of L; MS-SSIM of flat pictures is its light term alone."""
    one, two = lightness(0.5), lightness(0.6)
    assert (one, two) == (pytest.approx(53.389, abs=1e-3), pytest.approx(63.223, abs=1e-3))
    x, y = one / 100, two / 100
    likeness = math.sqrt((2 * x * y + 1e-4) / (x * x + y * y + 1e-4))  # the last of two scales
    expected = (1 - alpha) * (two - one) / 3 / divisor + alpha * (1 - likeness)
    found = objectives.deepisp(flat(0.5, 0.5, 0.5), flat(0.6, 0.6, 0.6), alpha, divisor)
    assert found.item() == pytest.approx(expected, rel=1e-3)


def test_losses_where_nothing_is_said():
    """The public codes' numbers: alpha 0.5 and Lab in its own units; an eps of 1e-3."""
    one, two = flat(0.5, 0.5, 0.5), flat(0.6, 0.6, 0.6)
    assert objectives.deepisp(one, two) == objectives.deepisp(one, two, 0.5, 1.0)
    dark = objectives.restoration(flat(0.0, 0.0, 0.0), flat(0.01, 0.01, 0.01)).item()
    assert dark == pytest.approx(0.01 + math.log(10))


def test_lab_is_scikit_images():
    picture = np.concatenate([pair()[0], np.full((1, 23, 3), 0.01)])  # and near black
    ours = objectives.lab(tensor(picture))[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ours, rgb2lab(picture), atol=0.02)


def similarity(x, y, side):
    """Means over windows of light and of contrast times structure, by loops."""
    light, contrast = [], []
    for i in range(x.shape[0] - side + 1):
        for j in range(x.shape[1] - side + 1):
            a, b = x[i : i + side, j : j + side], y[i : i + side, j : j + side]
            both = ((a - a.mean()) * (b - b.mean())).mean()
            light.append((2 * a.mean() * b.mean() + 1e-4) / (a.mean() ** 2 + b.mean() ** 2 + 1e-4))
            contrast.append((2 * both + 9e-4) / (a.var() + b.var() + 9e-4))
    return np.array(light), np.array(contrast)


def halved(x):
    x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
    return x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2).mean((1, 3))


def test_ms_ssim_at_two_scales_by_loops():
    """Contrast of the fine scale, light and contrast of the coarse one, to the power of a half."""
    x, y = (one[..., 0] for one in pair())
    _, fine = similarity(x, y, 5)
    light, coarse = similarity(halved(x), halved(y), 5)
    expected = math.sqrt(fine.mean() * (light * coarse).mean())
    ours = objectives.ms_ssim(*(torch.from_numpy(one.copy())[None, None] for one in (x, y)))
    assert ours.item() == pytest.approx(expected, rel=1e-9)
    assert 0.3 < expected < 0.97, "neither equal nor unlike pictures"


def test_ms_ssim_of_pictures_turned_around_has_a_floor():
    """Terms below 1e-6 count as that, so that roots have slopes: a millionth of two scales."""
    noise = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0)).double()
    ours = noise.clone().requires_grad_()
    found = objectives.ms_ssim(ours, 1 - noise)
    assert found.item() == pytest.approx(1e-6)
    found.backward()
    assert ours.grad.isfinite().all()


def test_color_loss_of_an_impulse():
    """The sum of the squared weights of a normalized Gaussian of sigma 3, over 21 x 21 places."""
    at = np.arange(-10, 11)
    kernel = np.exp(-(at[:, None] ** 2 + at[None] ** 2) / 18)
    kernel /= kernel.sum()
    picture = torch.zeros(1, 3, 41, 41, dtype=torch.float64)
    picture[0, 1, 20, 20] = 1.0
    expected = (kernel**2).sum() / 21**2 / 3
    found = objectives.color(picture, torch.zeros_like(picture))
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_variation_of_a_slope():
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(9.0), indexing="ij")
    slope = (0.1 * x + 0.25 * y).expand(1, 3, 6, 9)
    assert objectives.variation(slope).item() == pytest.approx(0.35)


def pairs(truth=0.25):
    """A restoration picture of 0.5 and an enhancement picture with a slope."""
    slope = (torch.arange(32.0) / 40).expand(1, 3, 32, 32)
    zeros = torch.zeros(1, 3, 32, 32)
    return {
        "restoration": objectives.Pair("restoration", zeros + 0.5, zeros + truth, 1.0),
        "enhancement": objectives.Pair("enhancement", slope, zeros, 1.0),
    }


def test_further_losses_are_added_to_the_enhancement_alone():
    both = pairs()
    slope = both["enhancement"].picture
    seen = slope[..., 10:-10, 10:-10]  # a Gaussian leaves a slope as it is
    l1, color, variation = slope.mean(), (seen**2).mean(), 1 / 40
    rest = 0.25 + math.log(2)
    plain = objectives.Difference(objectives.L1Log(share=0.9))
    more = objectives.Difference(objectives.L1Log(share=0.9, color=2.0, variation=3.0))
    assert plain(both).item() == pytest.approx(0.9 * rest + 0.1 * l1)
    assert more(both).item() == pytest.approx(0.9 * rest + 0.1 * (l1 + 2 * color + 3 * variation))
    alone = {"restoration": both["restoration"]}
    assert more(alone).item() == pytest.approx(rest)


@pytest.mark.parametrize(("share", "expected"), [(0.9, 0.9 * 1.0 + 0.1 * 9), (0.1, 0.1 + 0.9 * 9)])
def test_lambda_weighs_the_restoration(share, expected):
    """Eq. 7: lambda restoration + (1 - lambda) enhancement."""
    one = torch.ones(1, 3, 4, 4)
    both = {
        "restoration": objectives.Pair("restoration", one * 2, one, 1.0),
        "enhancement": objectives.Pair("enhancement", one * 4, one, 1.0),
    }
    assert objectives.Difference(objectives.L2(share=share))(both).item() == pytest.approx(expected)


def test_lab_objective_takes_alpha_and_divisor():
    kind = objectives.Lab(alpha=0.0, divisor=10.0)
    both = {"enhancement": objectives.Pair("enhancement", flat(0.5, 0.5, 0.5), flat(0.6, 0.6, 0.6),
                                           1.0)}  # fmt: skip
    expected = (lightness(0.6) - lightness(0.5)) / 30
    assert objectives.Difference(kind)(both).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("kind", [objectives.L1Log, objectives.Lab])
def test_nothing_is_added_that_nobody_asked_for(kind):
    """The papers' losses: lambda of a half where none is said, and no further terms."""
    chosen = kind()
    assert (chosen.perceptual, chosen.color, chosen.variation) == (0, 0, 0)
    assert (chosen.share, chosen.joint, chosen.eps, chosen.logs) == (0.5, "paper", 1e-3, "paper")
    with pytest.raises(ValueError, match="vgg"):
        kind(perceptual=0.1)


def vgg(tmp_path):
    """Known weights of all sixteen convolutions, in torchvision's names, and their file."""
    rng = torch.Generator().manual_seed(4)
    plan = [2, 2, 4, 4, 4]  # convolutions between poolings: VGG-19
    widths = [64, 128, 256, 512, 512]
    at, last, state, layers = 0, 3, {}, []
    for count, width in zip(plan, widths, strict=True):
        for _ in range(count):
            weight = torch.randn(width, last, 3, 3, generator=rng) / math.sqrt(4.5 * last)
            bias = torch.randn(width, generator=rng) * 0.1
            state |= {f"features.{at}.weight": weight, f"features.{at}.bias": bias}
            layers.append((weight, bias))
            at, last = at + 2, width
        layers.append(None)
        at += 1
    torch.save(state, tmp_path / "vgg.pth")
    return tmp_path / "vgg.pth", layers


def features(picture, layers):
    """relu2_2, the fourth, and relu5_4, the sixteenth, of ImageNet's normalized picture."""
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    x = (picture - mean) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    seen = []
    for layer in layers:
        if layer is None:
            x = F.max_pool2d(x, 2)
            continue
        x = F.relu(F.conv2d(x, *layer, padding=1))
        seen.append(x)
    return seen[3], seen[15]


@pytest.mark.parametrize("taken", [(3,), (1, 3), (0, 1, 2), (0,)])
def test_features_are_those_of_the_layers_asked_for(taken):
    """Of layers that double: none behind the last one that is taken is computed."""
    called = []
    made = Perceptual.__new__(Perceptual)
    torch.nn.Module.__init__(made)
    made.mean, made.deviation, made.taken = torch.tensor(0.5), torch.tensor(0.25), taken
    made.layers = [lambda x, at=at: called.append(at) or 2 * x for at in range(5)]
    picture = torch.rand(1, 3, 2, 2)
    found = made.seen(picture)
    assert called == list(range(max(taken) + 1))
    for at, one in zip(taken, found, strict=True):
        torch.testing.assert_close(one, (picture - 0.5) / 0.25 * 2 ** (at + 1))


def test_the_perceptual_loss_is_that_of_two_layers(tmp_path):
    """CameraNet v2, footnote 3: L1 at relu2_2 and relu5_4; weights of the objective scale it."""
    path, layers = vgg(tmp_path)
    x, y = (tensor(one).float() for one in pair(32))
    expected = sum(
        (a - b).abs().mean() for a, b in zip(features(x, layers), features(y, layers), strict=True)
    )
    assert Perceptual(path)(x, y).item() == pytest.approx(expected.item(), rel=1e-5)
    chosen = objectives.L1Log(perceptual=0.5, vgg=str(path))
    both = {"enhancement": objectives.Pair("enhancement", x, y, 1.0)}
    total = (x - y).abs().mean() + 0.5 * expected
    assert objectives.Difference(chosen)(both).item() == pytest.approx(total.item(), rel=1e-5)
    assert objectives.Difference(chosen).perceptual.layers[0].weight.requires_grad is False


# -- blocks ----------------------------------------------------------------------------------------


def leaky(value):
    return value if value >= 0 else 0.2 * value


@pytest.mark.parametrize("form", ["scale-shift", "scale"])
def test_the_global_block_by_loops(form):
    """Mean of the bottom's entry, two fully connected layers; scale and shift, or scale alone."""
    torch.manual_seed(2)
    net = UNet(Form(4, widths=(4, 6), dilations=(1, 1), pooled=form)).double()
    for parameter in net.vector.parameters():
        torch.nn.init.normal_(parameter)
    entered = torch.randn(1, 6, 5, 7, dtype=torch.float64)
    x = entered  # the bottom's block: two convolutions, the last one without activation
    x = F.leaky_relu(net.last.block[0](x), 0.2)
    x = net.last.block[1](x)[0].detach().numpy()
    (w1, b1), (w2, b2) = (
        (net.vector[i].weight.detach().numpy(), net.vector[i].bias.detach().numpy()) for i in (0, 2)
    )
    mean = entered[0].numpy().mean((1, 2))
    hidden = [leaky(sum(w1[k] * mean) + b1[k]) for k in range(len(b1))]
    vector = [sum(w2[k] * hidden) + b2[k] for k in range(len(b2))]
    expected = np.empty_like(x)
    for c, i, j in np.ndindex(*x.shape):
        if form == "scale":
            expected[c, i, j] = leaky(x[c, i, j]) * vector[c]
        else:
            expected[c, i, j] = leaky(x[c, i, j] * vector[c] + vector[6 + c])
    with torch.no_grad():
        found = net._globally(entered, None)[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("dilation", [1, 2, 4, 8])
def test_a_dilated_convolution_by_an_impulse(dilation):
    """Nine taps, `dilation` apart, in both directions; no others."""
    convolution = Convolution(1, 1, dilation)
    torch.nn.init.ones_(convolution.conv.weight)
    torch.nn.init.zeros_(convolution.conv.bias)
    picture = torch.zeros(1, 1, 41, 41)
    picture[..., 20, 20] = 1
    places = torch.nonzero(convolution(picture)[0, 0].detach() - 1 == 0).tolist()
    steps = (-dilation, 0, dilation)
    assert places == [[20 + i, 20 + j] for i in steps for j in steps]


def dilations(net):
    def of(level):
        return [convolution.conv.dilation[0] for convolution in [level.entry, *level.block]]

    return [of(level) for level in net.down], of(net.last), [of(level) for level in net.up]


def test_dilations_of_the_enhance_net_are_the_codes():
    """1, 2, 2, 4, 8 by level: both of a block on the way down, the first at the bottom and up."""
    with torch.device("meta"):
        restore, enhance = networks.built({"name": "cameranet"})[0].nets
    down, bottom, up = dilations(enhance)
    assert down == [[1, 1, 1], [1, 2, 2], [1, 2, 2], [1, 4, 4]]
    assert bottom == [1, 8, 1]
    assert up == [[1, 1, 1], [1, 2, 1], [1, 2, 1], [1, 4, 1]]
    flat_dilations = [one for part in dilations(restore) for one in np.ravel(part)]
    assert set(flat_dilations) == {1}


def test_a_residual_block_adds_what_entered_before_the_activation():
    """The Enhance-Net's; the Restore-Net has none."""
    torch.manual_seed(3)
    x = torch.randn(1, 6, 5, 5)
    for residual in (True, False):
        level = UNet(Form(4, widths=(6, 8), dilations=(1, 1), residual=residual)).down[0]
        inner = level.block[1](F.leaky_relu(level.block[0](x), 0.2))
        expected = F.leaky_relu(inner + x if residual else inner, 0.2)
        torch.testing.assert_close(level.rest(x), expected)


def test_the_last_convolution_of_a_u_net_has_no_activation():
    """What the head takes is negative in places; levels below it are activated by LeakyReLU 0.2."""
    torch.manual_seed(4)
    net = UNet(Form(4, widths=(6, 8, 10), dilations=(1, 1, 1)))
    seen = {}
    net.head.register_forward_pre_hook(lambda _, given: seen.update(head=given[0]))
    net.rise[0].register_forward_pre_hook(lambda _, given: seen.update(rise=given[0]))
    last = net.up[0].block[1]
    last.register_forward_hook(lambda *given: seen.update(top=given[2]))
    below = net.up[1].block[1]
    below.register_forward_hook(lambda *given: seen.update(below=given[2]))
    net(torch.rand(1, 4, 16, 16))
    torch.testing.assert_close(seen["head"], seen["top"])
    torch.testing.assert_close(seen["rise"], F.leaky_relu(seen["below"], 0.2))


def test_deepisps_low_level_by_steps():
    """61 features of a ReLU; three of a tanh are added to the picture, which goes on with them."""
    torch.manual_seed(5)
    low = LowLevel(3)
    for convolution in low.convs:
        torch.nn.init.normal_(convolution.weight, std=0.1)
    picture = torch.rand(1, 3, 9, 9)
    x, expected = picture, picture
    for convolution in low.convs:
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        out = F.conv2d(padded, convolution.weight, convolution.bias)
        expected = expected + torch.tanh(out[:, 61:])
        x = torch.cat([out[:, :61].clamp(min=0), expected], 1)
    found, features_ = low.both(picture)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(features_, x[:, :61])


def test_second_order_monomials():
    r, g, b = 2.0, 3.0, 5.0
    found = monomials(torch.tensor([r, g, b]).view(1, 3, 1, 1)).flatten().tolist()
    assert found == [r, g, b, r * r, r * g, r * b, g * g, g * b, b * b, 1.0]
