"""Convolutions in one pass over a GPU's memory, by Triton's interpreter, beside torch's own."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402, N812 - the usual name

from isptools.train.networks.cameranet import halve  # noqa: E402


def laid(*shape, scale=1.0):
    return (scale * torch.randn(*shape)).contiguous(memory_format=torch.channels_last)


def reference(x, weight, bias, dilation, beside=None, added=None):
    x = x if beside is None else torch.cat([x, beside], 1)
    out = F.conv2d(F.pad(x, (dilation,) * 4, mode="reflect"), weight, bias, dilation=dilation)
    return out if added is None else out + added


@pytest.mark.parametrize(
    ("shape", "outputs", "dilation", "others", "added"),
    [
        ((2, 8, 9, 11), 16, 1, 0, False),  # two pictures, fewer channels than a step takes
        ((1, 16, 12, 10), 8, 4, 0, True),
        ((1, 16, 7, 9), 24, 2, 24, False),  # another picture beside
        ((1, 80, 5, 6), 40, 1, 0, False),  # channels that no step divides
    ],
)
def test_a_convolution_with_what_follows(convolve, shape, outputs, dilation, others, added):
    torch.manual_seed(0)
    n, inputs, *sides = shape
    x, bias = laid(*shape), torch.randn(outputs)
    weight = laid(outputs, inputs + others, 3, 3, scale=0.1)
    more = {
        "beside": laid(n, others, *sides) if others else None,
        "added": laid(n, outputs, *sides) if added else None,
    }
    found, _ = convolve.convolved(x, weight, bias, dilation, 0.2, **more)
    wanted = F.leaky_relu(reference(x, weight, bias, dilation, **more), 0.2)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_the_picture_travels_beside_the_features(convolve):
    """DeepISP: ReLU of all but three, tanh of those onto the picture."""
    torch.manual_seed(1)
    x, weight, bias = laid(2, 8, 7, 9), laid(16, 8, 3, 3, scale=0.1), torch.randn(16)
    picture = laid(2, 3, 7, 9)
    found, shown = convolve.convolved(x, weight, bias, 1, 0.0, picture=picture)
    out = reference(x, weight, bias, 1)
    wanted = picture + torch.tanh(out[:, -3:])
    torch.testing.assert_close(shown, wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found, torch.cat([F.relu(out[:, :-3]), wanted], 1), rtol=1e-5,
                               atol=1e-5)  # fmt: skip


@pytest.mark.parametrize("sides", [(6, 9), (7, 4)])
def test_maxima_lie_where_those_of_training_do(convolve, sides):
    torch.manual_seed(2)
    x = laid(2, 8, *sides)
    assert torch.equal(convolve.pooled(x), halve(x))


def test_nothing_is_written_behind_a_picture(convolve, monkeypatch):
    """A program holds more pixels and channels than there are."""
    wholes = []

    def guarded(shape, dtype, **_):
        n, channels, height, width = shape
        wholes.append(torch.full((n * channels * height * width + 99,), 7.0, dtype=dtype))
        return wholes[-1][:-99].view(n, height, width, channels).permute(0, 3, 1, 2)

    own = SimpleNamespace(
        empty=guarded, channels_last=torch.channels_last,
        empty_like=lambda x: guarded(x.shape, x.dtype),
    )  # fmt: skip
    x, picture = laid(1, 8, 5, 7), laid(1, 3, 5, 7)
    monkeypatch.setattr(convolve, "torch", own)
    convolve.pooled(x)
    convolve.convolved(x, laid(12, 8, 3, 3), torch.randn(12), 1, 0.0, picture=picture)
    assert len(wholes) == 3
    for whole in wholes:
        assert (whole[-99:] == 7).all()
        assert (whole[:-99] != 7).all()


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        (5, 12, (256, 32, 16, 8, 3)), (96, 32, (256, 32, 32, 8, 3)), (64, 32, (256, 32, 32, 8, 3)),
        (64, 33, (128, 64, 64, 4, 3)), (96, 64, (128, 64, 32, 4, 3)), (48, 64, (128, 64, 16, 4, 3)),
        (64, 65, (128, 128, 64, 4, 3)), (64, 128, (128, 128, 64, 4, 3)),
        (512, 129, (128, 256, 64, 8, 3)),
    ],
)  # fmt: skip
def test_blocks_hold_what_comes(convolve, inputs, outputs, expected):
    """As measured on an H200: pixels, outputs and inputs of a program; its warps and stages.

    A step's channels are the most of 64, 32 and 16 that divide those that come.
    """
    found = convolve.blocks(inputs, outputs)
    assert (found.pixels, found.outputs, found.inputs, found.warps, found.stages) == expected
