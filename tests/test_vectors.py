"""Vectors of kernels against NumPy's arithmetic in the same order."""

import numpy as np
import pytest

from isptools.compiled import kernel
from isptools.vectors import Number, begins, folded, summed, vectors

F32 = np.float32
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def lines():
    return RNG.normal(0, 3, (8, 16)).astype(F32)


@vectors()
def _arithmetic(a, scale, out):
    out[0] = (a[0] + a[1] * scale) / (2.0 - a[2])
    out[1] = 1.0 / (a[0] - 3.0).absolute()
    out[2] = a[0].shuffled(a[1], [0, 31, *range(14)])
    out[3] = a[0].part(8, 8).joined(a[1].part(0, 8))
    out[4] = (a + 3).load()
    out[5] = scale.spread().constant(0.25) * a[0]
    (out + 96).store(a[0][5].spread(4))


@vectors(1)
def _sum(a):
    return [summed([a[0], a[1], a[2]])]


@vectors(2)
def _both(a):
    lines = [place.load() for place in begins(a, 16, 5)]
    return [folded(two, lines).folded(two) for two in (Number.least, Number.most)]


@vectors()
def _places(picture, width, x, y, out):
    """What lies at whole places (x + 0.7 k, y)."""
    across = (x + x.counted(16) * 0.7).floor()
    offsets = (across - across).whole().plus(width).times(3).plus(across.whole())
    words = picture.words(offsets)
    for k in range(4):
        out[k] = words.byte(k)
    out[4] = (x + x.counted(16) * 0.7 - across).single() + (y - y).single()


@kernel
def arithmetic(a, scale, out):
    _arithmetic(a, scale, out)
    return _sum(a), _both(a)


@kernel
def places(picture, x, y, out):
    _places(picture, picture.shape[1], x, y, out)


def test_arithmetic_is_numpys(lines):
    out, scale = np.zeros((8, 16), F32), F32(1.7)
    total, two = arithmetic(lines, scale, out)
    a = lines
    expected = [
        (a[0] + a[1] * scale) / (F32(2) - a[2]),
        F32(1) / np.abs(a[0] - F32(3)),
        np.concatenate([a[0], a[1]])[[0, 31, *range(14)]],
        np.concatenate([a[0, 8:], a[1, :8]]),
        a.ravel()[3:19],
        F32(0.25) * a[0],
        [a[0, 5]] * 4 + [0] * 12,
    ]
    for found, wanted in zip(out, expected, strict=False):
        assert np.array_equal(found, wanted)
    halves = (a[0] + a[1]) + a[2]
    halves = halves[:8] + halves[8:]
    halves = halves[:4] + halves[4:]
    halves = halves[:2] + halves[2:]
    assert total == halves[0] + halves[1]
    assert two == (a[:5].min(), a[:5].max())


def test_bytes_are_found_where_they_lie():
    picture = RNG.integers(0, 256, (6, 40)).astype(np.uint8)
    out = np.zeros((5, 16), F32)
    places(picture, 2.4, 0.0, out)
    exact = 2.4 + np.arange(16.0) * 0.7
    at = np.floor(exact).astype(int)
    for k in range(4):
        assert np.array_equal(out[k], picture[3, at + k].astype(F32))
    assert np.array_equal(out[4], (exact - at).astype(F32))


def test_what_has_gaps_is_no_place():
    with pytest.raises(Exception, match="contiguous"):
        arithmetic(np.zeros((8, 32), F32)[:, ::2], F32(1), np.zeros((8, 16), F32))
