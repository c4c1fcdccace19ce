"""`Patches`: every option against numbers worked out from the shard; shares, epochs, workers."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from torch.utils.data import DataLoader  # noqa: E402 - behind the skip

from isptools import shards  # noqa: E402 - behind the skip
from isptools.train import Form, Patches, data  # noqa: E402 - behind the skip
from tests.shards import made  # noqa: E402 - behind the skip

BOTH = ("restoration", "enhancement")
PLAIN = {"augment": "none", "size": 24, "truths": BOTH}
SHIFTS = {"RGGB": (0, 0), "GRBG": (0, 1), "GBRG": (1, 0), "BGGR": (1, 1)}  # of an RGGB mosaic


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two scenes of two inputs: numbers up to 65535, black 60 to 63 by position, white 4095."""
    where = tmp_path_factory.mktemp("made")
    made.shard(where, scenes=("s1", "s2"))
    return where


def light(patches, n, top=0, left=0):
    """The mosaic of sample n, black 0 and white 1, from the file's integers."""
    i, (y, x, _, _) = patches.cuts.crops.window(n)
    size = patches.form.size
    pixels = shards.open(patches.cuts.source.path(i).parent, "train").raw(i)
    whole = pixels.astype(np.float64)
    rows, columns = np.indices(whole.shape)
    black = 60.0 + 2 * (rows % 2) + columns % 2
    whole = (whole - black) / (4095 - black)
    return whole[y + top : y + top + size, x + left : x + left + size]


def planes(mosaic):
    """Positions of the cell, row by row."""
    return np.stack([mosaic[r::2, c::2] for r in (0, 1) for c in (0, 1)])


@pytest.mark.parametrize("phase", SHIFTS)
def test_the_phase_is_where_the_cut_begins(phase, folder):
    patches = Patches(folder, form=Form(**PLAIN, phase=phase, clip=False))
    for n in range(4):
        expected = planes(light(patches, n, *SHIFTS[phase]) * 100)
        np.testing.assert_allclose(patches[n]["input"], expected, rtol=1e-5)


@pytest.mark.parametrize(("ratio", "clip"), [*itertools.product((True, False), repeat=2)])
def test_ratio_and_clip(ratio, clip, folder):
    patches = Patches(folder, form=Form(**PLAIN, packing="mosaic", ratio=ratio, clip=clip))
    sample = patches[1]
    expected = light(patches, 1) * (100 if ratio else 1)
    assert (expected > 1).any()
    expected = np.minimum(expected, 1) if clip else expected
    np.testing.assert_allclose(sample["input"], expected[None], rtol=1e-5)
    assert (sample["input"] < 0).any() == (expected < 0).any(), "below black nothing is cut"


def test_a_batch_may_be_of_one_sample(folder):
    patches = Patches(folder, form=Form(**PLAIN))
    for n, batch in zip(range(2), patches.stream(batch=1), strict=False):
        assert set(batch) == {"input", *BOTH}
        np.testing.assert_array_equal(batch["input"][0], patches.sample(n)["input"])
        assert len(batch["input"]) == 1


def test_a_mask_is_0_where_a_truth_is_not_to_be_trusted(folder):
    """By the weights of a fusion: any above 0 counts."""
    patches = Patches(folder, form=Form(**PLAIN))
    rooms = {name: np.empty(shape, kind) for name, (shape, kind) in patches.cuts.rooms().items()}
    item = patches.cuts.fill(0, rooms)
    mask = np.random.default_rng(0).integers(0, 3, rooms["raw"].shape).astype(np.uint8)
    facts = {**rooms, **item.facts, "mask": mask}
    batch = {name: torch.from_numpy(value)[None] for name, value in facts.items()}
    found = patches.prepared(batch, [item.turn])["mask"]
    _, top, left = item.turn
    assert found.dtype == torch.float32
    expected = mask[top : top + 24, left : left + 24] > 0
    np.testing.assert_array_equal(found[0, 0].numpy(), expected)
    assert "mask" not in patches[0], "no truth of these was fused"


