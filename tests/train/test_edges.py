"""What a GPU computes in place of torch's padding and pooling, against those, on any device."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402, N812

from isptools.train import edges  # noqa: E402

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def both(ours, theirs, shape, layout):
    """(value, gradient) of two functions of the same numbers, in float64."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found = []
    for function in (ours, theirs):
        mine = x.clone(memory_format=layout).requires_grad_()
        out = function(mine)
        weights = torch.linspace(-1, 2, out.numel(), dtype=torch.float64).view(out.shape)
        (out * weights).sum().backward()
        found.append((out.detach(), mine.grad))
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("by", "shape"), [(1, (2, 3, 5, 7)), (2, (1, 4, 3, 6)), (8, (1, 2, 9, 9))])
def test_folded_edges_are_reflected_ones(by, shape, layout):
    ours, theirs = both(
        lambda x: edges.folded(x, by), lambda x: F.pad(x, (by,) * 4, mode="reflect"), shape, layout
    )
    assert torch.equal(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-13, atol=1e-13)
    assert ours[0].is_contiguous(memory_format=layout), "convolutions behind it keep their layout"


def test_a_folded_edge_by_hand():
    """1 2 3 mirrored by one is 2 1 2 3 2: weights 1, 10, 100, 1000, 10000 come back summed."""
    line = torch.tensor([1.0, 2, 3]).repeat(3, 1)[None, None].requires_grad_()
    out = edges.folded(line, 1)
    assert out[0, 0, 2].tolist() == [2, 1, 2, 3, 2]
    weights = torch.zeros_like(out)
    weights[0, 0, 2] = torch.tensor([1.0, 10, 100, 1000, 10000])
    (out * weights).sum().backward()
    assert line.grad[0, 0, 1].tolist() == [10, 10101, 1000]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("side", "ceil", "shape"),
    [(3, False, (2, 3, 7, 9)), (3, False, (1, 4, 6, 8)), (2, True, (2, 3, 5, 7)),
     (2, True, (1, 3, 4, 4))],
)  # fmt: skip
def test_gathered_maxima_are_torchs(side, ceil, shape, layout):
    def flat(x):  # with ties, where the first one takes all
        return (x * 2).round()

    ours, theirs = both(
        lambda x: edges.gathered_maxima(x + (flat(x) - x).detach(), side, ceil),
        lambda x: F.max_pool2d(x + (flat(x) - x).detach(), side, 2, ceil_mode=ceil), shape, layout,
    )  # fmt: skip
    assert torch.equal(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 4)])
def test_a_reflected_convolution_is_torchs(stride, dilation):
    theirs = torch.nn.Conv2d(
        3, 5, 3, stride, dilation, dilation, padding_mode="reflect", dtype=torch.float64
    )
    ours = edges.Reflected(3, 5, 3, stride, dilation).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 9, 11, dtype=torch.float64)
    assert torch.equal(ours(x), theirs(x))


def test_windows_lie_inside_where_nothing_is_said():
    x = torch.rand(1, 1, 5, 7)
    for function in (edges.maxima, edges.gathered_maxima):
        assert torch.equal(function(x, 2), F.max_pool2d(x, 2))
