"""Shards in a device's memory give the batches that reading gives, on any device."""

import h5py
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isptools.shards import sums  # noqa: E402
from isptools.train import data, feed, resident  # noqa: E402
from isptools.train.intake import PACKED  # noqa: E402
from tests.shards import made  # noqa: E402
from tests.train.test_sides import shaded  # noqa: E402

TRUTHS = ("restoration", "enhancement")


@pytest.mark.parametrize("symmetry", range(8))
@pytest.mark.parametrize(("top", "left"), [(0, 0), (1, 0), (1, 1)])
def test_a_walk_passes_the_turned_cut(symmetry, top, left):
    """Against NumPy's own turns of a numbered picture."""
    frame = np.arange(20 * 30).reshape(20, 30)
    cut = frame[3:12, 7:16]
    wanted = data.turned(cut, symmetry)[top : top + 8, left : left + 8]
    way = resident.walk((3, 7, 9, 9), 30, (symmetry, top, left))
    y, x = np.mgrid[:8, :8]
    assert np.array_equal(frame.ravel()[way.begin + y * way.down + x * way.right], wanted)


def expect_the_readers(cuts, steps=12, **more):
    settings = feed.Feed(**more)
    read = list(feed.loader(cuts, range(steps), settings))
    held = resident.Held(cuts, torch.device("cpu")).batches(range(steps), settings)
    for ours, theirs in zip((batch for batch, _ in held), read, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert ours[name].dtype == value.dtype, name
            assert torch.equal(ours[name], value), name


@pytest.mark.parametrize("more", [{"batch": 3}, {"batch": 2, "rank": 1, "world": 2}])
def test_a_resident_batch_is_the_readers(more, shards_folder):
    source = data.open_shards(shards_folder, "train", PACKED, TRUTHS)
    expect_the_readers(data.Cuts(source, 48, 5, TRUTHS), **more)


def test_frames_of_several_shards_and_sizes(tmp_path):
    made.shard(tmp_path, made.spec())
    made.shard(tmp_path, made.spec("b.h5", (80, 96)), ("s3", "s4"))
    source = data.open_shards(tmp_path, "train", PACKED, TRUTHS)
    assert len({source.shape(i) for i in range(len(source))}) == 2
    expect_the_readers(data.Cuts(source, 16, 1, TRUTHS))


def test_gains_that_undo_shading_are_held_too(tmp_path):
    with h5py.File(shaded(tmp_path), "a") as file:
        sums.seal(file)
    source = data.open_shards(tmp_path, "train", PACKED, ("restoration",))
    cuts = data.Cuts(source, 16, 3, ("restoration",))
    assert "shading" in cuts.rooms()
    expect_the_readers(cuts)


def test_a_truth_that_inputs_share_is_held_once(shards_folder):
    source = data.open_shards(shards_folder, "train", PACKED, TRUTHS)
    cuts = data.Cuts(source, 32, 0, TRUTHS)
    held = resident.Held(cuts, torch.device("cpu"))
    frame = 384 * 512
    assert len(held.flats["raw"]) == 8 * frame
    assert len(held.flats["restoration"]) == 3 * 3 * frame, "three scenes, eight inputs"
    assert resident.needed(cuts) == (2 * 8 + 2 * 9 + 9) * frame, "as stored: 16, 16 and 8 bits"
