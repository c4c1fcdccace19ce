"""HDR+ and folders of bursts: built from the miniature, compared with what is known of it."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rawpy
from PIL import Image
from scipy.ndimage import map_coordinates

from isptools import raw, shards
from isptools.build import BuildError, Options, build
from isptools.burst import Options as How
from isptools.burst import fuse
from isptools.datasets import miniature
from isptools.develop.chain import develop
from isptools.recipe import Recipe
from isptools.shards.check import check
from isptools.synth import shaken

UNTAGGED, ZOOMED = "IMG_20160301_120000_777", "m003_19700101_000012_001"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("hdrplus")
    miniature("hdrplus", out)
    return out


def made(name: str, source: Path, out: Path, **options):
    return build(Recipe.load(name), source, out, Options(**options))


def ledger(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


def digests(out: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.glob("*.h5"))}


@pytest.fixture(scope="module")
def published(bucket, tmp_path_factory):
    out = tmp_path_factory.mktemp("published")
    made("hdrplus", bucket, out)
    return out


def test_the_miniature_has_the_buckets_layout(bucket, tmp_path):
    bursts = sorted(path.name for path in (bucket / "bursts").iterdir())
    assert bursts == sorted(path.name for path in (bucket / "results_20171023").iterdir())
    for name in bursts:
        result = bucket / "results_20171023" / name
        assert {p.name for p in result.iterdir()} == {
            "merged.dng", "final.jpg", "reference_frame.txt"
        }  # fmt: skip
        frames = sorted((bucket / "bursts" / name).glob("payload_N*.dng"))
        assert 2 <= len(frames) <= 10
        assert int((result / "reference_frame.txt").read_text()) < len(frames)
    miniature("hdrplus", tmp_path)
    for path in bucket.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / path.relative_to(bucket)).read_bytes(), path


def test_shards_are_whole_and_refusals_told(published):

    assert not check(published)
    lines = {line["scene"]: line for line in ledger(published) if "payload" not in line["file"]}
    assert lines[ZOOMED]["reason"] == "misaligned"
    assert lines[ZOOMED]["number"] > 5
    untagged = [line for line in ledger(published) if line["scene"] == UNTAGGED]
    assert [(line["kind"], line["reason"]) for line in untagged] == [("excluded", "untagged")]


@pytest.mark.long
def test_two_jobs_give_the_same_bytes(bucket, published, tmp_path):
    made("hdrplus", bucket, tmp_path / "two", jobs=2)
    assert digests(tmp_path / "two") == digests(published)
    for jobs in (1, 2):
        made("hdrplus-fused", bucket, tmp_path / f"fused{jobs}", jobs=jobs)
    assert digests(tmp_path / "fused1") == digests(tmp_path / "fused2")
    assert len(digests(tmp_path / "fused1")) >= 2
    assert not check(tmp_path / "fused1")
    _weights_are_the_fusions(bucket, tmp_path / "fused1")


def _weights_are_the_fusions(bucket, out):
    """The first burst of the shards, fused once more."""
    with shards.open(out, "train") as opened:
        facts, stored, row = opened.facts(0), opened.weight(0), opened.fusion(0)
    folder = bucket / "bursts" / facts.scene
    number = int(np.load(folder / "clean.npz")["reference"])
    paths = sorted(folder.glob("payload_N*.dng"))
    frames = [raw.read(path) for path in (paths[number], *paths[:number], *paths[number + 1 :])]
    found = fuse(frames, How(reference=0, method="truth"))
    np.testing.assert_allclose(stored / 255, found.weight, atol=0.5 / 255 + 1e-6)
    assert ((stored == 0) == (found.weight == 0)).all()
    assert 0 < (stored == 0).mean() < 0.1
    assert (row.frames, row.refused) == (len(frames), 0)
    assert row.effective_frames == pytest.approx(found.effective_frames)


def test_strata_of_iso_are_split_alike(published):
    splits = {name: {row.scene for row in _rows(published, name)} for name in ("train", "test")}
    isos = {name: sorted(row.iso for row in _rows(published, name)) for name in ("train", "test")}
    assert isos == {"train": [200, 200, 400, 1600, 1600], "test": [200, 1600]}
    assert not splits["train"] & splits["test"]


def _rows(out: Path, split: str):
    found = shards.open(out, split)
    return [found.facts(i) for i in range(len(found))]


def test_the_users_split_wins(bucket, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(bucket, root)
    names = sorted(path.name for path in (root / "bursts").iterdir() if path.name.startswith("m00"))
    text = "".join(f"{name}\t{'test' if i else 'val'}\n" for i, name in enumerate(names[:3]))
    (root / "splits.tsv").write_text("scene\tsplit\n" + text)
    made("hdrplus", root, tmp_path / "out")
    assert [row.scene for row in _rows(tmp_path / "out", "val")] == names[:1]
    assert [row.scene for row in _rows(tmp_path / "out", "test")] == names[1:3]
    reasons = {line["scene"]: line["reason"] for line in ledger(tmp_path / "out")}
    assert reasons[names[3]] == "not-listed"
    (root / "splits.tsv").write_text("one\ttrian\n")
    with pytest.raises(BuildError, match=r"splits.tsv:1: expected scene, tab"):
        made("hdrplus", root, tmp_path / "wrong")


def test_finals_are_turned_and_put_onto_the_sensor(bucket, published):
    """Decoded by Pillow, turned by NumPy: upright portraits, and cuts by DefaultCrop."""
    turns = {1: 0, 6: 1, 8: -1}
    seen = set()
    for split in ("train", "test"):
        with shards.open(published, split) as found:
            for i in range(len(found)):
                facts, truth = found.facts(i), found.truth_facts(i)
                path = bucket / "results_20171023" / facts.scene / "final.jpg"
                upright = np.asarray(Image.open(path))
                final = np.rot90(upright, turns[facts.orientation])
                top, left, high, wide = map(int, facts.default_crop or (0, 0, 384, 512))
                stored = np.rint(found[i].enhancement * 255).transpose(1, 2, 0)
                inside = stored[top : top + high, left : left + wide]
                np.testing.assert_array_equal(inside, final)
                assert truth.enhanced_turned == (facts.orientation != 1)
                seen.add((facts.orientation, bool(facts.default_crop)))
    assert {orientation for orientation, _ in seen} == {1, 6, 8}
    assert (6, True) in seen


def test_finals_of_another_size_are_refused(bucket, tmp_path):
    """A digital zoom that was not brought back to the sensor's size."""
    root, scene = tmp_path / "root", "m001_20160101_101500_100"
    for folder in ("bursts", "results_20171023"):
        shutil.copytree(bucket / folder / scene, root / folder / scene)
    path = root / "results_20171023" / scene / "final.jpg"
    Image.open(path).crop((100, 80, 400, 300)).save(path, quality=95)
    made("hdrplus", root, tmp_path / "out")
    assert [(line["reason"], "220 x 300" in line["detail"]) for line in ledger(tmp_path / "out")
            if line["file"].endswith("merged.dng")] == [("wrong-size", True)]  # fmt: skip