@pytest.mark.parametrize("ratio", [True, False])
def test_the_noise_is_shot_plus_read_behind_the_ratio(ratio, folder):
    sample = Patches(folder, form=Form(**PLAIN, noise=True, ratio=ratio))[0]
    gain = 100 if ratio else 1
    assert sample["input"].shape == (5, 12, 12)
    np.testing.assert_allclose(sample["input"][4], gain * 1e-4 + gain**2 * 1e-6, rtol=1e-5)


def test_bilinear_keeps_samples_and_means_their_neighbors(folder):
    patches = Patches(folder, form=Form(**PLAIN, packing="bilinear", clip=False, ratio=False))
    rgb, mosaic = patches[2]["input"], light(patches, 2)
    np.testing.assert_allclose(rgb[0, ::2, ::2], mosaic[::2, ::2], rtol=1e-5)
    np.testing.assert_allclose(rgb[2, 1::2, 1::2], mosaic[1::2, 1::2], rtol=1e-5)
    cross = [mosaic[4 + dy, 6 + dx] for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))]
    np.testing.assert_allclose(rgb[1, 4, 6], np.mean(cross), rtol=1e-5)


def test_xyz_is_camera_rgb_by_the_mean_matrix(folder):
    xyz, rgb = (Patches(folder, form=Form(**PLAIN, packing=one))[0]["input"]
                for one in ("xyz", "bilinear"))  # fmt: skip
    torch.testing.assert_close(xyz, rgb)  # the shard's matrix is the identity


def test_truths_are_physical_values(folder):
    patches = Patches(folder, form=Form(**PLAIN))
    i, (y, x, side, _) = patches.cuts.crops.window(3)
    sample = shards.open(folder, "train").cut(i, (y, x, side, side))
    for name in BOTH:
        np.testing.assert_allclose(
            patches[3][name], getattr(sample, name)[:, :24, :24], rtol=1e-6, atol=1e-7
        )


@pytest.mark.parametrize(
    ("augment", "allowed"),
    [("none", {(0, 0)}), ("mirror", {(0, 0), (0, 1)}), ("flips", {(0, 0), (0, 1), (2, 0), (2, 1)}),
     ("turns", set(itertools.product(range(4), range(2))))],
)  # fmt: skip
def test_augmentation_draws_its_symmetries_and_no_other(augment, allowed, folder):
    """Of the truth's cut that was read: quarter turns, then mirrored."""
    patches = Patches(folder, form=Form(**PLAIN | {"augment": augment}))
    seen, source = set(), shards.open(folder, "train")
    for n in range(40):
        i, window = patches.cuts.crops.window(n)
        truth = source.cut(i, window).enhancement
        ours = patches.sample(n)["enhancement"].numpy()
        for turns, mirrored in itertools.product(range(4), range(2)):
            view = np.rot90(truth, turns, (1, 2))
            view = view[:, :, ::-1] if mirrored else view
            cuts = [view[:, y : y + 24, x : x + 24] for y in (0, 1) for x in (0, 1)]
            if any(np.allclose(ours, cut, atol=1e-6) for cut in cuts):
                seen.add((turns, mirrored))
    assert seen == allowed


