"""The simulators against the standard's equations, libjpeg's own files, and their promises."""

import io

import numpy as np
import pytest
from PIL import Image, features
from scipy.fft import dctn, idctn

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from isptools import measure  # noqa: E402 - behind the skip
from isptools.train import codecs, simulators  # noqa: E402 - behind the skip
from isptools.train.codecs import codec  # noqa: E402 - behind the skip
from isptools.train.simulators import ACN, CAS, DJS, fourier_round  # noqa: E402 - behind the skip

FACTORS = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2)}


def photograph(height, width, seed=0):
    """(H, W, 3) uint8: smooth colors, edges and grain."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(y / a + x / b + c) for a, b, c in random.uniform(3, 30, (3, 3))]
    picture = 0.5 + 0.3 * np.stack(waves, 2) + 0.2 * ((y // 13 + x // 17) % 2)[..., None]
    return np.uint8(np.clip(picture + random.normal(0, 0.02, (height, width, 3)), 0, 1) * 255)


def tables(quality):
    """Luminance and chrominance as libjpeg scales them, row by row, from a file of its own."""
    file = io.BytesIO()
    Image.fromarray(photograph(16, 16)).save(file, "JPEG", quality=quality)
    found = Image.open(io.BytesIO(file.getvalue())).quantization
    return np.array([found[0], found[1]]).reshape(2, 8, 8)


def by_numpy(picture, quality, chroma, rounded):
    """T.81 and T.871 from their equations, float64; scipy's orthonormal DCT is A.3.3's."""
    down, across = FACTORS[chroma]
    height, width = picture.shape[:2]
    padded = np.pad(
        picture.astype(np.float64),
        ((0, -height % (8 * down)), (0, -width % (8 * across)), (0, 0)), mode="edge",
    )  # fmt: skip
    r, g, b = np.moveaxis(padded, 2, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    planes = [y - 128, (b - y) / 1.772, (r - y) / 1.402]
    out = []
    for at, plane in enumerate(planes):
        if at:
            rows, columns = plane.shape
            plane = plane.reshape(rows // down, down, columns // across, across).mean((1, 3))  # noqa: PLW2901 - smaller
        steps = tables(quality)[min(at, 1)]
        coded = np.empty_like(plane)
        for i in range(0, plane.shape[0], 8):
            for j in range(0, plane.shape[1], 8):
                block = dctn(plane[i : i + 8, j : j + 8], norm="ortho")
                coded[i : i + 8, j : j + 8] = idctn(rounded(block / steps) * steps, norm="ortho")
        out.append(np.kron(coded, np.ones((down, across))) if at else coded)
    y, cb, cr = out[0] + 128, out[1], out[2]
    rgb = [y + 1.402 * cr, y - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587, y + 1.772 * cb]
    return np.clip(np.stack(rgb, 2)[:height, :width], 0, 255)


def series(x):
    """Xing et al. 2021, eq. 5, with the nine terms of their code."""
    waves = [(-1) ** (n + 1) / n * np.sin(2 * np.pi * n * x) for n in range(1, 10)]
    return x - np.sum(waves, 0) / np.pi


def through(module, picture):
    x = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    with torch.no_grad():
        return module(x)[0].numpy().transpose(1, 2, 0)


@pytest.mark.parametrize("chroma", FACTORS)
@pytest.mark.parametrize("quality", [35, 80, 90])
def test_djs_is_the_standards_equations(quality, chroma):
    picture = photograph(45, 38)
    wanted = by_numpy(picture, quality, chroma, series) / 255
    ours = through(DJS(quality, chroma), picture)
    np.testing.assert_allclose(ours, wanted, atol=1e-5)


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 75, 80, 90, 96, 100])
def test_tables_are_libjpegs(quality):
    for table, own in zip((simulators.LUMINANCE, simulators.CHROMINANCE), tables(quality),
                          strict=True):  # fmt: skip
        assert simulators.scaled(table, quality) == own.ravel().tolist()


def test_blocks_on_the_grid_pass_as_they_do_in_libjpeg():
    """Coefficients at multiples of the steps: the series rounds exactly, and so does libjpeg."""
    random = np.random.default_rng(4)
    steps = tables(50)[0]
    picture = np.empty((64, 64))
    for i in range(0, 64, 8):
        for j in range(0, 64, 8):
            few = random.integers(-1, 2, (8, 8)) * (random.random((8, 8)) < 0.08)
            few[0, 0] = random.integers(-4, 5)
            picture[i : i + 8, j : j + 8] = idctn(few * steps.astype(float), norm="ortho") + 128
    assert picture.min() >= 0
    assert picture.max() <= 255
    gray = np.repeat(picture[..., None], 3, 2)
    exact = torch.from_numpy(gray.transpose(2, 0, 1)[None] / 255)
    ours = DJS(50, "4:4:4")(exact)[0, 0].numpy() * 255
    np.testing.assert_allclose(ours, picture, atol=1e-2)
    real, _ = codec("jpeg", "4:4:4").through(np.rint(gray).astype(np.uint8), 50)
    assert np.abs(real[..., 0] - picture).max() <= 1.5, "libjpeg's integers"


def test_the_series_rounds_integers_and_has_its_slope():
    x = torch.tensor([-3.0, 0.0, 2.0, 300.0], requires_grad=True)
    rounded = fourier_round(x)
    torch.testing.assert_close(rounded.detach(), x.detach())
    rounded.sum().backward()
    slope = 1 - 2 * sum((-1) ** (n + 1) for n in range(1, 10))
    torch.testing.assert_close(x.grad, torch.full((4,), float(slope)))
    half = fourier_round(torch.tensor([0.5, 1.25]))
    assert half[0] == pytest.approx(0.5, abs=1e-6)
    assert half[1] == pytest.approx(series(np.array(1.25)), abs=1e-6)


@pytest.mark.parametrize("shape", [(16, 16), (37, 51)])
def test_learners_begin_as_the_picture_at_any_size(shape):
    torch.manual_seed(0)
    x = torch.rand(2, 3, *shape)
    for module in (CAS((4, 6, 8)), ACN(12, 1)):
        torch.testing.assert_close(module(x), x)
        module(x).square().mean().backward()
    assert not torch.allclose(CAS((4, 6, 8), residual=False)(x), x, atol=0.1)


def test_cas_begins_to_see_differences_alone():
    torch.manual_seed(0)
    first = CAS((4, 6, 8)).net.down[0][0]
    dark, bright = (first(torch.full((1, 3, 9, 9), level)) for level in (0.1, 0.8))
    torch.testing.assert_close(dark, bright, atol=1e-5, rtol=0)
    assert (first(torch.rand(1, 3, 9, 9)) - dark).abs().max() > 0.5


def test_places_by_their_equation():
    """Lengths 16, 8, 4 and 2, cosine and sine of 2 pi (k + 1/2) / length; rows, then columns."""
    seen = simulators.places(torch.rand(2, 3, 5, 19)).numpy()
    assert seen.shape == (2, 16, 5, 19)
    for at, length in enumerate((16, 8, 4, 2)):
        for n, axis in enumerate(np.mgrid[:5, :19]):
            angle = 2 * np.pi * (axis + 0.5) / length
            np.testing.assert_allclose(seen[1, 8 * n + 2 * at], np.cos(angle), atol=1e-5)
            np.testing.assert_allclose(seen[0, 8 * n + 2 * at + 1], np.sin(angle), atol=1e-5)


def test_cas_that_sees_the_grid():
    """Flat pictures look alike at any brightness, and by their place only; colors as without."""
    torch.manual_seed(0)
    module = CAS((64, 6, 8), grid=True)
    first = module.net.down[0][0]
    x = torch.rand(1, 3, 21, 37)
    torch.testing.assert_close(module(x), x)
    # He's variance of 3 inputs, 2 / (1.04 x 27), 16 times larger, less the mean of nine
    wanted = 16 * (2 / (1.04 * 27) * 8 / 9) ** 0.5
    assert first.weight[:, :3].std().item() == pytest.approx(wanted, rel=0.05)
    dark, bright = (
        first(torch.cat([flat, simulators.places(flat)], 1))[..., 1:-1, 1:-1]
        for flat in (torch.full((1, 3, 21, 37), level) for level in (0.1, 0.8))
    )
    torch.testing.assert_close(dark, bright, atol=1e-5, rtol=0)
    torch.testing.assert_close(dark[..., 16:], dark[..., :-16], atol=1e-4, rtol=0)
    assert (dark[..., 8:] - dark[..., :-8]).abs().max() > 0.3, "half of a macroblock further"


def test_what_cas_adds_is_a_sixteenth_of_what_its_head_makes():
    module, x = CAS((4, 6)), torch.rand(1, 3, 6, 6)
    torch.nn.init.constant_(module.net.head.bias, 0.32)
    torch.testing.assert_close(module(x), x + 0.02)


def test_cas_keeps_the_size_of_features_and_spreads_their_bends():
    """He's variance behind LeakyReLU 0.2, 2 / (1.04 x 9 x 64); biases spread evenly up to 0.5."""
    torch.manual_seed(0)
    within = CAS((64, 8)).net.down[0][2]
    assert within.weight.var().item() == pytest.approx(2 / (1.04 * 9 * 64), rel=0.02)
    assert within.bias.abs().max() < 0.5
    assert within.bias.std().item() == pytest.approx(1 / 12**0.5, rel=0.25)