def test_truths_are_what_libraw_makes_of_merged(bucket, published):
    """Restoration: the published raw through rawpy, with its gain map applied by numpy."""
    truth = Recipe.load("hdrplus").truth
    steps = (*truth.prepare, *truth.steps[:-1])
    for split in ("train", "test"):
        found = shards.open(published, split)
        for i in range(len(found)):
            facts = found.facts(i)
            result = bucket / "results_20171023" / facts.scene
            frame = raw.read(result / "merged.dng")
            assert len(frame.capture.gain_maps) == 1
            expected = np.clip(develop(frame, steps).pixels, 0, 1.25).transpose(2, 0, 1)
            np.testing.assert_allclose(found[i].restoration, expected, atol=2e-5)
            number = int((result / "reference_frame.txt").read_text())
            payload = bucket / "bursts" / facts.scene / f"payload_N{number:03d}.dng"
            with rawpy.imread(str(payload)) as opened:
                visible = opened.raw_image_visible
                repaired = found.raw(i) != visible
            light = (found.raw(i) - facts.black[0]) / (facts.white - facts.black[0])
            assert np.count_nonzero(repaired) <= 5
            np.testing.assert_allclose(found[i].input, light * _undone(light.shape), atol=1e-6)
            np.testing.assert_allclose(found.shading(i), _undone(light.shape), rtol=1e-6)


