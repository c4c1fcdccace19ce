"""The two systems' networks: counts of their papers, operations, sizes, pictures in and out."""

from itertools import pairwise

import imageio.v3 as imageio
import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from isptools.cli import main  # noqa: E402 - behind the skip
from isptools.train import data, infer, networks  # noqa: E402 - behind the skip
from isptools.train.camera import parameters  # noqa: E402 - behind the skip
from isptools.train.edges import doubled  # noqa: E402 - behind the skip
from isptools.train.intake import RGB  # noqa: E402 - behind the skip
from isptools.train.listing import listing  # noqa: E402 - behind the skip
from isptools.train.networks.compression_aware import UNet, reach  # noqa: E402 - behind the skip


def made(name, **options):
    torch.manual_seed(0)
    return networks.built({"name": name, **options})[0].eval()


def test_dpeds_generator_has_the_numbers_of_its_checkpoint():
    """1,605,900 bytes of 4; a multiply-accumulate is two operations."""
    (row,) = listing(["dped"])
    assert row["parameters"] == 1_605_900 // 4 == 401_475
    convolutions = 81 * 3 * 64 + 10 * 9 * 64 * 64 + 81 * 64 * 3
    assert row["gflops"] == pytest.approx(2 * 4032 * 3024 * convolutions / 1e9, abs=0.01)