def test_acn_begins_to_see_a_blocks_frequencies():
    """scipy's DCT of Y, Cb and Cr, the highest first, times its frequency; not the mean."""
    torch.manual_seed(0)
    picture = np.random.default_rng(3).random((24, 24, 3))
    r, g, b = np.moveaxis(picture[8:16, 8:16], 2, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    planes = [dctn(x, norm="ortho") for x in (y, (b - y) / 1.772, (r - y) / 1.402)]
    order = sorted(((u, v) for u in range(8) for v in range(8)), key=lambda at: -sum(at))
    wanted = [plane[at] * sum(at) for at in order[:-1] for plane in planes]
    x = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32))
    with torch.no_grad():
        for width in (20, 192, 200):
            seen = ACN(width, 1).enter(torch.nn.functional.pixel_unshuffle(x, 8))[0, :, 1, 1]
            np.testing.assert_allclose(seen[:189].numpy(), wanted[:width], atol=1e-4)


def test_acn_sees_a_block_less_its_mean():
    """A checkerboard of one block beside flat ones; a side that is no multiple has its own mean."""
    x = torch.full((1, 3, 13, 16), 0.3)
    x[..., :8, 8:] += torch.from_numpy(np.indices((8, 8)).sum(0) % 2 * 0.5).float()
    seen = simulators.less_means(x)
    assert seen[..., :8].abs().max() < 1e-6
    assert seen[..., 8:, :].abs().max() < 1e-6
    torch.testing.assert_close(seen[..., :8, 8:].abs(), torch.full((1, 3, 8, 8), 0.25))
    torch.manual_seed(0)
    module = ACN(12, 1)
    torch.nn.init.normal_(module.leave.weight)
    steps = torch.rand(1, 3, 2, 2).repeat_interleave(8, 2).repeat_interleave(8, 3)
    brighter = x + steps[..., :13, :]
    torch.testing.assert_close(module(brighter) - brighter, module(x) - x, atol=1e-4, rtol=1e-4)


