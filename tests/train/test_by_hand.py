"""A training and a development worked out beside the loop: steps, cuts, noise, scores."""

import csv
import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from dataclasses import replace  # noqa: E402 - behind the skip

from isptools import shards  # noqa: E402 - behind the skip
from isptools.train import (  # noqa: E402 - behind the skip
    checkpoint,
    data,
    evaluate,
    feed,
    infer,
    intake,
    networks,
    patches,
)
from isptools.train.camera import Camera, Net  # noqa: E402 - behind the skip
from isptools.train.place import Place  # noqa: E402 - behind the skip
from isptools.train.run import Job, train  # noqa: E402 - behind the skip
from isptools.train.settings import Settings  # noqa: E402 - behind the skip

CPU = Place("cpu")
BOTH = ("restoration", "enhancement")
VALIDATION = 8  # cuts, as docs/train.md says
PHASES = ("RGGB", "GRBG", "GBRG", "BGGR")


def settings(**changes):
    words = {
        "title": "a test", "network": {"name": "cameranet", "widths": [4, 6]}, "patch": 32,
        "batch": 2, "log_every": 1, "save_every": 100,
        "stages": [{"train": "joint", "steps": 4, "rate": 1e-2}],
    }  # fmt: skip
    return Settings.of(words | changes)


def fresh(chosen):
    torch.manual_seed(chosen.seed)
    return networks.built(chosen.network)[0]


def losses(camera, batch, share):
    """CameraNet v2, eqs. 5 to 7, written out: restored XYZ, and what becomes of it."""
    x = camera.intake.prepared(batch)
    restored = camera.nets[0](x)
    shown = restored.clamp(0, 1)
    shown = torch.where(shown <= 0.0031308, 12.92 * shown,
                        1.055 * shown.clamp(min=1e-4) ** (1 / 2.4) - 0.055)  # fmt: skip
    enhanced = camera.nets[1](torch.nn.functional.pixel_unshuffle(shown, 2))
    truth, finished = (data.truth(batch, name) for name in BOTH)
    logs = (restored.clamp(min=1e-3).log() - truth.clamp(min=1e-3).log()).abs().mean()
    first = (restored - truth).abs().mean() + logs
    return share * first + (1 - share) * (enhanced - finished).abs().mean()


