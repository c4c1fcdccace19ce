"""ELD: the authors' pairing and ratio, places that share a split, and what ends in the ledger."""

import json
import shutil
from pathlib import Path

import exifread
import numpy as np
import pytest
import rawpy

from isptools import shards
from isptools.build import BuildError
from isptools.datasets import miniature
from isptools.raw.color import XYZ_FROM_SRGB
from isptools.shards.check import check
from tests import twice
from tests.recipes import changed, listed, made

# the reference of each picture, worked out by hand: the nearest of 1, 6, 11, 16
NEAREST = {2: 1, 3: 1, 4: 6, 5: 6, 7: 6, 8: 6, 9: 11, 10: 11, 12: 11, 13: 11, 14: 16, 15: 16}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("eld")
    miniature("eld", out)
    return out


@pytest.fixture(scope="module")
def built(root, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("built")
    made("eld", root, out / "out", small=True)
    assert not check(out / "out")
    return out / "out"


def number(path: str) -> int:
    return int(Path(path).stem[-4:])


def test_the_whole_data_set_has_640_raws_and_240_pairs(tmp_path):
    """4 cameras x 10 scenes x 16; the papers score 2 factors x 3 ISO: 6 of each folder."""
    for camera in ("CanonEOS70D", "CanonEOS700D", "NikonD850", "SonyA7S2"):
        for place in range(1, 11):
            folder = tmp_path / "ELD" / camera / f"scene-{place}"
            folder.mkdir(parents=True)
            for n in range(1, 17):
                (folder / f"IMG_{n:04d}.CR2").touch()
                (folder / f"IMG_{n:04d}.JPG").touch()  # the cameras' own pictures are no raws
    found = listed("eld", tmp_path)
    assert not found.lines
    assert sum(len(scene.shot.inputs) for scene in found.scenes) == 240
    assert {scene.split for scene in found.scenes} == {"test"}
    every = listed(changed("eld", factors=(1, 10, 100, 200)), tmp_path).scenes
    assert sum(len(scene.shot.inputs) for scene in every) == 480
    pairs = {number(one.path): number(s.shot.truth.path) for s in every for one in s.shot.inputs}
    assert pairs == NEAREST
    parts = listed(changed("eld", shares=(6, 2, 2), cameras=("SonyA7S2", "NikonD850")), tmp_path)
    split = {}
    for scene in parts.scenes:
        split.setdefault(scene.name.split("/")[1], set()).add(scene.split)
    assert all(len(one) == 1 for one in split.values())  # of both cameras
    counts = [sum(one == {name} for one in split.values()) for name in ("train", "val", "test")]
    assert counts == [6, 2, 2]


def test_the_ratio_is_the_authors(root, built):
    """ISO x time of the reference over the input's, read from the files by ExifRead."""
    with shards.open(built) as opened:
        seen = set()
        for i in range(len(opened)):
            facts = opened.facts(i)
            own = root / facts.source
            reference = own.with_name(f"IMG_{NEAREST[number(facts.source)]:04d}{own.suffix}")
            light = [light_of(path) for path in (reference, own)]
            assert facts.ratio == pytest.approx(light[0] / light[1], rel=1e-6)
            seen.add(round(facts.ratio))
        assert seen == {100, 200}


def light_of(path: Path) -> float:
    with path.open("rb") as file:
        tags = exifread.process_file(file, details=False)
    time, iso = (tags[f"EXIF {name}"].values[0] for name in ("ExposureTime", "ISOSpeedRatings"))
    return float(time) * float(iso)


def test_truths_are_librawpys_of_the_reference(root, built):
    with shards.open(built) as opened:
        for table in opened.tables:
            for at, truth in enumerate(table.truths):
                i = next(i for i, row in enumerate(table.rows) if row.restoration == at)
                first = sum(len(one.rows) for one in opened.tables[: opened.tables.index(table)])
                with rawpy.imread(str(root / truth.source)) as file:
                    rgb = file.postprocess(
                        output_color=rawpy.ColorSpace.raw, use_camera_wb=True, gamma=(1, 1),
                        no_auto_bright=True, adjust_maximum_thr=0.0, output_bps=16, user_flip=0,
                    )  # fmt: skip
                    matrix = XYZ_FROM_SRGB @ file.color_matrix[:, :3].astype(np.float64)
                expected = np.clip(rgb / 65535 @ matrix.T, 0, 1.25).transpose(2, 0, 1)
                found = opened[first + i].restoration
                np.testing.assert_allclose(found, expected, atol=3e-5)
                return


@pytest.mark.long
def test_same_bytes_for_two_workers(root, tmp_path):
    twice.expect("eld", root, tmp_path)


def test_odd_and_missing_files_are_told(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "root")
    shutil.copy(copy / "SonyA7S2/scene-1/IMG_0001.ARW", copy / "SonyA7S2/scene-1/IMG_0017.ARW")
    (copy / "SonyA7S2/scene-1/IMG_0006.ARW").unlink()
    made("eld", copy, tmp_path / "out", small=True)
    assert not check(tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out/ledger.jsonl").read_text().splitlines()]
    told = {(line["file"], line["reason"]) for line in lines}
    assert told == {
        ("SonyA7S2/scene-1/IMG_0017.ARW", "other-name"),
        ("SonyA7S2/scene-1/IMG_0006.ARW", "missing"),
        ("SonyA7S2/scene-1/IMG_0004.ARW", "truth-missing"),
        ("SonyA7S2/scene-1/IMG_0005.ARW", "truth-missing"),
    }
    with pytest.raises(BuildError, match=r"Extreme Low-light Denoising \(ELD\) is not in"):
        made("eld", tmp_path / "out", tmp_path / "other")