def test_acns_blocks_begin_to_bend_at_amplitudes():
    """Half of the units at each sign of a map; nothing is added yet."""
    torch.manual_seed(0)
    module = ACN(192, 2)
    for first, second in module.blocks:
        weights = first.weight[:, :, 0, 0].detach()
        on = weights.diagonal()
        assert torch.equal(weights, torch.diag(on))
        assert set(on.tolist()) == {-1.0, 1.0}
        bends = torch.where(on > 0, -first.bias, -first.bias / 0.2).detach()
        assert 0.01 <= bends.min() < 0.03
        assert 0.3 < bends.max() <= 1
        assert 0.08 < bends.median() < 0.13, "by factors: the middle is their root"
        assert not second.weight.any()


def test_acn_sees_whole_blocks():
    """One pixel of a block moves what stands in that block and its neighbors, and nothing else."""
    torch.manual_seed(0)
    module = ACN(8, 1)
    with torch.no_grad():
        module.enter.weight.normal_()
        module.leave.weight.normal_()
        x = torch.rand(1, 3, 40, 40)
        other = x.clone()
        other[0, 1, 18, 19] += 1
        moved = (module(other) - module(x)).abs().amax((0, 1)) > 1e-6
    rows, columns = np.nonzero(moved.numpy())
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 31, 8, 31)


@pytest.mark.parametrize("name", codecs.FORMS)
def test_codecs_give_better_pictures_for_more_bytes(name):
    if name in codecs.NEEDS and not features.check(codecs.NEEDS[name]):
        pytest.skip(f"this Pillow has no {name}")
    picture = photograph(64, 80)
    low, high = (codec(name).through(picture, q) for q in (codecs.QUALITIES[name][0],
                                                           codecs.QUALITIES[name][-1]))  # fmt: skip
    assert low[0].shape == picture.shape
    assert low[1] < high[1]
    assert measure.psnr(low[0], picture, 255) < measure.psnr(high[0], picture, 255)
    assert codec(name).stated()["codec"] == name


def test_a_codecs_chroma_is_as_stated():
    picture = photograph(64, 64)
    for chroma, sampling in (("4:4:4", (1, 1)), ("4:2:2", (2, 1)), ("4:2:0", (2, 2))):
        opened = Image.open(io.BytesIO(codec("jpeg", chroma).encoded(picture, 90)))
        assert opened.layer[0][1:3] == sampling
    with pytest.raises(ValueError, match="no codec 'gif'; there are jpeg"):
        codec("gif")
