"""Convolutions that a GPU does in one kernel: what they are given, and what becomes of it."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from isptools.train import edges, fused, networks  # noqa: E402 - behind the skip
from isptools.train.networks import deepisp  # noqa: E402 - behind the skip


def test_what_a_kernel_is_given(monkeypatch):
    """Halves with channels last; inputs by eights, where what is more than there were is 0."""
    convolve = pytest.importorskip("isptools.train.convolve", reason="Triton is not installed")
    given = []
    monkeypatch.setattr(
        convolve, "convolved", lambda *words: given.append(words) or ("features", "picture")
    )
    layer, x, added = (
        edges.Reflected(5, 8, dilation=2),
        torch.rand(1, 5, 6, 7),
        torch.rand(1, 8, 6, 7),
    )
    half = torch.get_autocast_dtype("cuda")
    assert fused.activated(layer, x, 0.25, None, added) == "features"
    picture = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    assert fused.corrected(layer, x, picture) == ("features", "picture")
    for (seen, weight, bias, *rest), (slope, more, shown) in zip(
        given, ((0.25, added, None), (0.0, None, picture)), strict=True
    ):
        for own, whole in ((seen, x), (weight, layer.weight)):
            assert (own.dtype, own.shape) == (half, (len(whole), 8, *whole.shape[2:]))
            assert own.is_contiguous(memory_format=torch.channels_last)
            assert torch.equal(own[:, :5], whole.to(half))
            assert (own[:, 5:] == 0).all()
        assert bias is layer.bias
        assert rest[:3] == [2, slope, None]
        assert rest[3] is more is None or torch.equal(rest[3], more.to(half))
        assert rest[4] is shown is None or torch.equal(rest[4], shown.float())
    given.clear()
    fused.activated(layer, x[:, :2], 0.25, x[:, 2:], None)  # 2 and 3 channels stay so
    ((seen, weight, *_, beside, _, _),) = given
    assert (seen.shape[1], weight.shape[1], beside.shape[1]) == (2, 5, 3)
    assert torch.equal(beside, x[:, 2:].to(half))


def test_networks_go_on_from_what_one_kernel_gives(monkeypatch):
    """By twins of the kernels: DeepISP's picture and features, and CameraNet's, are as without."""

    def corrected(layer, x, picture):
        out = layer(x)
        shown = picture + out[:, -3:].tanh()
        return torch.cat([out[:, :-3].relu(), shown], 1), shown

    def activated(layer, x, slope, beside, added):
        out = layer(x if beside is None else torch.cat([x, beside], 1))
        return torch.nn.functional.leaky_relu(out if added is None else out + added, slope)

    torch.manual_seed(0)
    low = deepisp.LowLevel(3, maps=8)
    net = networks.built({"name": "cameranet", "widths": [4, 6]})[0].nets[1]
    picture, packed = torch.rand(2, 3, 9, 8), torch.rand(1, 12, 8, 8)
    with torch.no_grad():
        wanted = *low.both(picture), net(packed)
        called = []
        monkeypatch.setattr(fused, "suits", lambda *_: called.append(1) or True)
        monkeypatch.setattr(fused, "corrected", corrected)
        monkeypatch.setattr(fused, "activated", activated)
        found = *low.both(picture), net(packed)
    assert len(called) > 3
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
