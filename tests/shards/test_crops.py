"""Random cuts: the same for the same seed and step, in phase, everywhere, and cheap."""

from collections import Counter
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
import pytest

from isptools import patches, shards
from tests.shards import made


@pytest.mark.parametrize(("positions", "every"), [(4, 2), (36, 6)])
def test_cuts_keep_the_phase(tmp_path: Path, positions: int, every: int) -> None:
    made.shard(tmp_path, made.spec(positions=positions))
    with shards.open(tmp_path) as opened:
        for sample in islice(opened.crops(18, seed=3), 40):
            top, left, height, width = sample.window
            assert top % every == left % every == 0
            assert sample.input.shape == (height, width) == (18, 18)
            assert top + height <= 50
            assert left + width <= 70


def test_cuts_depend_on_seed_and_step_alone(tmp_path: Path) -> None:
    made.shard(tmp_path)
    with shards.open(tmp_path) as opened:
        forward = [(s.key, s.window) for s in islice(opened.crops(16, seed=5), 20)]
        other = opened.crops(16, seed=5)
        backward = [(other[i].key, other[i].window) for i in reversed(range(20))]
        assert forward == backward[::-1]
        assert forward != [(s.key, s.window) for s in islice(opened.crops(16, seed=6), 20)]


def test_a_cut_holds_the_pixels_of_its_window(tmp_path: Path) -> None:
    path = made.shard(tmp_path)
    with shards.open(tmp_path) as opened, h5py.File(path) as file:
        crops = opened.crops(16, seed=1)
        for step in range(8):
            i, (top, left, _, _) = crops.window(step)
            area = np.s_[top : top + 16, left : left + 16]
            assert np.array_equal(opened.raw(i, (top, left, 16, 16)), file["input"][i][area])
            assert crops[step].key == opened.facts(i).key


def test_each_sample_comes_once_an_epoch(tmp_path: Path) -> None:
    made.shard(tmp_path)
    with shards.open(tmp_path) as opened:
        crops = opened.crops(8)
        orders = [[crops.window(4 * epoch + k)[0] for k in range(4)] for epoch in range(6)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len({tuple(order) for order in orders}) > 1


def test_only_touched_tiles_are_read(tmp_path: Path) -> None:
    """Every tile but the touched one is damaged: a cut inside it must not notice."""
    shape = (96, 96)
    path = made.shard(tmp_path, made.spec(shape=shape, tile=48), scenes=("s1",))
    with h5py.File(path) as file:
        places = [
            file["input"].id.get_chunk_info_by_coord((0, y, x)) for y, x in ((0, 48), (48, 0))
        ]
    data = bytearray(path.read_bytes())
    for place in places:
        data[place.byte_offset : place.byte_offset + place.size] = b"\xff" * place.size
    path.write_bytes(data)
    with shards.open(path) as opened:
        assert np.array_equal(opened.raw(0, (4, 4, 44, 44)), made.mosaic(0, shape)[4:48, 4:48])
        with pytest.raises(OSError, match="damaged"):
            opened.raw(0, (4, 4, 46, 46))


def test_a_cut_larger_than_a_frame_is_refused(tmp_path: Path) -> None:
    made.shard(tmp_path)
    with shards.open(tmp_path) as opened, pytest.raises(ValueError, match="does not fit"):
        opened.crops(51)


def test_origins_are_uniform_and_reach_both_ends() -> None:
    random = np.random.default_rng(0)
    tops = Counter(patches.origin((20, 40), 14, 2, random)[0] for _ in range(4000))
    assert sorted(tops) == [0, 2, 4, 6]
    assert max(tops.values()) < 1.2 * min(tops.values())
    assert patches.origin((14, 14), 14, 6, random) == (0, 0)


@pytest.mark.parametrize(("size", "every"), [(10, 2), (12, 6), (9, 2), (10, 6)])
def test_grid_windows_do_not_overlap(size: int, every: int) -> None:
    covered = np.zeros((50, 64), int)
    windows = list(patches.grid((50, 64), size, every))
    for top, left, height, width in windows:
        assert top % every == left % every == 0
        covered[top : top + height, left : left + width] += 1
    assert covered.max() == 1
    step = -(-size // every) * every
    assert len(windows) == (1 + (50 - size) // step) * (1 + (64 - size) // step)


def test_names_of_cuts() -> None:
    assert patches.key("sid/00001/00001_00_0.1s", (2, 4, 8, 8)) == "sid/00001/00001_00_0.1s@2,4,8,8"
    assert patches.period("RGGB") == 2
    assert patches.period(made.XTRANS) == 6
    assert patches.period("RGB") == 1
    with pytest.raises(ValueError, match="4 or 36"):
        patches.period("RG")
    with pytest.raises(ValueError, match="does not fit"):
        list(patches.grid((10, 10), 12, 2))
    with pytest.raises(ValueError, match="positive"):
        list(patches.grid((10, 10), 0, 2))
