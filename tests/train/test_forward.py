"""Whole networks against their descriptions, written out with torch's functions and their weights.

Widths are small and weights large: each layer, its order and its edges show in the picture.
"""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from torch.nn import functional as F  # noqa: E402, N812 - behind the skip, the usual name

from isptools.train import networks  # noqa: E402 - behind the skip
from isptools.train.discriminator import Discriminator, same  # noqa: E402 - behind the skip


def made(name, **options):
    torch.manual_seed(3)
    camera, _ = networks.built({"name": name, **options})
    with torch.no_grad():
        for key, parameter in camera.named_parameters():
            spread = 0.1 if "slope" in key or parameter.ndim == 0 else 0.25
            parameter.add_(spread * torch.randn_like(parameter))
    return camera.eval()


def plain(x, layer, **words):
    return F.conv2d(x, layer.weight, layer.bias, **words)


def zeros(x, layer, dilation=1):
    """Padded with zeros so that the size stays."""
    return plain(x, layer, padding=dilation * (layer.weight.shape[-1] // 2), dilation=dilation)


def mirrored(x, layer, stride=1, dilation=1):
    """Padded with reflected pixels."""
    side = dilation * (layer.weight.shape[-1] // 2)
    return plain(F.pad(x, (side,) * 4, mode="reflect"), layer, stride=stride, dilation=dilation)


def leaky(x):
    return torch.where(x >= 0, x, 0.2 * x)


def close(ours, theirs):
    assert theirs.std() > 1e-2, "something is seen"
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_srcnn():
    net = made("srcnn").nets[0]
    x = torch.rand(1, 3, 13, 17)
    y = F.relu(zeros(F.relu(zeros(x, net[0])), net[2]))
    assert [layer.weight.shape[-1] for layer in net if hasattr(layer, "weight")] == [9, 5, 5]
    close(net(x), zeros(y, net[4]))


def test_dpeds_generator():
    net = made("dped", width=5, blocks=2).nets[0]
    x = torch.rand(2, 3, 12, 15)

    def normed(y, at):
        norm = net.norms[at]
        y = F.instance_norm(zeros(y, net.convs[at]), weight=norm.scale, bias=norm.shift, eps=1e-3)
        return F.relu(y)

    y = F.relu(zeros(x, net.enter))
    for block in (0, 2):
        y = y + normed(normed(y, block), block + 1)
    for layer in (net.leave[0], net.leave[2]):
        y = F.relu(zeros(y, layer))
    assert (net.enter.weight.shape[-1], net.head.weight.shape[-1]) == (9, 9)
    close(net(x), 0.58 * torch.tanh(zeros(y, net.head)) + 0.5)


@pytest.mark.parametrize("shape", [(16, 20), (17, 22)])
def test_the_transformer_net_of_johnson(shape):
    """Odd sides are filled up by their last pixels, and cut off again."""
    net = made("johnson", width=4, blocks=2).nets[0]
    x = torch.rand(2, 3, *shape)

    def normed(y, layer):
        return F.instance_norm(y, weight=layer.scale, bias=layer.shift, eps=1e-5)

    y = F.pad(x, (0, -shape[1] % 4, 0, -shape[0] % 4), mode="replicate")
    for layer, stride in zip(net.down, (1, 2, 2), strict=True):
        y = F.relu(normed(mirrored(y, layer.convolution, stride), layer))
    for first, second in net.blocks:
        z = F.relu(normed(mirrored(y, first.convolution), first))
        y = y + normed(mirrored(z, second.convolution), second)
    for layer in net.up:
        up = layer.convolution
        y = F.conv_transpose2d(y, up.weight, up.bias, stride=2, padding=1, output_padding=1)
        y = F.relu(normed(y, layer))
    y = 0.5 + 0.5 * torch.tanh(mirrored(y, net.head))
    assert [layer.convolution.weight.shape[-1] for layer in (*net.down, *net.up)] == [9, 3, 3, 3, 3]
    close(net(x), y[..., : shape[0], : shape[1]])


@pytest.mark.parametrize("shape", [(16, 24), (15, 21)])
def test_deepcamera(shape):
    """Three paths at full, half and a quarter of the size, enlarged, joined, one convolution."""
    net = made("deepcamera", widths=[3, 4, 5], depths=[1, 2, 3]).nets[0]
    x = torch.rand(2, 1, *shape)
    whole = F.pad(x, (0, -shape[1] % 4, 0, -shape[0] % 4))
    joined = []
    for path, side, depth in zip(net.paths, (1, 2, 4), (1, 2, 3), strict=True):
        y = F.pixel_unshuffle(whole, side)
        assert len(path) == depth + 1
        for layer in path:
            y = leaky(zeros(y, layer))
        size = [side * one for one in y.shape[2:]]
        joined.append(F.interpolate(y, size=size, mode="bilinear", align_corners=False))
    y = zeros(torch.cat(joined, 1), net.head)
    close(net(x), y[..., : shape[0], : shape[1]])


@pytest.mark.parametrize("shape", [(16, 24), (13, 19)])
def test_the_u_net_of_sid(shape):
    net = made("sid-unet", widths=[3, 4, 5]).nets[0]
    x = torch.rand(2, 4, *shape)

    def level(y, one):
        return leaky(zeros(leaky(zeros(y, one.first)), one.second))

    skips, y = [], x
    for one in net.down[:2]:
        skips.append(level(y, one))
        y = F.max_pool2d(skips[-1], 2, ceil_mode=True)
    y = level(y, net.down[2])
    for at in (1, 0):
        height, width = skips[at].shape[2:]
        risen = F.conv_transpose2d(y, net.rise[at].weight, stride=2)[..., :height, :width]
        y = level(torch.cat([risen, skips[at]], 1), net.up[at])
    close(net(x), F.pixel_shuffle(plain(y, net.head), 2))


@pytest.mark.parametrize("shape", [(16, 20), (13, 18)])
def test_nafnet(shape):
    """Blocks of their equations, see test_compared; here who stands where."""
    net = made("nafnet", width=4, down=[1, 2], middle=1, up=[2, 1]).nets[0]
    x = torch.rand(2, 3, *shape)

    def norm(layer, y):
        y = F.layer_norm(y.permute(0, 2, 3, 1), y.shape[1:2], layer.scale, layer.shift, 1e-6)
        return y.permute(0, 3, 1, 2)

    def block(y, one):
        z = plain(norm(one.norm, y), one.enter)
        z = plain(z, one.depthwise, padding=1, groups=z.shape[1])
        half = y.shape[1]
        z = z[:, :half] * z[:, half:]
        z = z * F.linear(z.mean((2, 3)), one.attention.weight, one.attention.bias)[..., None, None]
        y = y + one.beta * plain(z, one.leave)
        z = plain(norm(one.norm_two, y), one.enter_two)
        return y + one.gamma * plain(z[:, :half] * z[:, half:], one.leave_two)

    def blocks(y, some):
        for one in some:
            y = block(y, one)
        return y

    whole = F.pad(x, (0, -shape[1] % 4, 0, -shape[0] % 4))
    y = zeros(whole, net.intro)
    skips = []
    for some, halve in zip(net.down, net.halve, strict=True):
        skips.append(blocks(y, some))
        y = plain(skips[-1], halve, stride=2)
    y = blocks(y, net.middle)
    for some, rise, skip in zip(net.up, net.rise, skips[::-1], strict=True):
        y = blocks(F.pixel_shuffle(plain(y, rise), 2) + skip, some)
    assert ([len(one) for one in net.down], [len(one) for one in net.up]) == ([1, 2], [2, 1])
    y = zeros(y, net.ending) + whole
    close(net(x), y[..., : shape[0], : shape[1]])


def batch_norm(y, layer):
    return F.batch_norm(y, layer.running_mean, layer.running_var, layer.weight, layer.bias)


def test_srgan_10_and_can24():
    """Ledig et al. 2017 with a shuffle of 2; Chen, Xu and Koltun 2017 behind it."""
    camera = made("srgan-can", blocks=2, width=5)
    first, can = camera.nets
    for module in camera.modules():  # as if something had been learned
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2)
    x = torch.rand(1, 5, 10, 12)

    def prelu(y, layer):
        return torch.where(y >= 0, y, layer.weight * y)

    entered = prelu(zeros(x, first.enter[0]), first.enter[1])
    y = entered
    for block in first.blocks:
        z = prelu(batch_norm(zeros(y, block[0]), block[1]), block[2])
        y = y + batch_norm(zeros(z, block[3]), block[4])
    y = batch_norm(zeros(y, first.leave[0]), first.leave[1]) + entered
    y = prelu(F.pixel_shuffle(zeros(y, first.rise), 2), first.slope)
    assert (first.enter[0].weight.shape[-1], first.head.weight.shape[-1]) == (9, 9)
    close(first(x), zeros(y, first.head))

    y = picture = torch.rand(1, 3, 70, 75)
    for layer, norm, rate in zip(can.convs, can.norms, (1, 2, 4, 8, 16, 32, 64, 1), strict=True):
        y = zeros(y, layer, rate)
        y = leaky(norm.keep * y + norm.mix * batch_norm(y, norm.norm))
    assert [layer.weight.shape[0] for layer in can.convs] == [24] * 8
    close(can(picture), plain(y, can.head))


@pytest.mark.parametrize("shape", [(16, 20), (11, 14)])
def test_isp_net_and_cas_net(shape):
    """Maxima of 2 x 2, bilinear doubling, skips behind it, attention at the end of each block."""
    net = made("compression-aware", widths=[3, 4, 5], reduction=2).nets[0]
    x = torch.rand(2, 3, *shape)

    def block(y, one):
        for layer in (one[0], one[2], one[4]):
            y = leaky(mirrored(y, layer))
        return y

    def attended(y, layers):
        z = F.relu(F.linear(y.mean((2, 3)), layers[0].weight, layers[0].bias))
        z = torch.sigmoid(F.linear(z, layers[2].weight, layers[2].bias))
        return y * z[..., None, None]

    for attends in (True, False):
        skips, y = [], x
        for one in net.down:
            skips.append(block(y, one))
            y = F.max_pool2d(skips[-1], 2, ceil_mode=True)
        y = block(y, net.last)
        for at, one in enumerate(net.up):
            skip = skips[1 - at]
            wide = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
            wide = wide[..., : skip.shape[2], : skip.shape[3]]
            y = block(torch.cat([wide, skip], 1), one)
            y = attended(y, net.attend[at]) if attends else y
        close(net(x), mirrored(y, net.head))
        net.attend = torch.nn.ModuleList()  # CAS-Net: the same without


@pytest.mark.parametrize("shared", [True, False])
def test_deepisp(shared):
    """Blocks, then three of convolution, ReLU and maxima; W . monomials of the picture."""
    net = made("deepisp", layers=2, maps=7, shared=shared).nets[0]
    entered = torch.rand(2, 3, 70, 80)
    x = picture = entered
    for layer in net.low.convs:
        out = mirrored(x, layer)
        picture = picture + torch.tanh(out[:, 4:])
        x = torch.cat([F.relu(out[:, :4]), picture], 1)
    y = x[:, :4] if shared else picture
    for layer in net.high:
        y = F.max_pool2d(F.relu(mirrored(y, layer, 2)), 2, ceil_mode=True)
    w = F.linear(y.mean((2, 3)), net.matrix.weight, net.matrix.bias).view(2, 3, 10, 1, 1)
    r, g, b = picture.unbind(1)
    terms = torch.stack([r, g, b, r * r, r * g, r * b, g * g, g * b, b * b, r * 0 + 1], 1)
    close(net(entered), (w * terms[:, None]).sum(2))


def same_maxima(x):
    """3 x 3, stride 2, as TensorFlow's SAME: one more pixel in front only where a side is odd."""
    height, width = x.shape[2:]
    x = F.pad(x, (width % 2, 1, height % 2, 1), value=-torch.inf)
    return F.max_pool2d(x, 3, 2)


@pytest.mark.parametrize("name", ["cameranet", "cameranet-v1", "cameranet-three-stage"])
def test_cameranets_enhance_net(name):
    """Dilated and residual, with a global block of scale and shift; v1 with adaptive norms."""
    camera = made(name, widths=[3, 4, 5])
    net, depth = camera.nets[-1], 2 if name.endswith("three-stage") else 3
    x = torch.rand(2, 12, 21, 26)

    def layer(y, one, dilation):
        y = mirrored(y, one.conv, dilation=dilation)
        if name != "cameranet-v1":
            return y
        return one.norm.keep * y + one.norm.mix * batch_norm(y, one.norm.norm)

    def level(y, one, dilations, active=True):
        y = entered = leaky(layer(y, one.entry, 1))
        for at, (convolution, dilation) in enumerate(zip(one.block, dilations, strict=True)):
            y = layer(y, convolution, dilation)
            last = at == len(dilations) - 1
            y = y + entered if last else y
            y = leaky(y) if active or not last else y
        return y, entered

    more = depth - 1
    skips, y = [], x
    for one, dilation in zip(net.down, (1, 2), strict=True):
        y, _ = level(y, one, [dilation] * more)
        skips.append(y)
        y = same_maxima(y)
    y, entered = level(y, net.last, [2, *[1] * (more - 1)], active=False)
    vector = F.linear(leaky(F.linear(entered.mean((2, 3)), net.vector[0].weight,
                                     net.vector[0].bias)), net.vector[2].weight,
                      net.vector[2].bias)[..., None, None]  # fmt: skip
    y = leaky(y * vector[:, :5] + vector[:, 5:])
    for at, dilation in ((1, 2), (0, 1)):
        height, width = skips[at].shape[2:]
        risen = F.conv_transpose2d(y, net.rise[at].weight, stride=2)[..., :height, :width]
        y, _ = level(torch.cat([risen, skips[at]], 1), net.up[at],
                     [dilation, *[1] * (more - 1)], active=at > 0)  # fmt: skip
    close(net(x), F.pixel_shuffle(plain(y, net.head), 2))


def test_dpeds_discriminator():
    """11 x 11 in steps of 4, 5 x 5 in steps of 2, three of 3 x 3, the last in steps of 2."""
    torch.manual_seed(3)
    net = Discriminator(22, 2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    x = y = torch.rand(3, 2, 22, 22)
    for at, (side, step) in enumerate(((11, 4), (5, 2), (3, 1), (3, 1), (3, 2))):
        length = y.shape[2]
        missing = max((-(-length // step) - 1) * step + side - length, 0)
        around = (missing // 2, missing - missing // 2)
        y = leaky(plain(F.pad(y, around * 2), net.convs[at], stride=step))
        if at:
            norm = net.norms[at - 1]
            y = F.instance_norm(y, weight=norm.scale, bias=norm.shift, eps=1e-3)
    assert y.shape == (3, 128, 2, 2)
    y = leaky(F.linear(y.flatten(1), net.first.weight, net.first.bias))
    assert y.shape == (3, 1024)
    close(net(x), F.linear(y, net.last.weight, net.last.bias))


def test_zeros_stand_around_as_tensorflow_puts_them():
    """Of 9 x 14 in steps of 2: five windows of 5 need 13 rows, seven need 17 columns."""
    x = torch.rand(1, 1, 9, 14)
    assert torch.equal(same(x, 5, 2), F.pad(x, (1, 2, 2, 2)))
    assert torch.equal(same(x, 1, 3), x), "nothing is cut"
