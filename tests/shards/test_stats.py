"""Statistics of shards against numpy over the whole arrays, and scipy's tests on known splits."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from isptools import shards
from isptools.cli import main
from isptools.shards import stats as module
from isptools.shards.balance import balance
from isptools.shards.histogram import Bin, bins
from isptools.shards.schema import Picture
from isptools.shards.spread import spread
from isptools.shards.stats import PERCENT, stats
from tests.shards import made


def told(folder: Path) -> module.Stats:
    with shards.open(folder) as opened:
        return stats(opened)


@pytest.mark.parametrize("kind", ["sony", pytest.param("fuji", marks=pytest.mark.long)])
def test_light_is_numpys(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    found = told(folder)
    light: dict[str, list[np.ndarray]] = {"R": [], "G": [], "B": []}
    truths: dict[str, list[np.ndarray]] = {"restoration": [], "enhancement": []}
    for path in sorted(folder.glob("*.h5")):
        with h5py.File(path) as file:
            height, width = file["input"].shape[1:]
            for pixels, row in zip(file["input"], file["meta"], strict=True):
                cfa, black = row["cfa"].decode(), row["black"]
                side = int(len(cfa) ** 0.5)
                tiles = -(-height // side), -(-width // side)
                levels = np.tile(black.reshape(side, side), tiles)[:height, :width]
                colors = np.tile(np.array(list(cfa)).reshape(side, side), tiles)[:height, :width]
                x = (pixels - levels) / (row["white"] - levels)
                for color, pixels_of in light.items():
                    pixels_of.append(x[colors == color].astype(np.float32))
            for name, pixels_of in truths.items():
                pixels_of += list(file[name])
    for one in found.inputs:
        x = np.concatenate(light[one.color])
        assert one.mean == pytest.approx(x.mean(dtype=np.float64), rel=1e-6)
        assert one.below_black == pytest.approx((x < 0).mean())
        assert one.at_white == pytest.approx((x >= 1).mean())
    for station in found.truths:
        stored = np.stack(truths[station.name])
        largest = np.iinfo(stored.dtype).max
        assert station.truths == len(stored)
        for i, channel in enumerate(station.channels):
            plane = stored[:, i]
            factor = station.full_scale / largest
            assert channel.mean == pytest.approx(plane.mean(dtype=np.float64) * factor)
            expected = np.percentile(plane, PERCENT, method="inverted_cdf") * factor
            assert channel.quantiles == pytest.approx(expected)
            assert channel.at_zero == pytest.approx((plane == 0).mean())
            assert channel.at_full == pytest.approx((plane == largest).mean())


def test_counts_and_facts_are_those_of_the_tables(sony: Path) -> None:
    found = told(sony)
    rows = []
    for path in sorted(sony.glob("*.h5")):
        with h5py.File(path) as file:
            rows += list(file["meta"][:])
    assert [(one.split, one.inputs, one.scenes) for one in found.counts] == [
        ("train", 8, 3), ("val", 3, 1), ("test", 2, 1)
    ]  # fmt: skip
    assert sum(one.bytes for one in found.counts) == sum(
        path.stat().st_size for path in sony.glob("*.h5")
    )
    values, numbers = np.unique([row["iso"] for row in rows], return_counts=True)
    assert [(float(one.label), one.count) for one in found.iso] == list(
        zip(values, numbers, strict=True)
    )
    gains = np.array([row["as_shot"] for row in rows])
    color = next(one for one in found.colors if one.what == "as-shot gain R/G")
    assert color.mean == pytest.approx((gains[:, 0] / gains[:, 1]).mean())
    sigma = [np.sqrt(row["shot"] * 0.18 + row["read"]).mean() for row in rows]
    low, high = (float(word) for word in found.noise[0].label.split(" to "))
    assert found.noise[0].count == sum(low <= value < high for value in sigma)


def test_it_reads_a_strip_at_a_time(sony: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int, int]] = []
    own = shards.Shards.stored

    def stored(self, i, name, window):  # type: ignore[no-untyped-def]
        asked.append(window)
        return own(self, i, name, window)

    monkeypatch.setattr(shards.Shards, "stored", stored)
    told(sony)
    assert {window[2] for window in asked} == {252, 384 - 252}
    assert len(asked) == 5 * 2 * 2  # truths, stations, strips: each once


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_spread_is_numpys(dtype: str) -> None:
    random = np.random.default_rng(1)
    picture = Picture("xyz", dtype, 1.25, "", "develop")
    found = spread(picture)
    if dtype == "float32":
        pixels = random.normal(0.3, 0.5, (3, 50, 60)).astype(np.float32)
        low, high = (pixels <= 0).mean(), (pixels >= 1.25).mean()
        within = {"rel": 1e-3}
    else:
        pixels = random.integers(0, picture.largest + 1, (3, 50, 60)).astype(dtype)
        low, high = (pixels == 0).mean(), (pixels == picture.largest).mean()
        within = {"rel": 1e-12}
    for part in pixels:
        found.add(part)
    values = pixels.astype(np.float64) * picture.scale
    assert found.mean == pytest.approx(values.mean())
    assert found.clipped == pytest.approx((low, high))
    for percent in PERCENT:
        expected = np.percentile(values, percent, method="inverted_cdf")
        assert found.quantile(percent / 100) == pytest.approx(expected, **within)


def test_float_truths(tmp_path: Path) -> None:
    pictures = {"restoration": Picture("xyz", "float32", 1.25, "", "develop")}
    path = made.shard(tmp_path, made.spec(pictures=pictures))
    station = told(path).truths[0]
    with h5py.File(path) as file:
        stored = file["restoration"][:]
    assert station.channels[1].mean == pytest.approx(stored[:, 1].mean(dtype=np.float64))
    assert station.channels[1].at_full == pytest.approx((stored[:, 1] >= 1.25).mean())


def test_histograms_list_few_values_and_group_many() -> None:
    assert bins([100.0, 200.0, 100.0, None]) == (
        Bin("100", 2), Bin("200", 1), Bin("not stated", 1)
    )  # fmt: skip
    many = bins([100.0 * 2 ** (k / 3) for k in range(18)], 100)
    assert [(one.label, one.count) for one in many[:2]] == [("100 to 200", 3), ("200 to 400", 3)]
    assert sum(one.count for one in many) == 18


def test_splits_that_differ_are_told_from_those_that_do_not() -> None:
    random = np.random.default_rng(5)
    here = {"train": list(random.normal(0, 1, 80)), "test": list(random.normal(0, 1, 40))}
    there = {"train": list(random.normal(0, 1, 80)), "test": list(random.normal(1.5, 1, 40))}
    few = {"train": [1.0, 2.0], "test": [8.0, 9.0]}
    found = balance({"same": here, "other": there, "few": few}, ["train", "test"])
    assert [one.verdict for one in found] == [
        "no clear difference", "differs", "too few scenes to tell"
    ]  # fmt: skip
    assert found[1].distance > 0.4
    assert found[2].medians == (8.5, 1.5)


def test_a_scene_counts_once(tmp_path: Path) -> None:
    """Ten frames of a scene are no ten scenes."""
    made.shard(tmp_path, made.spec("a.h5"))
    attrs = {**made.spec().attrs, "split": "test"}
    made.shard(tmp_path, replace(made.spec("b.h5"), attrs=attrs), ("s3",))
    exposure = next(one for one in told(tmp_path).balance if one.measure == "exposure s")
    assert exposure.scenes == (1, 2)


def test_the_command(sony: Path, tmp_path: Path) -> None:
    def run(*words: object) -> str:
        done = CliRunner().invoke(main, ["stats", *map(str, words)])
        assert done.exit_code == 0, done.output
        return done.stdout

    text = run(sony)
    assert text == run(sony)
    assert str(sony) not in text
    for word in ("redistribution  allowed", "restoration: 5 truths at xyz", "as-shot gain B/G"):
        assert word in text
    parsed = json.loads(run(sony, "--json"))
    assert [one["inputs"] for one in parsed["counts"]] == [8, 3, 2]
    (tmp_path / "a.h5").write_text("no shard")
    wrong = CliRunner().invoke(main, ["stats", str(tmp_path)])
    assert wrong.exit_code == 1
    assert wrong.output.count("\n") == 1
