"""What the loader may do to a picture, and what it may not."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from isptools import shards  # noqa: E402 - behind the skip
from isptools.train import data, feed, intake  # noqa: E402 - behind the skip
from tests.shards import made  # noqa: E402 - behind the skip

PHASES = ("RGGB", "GRBG", "GBRG", "BGGR")


def colors(cfa, shape):
    """A mosaic whose every pixel says its own color, row and column."""
    every = 2 if len(cfa) == 4 else 6
    letters = np.array(list(cfa)).reshape(every, every)
    y, x = np.indices(shape)
    return letters[y % every, x % every], y, x


@pytest.mark.parametrize("cfa", PHASES)
@pytest.mark.parametrize("symmetry", range(8))
@pytest.mark.parametrize("size", [8, 11])
def test_every_symmetry_keeps_the_phase(cfa, symmetry, size):
    letters, y, x = colors(cfa, (size + 1, size + 1))
    top, left, positions = data.phase(cfa, symmetry, size + 1)
    cut = (slice(top, top + size), slice(left, left + size))
    expected, _, _ = colors("RGGB", (size, size))
    np.testing.assert_array_equal(data.turned(letters, symmetry)[cut], expected)
    own = (y % 2) * 2 + x % 2
    corner = data.turned(own, symmetry)[cut][:2, :2].ravel()
    assert tuple(corner) == positions


def test_the_eight_symmetries_are_eight():
    square = np.arange(9).reshape(3, 3)
    assert len({data.turned(square, k).tobytes() for k in range(8)}) == 8


def test_what_each_augmentation_may_draw():
    """Both mirrors, the one at the right, nothing; turns are all eight."""
    square = np.arange(9).reshape(3, 3)
    flips = (square, square[:, ::-1], square[::-1], square[::-1, ::-1])
    for name, views in (("flips", flips), ("mirror", flips[:2]), ("none", flips[:1])):
        found = [data.turned(square, k).tobytes() for k in data.AUGMENTS[name]]
        assert sorted(found) == sorted(view.tobytes() for view in views), name
    assert data.AUGMENTS["turns"] == tuple(range(8))


def test_finished_pictures_take_the_widest_type_of_all_shards():
    """Each has the bits its file had; mosaics are alike, and one shard of a kind tells."""

    def table(kind, bits):
        own = SimpleNamespace(dtype=np.dtype(f"uint{bits}"))
        return SimpleNamespace(kind=kind, dtype=own.dtype, pictures={"enhancement": own})

    cuts = data.Cuts.__new__(data.Cuts)
    cuts.crops, cuts.truths = SimpleNamespace(size=32), ("enhancement",)
    cuts.shaded = cuts.masked = False
    few, many = table("rgb", 8), table("rgb", 16)
    facts = SimpleNamespace(cfa="RGB")
    cuts.source = SimpleNamespace(examples=[few], tables=[few, many], facts=lambda _: facts)
    wide = (3, 32, 32), np.dtype(np.uint16)
    assert cuts.rooms() == {"raw": wide, "enhancement": wide}
    facts = SimpleNamespace(cfa="RGGB")
    cuts.source = SimpleNamespace(examples=[table("bayer", 16)], facts=lambda _: facts)
    assert cuts.rooms() == {"raw": ((32, 32), wide[1]), "enhancement": wide}


def test_xtrans_symmetries_keep_the_phase():
    cfa = data.TARGET[36]
    kept = data.symmetries(cfa)
    assert 0 in kept
    letters, _, _ = colors(cfa, (29, 29))
    for symmetry in kept:
        top, left, _ = data.phase(cfa, symmetry, 29)
        cut = data.turned(letters, symmetry)[top : top + 24, left : left + 24]
        np.testing.assert_array_equal(cut, colors(cfa, (24, 24))[0])


def test_items_are_cuts_of_the_shard(shards_folder):
    source = data.open_shards(shards_folder, "train", intake.PACKED, ("restoration", "enhancement"))
    cuts = data.Cuts(source, 48, 5, ("restoration", "enhancement"))
    for n, batch in enumerate(feed.loader(cuts, range(12), feed.Feed())):
        item = {name: value[0] for name, value in batch.items()}
        i, (top, left, side, _) = cuts.crops.window(n)
        whole = source.raw(i)[top : top + side, left : left + side]
        picture, scale = source.stored(i, "restoration", (top, left, side, side))
        both = [np.stack([whole.astype(np.int64), *picture.astype(np.int64)])]
        ours = np.concatenate([item["raw"].numpy()[None], item["restoration"].numpy()]).astype(int)
        views = [
            data.turned(both[0], k)[:, y : y + 48, x : x + 48]
            for k in range(8) for y in (0, 1) for x in (0, 1)
        ]  # fmt: skip
        assert any(np.array_equal(ours, view) for view in views), "one symmetry for all pictures"
        assert item["restoration_scale"].item() == pytest.approx(scale)


@pytest.mark.parametrize("cfa", PHASES)
@pytest.mark.parametrize("symmetry", range(8))
def test_the_device_turns_batches_as_numpy_does(cfa, symmetry):
    """Every picture of an item the same way, RGGB behind it; items of a batch each their own."""
    letters, y, x = colors(cfa, (9, 9))
    top, left, _ = data.phase(cfa, symmetry, 9)
    number = (y * 9 + x).astype(np.uint16) + 40000
    raw = torch.from_numpy(np.stack([number, number]))
    both = torch.from_numpy(np.stack([np.stack([number % 251] * 3)] * 2).astype(np.uint8))
    batch = {"raw": raw, "enhancement": both, "mask": both[:, 0], "black": torch.zeros(2, 4)}
    out = data.arranged(batch, [(symmetry, top, left), (0, 1, 0)])
    expected = data.turned(number, symmetry)[top : top + 8, left : left + 8]
    np.testing.assert_array_equal(out["raw"][0].numpy(), expected)
    np.testing.assert_array_equal(out["raw"][1].numpy(), number[1:, :8])
    np.testing.assert_array_equal(out["enhancement"][0, 2].numpy(), expected % 251)
    np.testing.assert_array_equal(out["mask"][0].numpy(), expected % 251)
    seen = letters.ravel()[expected - 40000]
    np.testing.assert_array_equal(seen, colors("RGGB", (8, 8))[0])


def test_a_truths_pixel_counts_where_any_frame_gave_to_it():
    mask = torch.tensor([[[0, 1], [2, 255]]], dtype=torch.uint8)
    assert data.trusted({"mask": mask}).tolist() == [[[[False, True], [True, True]]]]
    assert data.trusted({}) is None


def test_a_batch_stays_until_the_next_is_asked_for(shards_folder):
    source = data.open_shards(shards_folder, "train", intake.PACKED, ("restoration",))
    cuts = data.Cuts(source, 32, 1, ("restoration",))
    for workers in (1, 2):
        fresh = feed.loader(cuts, range(12), feed.Feed(batch=2))
        for batch, turns in feed.batches(cuts, range(12), feed.Feed(2, workers)):
            time.sleep(0.02)  # the others are well ahead by now
            expected, ours = next(fresh), data.arranged(batch, turns)
            assert all(torch.equal(ours[name], expected[name]) for name in expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_shard_is_one_line(workers, tmp_path):
    path = made.shard(tmp_path)
    source = data.open_shards(tmp_path, "train", intake.PACKED, ("restoration",))
    cuts = data.Cuts(source, 32, 1, ("restoration",))
    with h5py.File(path) as file:
        places = [file["input"].id.get_chunk_info(n) for n in range(9)]
    content = bytearray(path.read_bytes())
    for place in places:
        content[place.byte_offset : place.byte_offset + place.size] = b"\xff" * place.size
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.h5: can't be read: .*damaged") as caught:
        list(feed.loader(cuts, range(8), feed.Feed(workers=workers)))
    assert "\n" not in str(caught.value)


def test_too_little_shared_memory_is_one_line(tmp_path, monkeypatch):
    made.shard(tmp_path)
    source = data.open_shards(tmp_path, "train", intake.PACKED, ("restoration",))
    cuts = data.Cuts(source, 32, 1, ("restoration",))
    small = feed.shutil._ntuple_diskusage(64 << 20, 64 << 20, 1000)
    monkeypatch.setattr(feed.shutil, "disk_usage", lambda _: small)
    monkeypatch.setattr(feed, "SHARED", tmp_path)
    with pytest.raises(ValueError, match="take fewer --jobs"):
        next(feed.batches(cuts, range(2), feed.Feed(workers=1)))
    next(feed.batches(cuts, range(2), feed.Feed()))


def test_weights_of_fused_truths_are_masks(tmp_path):
    from isptools.shards import write  # noqa: PLC0415 - for this shard
    from isptools.shards.schema import FusionRow  # noqa: PLC0415 - for this shard

    weight = np.ones((50, 70), np.float32)
    weight[:, 20:30] = 0
    weight[10:12] = 0.004
    with write.shard(tmp_path, made.spec(weighted=True)) as writer:
        truths = made.truth(0)
        at = writer.truth(made.truth_row("s/long", "s"), truths, made.capture(), ())
        row = FusionRow(key="s/long", frames=4, refused=0, effective_frames=3.5, trusted=0.0)
        writer.fusion(row, weight)
        facts = made.input_row("s/0", "s", **dict.fromkeys(made.spec().pictures, at))
        writer.input(facts, made.mosaic(0), made.capture(), ())
    made.shard(tmp_path, made.spec("b.h5"), ("s3",))  # one that was not fused
    source = data.open_shards(tmp_path, "train", intake.PACKED, ("enhancement",))
    cuts = data.Cuts(source, 40, 0, ("enhancement",))
    masked, whole = [], 0
    for n, batch in enumerate(feed.loader(cuts, range(12), feed.Feed())):
        i, (top, left, side, _) = cuts.crops.window(n)
        trusted = data.trusted(batch)
        assert trusted.shape == (1, 1, 40, 40)
        if source.facts(i).scene == "s":
            expected = weight[top : top + side, left : left + side] > 0
            masked.append((int((~trusted).sum()), int((~expected).sum())))
        else:
            whole += bool(trusted.all())
    assert whole
    assert all(abs(ours - theirs) <= 2 * 41 for ours, theirs in masked), "but for the margin"
    assert any(ours for ours, _ in masked)


def test_batches_are_the_same_for_any_number_of_workers(shards_folder):
    source = data.open_shards(shards_folder, "train", intake.PACKED, ("enhancement",))
    cuts = data.Cuts(source, 32, 1, ("enhancement",))
    runs = [
        list(feed.loader(cuts, range(3, 7), feed.Feed(batch=2, workers=workers)))
        for workers in (0, 2)
    ]
    for one, two in zip(*runs, strict=True):
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name].float(), two[name].float()) for name in one)


def test_processes_share_the_steps_of_one():
    whole = list(feed.Turns(range(2, 4), 4))
    parts = [list(feed.Turns(range(2, 4), 2, rank, 2)) for rank in (0, 1)]
    assert [[*one, *two] for one, two in zip(*parts, strict=True)] == whole


def batch_of(mosaic, **changes):
    item = {
        "raw": torch.from_numpy(mosaic)[None], "black": torch.tensor([[64.0, 65, 66, 67]]),
        "white": torch.tensor([1023.0]), "gain": torch.tensor([2.0]),
        "shot": torch.full((1, 4), 1e-3), "read": torch.full((1, 4), 1e-5),
        "xyz_from_camera": torch.eye(3)[None] * 0.5,
    }  # fmt: skip
    return item | changes


def test_packing_and_levels_by_hand():
    mosaic = np.arange(64, 64 + 16, dtype=np.uint16).reshape(4, 4)
    x = replace(intake.PACKED, noise=True).prepared(batch_of(mosaic))[0]
    assert x.shape == (5, 2, 2)
    for plane, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        black = 64 + plane
        expected = 2 * (mosaic[row::2, column::2] - float(black)) / (1023 - black)
        np.testing.assert_allclose(x[plane].numpy(), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(x[4].numpy(), 2 * 1e-3 + 4 * 1e-5, rtol=1e-5)


def test_bilinear_by_hand():
    y, x = np.mgrid[:8, :10].astype(np.float32)
    scene = np.stack([y + 2 * x, 3 * y - x, x + y])  # linear: means of neighbors are exact
    letters, _, _ = colors("RGGB", (8, 10))
    mosaic = np.choose(np.vectorize("RGB".index)(letters), scene)
    ours = intake.bilinear(torch.from_numpy(mosaic)[None, None])[0].numpy()
    np.testing.assert_allclose(ours[:, 1:-1, 1:-1], scene[:, 1:-1, 1:-1], atol=1e-5)


def test_nine_planes_hold_every_pixel_once_and_one_color_each():
    letters, y, x = colors(data.TARGET[36], (12, 18))
    number = torch.from_numpy((y * 18 + x).astype(np.float32))[None, None]
    planes = intake.nine_planes(number)[0]
    assert planes.shape == (9, 4, 6)
    assert sorted(planes.flatten().tolist()) == list(range(12 * 18))
    color = letters.ravel()[planes.long().numpy()]
    assert [set(plane.ravel()) for plane in color] == [set(w) for w in "RGBRBGGGG"]


def test_unequal_sensor_sizes_stand_in_one_run(tmp_path):
    made.shard(tmp_path)
    made.shard(tmp_path, made.spec("b.h5", (64, 60)), ("s3", "s4"))
    source = data.open_shards(tmp_path, "train", intake.PACKED, ("restoration",))
    cuts = data.Cuts(source, 16, 0, ("restoration",))
    batches = list(feed.loader(cuts, range(4), feed.Feed(batch=2)))
    assert all(batch["raw"].shape == (2, 16, 16) for batch in batches)


def test_shards_of_another_kind_are_refused(tmp_path, shards_folder):
    with pytest.raises(ValueError, match="takes xtrans"):
        data.open_shards(shards_folder, "train", intake.XTRANS)
    pictures = {"restoration": made.spec().pictures["restoration"]}
    made.shard(tmp_path, made.spec(pictures=pictures))
    with pytest.raises(ValueError, match="no enhancement truth"):
        data.open_shards(tmp_path, "train", intake.PACKED, ("enhancement",))
    other = made.spec("b.h5").pictures | {
        "restoration": made.Picture("camera", "uint16", 1.0, "", "develop")
    }
    (tmp_path / "other").mkdir()
    made.shard(tmp_path / "other", made.spec(pictures=other))
    with pytest.raises(ValueError, match="stands at camera, expected xyz"):
        data.open_shards(tmp_path / "other", "train", intake.PACKED, ("restoration",))


def test_stored_truths_are_the_samples(shards_folder):
    with shards.open(shards_folder, "val") as source:
        pixels, scale = source.stored(0, "restoration", (6, 4, 20, 30))
        np.testing.assert_allclose(
            pixels * scale, source.cut(0, (6, 4, 20, 30)).restoration, rtol=1e-6
        )


def test_the_input_is_cut_where_the_truth_is_saturated():
    mosaic = np.full((4, 4), 1000, np.uint16)
    x = intake.PACKED.prepared(batch_of(mosaic))
    assert x.max() == 1
    assert intake.PACKED.prepared(batch_of(mosaic - 1000)).min() < -0.1


def resident():
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_memory_does_not_grow_with_the_data_read(tmp_path):
    """Cuts of ten times the memory that may be added: nothing read is kept."""
    made.shard(tmp_path, made.spec(shape=(900, 1200), tile=252), ("s1",))
    truths = ("restoration", "enhancement")
    source = data.open_shards(tmp_path, "train", intake.PACKED, truths)
    cuts = data.Cuts(source, 510, 0, truths)
    fresh = feed.batches(cuts, range(110), feed.Feed())
    for _ in range(10):
        next(fresh)
    before, read = resident(), 0
    for batch, _ in fresh:
        read += sum(batch[name].numel() * batch[name].element_size() for name in ("raw", *truths))
    assert read > 280e6
    assert resident() - before < 28