def _undone(shape):
    """The map of merged.dng at every pixel, by SciPy: 1 in the middle, 1.5 in the corners."""
    places = [(np.arange(side) + 0.5) / side * (points - 1)
              for side, points in zip(shape, shaken.POINTS, strict=True)]  # fmt: skip
    at = np.meshgrid(*places, indexing="ij")
    return map_coordinates(shaken.gains_map().astype(np.float64), at, order=1)


def test_inputs_stand_on_the_side_of_their_truths(published):
    """Corners against the middle: what the input shows is what its truth shows."""
    found = shards.open(published, "train")
    for i in range(len(found)):
        sample = found[i]
        gains = np.array(sample.facts.as_shot)[1]
        ratios = []
        for part in (np.s_[8:56, 8:72], np.s_[-56:-8, -72:-8], np.s_[100:180, 180:320]):
            green = sample.input[part][::2, 1::2] if sample.facts.cfa[1] == "G" else (
                sample.input[part][::2, ::2])  # fmt: skip
            ratios.append(green.mean() * gains / sample.restoration[1][part].mean())
        assert max(ratios) / min(ratios) < 1.25


def test_a_clean_truth_comes_of_the_burst(bucket):
    """The fused raw is nearer to the known clean scene by the root of the frames' number."""
    for folder in sorted((bucket / "bursts").iterdir()):
        known = np.load(folder / "clean.npz")
        frames = [raw.read(path) for path in sorted(folder.glob("payload_N*.dng"))]
        number, black = int(known["reference"]), frames[0].capture.black[0]
        found = fuse(frames, How(reference=number))
        still = ~known["moving"] & (known["clean"] < 900)
        still[:16], still[-16:], still[:, :16], still[:, -16:] = False, False, False, False
        errors = [
            np.sqrt(np.mean((light - black - known["clean"])[still] ** 2))
            for light in (frames[number].pixels, found.frame.pixels / found.scale)
        ]
        assert errors[1] < 1.15 * errors[0] / np.sqrt(len(frames))
        offsets, shifts = np.array(found.offsets_px), known["shifts"]
        assert np.abs(offsets - shifts).max() < 0.35  # the whole is turned as well


def test_folders_of_bursts(bucket, tmp_path):
    source = tmp_path / "mine"
    for name in ("m001_20160101_101500_100", UNTAGGED):
        shutil.copytree(bucket / "bursts" / name, source / name)
    broken = source / UNTAGGED / "payload_N001.dng"
    broken.write_bytes(broken.read_bytes()[:100000])
    cut = source / "m001_20160101_101500_100" / "payload_N003.dng"
    cut.write_bytes(cut.read_bytes()[:100000])
    (source / "single").mkdir()
    shutil.copy(bucket / "bursts" / UNTAGGED / "payload_N000.dng", source / "single")
    summary = made("bursts", source, tmp_path / "out")
    assert sum(each.rows for each in summary.shards) == 1
    assert not check(tmp_path / "out")
    told = {(line["scene"], line["reason"]) for line in ledger(tmp_path / "out")}
    assert ("m001_20160101_101500_100", "burst-unreadable") in told
    assert ("single", "no-burst") in told
    assert (UNTAGGED, "burst") in told
    with pytest.raises(BuildError, match="one sub-folder a burst"):
        made("bursts", tmp_path / "out" / ".journal", tmp_path / "none")


def test_real_raws_as_a_burst(shared_data, tmp_path):
    shutil.copytree(shared_data / "raw/kodak_dc50", tmp_path / "mine" / "chart")
    summary = made("bursts", tmp_path / "mine", tmp_path / "out")
    assert [(each.rows, each.scenes) for each in summary.shards] == [(1, 1)]
    assert not check(tmp_path / "out")