@pytest.mark.parametrize("share", [0.9, 0.1])
def test_weights_after_four_steps_of_adam(share, shards_folder, tmp_path):
    """Adam written out (Kingma and Ba 2015, algorithm 1), on the cuts that seed and step fix.

    The rate falls to a tenth at 3/4 of the way: the last of four steps. Betas and epsilon are
    unusual ones, so that others end elsewhere.
    """
    chosen = settings(
        objective={"loss": "l1-log", "share": share}, adam={"betas": [0.6, 0.8], "eps": 1e-3},
    )  # fmt: skip
    train(chosen, Job(shards_folder, tmp_path, CPU))
    found = checkpoint.model(tmp_path)[0].state_dict()

    camera = fresh(chosen).train()
    weights = list(camera.parameters())
    mean, square = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    source = data.open_shards(shards_folder, "train", camera.intake, BOTH)
    cuts = data.Cuts(source, 32, chosen.seed, BOTH)
    said = []
    for step, batch in enumerate(feed.loader(cuts, range(4), feed.Feed(batch=2)), start=1):
        loss = losses(camera, batch, share)
        gradients = torch.autograd.grad(loss, weights)
        said.append(loss.item())
        rate = 1e-2 if step <= 3 else 1e-3
        for w, g, m, v in zip(weights, gradients, mean, square, strict=True):
            m.mul_(0.6).add_(0.4 * g)
            v.mul_(0.8).add_(0.2 * g * g)
            to = rate * (m / (1 - 0.6**step)) / ((v / (1 - 0.8**step)).sqrt() + 1e-3)
            w.data.sub_(to)
    for name, value in camera.state_dict().items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=2e-5, msg=name)
    with (tmp_path / "log.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["rate"]) for row in rows] == pytest.approx([1e-2, 1e-2, 1e-2, 1e-3])
    assert [float(row["training"]) for row in rows] == pytest.approx(said, rel=1e-3)


def test_validation_is_the_loss_on_the_validation_split(shards_folder, tmp_path):
    chosen = settings(objective={"loss": "l1-log", "share": 0.9})
    train(chosen, Job(shards_folder, tmp_path, CPU))
    camera, _ = checkpoint.model(tmp_path)
    found = {}
    for split in ("train", "val", "test"):
        source = data.open_shards(shards_folder, split, camera.intake, BOTH)
        cuts = data.Cuts(source, 32, chosen.seed, BOTH)
        with torch.no_grad():
            each = [losses(camera, one, 0.9).item()
                    for one in feed.loader(cuts, range(VALIDATION), feed.Feed())]  # fmt: skip
        found[split] = sum(each) / len(each)
    with (tmp_path / "log.csv").open(newline="") as lines:
        last = float(list(csv.DictReader(lines))[-1]["validation"])
    assert last == pytest.approx(found["val"], rel=1e-5)
    assert all(abs(found[other] / last - 1) > 1e-4 for other in ("train", "test"))


@pytest.mark.parametrize(
    ("augment", "allowed"),
    [("turns", range(8)), ("flips", (0, 2, 4, 6)), ("mirror", (0, 4)), ("none", (0,))],
)
def test_each_symmetry_that_is_allowed_is_drawn(augment, allowed, shards_folder):
    """As often as the others, and no other; the batch is that view of the cut and nothing else."""
    source = data.open_shards(shards_folder, "train", intake.PACKED, ("enhancement",))
    cuts = data.Cuts(source, 32, 7, ("enhancement",), augment)
    count = 320
    drawn = []
    for n in range(count):
        rooms = {name: np.empty(shape, kind) for name, (shape, kind) in cuts.rooms().items()}
        drawn.append(cuts.fill(n, rooms).turn)
    symmetries = [symmetry for symmetry, _, _ in drawn]
    assert set(symmetries) == set(allowed)
    expected = count / len(allowed)
    for one in allowed:  # four deviations of a binomial
        spread = math.sqrt(expected * (1 - 1 / len(allowed)))
        assert abs(symmetries.count(one) - expected) <= 4 * spread
    for n, batch in enumerate(feed.loader(cuts, range(24), feed.Feed())):
        i, (top, left, side, _) = cuts.crops.window(n)
        symmetry, y, x = drawn[n]
        for name, whole in (
            ("raw", source.raw(i)[top : top + side, left : left + side]),
            ("enhancement", source.stored(i, "enhancement", (top, left, side, side))[0]),
        ):
            view = VIEWS[symmetry](whole)[..., y : y + 32, x : x + 32]
            np.testing.assert_array_equal(batch[name][0].numpy(), view)


VIEWS = {  # by transposing and mirroring, written out
    0: lambda p: p,
    1: lambda p: np.swapaxes(p, -1, -2)[..., ::-1, :],
    2: lambda p: p[..., ::-1, ::-1],
    3: lambda p: np.swapaxes(p, -1, -2)[..., ::-1],
    4: lambda p: p[..., ::-1],
    5: lambda p: np.swapaxes(p, -1, -2)[..., ::-1, ::-1],
    6: lambda p: p[..., ::-1, :],
    7: lambda p: np.swapaxes(p, -1, -2),
}


def test_settings_reach_the_cuts(shards_folder, tmp_path, monkeypatch):
    asked = []
    plain = data.Cuts.__init__

    def begin(self, source, size, seed, truths, augment="turns", undone=True):
        asked.append((size, seed, augment))
        plain(self, source, size, seed, truths, augment, undone)

    monkeypatch.setattr(data.Cuts, "__init__", begin)
    chosen = settings(augment="mirror", seed=3, stages=[{"train": "restore", "steps": 1}])
    train(chosen, Job(shards_folder, tmp_path, CPU))
    assert set(asked) == {(32, 3, "mirror")}


def test_the_noise_plane_is_the_variance_at_white():
    """Of a Poisson-Gaussian mosaic after the gain: shot x + read of gained values, at x = 1."""
    rng = np.random.default_rng(6)
    gain, shot, read, black, white = 4.0, 2e-3, 5e-5, 512.0, 16383.0
    levels, variances = np.array([0.2, 0.5, 0.8]), []
    for level in levels:
        x = level / gain
        photons = rng.poisson(x / shot, (600, 600)) * shot
        noisy = photons + math.sqrt(read) * rng.standard_normal((600, 600))
        raw = np.clip(np.rint(noisy * (white - black) + black), 0, 65535).astype(np.uint16)
        batch = {
            "raw": torch.from_numpy(raw)[None], "black": torch.full((1, 4), black),
            "white": torch.tensor([white]), "gain": torch.tensor([gain]),
            "shot": torch.full((1, 4), shot), "read": torch.full((1, 4), read),
            "xyz_from_camera": torch.eye(3)[None],
        }  # fmt: skip
        planes = replace(intake.PACKED, noise=True).prepared(batch)[0]
        assert planes[:4].mean().item() == pytest.approx(level, abs=2e-3)
        variances.append(planes[:4].double().var().item())
    slope, offset = np.polyfit(levels, variances, 1)
    assert planes[4].unique().tolist() == pytest.approx([slope + offset], rel=0.03)


def test_xyz_enters_v1_by_the_cameras_matrix():
    """A flat color: bilinear demosaicking leaves it, then XYZ = inverse of XYZ to camera."""
    matrix = ((0.9, -0.2, 0.1), (-0.4, 1.2, 0.2), (0.05, 0.1, 0.7))
    color = np.array([0.2, 0.5, 0.3])
    raw = np.empty((12, 12), np.uint16)
    for i, letter in enumerate("RGGB"):
        raw[i // 2 :: 2, i % 2 :: 2] = round(color["RGB".index(letter)] * 10000)
    mosaic = infer.Mosaic(raw, "RGGB", (0.0,) * 4, 10000.0, (0.0,) * 4, (0.0,) * 4, 1.0, matrix)
    batch = {
        name: torch.from_numpy(np.asarray(value))[None]
        for name, value in data.levels(infer._Row(
            mosaic.black, mosaic.white, 1.0, mosaic.shot, mosaic.read, matrix), range(4)).items()
    } | {"raw": torch.from_numpy(raw)[None]}  # fmt: skip
    seen = intake.XYZ.prepared(batch)[0]
    expected = np.linalg.solve(np.array(matrix), color)
    for channel in range(3):
        np.testing.assert_allclose(seen[channel].numpy(), expected[channel], atol=1e-4)


def identity():
    """SRCNN whose convolutions hand their middle pixel on, for colors from 0 to 1."""
    camera = networks.built({"name": "srcnn"})[0]
    with torch.no_grad():
        for layer in camera.nets[0]:
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight.zero_()
                layer.bias.zero_()
                for c in range(3):
                    layer.weight[c, c, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1
    return camera.eval()


@pytest.mark.parametrize("cfa", PHASES)
@pytest.mark.parametrize("tile", [0, 64])
def test_what_is_developed_is_the_picture_of_the_mosaic(cfa, tile):
    """A slope in each color: means of neighbors are exact, so the network's input is the slope."""
    y, x = np.mgrid[:90, :131]
    scene = np.stack([0.1 + x / 400, 0.2 + y / 300, 0.3 + (x + y) / 800])
    mosaic = np.empty(scene.shape[1:], np.uint16)
    for i, letter in enumerate(cfa):
        at = slice(i // 2, None, 2), slice(i % 2, None, 2)
        gained = scene["RGB".index(letter)][at] / 2
        mosaic[at] = np.rint(gained * (16383 - 512 - i) + 512 + i)
    black = tuple(512.0 + i for i in range(4))
    frame = infer.Mosaic(mosaic, cfa, black, 16383.0, (1e-4,) * 4, (1e-6,) * 4, gain=2.0)
    found = infer.develop(identity(), frame, tile)["enhancement"]
    np.testing.assert_allclose(found[:, 4:-4, 4:-4], scene[:, 4:-4, 4:-4], atol=3e-4)


def test_scores_are_of_the_networks_own_picture(shards_folder):
    """Every row of the CSV against scikit-image, and their mean in its last lines."""
    camera = identity()
    with evaluate.opened(shards_folder, "test", camera) as source:
        found = list(evaluate.scores(camera, source, {}))
        expected = {}
        for i in range(len(source)):
            picture = infer.develop(camera, infer.Mosaic.of_row(source.raw(i), source.facts(i)))
            both = (np.clip(one, 0, 1) for one in
                    (source[i].enhancement, picture["enhancement"]))  # fmt: skip
            expected[source.facts(i).key] = peak_signal_noise_ratio(*both, data_range=1)
    ours = {one.key: one.values[0] for one in found}
    assert ours == pytest.approx(expected, rel=1e-5)
    mean = evaluate.means(found)["network"][0]
    assert mean == pytest.approx(sum(expected.values()) / len(expected), rel=1e-5)


def test_inputs_of_the_shards_are_developed_with_their_ratio(shards_folder):
    """SID's miniature: the ratio of the row is the gain."""
    with shards.open(shards_folder, "test") as source:
        facts = source.facts(0)
        mosaic = infer.Mosaic.of_row(source.raw(0), facts)
    assert facts.ratio > 1
    assert mosaic.gain == facts.ratio
    brighter = infer.develop(identity(), mosaic)["enhancement"].clip(max=0.9).mean()
    plain = infer.develop(identity(), replace(mosaic, gain=1.0))["enhancement"].mean()
    assert brighter > 5 * plain


@pytest.mark.parametrize(
    ("side", "before", "unit", "every", "expected"),
    [(5, 1, 4, 2, [1, 0, 1, 2, 3, 4, 3, 2]), (4, 0, 4, 2, [0, 1, 2, 3]),
     (5, 0, 1, 1, [0, 1, 2, 3, 4]), (4, 2, 6, 1, [2, 1, 0, 1, 2, 3]),
     # two pixels behind the last of eight the phase is that of pixel 3, not of pixel 5
     (8, 0, 6, 3, [0, 1, 2, 3, 4, 5, 6, 7, 5, 3, 4, 2])],
)  # fmt: skip
def test_pixels_beyond_a_frame(side, before, unit, every, expected):
    found = infer.mirrored(side, before, unit, every)
    assert found.tolist() == expected
    assert len(found) % unit == 0
    assert ((found - np.arange(-before, len(found) - before)) % every == 0).all()


def test_a_frame_too_small_to_be_mirrored():
    for words in ((2, 0, 8, 1), (3, 4, 1, 1), (6, 0, 12, 6)):
        with pytest.raises(ValueError, match=r"a frame side of . pixels is too small"):
            infer.mirrored(*words)


def test_tiles_and_their_halos_by_hand():
    """(top, left, height, width) of each, and of what is read for it; nothing beyond the frame."""
    found = list(infer._tiles((5, 7), 4, 1))
    assert found == [
        ((0, 0, 4, 4), (0, 0, 5, 5)), ((0, 4, 4, 3), (0, 3, 5, 4)),
        ((4, 0, 1, 4), (3, 0, 2, 5)), ((4, 4, 1, 3), (3, 3, 2, 4)),
    ]  # fmt: skip


@pytest.mark.parametrize(("step", "halo"), [(4, 2), (6, 0), (4, 4), (2, 2), (100, 2)])
def test_a_mean_over_tiles_is_the_frames(step, halo):
    """Of features at half the side: each tile counts its own, whatever its halo shows."""
    part = Net(module=torch.nn.Identity(), reach=halo, stride=2)
    camera, x = Camera([part], intake.RGB, enhanced=0), torch.rand(1, 3, 12, 18)

    def halved(y):
        return torch.nn.functional.avg_pool2d(y, 2)

    found = infer._mean(halved, camera, 0, x, (step, halo))
    torch.testing.assert_close(found, x.mean((2, 3)))


@pytest.mark.parametrize("tile", [0, 8, 12])
def test_tiles_are_laid_where_they_belong(tile):
    """Through a part that takes cells of 2 x 2, sees 4 of them around, and the frame's mean."""

    class Cells(torch.nn.Module):
        def forward(self, x, pooled=None):
            mean = x.mean((2, 3)) if pooled is None else pooled
            wide = torch.nn.functional.avg_pool2d(x, 9, 1, 4, count_include_pad=False)
            return torch.nn.functional.pixel_shuffle(wide + mean[..., None, None], 2)

    part = Net(module=Cells(), factor=2, reach=4, stride=2, bottom=lambda x: x)
    camera, x = Camera([part], intake.RGB, enhanced=0), torch.rand(1, 3, 20, 30)
    found = infer._through(camera, 0, x, tile) if tile else camera.nets[0](camera.enter(0, x))
    torch.testing.assert_close(found, camera.nets[0](camera.enter(0, x)))


class Gray(torch.nn.Module):
    """The mosaic itself, as a picture."""

    def forward(self, x):
        return x.expand(-1, 3, -1, -1)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 3), (5, 0), (1, 5), (4, 4)])
def test_an_xtrans_frame_that_begins_anywhere_is_itself(down, right):
    """Every position has its own black level; the network sees the pattern it was trained on."""
    taken = replace(patches.INTAKES["mosaic"]["xtrans"], clip=False)
    seen = []
    camera = Camera([Net(module=Gray(), reach=0)], taken, enhanced=0)
    camera.nets[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    pattern = np.roll(np.array(list(data.TARGET[36])).reshape(6, 6), (-down, -right), (0, 1))
    black = np.arange(36.0).reshape(6, 6)
    y, x = np.indices((26, 31))
    pixels = (1000 + 31 * y + x).astype(np.uint16)
    frame = infer.Mosaic(pixels, "".join(pattern.ravel()), tuple(black.ravel()), 4000.0,
                         (0.0,) * 36, (0.0,) * 36)  # fmt: skip
    level = black[y % 6, x % 6]
    found = infer.develop(camera, frame)["enhancement"]
    np.testing.assert_allclose(found[1], (pixels - level) / (4000 - level), rtol=1e-5)
    flat = (0.0,) * 36
    colors = np.array(["RGB".index(letter) for letter in frame.cfa]).reshape(6, 6)[y % 6, x % 6]
    infer.develop(camera, replace(frame, pixels=colors.astype(np.uint16), black=flat, white=2.0))
    height, width = seen[1].shape[2:]
    expected = np.array(["RGB".index(letter) for letter in data.TARGET[36]]).reshape(6, 6)
    tiled = np.tile(expected, (height // 6, width // 6)) / 2
    np.testing.assert_array_equal(seen[1][0, 0].numpy(), tiled, "mirrored pixels too")
