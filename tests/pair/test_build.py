"""Shards of pairs: the miniatures, one's own folder, refusals, and what `check` says."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from isptools import shards
from isptools.cli import main
from isptools.datasets import miniature
from isptools.datasets.alike import fingerprint, grouped
from isptools.raw import read
from isptools.recipe import Align, Recipe, Released
from isptools.synth import views as synthetic
from tests.pair import views
from tests.shards.made import changed


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def ledger(out):
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Three pairs of one's own, one of which is none, one file without its other side."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "phone").mkdir()
    (folder / "dslr").mkdir()
    for number, seed in enumerate((3, 4, 5)):
        phone = views.scene(600, 800, seed)
        phone = phone[:, ::-1] if number == 1 else phone
        h, size = views.mapping(phone.shape, turn=2, scale=1.1)
        shown = np.roll(phone[::-1], 300, 1) if number == 2 else phone
        cv2.imwrite(str(folder / "phone" / f"{number}.png"), phone[..., ::-1])
        other = views.other(np.ascontiguousarray(shown), h, size)
        cv2.imwrite(str(folder / "dslr" / f"{number}.png"), other[..., ::-1])
    cv2.imwrite(str(folder / "phone" / "alone.png"), np.zeros((50, 50, 3), np.uint8))
    return folder


@pytest.mark.parametrize("name", ["dped", pytest.param("zurich", marks=pytest.mark.long)])
def test_released_patches_build_and_check_alike_for_one_and_two_jobs(name, tmp_path):
    for jobs in ("1", "2"):
        done = run("build", name, "--sample", "--out", tmp_path / jobs, "--jobs", jobs)
        assert done.exit_code == 0, done.output
    for path in (*(tmp_path / "1").glob("*.h5"), tmp_path / "1" / "index.json"):
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()
    done = run("check", tmp_path / "1")
    assert done.exit_code == 0, done.output
    assert "residual shift px" in done.output
    assert "by correlation:" in done.output


def test_patches_are_stored_as_they_come(tmp_path):
    files = miniature("dped", tmp_path / "files")
    assert (
        run("build", "dped", "--source", tmp_path / "files", "--out", tmp_path / "out").exit_code
        == 0
    )
    with shards.open(tmp_path / "out", "test") as opened:
        assert len(opened) == 11
        facts = opened.facts(3)
        stored = opened.raw(3)
        truth = opened[3].enhancement
    phone = cv2.imread(str(tmp_path / "files" / facts.source))[..., ::-1]
    canon = cv2.imread(
        str(tmp_path / "files/iphone/test_data/patches/canon" / Path(facts.source).name)
    )
    assert Path(facts.source).stem == "3"
    assert np.abs(stored.transpose(1, 2, 0).astype(int) - phone).max() <= 1  # two JPEG decoders
    assert np.abs(truth.transpose(1, 2, 0) * 255 - canon[..., ::-1]).max() < 1.5
    refused = [line for line in ledger(tmp_path / "out") if line["kind"] == "refused"]
    assert {line["reason"] for line in refused} == {"flat"}
    assert len(refused) == 2  # the black ones
    assert len(files) == 2 * 52 + 1


def test_zurich_numbers_are_never_rescaled(tmp_path):
    """A PNG of 8 bits holds the same 10-bit numbers."""
    miniature("zurich", tmp_path / "files")
    assert (
        run("build", "zurich", "--source", tmp_path / "files", "--out", tmp_path / "out").exit_code
        == 0
    )
    depths = set()
    with shards.open(tmp_path / "out") as opened:
        for i in range(len(opened)):
            facts = opened.facts(i)
            png = cv2.imread(str(tmp_path / "files" / facts.source), cv2.IMREAD_UNCHANGED)
            depths.add(png.dtype.name)
            np.testing.assert_array_equal(opened.raw(i), png)
            assert (facts.black, facts.white, facts.cfa) == ((63.0,) * 4, 1020.0, "RGGB")
            low = opened[i].input
            np.testing.assert_allclose(low, (png.astype(float) - 63) / (1020 - 63), atol=1e-6)
    assert depths == {"uint8", "uint16"}


def test_photographs_of_one_s_own(own, tmp_path):
    out = tmp_path / "out"
    done = run("build", "pairs", "--source", own, "--out", out)
    assert done.exit_code == 3, done.output  # a pair was refused
    lines = ledger(out)
    reasons = {(line["kind"], line["reason"], line["scene"]) for line in lines}
    assert ("refused", "alignment", "pairs/2") in reasons
    assert ("missing", "other-side", "pairs/alone") in reasons
    (odd,) = [line for line in lines if line["reason"] == "alignment"]
    assert (odd["file"], odd["detail"][:20]) == ("phone/2.png", "against dslr/2.png: ")
    assert any(out.glob("*-test-*.h5")) or odd["split"] == "test"
    kept = [line for line in lines if line["kind"] == "kept"]
    with shards.open(out) as opened:
        assert len(opened) == len(kept) > 20
        keys = [opened.facts(i).key for i in range(len(opened))]
        for i in range(0, len(opened), 7):
            sample = opened[i]
            one, two = (
                np.asarray(each).mean(0).ravel() for each in (sample.input, sample.enhancement)
            )
            assert np.corrcoef(one, two)[0, 1] > 0.88
    assert len(set(keys)) == len(keys)
    assert all("@" in line["file"] and line["number"] > 0.9 for line in kept)
    done = run("check", out)
    assert done.exit_code == 0, done.output
    assert f"alignment of {len(kept)} pairs" in done.output


def test_check_finds_a_truth_that_was_moved(own, tmp_path):
    out = tmp_path / "out"
    assert run("build", "pairs", "--source", own, "--out", out).exit_code == 3
    path = next(iter(out.glob("*.h5")))
    with changed(path) as file:
        file["enhancement"][0] = np.roll(file["enhancement"][0], 9, axis=2)
    done = run("check", out)
    assert done.exit_code == 3
    assert "the table says" in done.output


def test_a_table_names_pairs_scenes_and_splits(own, tmp_path):
    source = tmp_path / "own"
    source.mkdir()
    for side in ("phone", "dslr"):
        (source / side).symlink_to(own / side)
    (source / "pairs.csv").write_text(
        "phone,dslr,scene,split\nphone/0.png,dslr/0.png,a,test\nphone/1.png,dslr/1.png,b,train\n"
        "phone/9.png,dslr/9.png,c,train\n"
    )
    out = tmp_path / "out"
    done = run("build", "pairs", "--source", source, "--out", out)
    assert done.exit_code == 0, done.output
    with shards.open(out) as opened:
        splits = {truth.scene: table.split for table in opened.tables for truth in table.truths}
    assert splits == {"a": "test", "b": "train"}
    assert [line["file"] for line in ledger(out) if line["kind"] == "missing"] == ["phone/9.png"]


def test_a_raw_phone_keeps_its_mosaic(shared_data, tmp_path):
    source = tmp_path / "own"
    folder = shared_data / "raw" / "canon_g2"
    (source / "phone").mkdir(parents=True)
    (source / "dslr").mkdir()
    (source / "phone" / "a.CRW").symlink_to(folder / "CRW_0304.CRW")
    (source / "dslr" / "a.JPG").symlink_to(folder / "IMG_0302.JPG")
    out = tmp_path / "out"
    done = run("build", "pairs-raw", "--source", source, "--out", out)
    assert done.exit_code == 0, done.output
    frame = read(folder / "CRW_0304.CRW")
    with shards.open(out) as opened:
        assert len(opened)
        for i in range(len(opened)):
            facts = opened.facts(i)
            assert facts.cfa == frame.capture.cfa
            here = opened.raw(i)
            found = cv2.matchTemplate(
                frame.pixels.astype(np.float32), here.astype(np.float32), cv2.TM_SQDIFF
            )
            top, left = np.unravel_index(int(found.argmin()), found.shape)
            np.testing.assert_array_equal(frame.pixels[top : top + 448, left : left + 448], here)
            assert top % 2 == left % 2 == 0


def test_near_duplicates_stay_in_one_split(tmp_path):
    picture = views.scene(300, 400)
    noisy = np.clip(picture * 0.9 + np.random.default_rng(1).normal(4, 3, picture.shape), 0, 255)
    names = {"a": picture, "b": noisy.astype(np.uint8), "c": views.scene(300, 400, 9)[:, ::-1]}
    prints = []
    for name, pixels in names.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
        prints.append((name, fingerprint(tmp_path / f"{name}.png")))
    groups = grouped([*prints, ("d", None)], 6)
    assert groups["a"].name == groups["b"].name == "a"
    assert groups["b"].like == "a"
    assert groups["c"].name == "c"
    assert groups["d"].name == "d"


def test_a_recipe_that_cannot_be_is_refused():
    assert Recipe.load("pairs-raw").truth.mosaic
    with pytest.raises(ValueError, match="reference"):
        Align(mosaic=True)
    with pytest.raises(ValueError, match="above"):
        Released(black=70.0, white=60.0)


def test_the_miniature_keeps_its_mapping_beside_it(tmp_path, monkeypatch):
    painted = views.scene(*synthetic.DSLR).astype(np.float32) / 255  # painting takes its time
    monkeypatch.setattr(synthetic.scenes, "paint", lambda *_: painted)
    one, two = (miniature("dped-originals", tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    truth = json.loads((tmp_path / "a" / "truth.json").read_text())
    assert set(truth) == {f"iphone/phone/{i}.jpg" for i in range(8)}
    view = synthetic.View(**truth["iphone/phone/0.jpg"])
    own, other = ((np.array(size[::-1]) - 1) / 2 for size in (synthetic.PHONE, synthetic.DSLR))
    assert np.abs(view.to_dslr(own[None]) - other).max() < 25