def test_an_epoch_has_every_input_once_and_the_next_another_order(folder):
    patches = Patches(folder, form=Form(**PLAIN), seed=3)
    orders = [[patches.key(4 * epoch + i) for i in range(4)] for epoch in range(6)]
    assert all(sorted(order) == ["s1/0", "s1/1", "s2/0", "s2/1"] for order in orders)
    assert len(set(map(tuple, orders))) > 1
    patches.set_epoch(2)
    torch.testing.assert_close(patches[1], patches.sample(9))
    torch.testing.assert_close(patches[-1], patches.sample(11))
    with pytest.raises(IndexError):
        patches[4]
    other = Patches(folder, form=Form(**PLAIN), seed=4)
    assert [other.key(n) for n in range(24)] != [patches.key(n) for n in range(24)]


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_have_shares_of_their_own(world, folder):
    """Of one length, together what one process has; in batches as in samples."""
    one = Patches(folder, form=Form(**PLAIN))
    ranks = [Patches(folder, form=Form(**PLAIN), rank=r, world=world) for r in range(world)]
    assert {len(rank) for rank in ranks} == {2}
    for r, rank in enumerate(ranks):
        for i in range(2):
            torch.testing.assert_close(rank[i], one.sample(i * world + r))
    for rank in ranks:
        rank.set_epoch(1)
    torch.testing.assert_close(ranks[1][0], one.sample(2 * world + 1))
    streams = [rank.stream(2, start=3) for rank in ranks]
    feeds = [rank.batches(2, range(3, 4)) for rank in ranks]
    for r, (stream, feed) in enumerate(zip(streams, feeds, strict=True)):
        first = 2 * (3 * world + r)
        expected = [one.sample(first)["input"], one.sample(first + 1)["input"]]
        torch.testing.assert_close(next(iter(stream))["input"], torch.stack(expected))
        torch.testing.assert_close(next(feed)["input"], torch.stack(expected))


def test_the_launcher_says_which_share(folder, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    torch.testing.assert_close(
        Patches(folder, form=Form(**PLAIN))[1],
        Patches(folder, form=Form(**PLAIN), rank=0, world=1)[3],
    )


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_change_nothing(start, folder):
    """Map style, stream and feed; the epoch is told to workers that stay."""
    patches = Patches(folder, form=Form(size=16, truths=BOTH))
    how = {"num_workers": 2 if start == "fork" else 1, "multiprocessing_context": start}
    plain = [patches.sample(n) for n in range(8)]
    loader = DataLoader(patches, batch_size=2, persistent_workers=True, **how)
    for epoch in range(2):
        patches.set_epoch(epoch)
        for at, batch in enumerate(loader):
            for k in range(2):
                item = {name: x[k] for name, x in batch.items()}
                torch.testing.assert_close(item, plain[4 * epoch + 2 * at + k])
    if start == "spawn":  # the rest is asked of fork alone, spawn takes seconds
        return
    streamed = DataLoader(patches.stream(2), batch_size=None, **how)
    fed = patches.batches(2, range(4), workers=1)
    for at, (one, two) in enumerate(zip(itertools.islice(streamed, 4), fed, strict=True)):
        expected = torch.stack([plain[2 * at + k]["input"] for k in range(2)])
        torch.testing.assert_close(one["input"], expected)
        torch.testing.assert_close(two["input"], expected)
    single = DataLoader(patches.stream(), batch_size=2, **how)
    torch.testing.assert_close(next(iter(single))["input"], torch.stack(
        [plain[n]["input"] for n in (0, 2)]))  # fmt: skip


def test_xtrans_is_packed_in_nine_planes(tmp_path, monkeypatch):
    (tmp_path / "unknown").mkdir()
    made.shard(tmp_path / "unknown", made.spec(positions=36))
    with pytest.raises(ValueError, match="its color pattern RBGBRGGGRGGB"):
        Patches(tmp_path / "unknown", form=Form(size=24))[0]
    monkeypatch.setattr(made, "XTRANS", data.TARGET[36])
    made.shard(tmp_path, made.spec(positions=36))
    assert Patches(tmp_path, form=Form(size=24))[0]["input"].shape == (9, 8, 8)
    assert Patches(tmp_path, form=Form(size=24, packing="mosaic"))[0]["input"].shape == (1, 24, 24)
    with pytest.raises(ValueError, match="packing 'bilinear': not to be had of xtrans"):
        Patches(tmp_path, form=Form(packing="bilinear"))
    with pytest.raises(ValueError, match="multiple of 6"):
        Patches(tmp_path, form=Form(size=32))


@pytest.mark.parametrize(
    ("form", "said"),
    [({"packing": "cells"}, "packing 'cells'"), ({"phase": "RGBG"}, "phase 'RGBG'"),
     ({"phase": "BGGR", "packing": "xyz"}, "with packing 'xyz'"), ({"augment": "x"}, "augment"),
     ({"size": 25}, "size 25: take a multiple of 2"), ({"size": 0}, "size 0"),
     ({"truths": ("depth",)}, "truths"), ({"size": 64}, "does not fit into")],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(form, said, folder):
    with pytest.raises(ValueError, match=said) as caught:
        Patches(folder, form=Form(**form))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "cell"), [("bayer", 2), ("xtrans", 6)])
