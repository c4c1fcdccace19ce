"""The weights of fused truths: stored, read by tile, verified; other shards stay as they were."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers the filter
import numpy as np
import pytest

from isptools import shards
from isptools.shards import look, structure, write
from isptools.shards.read import load
from isptools.shards.schema import FusionRow
from isptools.shards.table import Table
from tests.shards.made import capture, changed, input_row, mosaic, shard, spec, truth, truth_row

RECIPE = json.dumps({
    "name": "made", "title": "Made", "source": {}, "storage": {},
    "truth": {
        "make": "develop", "fuse": "truth",
        "restoration": {"from": "kept", "at": "xyz", "dtype": "uint16", "full_scale": 1.25},
        "enhancement": {"from": "kept", "at": "srgb", "dtype": "uint8", "full_scale": 1.0},
    },
})  # fmt: skip


def weight(seed: int) -> np.ndarray:
    """0 to 1, a quarter of it exactly 0, some too small for 8 bits."""
    return np.random.default_rng(seed).uniform(-0.3, 1, (50, 70)).clip(0).astype(np.float32)


@pytest.fixture
def weighted(tmp_path: Path) -> Path:
    made = spec(weighted=True)
    attrs = {**made.attrs, "recipe": RECIPE,
             "recipe_sha256": hashlib.sha256(RECIPE.encode()).hexdigest()}  # fmt: skip
    with write.shard(tmp_path, replace(made, attrs=attrs)) as writer:
        for number in (0, 1):
            key = f"s{number}/fused"
            at = writer.truth(truth_row(key, f"s{number}"), truth(number), capture(), ())
            row = FusionRow(key=key, frames=7, refused=1, effective_frames=6.25, trusted=0.0)
            writer.fusion(row, weight(number))
            for k in (0, 1):
                row = input_row(f"s{number}/{k}", f"s{number}", restoration=at, enhancement=at)
                writer.input(row, mosaic(2 * number + k), capture(), ())
    return tmp_path / made.name


def test_weights_are_read_as_h5py_reads_them(weighted: Path) -> None:
    with h5py.File(weighted) as file, shards.open(weighted) as opened:
        stored = file["weight"]
        assert (stored.shape, stored.dtype, stored.chunks) == ((2, 50, 70), np.uint8, (1, 24, 24))
        for i, number in enumerate((0, 0, 1, 1)):
            expected = np.rint(weight(number).astype(np.float64) * 255)
            expected[weight(number) > 0] += (
                expected[weight(number) > 0] == 0
            )  # a little is not none
            window = (13, 5, 20, 31)
            np.testing.assert_array_equal(opened.weight(i), stored[number])
            np.testing.assert_array_equal(opened.weight(i, window), expected[13:33, 5:36])
            cut = opened.cut(i, window)
            assert cut.weight is not None
            assert cut.weight.dtype == np.float32
            np.testing.assert_allclose(cut.weight, expected[13:33, 5:36] / 255, atol=1e-7)
            fusion = opened.fusion(i)
            assert fusion is not None
            assert (fusion.frames, fusion.refused, fusion.effective_frames) == (7, 1, 6.25)
            assert fusion.trusted == (expected > 0).mean()


def test_other_shards_have_none(tmp_path: Path) -> None:
    path = shard(tmp_path)
    with h5py.File(path) as file, shards.open(path) as opened:
        assert not {"weight", "fusion"} & set(file)
        assert opened[0].weight is None
        assert opened.weight(0) is None
        assert opened.fusion(0) is None


def test_a_whole_shard_passes(weighted: Path) -> None:
    assert structure.shard(weighted) == []
    table = load(weighted)
    assert [*structure.tables(table), *_pixels(table)] == []


def _pixels(table: Table) -> list[tuple[str, str]]:
    return [wrong for part in look.parts(table) for wrong in look.looked(part).wrong]


def _said(path: Path) -> str:
    wrong = structure.shard(path)
    if not wrong:
        table = load(path, sound=False)
        wrong = [*structure.tables(table), *_pixels(table)]
    return "; ".join(": ".join(each) for each in wrong)


def test_what_is_wrong_with_weights_is_said(weighted: Path) -> None:
    with changed(weighted) as file:
        file["weight"][1, :9] = 0
    assert "weight: s1/fused" in _said(weighted)
    with changed(weighted) as file:
        rows = file["fusion"][:]
        rows["effective_frames"][0] = 0.5
        file["fusion"][...] = rows
    assert "facts: s0/fused: 0.5 effective of 7 frames" in _said(weighted)
    with changed(weighted) as file:
        rows["key"] = rows["key"][::-1]
        file["fusion"][...] = rows
    assert "fusion of s1/fused in the place of s0/fused" in _said(weighted)
    with changed(weighted) as file:
        del file["fusion"]
    assert "not both of weight and fusion" in _said(weighted)
    with changed(weighted) as file:
        del file["weight"]
    assert "weight is asked for by the recipe inside" in _said(weighted)
