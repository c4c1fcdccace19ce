"""Shading maps and matrices beside HDR+ bursts, against SciPy and LibRaw's own arithmetic."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.interpolate import RegularGridInterpolator

from isptools import raw, shards
from isptools.build import build
from isptools.datasets import miniature
from isptools.datasets.hdrplus import with_matrix, with_shading
from isptools.datasets.listing import StatedError
from isptools.develop.chain import develop
from isptools.develop.steps import Balance, Levels, Shading
from isptools.frame import Capture, Frame, Space
from isptools.recipe import Recipe
from isptools.shards.check import check
from tests.recipes import changed

PLAIN, DAMAGED = "m001_20160101_101500_100", "m004_20150620_120000_400"
OLD, FRACTION = "m004_20141105_090000_250", "m002_20160214_214733_590"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("hdrplus")
    miniature("hdrplus", out)
    return out


def some(bucket: Path, out: Path, *names: str) -> Path:
    """A bucket of these bursts alone."""
    for name in names:
        for folder in ("bursts", "results_20171023"):
            shutil.copytree(bucket / folder / name, out / folder / name)
    return out


def made(name: str, source: Path, out: Path, **changes) -> Path:
    build(changed(name, **changes), source, out)
    return out


def shaded(frame: Frame, path: Path) -> Frame:
    return replace(frame, capture=with_shading(frame.capture, path, frame.pixels.shape))


def ledger(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("cfa", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_a_map_is_laid_on_each_color(cfa: str, tmp_path: Path) -> None:
    """Four different planes on an active area that is not the visible one, by SciPy."""
    gains = np.random.default_rng(0).uniform(1, 3, (5, 7, 4)).astype(np.float32)
    tifffile.imwrite(tmp_path / "map.tiff", gains, photometric="minisblack", planarconfig="contig")
    facts = Capture(
        "bayer", cfa, (0.0,) * 4, (0,) * 4, 16383, (1.0, 1.0, 1.0, 1.0), (1.0,) * 4,
        active_area=(3, 2, 63, 82), visible_origin=(1, 5),
    )  # fmt: skip
    pixels = np.full((62, 74), 1000, np.uint16)
    frame = shaded(Frame(pixels, Space.SENSOR, facts), tmp_path / "map.tiff")
    flat = develop(frame, (Levels(adjust_maximum=0.0), Balance()))
    gained = develop(flat, (Shading(),)).pixels
    y, x = np.mgrid[:62, :74]
    v, h = (y + 1 - 3 + 0.5) / 60, (x + 5 - 2 + 0.5) / 80  # places in the active area
    for position, color in enumerate(cfa):
        row, column = divmod(position, 2)
        plane = {"R": 0, "B": 3, "G": 1 if "R" in cfa[2 * row : 2 * row + 2] else 2}[color]
        ask = RegularGridInterpolator(
            (np.linspace(0, 1, 5), np.linspace(0, 1, 7)), gains[..., plane].astype(np.float64)
        )
        at = np.stack([np.clip(v, 0, 1), np.clip(h, 0, 1)], -1)[row::2, column::2]
        expected = np.minimum(flat.pixels[row::2, column::2] * ask(at), 65535)
        assert np.abs(gained[row::2, column::2] - expected).max() <= 0.51


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones((13, 17, 3), np.float32), "13 x 17 x 3 float32, no map of 4 planes"),
        (np.ones((13, 17, 4), np.uint8), "uint8, no map of 4 planes"),
        (np.zeros((13, 17, 4), np.float32), "no positive numbers"),
        (np.full((13, 17, 4), np.nan, np.float32), "no positive numbers"),
        (None, "can't be read"),
    ],
)
def test_a_wrong_map_is_one_line(values, words: str, tmp_path: Path) -> None:
    path = tmp_path / "lens_shading_map_N000.tiff"
    if values is None:
        path.write_bytes(b"no picture")
    else:
        tifffile.imwrite(path, values, photometric="minisblack", planarconfig="contig")
    with pytest.raises(StatedError, match=words) as caught:
        with_shading(_facts(), path, (4, 4))
    assert "\n" not in str(caught.value)


def _facts() -> Capture:
    return Capture("bayer", "RGGB", (0.0,) * 4, (0,) * 4, 1023, (1.0,) * 4, (1.0,) * 4)


@pytest.mark.long
def test_both_truths_agree(bucket: Path, tmp_path: Path) -> None:
    """merged.dng with its GainMap and our fusion with the map beside the frames, per region."""
    source = some(bucket, tmp_path / "in", PLAIN)
    with (
        shards.open(made("hdrplus", source, tmp_path / "one")) as one,
        shards.open(made("hdrplus-fused", source, tmp_path / "two")) as two,
    ):
        published, fused, weight = one[0].restoration, two[0].restoration, two[0].weight
    assert published is not None
    assert fused is not None
    assert weight is not None
    trusted = weight > 0
    for corner in (np.s_[:96, :128], np.s_[-96:, -128:], np.s_[96:-96, 128:-128]):
        part = trusted[corner]
        shares = [picture[1][corner][part].mean() for picture in (fused, published)]
        assert shares[0] == pytest.approx(shares[1], rel=0.01)
    error = (fused - published)[:, 16:-16, 16:-16][:, trusted[16:-16, 16:-16]]
    assert np.sqrt(np.mean(np.square(error))) < 0.012
    without = [step for step in Recipe.load("hdrplus-fused").truth.steps if step != Shading()]
    out = made("hdrplus-fused", source, tmp_path / "three", steps=tuple(without))
    with shards.open(out) as three:
        dark = three[0].restoration
    assert dark is not None
    assert (dark[1][:48, :64].mean() / published[1][:48, :64].mean()) < 0.8


def test_a_damaged_map_refuses_its_scene_and_a_missing_one_too(bucket: Path, tmp_path) -> None:
    source = some(bucket, tmp_path / "in", PLAIN, DAMAGED, FRACTION)
    (source / "bursts" / FRACTION / "lens_shading_map_N000.tiff").unlink()
    out = made("hdrplus-fused", source, tmp_path / "out")
    assert not check(out)
    lines = {(line["scene"], line["reason"]): line for line in ledger(out)}
    assert lines[DAMAGED, "beside"]["number"] == 3
    assert "3 float32, no map of 4 planes" in lines[DAMAGED, "beside"]["detail"]
    assert (FRACTION, "shading-missing") in lines
    with shards.open(out) as found:
        assert {found.facts(i).scene for i in range(len(found))} == {PLAIN}
    published = made("hdrplus", source, tmp_path / "published")  # it needs no map
    with shards.open(published) as found:
        rows = {found.facts(i).scene: found.facts(i) for i in range(len(found))}
    assert set(rows) == {PLAIN, DAMAGED, FRACTION}
    assert rows[FRACTION].black == (63.75,) * 4


def test_old_bursts_with_a_longer_last_frame(bucket: Path, tmp_path: Path) -> None:
    """2014 and 2015: no NoiseProfile, and a last frame of four times the light."""
    source = some(bucket, tmp_path / "in", OLD)
    out = made("hdrplus-fused", source, tmp_path / "out", models=())
    assert not check(out)
    with shards.open(out) as found:
        ratios = [found.facts(i).ratio for i in range(len(found))]
        assert ratios == pytest.approx([1, 1, 1, 0.25])
        assert {found.facts(i).noise_origin for i in range(len(found))} == {"estimated"}
        fusion, truth, weight = found.fusion(0), found[0].restoration, found.weight(0)
    assert fusion is not None
    assert (fusion.frames, fusion.refused) == (4, 0)
    assert fusion.effective_frames > 4  # the last one counts for more
    known = np.load(source / "bursts" / OLD / "clean.npz")
    frame = raw.read(source / "bursts" / OLD / "payload_N000.dng")
    clean = np.rint(known["clean"] * 16 + frame.capture.black[0] * 16).astype(np.uint16)
    facts = replace(
        frame.capture, white=1023 * 16, black=(64.0 * 16,) * 4, black_libraw=(64 * 16,) * 4
    )
    ideal = shaded(
        Frame(clean, Space.SENSOR, facts),
        source / "bursts" / OLD / "lens_shading_map_N000.tiff",
    )
    expected = develop(ideal, Recipe.load("hdrplus-fused").truth.steps).pixels.transpose(2, 0, 1)
    assert truth is not None
    assert weight is not None
    trusted = np.zeros(weight.shape, bool)
    trusted[16:-16, 16:-16] = weight[16:-16, 16:-16] > 0
    assert truth[1][trusted].mean() == pytest.approx(expected[1][trusted].mean(), rel=0.005)


def test_a_raw_without_a_matrix_takes_the_one_beside_it(bucket: Path, tmp_path: Path) -> None:
    source = some(bucket, tmp_path / "in", PLAIN)
    folder = source / "bursts" / PLAIN
    for path in (*folder.glob("*.dng"), source / "results_20171023" / PLAIN / "merged.dng"):
        frame = raw.read(path)
        bare = replace(frame.capture, xyz_to_camera=None, color_matrix_1=None, camera_to_srgb=None)
        raw.write_dng(path, replace(frame, capture=bare))
    assert raw.read(folder / "payload_N000.dng").capture.camera_to_srgb is None
    lacking = made("hdrplus", some(bucket, tmp_path / "whole", PLAIN), tmp_path / "one")
    out = made("hdrplus", source, tmp_path / "two")
    assert ("noted", "no-matrix") in {(line["kind"], line["reason"]) for line in ledger(out)}
    with shards.open(lacking) as one, shards.open(out) as two:
        stated = np.array(two.facts(0).camera_to_srgb)
        np.testing.assert_allclose(stated, np.loadtxt(folder / "rgb2rgb.txt"), atol=1e-12)
        # AHD looks at colors behind the matrix: a choice of direction may fall otherwise
        off = np.abs(two[0].restoration - one[0].restoration) > 1e-4
        assert off.mean() < 1e-3
    for text in ("1 0 0 0 1 0 0 0", "1 0 0\n0 1 0\n0 0 7\n", "one two"):
        (tmp_path / "rgb2rgb.txt").write_text(text)
        with pytest.raises(StatedError, match=r"rgb2rgb\.txt"):
            with_matrix(_facts(), tmp_path / "rgb2rgb.txt")