def test_the_smallest_sample_is_a_cell(kind, cell):
    assert Form(size=cell).intake(kind).period == cell
    assert Form(size=3 * cell, truths=()).intake(kind).inputs == (4 if kind == "bayer" else 9)
    with pytest.raises(ValueError, match=f"multiple of {cell}"):
        Form(size=cell + 1).intake(kind)


@pytest.mark.parametrize("share", [(0, 0), (2, 2), (0, None)])
def test_shares_that_cannot_be_are_refused(share, folder):
    with pytest.raises(ValueError, match="rank"):
        Patches(folder, form=Form(**PLAIN), rank=share[0], world=share[1])


@pytest.mark.parametrize("phase", SHIFTS)
def test_a_whole_frame_is_in_the_phase_and_knows_where_it_lies(phase, folder):
    """A mosaic that begins elsewhere is mirrored in front; the frame itself is as it was."""
    patches = Patches(folder, form=Form(**PLAIN, packing="mosaic", clip=False, phase=phase))
    x, (top, left, height, width) = patches.frame(1, multiple=16)
    assert (height, width) == (50, 70)
    assert (top, left) == SHIFTS[phase]
    assert x.shape == (1, 64, 80)
    pixels = patches.cuts.source.raw(1).astype(np.float64)
    rows, columns = np.indices(pixels.shape)
    black = 60.0 + 2 * (rows % 2) + columns % 2
    expected = (pixels - black) / (4095 - black) * 100
    inner = x[0, top : top + height, left : left + width]
    np.testing.assert_allclose(inner, expected, rtol=1e-5)
    np.testing.assert_allclose(x[0, top + 51, left + 3], expected[47, 3], rtol=1e-5)


@pytest.mark.parametrize(("down", "right"), [(4, 3), (4, 5), (0, 2)])
def test_a_whole_xtrans_frame_may_begin_anywhere_in_its_cell(down, right, tmp_path, monkeypatch):
    """So many rows and columns are mirrored in front; every pixel keeps its own black level.

    The pattern is the same three rows and columns on: (4, 3) is (1, 0).
    """
    cell = np.roll(np.array(list(data.TARGET[36])).reshape(6, 6), (-down, -right), (0, 1))
    monkeypatch.setattr(made, "XTRANS", "".join(cell.ravel()))
    made.shard(tmp_path, made.spec(positions=36), ("s1",))
    form = Form(augment="none", size=24, truths=(), packing="mosaic", clip=False, ratio=False)
    patches = Patches(tmp_path, form=form)
    x, window = patches.frame(0)
    assert window == (down, right, 50, 70)
    assert x.shape == (1, 54, 72 if right == 2 else 78)
    pixels = patches.cuts.source.raw(0).astype(np.float64)
    rows, columns = np.indices(pixels.shape)
    black = 60.0 + 6 * (rows % 6) + columns % 6
    expected = (pixels - black) / (4095 - black)
    np.testing.assert_allclose(x[0, down : down + 50, right : right + 70], expected, rtol=1e-5)