def test_isp_net_by_hand():
    """Three convolutions a block, twice the channels a level, attention's two layers."""
    widths = (32, 64, 128, 256, 512)

    def block(inputs, outputs):
        return [(inputs, outputs), (outputs, outputs), (outputs, outputs)]

    down = [c for i, o in pairwise((3, *widths)) for c in block(i, o)]
    up = [c for own, below in pairwise(widths) for c in block(own + below, own)]
    convolutions = sum(9 * i * o + o for i, o in [*down, *up, (32, 3)])
    attention = sum(2 * w * (w // 16) + w // 16 + w for w in widths[:-1])
    (row,) = listing(["compression-aware"])
    assert row["parameters"] == convolutions + attention
    assert parameters(UNet(widths)) == convolutions, "CAS-Net: the same without attention"
    per_level = [
        sum(9 * i * o for i, o in block(3 if not n else widths[n - 1], w)) / 4**n
        for n, w in enumerate(widths)
    ] + [sum(9 * i * o for i, o in block(a + b, a)) / 4**n for n, (a, b) in
         enumerate(pairwise(widths))]  # fmt: skip
    macs = sum(per_level) + 9 * 32 * 3
    assert row["gflops"] == pytest.approx(2 * 4032 * 3024 * macs / 1e9, abs=0.01)
    assert reach(4) == 15 * (6 + 1 + 2) + 3 * 16 + 1


@pytest.mark.parametrize("shape", [(17, 18), (33, 50)])
@pytest.mark.parametrize("name", ["compression-aware", "dped"])
def test_modules_take_odd_sides(name, shape):
    small = {"widths": [4, 4, 4, 4, 4]} if name == "compression-aware" else {"width": 4}
    with torch.no_grad():
        assert made(name, **small).nets[0](torch.rand(1, 3, *shape)).shape == (1, 3, *shape)


def test_doubling_is_bilinear():
    x = torch.rand(2, 3, 5, 7)
    wanted = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(doubled(x), wanted)


def test_attention_closes_every_block_of_the_way_up():
    camera = made("compression-aware", widths=[4, 6, 8])
    x = torch.rand(1, 3, 24, 24)
    module, means = camera.nets[0], []
    for features in camera.parts[0].bottoms:
        means.append(features(x, means=means).mean((2, 3)))
    assert [mean.shape[1] for mean in means] == [6, 4]
    whole = module(x)
    torch.testing.assert_close(module(x, means), whole)
    for at in range(2):
        other = [mean + 3 * (n == at) for n, mean in enumerate(means)]
        assert not torch.allclose(module(x, other), whole)


def test_instance_norm_is_torchs():
    camera = made("dped", width=6, blocks=1)
    norm = camera.nets[0].norms[0]
    x = torch.rand(2, 6, 9, 11) * 4 + 2
    wanted = torch.nn.functional.instance_norm(x, eps=1e-3)
    torch.testing.assert_close(norm(x), wanted, atol=1e-5, rtol=1e-4)
    moments = torch.cat([x, x**2], 1).mean((2, 3))
    torch.testing.assert_close(norm(x, moments), wanted, atol=1e-4, rtol=1e-3)


def test_cuts_of_pictures_are_the_shards(pictures_folder):
    """Channels in their order, 8 bits, input and truth under one symmetry; white is 1."""
    source = data.open_shards(pictures_folder, "train", RGB, ("enhancement",))
    cuts = data.Cuts(source, 40, 3, ("enhancement",))
    rooms = {name: np.empty(shape, kind) for name, (shape, kind) in cuts.rooms().items()}
    assert rooms["raw"].shape == (3, 40, 40)
    assert rooms["raw"].dtype == np.uint8
    seen = set()
    for n in range(6):
        item = cuts.fill(n, rooms)
        batch = {k: torch.from_numpy(v[None].copy()) for k, v in {**rooms, **item.facts}.items()}
        arranged = data.arranged(batch, [item.turn])
        _, (top, left, side, _) = cuts.crops.window(n)
        own = source.raw(item.place)[:, top : top + side, left : left + side]
        wanted = data.turned(own, item.turn[0]) / np.float32(255)
        np.testing.assert_allclose(RGB.prepared(arranged)[0].numpy(), wanted, atol=1e-6)
        stored, scale = source.stored(item.place, "enhancement", (top, left, side, side))
        truth = data.truth(arranged, "enhancement")[0].numpy()
        np.testing.assert_allclose(truth, data.turned(stored, item.turn[0]) * scale, atol=1e-6)
        seen.add(item.turn[0])
    assert len(seen) > 2


def test_mosaics_and_pictures_are_told_apart(shards_folder):
    with pytest.raises(ValueError, match=r"holds bayer mosaics, .* takes finished pictures"):
        data.open_shards(shards_folder, "train", RGB)
    flat = (0.0,) * 3
    picture = infer.Mosaic(np.zeros((3, 20, 20), np.uint8), "RGB", flat, 255.0, flat, flat)
    with pytest.raises(ValueError, match="takes bayer mosaics only"):
        infer.develop(made("srcnn"), picture)
    with pytest.raises(ValueError, match=r"takes finished pictures \(RGB\) only"):
        infer.develop(made("dped", width=2), infer.Mosaic(picture.pixels[0].astype(np.uint16),
                      "RGGB", (0.0,) * 4, 255.0, (0.0,) * 4, (0.0,) * 4))  # fmt: skip


TINY = """
title = "DPED on squares"
network = { name = "dped", width = 4, blocks = 1 }
patch = 24
batch = 2
objective = { loss = "l2" }
stages = [{ train = "whole", steps = 3, rate = 1e-3, decay = "none" }]
"""


def test_phones_pictures_are_developed_and_scored(pictures_folder, tmp_path):
    def invoke(*words):
        return CliRunner().invoke(main, [str(word) for word in words])

    (tmp_path / "t.toml").write_text(TINY)
    run = tmp_path / "run"
    done = invoke("train", "dped", "--settings", tmp_path / "t.toml", "--shards", pictures_folder,
                  "--out", run, "--device", "cpu")  # fmt: skip
    assert done.exit_code == 0, done.output
    done = invoke("eval", run, pictures_folder)
    assert done.exit_code == 0, done.output
    assert "the picture itself" in done.output
    pixels = np.random.default_rng(0).integers(0, 256, (70, 91, 3)).astype(np.uint8)
    imageio.imwrite(tmp_path / "a.png", pixels)
    for tile in ("0", "32"):
        out = tmp_path / f"{tile}.tif"
        done = invoke("develop", run, tmp_path / "a.png", "--out", out, "--tile", tile)
        assert done.exit_code == 0, done.output
    whole, tiled = (imageio.imread(tmp_path / f"{tile}.tif").astype(int) for tile in ("0", "32"))
    assert whole.shape == (70, 91, 3)
    assert np.abs(whole - tiled).max() <= 65
    done = invoke("develop", run, tmp_path / "a.png", "--out", tmp_path / "x.png", "--gain", "2")
    assert done.exit_code == 1
    assert "--gain is for raws" in done.output
    (tmp_path / "a.dng").write_bytes(b"")
    done = invoke("develop", run, tmp_path / "a.dng", "--out", tmp_path / "x.png")
    assert "takes finished pictures" in done.output
