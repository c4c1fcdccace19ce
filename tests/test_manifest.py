"""Manifests: the counts the authors and papers state, the protocols, and what is refused."""

import re
from collections import Counter
from pathlib import Path

import pytest

from isptools import manifest
from isptools.manifest import DataSet, Entry, Exclusion, Manifest
from isptools.measure.exposure import Shot, ratio

SID, FUJI = manifest.load("sid"), manifest.load("sid-fuji")


def by_split(scenes: tuple[manifest.Scene, ...]) -> tuple[int, int, int]:
    """Numbers of inputs in train, val and test."""
    counts = Counter(scene.split for scene in scenes for _ in scene.inputs)
    return counts["train"], counts["val"], counts["test"]


def scenes_by_split(scenes: tuple[manifest.Scene, ...]) -> tuple[int, int, int]:
    counts = Counter(scene.split for scene in scenes)
    return counts["train"], counts["val"], counts["test"]


# Chen et al., CVPR 2018: 5094 short exposures, 424 long ones; the lists of their repository
@pytest.mark.parametrize(
    ("found", "inputs", "scenes"),
    [
        (SID, (1865, 234, 598), (161, 20, 50)),
        (FUJI, (1655, 218, 524), (135, 17, 41)),
    ],
    ids=["sony", "fuji"],
)
def test_official_counts(
    found: Manifest, inputs: tuple[int, int, int], scenes: tuple[int, int, int]
) -> None:
    official = manifest.pairs(found)
    assert by_split(official) == inputs
    assert scenes_by_split(official) == scenes
    assert len(found.entries) == sum(inputs) + sum(scenes)


def test_totals_are_the_papers() -> None:
    roles = Counter(entry.role for entry in SID.entries + FUJI.entries)
    assert roles == {"input": 5094, "truth": 424}
    assert Counter(entry.role for entry in SID.entries) == {"input": 2697, "truth": 231}
    assert Counter(entry.role for entry in FUJI.entries) == {"input": 2397, "truth": 193}


@pytest.mark.parametrize(
    ("found", "expected"), [(SID, (280, 36, 93)), (FUJI, (286, 38, 94))], ids=["sony", "fuji"]
)
def test_first_is_the_00_frames(found: Manifest, expected: tuple[int, int, int]) -> None:
    chosen = manifest.pairs(found, "first")
    assert by_split(chosen) == expected
    names = {entry.path for scene in chosen for entry in scene.inputs}
    assert names == {e.path for e in found.entries if e.role == "input" and "_00_" in e.path}


def test_one_per_scene_is_cameranets_count() -> None:
    chosen = manifest.pairs(SID, "one-per-scene", val="train")
    assert by_split(chosen) == scenes_by_split(chosen) == (181, 0, 50)
    fuji = manifest.pairs(FUJI, "one-per-scene", val="train")
    assert by_split(fuji) == (152, 0, 41)


def test_one_per_scene_takes_the_first_frame_of_the_shortest_exposure() -> None:
    every = {scene.scene: scene for scene in manifest.pairs(SID)}
    for scene in manifest.pairs(SID, "one-per-scene"):
        (entry,) = scene.inputs
        times = [float(other.exposure_s or 0) for other in every[scene.scene].inputs]
        assert entry.exposure_s == min(times)
        assert "_00_" in entry.path


def ratio_of(input_s: float | None, truth_s: float | None) -> float:
    """As SID's authors count it."""
    return min(ratio(Shot(input_s), Shot(truth_s), "time") or 0, 300)


def test_ratios_of_the_sony_test_pairs() -> None:
    ratios = Counter(
        ratio_of(entry.exposure_s, scene.truth.exposure_s)
        for scene in manifest.pairs(SID, "first")
        if scene.split == "test"
        for entry in scene.inputs
    )
    assert ratios == {100.0: 29, 250.0: 29, 300.0: 35}


@pytest.mark.parametrize("found", [SID, FUJI], ids=["sony", "fuji"])
def test_names_agree_with_the_columns(found: Manifest) -> None:
    digit = {"0": "train", "1": "test", "2": "val"}
    for entry in found.entries:
        folder = {"input": "short", "truth": "long"}[entry.role]
        name = entry.path.rsplit("/", 1)[1]
        assert re.fullmatch(found.data_set.input_name, name)
        assert entry.path.split("/")[1] == folder
        assert (name[:5], digit[name[0]]) == (entry.scene, entry.split)
        # the authors' own parsing of the exposure time
        assert entry.exposure_s == float(name[9:-5])


@pytest.mark.parametrize("found", [SID, FUJI], ids=["sony", "fuji"])
def test_table_has_the_stated_order(found: Manifest) -> None:
    splits = [entry.split for entry in found.entries]
    assert splits == sorted(splits, key=["train", "val", "test"].index)
    for before, entry in zip((None, *found.entries), found.entries, strict=False):
        new = before is None or before.scene != entry.scene
        assert (entry.role == "truth") == new


def test_iso_anomaly_is_kept_as_listed() -> None:
    scene = [entry for entry in SID.entries if entry.scene == "00207"]
    odd = [entry.path for entry in scene if entry.iso != 25600]
    assert odd == ["Sony/short/00207_02_0.033s.ARW"]
    others = {e.scene: {x.iso for x in SID.entries if x.scene == e.scene} for e in SID.entries}
    assert [name for name, isos in others.items() if len(isos) > 1] == ["00207"]


def test_excluded_scenes() -> None:
    without = manifest.pairs(SID, exclude=["misaligned"])
    assert scenes_by_split(without) == (161, 20, 47)
    fuji = manifest.pairs(FUJI, exclude=["misaligned"])
    assert scenes_by_split(fuji) == (135, 17, 40)
    both = manifest.pairs(SID, exclude=["misaligned", "claimed-train"])
    assert scenes_by_split(both) == (159, 20, 47)
    reasons = manifest.excluded(SID.data_set, ["misaligned"])
    assert sorted(reasons) == ["10034", "10045", "10172"]
    assert "misaligned" in reasons["10034"].reason


def test_unknown_exclusion_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="has no exclusion list 'blurred'") as caught:
        manifest.pairs(SID, exclude=["blurred"])
    assert "misaligned, claimed-train" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_limit_keeps_the_first_scenes_of_each_split() -> None:
    few = manifest.pairs(SID, limit=2)
    every = manifest.pairs(SID)
    assert scenes_by_split(few) == (2, 2, 2)
    for split in ("train", "val", "test"):
        of_split = [scene for scene in every if scene.split == split]
        assert [scene for scene in few if scene.split == split] == of_split[:2]
    assert scenes_by_split(manifest.pairs(SID, val="train", limit=2)) == (2, 0, 2)
    assert manifest.pairs(SID, limit=0) == ()


def test_limit_counts_after_the_exclusion() -> None:
    tests = [s.scene for s in manifest.pairs(SID) if s.split == "test"]
    kept = manifest.pairs(SID, exclude=["misaligned"], limit=len(tests))
    assert sum(scene.split == "test" for scene in kept) == 47


@pytest.mark.parametrize(
    ("input_s", "truth_s", "expected"),
    [(0.1, 10, 100), (0.04, 10, 250), (0.1, 30, 300), (0.033, 10, 300), (0.04, 30, 300)],
)
def test_ratio(input_s: float, truth_s: float, expected: float) -> None:
    assert ratio_of(input_s, truth_s) == expected


def test_no_time_has_no_ratio() -> None:
    assert ratio(Shot(0), Shot(10), "time") is None


TOML = """
name = "mine"
title = "My pairs"
licence = "CC0"
redistribution = "allowed"
home = "https://example.org"
downloads = []
size = "1 GB"
place = "all in one folder"
roots = ["."]
"""
HEAD = "split\tscene\trole\tpath\texposure_s\tiso\n"
GOOD = "train\ta\ttruth\ta/long.dng\t1\t100\ntrain\ta\tinput\ta/short.dng\t0.1\t\n"


def folder(path: Path, files: str, toml: str = TOML) -> Path:
    (path / "dataset.toml").write_text(toml)
    (path / "files.tsv").write_text(HEAD + files)
    return path


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def test_loads_a_folder_of_ones_own(mine: Path) -> None:
    folder(mine, GOOD)
    found = manifest.load("mine", base=mine.parent)
    assert found.data_set.name == "mine"
    assert found.citation == ""
    assert found.entries == (
        Entry("train", "a", "truth", "a/long.dng", 1.0, 100.0),
        Entry("train", "a", "input", "a/short.dng", 0.1, None),
    )
    assert manifest.load(str(mine)) == found


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("dev\ta\ttruth\tx\t1\t1\n", "files.tsv:2: Invalid enum value 'dev'"),
        ("train\ta\ttruth\tx\tlong\t1\n", r"files.tsv:2: Expected `float.*exposure_s"),
        ("train\ta\ttruth\tx\t0\t1\n", r"files.tsv:2: Expected `float` > 0.0"),
        ("train\ta\ttruth\n", "files.tsv:2: Object missing required field `path`"),
        ("train\ta\ttruth\tx\t1\t1\textra\n", "files.tsv:2: more fields than"),
        (GOOD + "test\ta\tinput\tb\t1\t1\n", "scene a stands in two splits"),
        (GOOD + "train\tb\tinput\ta/short.dng\t1\t1\n", "a/short.dng is named twice"),
        (GOOD + "train\tb\ttruth\ta/short.dng\t1\t1\n", "a/short.dng is named twice"),
        (GOOD + "train\ta\tinput\ta/short.dng\t1\t1\n", "a/short.dng is named twice"),
        ("train\ta\ttruth\t../x\t1\t1\n", "must be a path below"),
        ("train\ta\ttruth\t/x\t1\t1\n", "must be a path below"),
        ("train\ta\ttruth\ta\\x\t1\t1\n", "must be a path below"),
    ],
)
def test_wrong_tables_are_refused_in_one_line(mine: Path, files: str, message: str) -> None:
    folder(mine, files)
    with pytest.raises(ValueError, match=message) as caught:
        manifest.load("mine", base=mine.parent)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (TOML + 'color = "red"\n', "dataset.toml: Object contains unknown field `color`"),
        (TOML.replace('size = "1 GB"\n', ""), "dataset.toml: .*missing required field `size`"),
        ("name = \n", "dataset.toml: "),
        (
            TOML + '[[exclusions]]\nname = "bad"\nreason = "blurred"\nscenes = ["z"]\n',
            "exclusion 'bad' names scenes that files.tsv has not: z",
        ),
    ],
)
def test_wrong_facts_are_refused_in_one_line(mine: Path, toml: str, message: str) -> None:
    folder(mine, GOOD, toml)
    with pytest.raises(ValueError, match=message) as caught:
        manifest.load("mine", base=mine.parent)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("one\tpaper:train\none\t\n", r"scenes\.tsv: scene one is named twice"),
        ("one\tpaper:trian\n", r"scenes\.tsv:2: lists has 'paper:trian'; expected list:train"),
        ("one\tpaper:train\tmore\n", r"scenes\.tsv:2: more fields"),
    ],
)
def test_wrong_scenes_are_refused_in_one_line(mine: Path, rows: str, message: str) -> None:
    folder(mine, GOOD)
    (mine / "scenes.tsv").write_text("scene\tlists\n" + rows, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        manifest.load(str(mine))
    assert "\n" not in str(caught.value)


def test_what_is_published_of_scenes(mine: Path) -> None:
    text = "scene\tcamera\tlists\none\tSome Camera\tpaper:train other:test\ntwo\t\t\n"
    folder(mine, GOOD)
    (mine / "scenes.tsv").write_text(text, encoding="utf-8")
    one, two = manifest.load(str(mine)).known
    assert (one.camera, one.splits) == ("Some Camera", {"paper": "train", "other": "test"})
    assert (two.camera, two.splits) == ("", {})


def test_missing_folder_and_table(mine: Path) -> None:
    with pytest.raises(ValueError, match="no manifest 'yours'"):
        manifest.load("yours", base=mine.parent)
    (mine / "dataset.toml").write_text(TOML)
    with pytest.raises(ValueError, match=r"there is no files\.tsv"):
        manifest.load("mine", base=mine.parent)


def entry(scene: str, role: manifest.Role, path: str, exposure: float | None) -> Entry:
    return Entry("train", scene, role, path, exposure)


def small(*entries: Entry) -> Manifest:
    data_set = DataSet("s", "S", "CC0", "allowed", "", (), "", "", (".",))
    return Manifest(data_set, entries)


@pytest.mark.parametrize("roles", [("truth",), ("input",), ("truth", "truth", "input")])
def test_pairs_need_one_truth_and_an_input(roles: tuple[manifest.Role, ...]) -> None:
    entries = [entry("a", role, str(i), 1.0) for i, role in enumerate(roles)]
    with pytest.raises(ValueError, match="scene a needs one truth and an input"):
        manifest.pairs(small(*entries))


def test_protocols_without_exposure_times() -> None:
    found = small(
        entry("a", "input", "1", None), entry("a", "input", "2", None), entry("a", "truth", "3", 1)
    )
    assert [e.path for e in manifest.pairs(found)[0].inputs] == ["1", "2"]
    assert [e.path for e in manifest.pairs(found, "first")[0].inputs] == ["1"]
    assert [e.path for e in manifest.pairs(found, "one-per-scene")[0].inputs] == ["1"]


def test_a_scenes_entries_need_not_stand_together() -> None:
    found = small(
        entry("a", "truth", "1", 10),
        entry("b", "truth", "2", 10),
        entry("b", "input", "3", 1),
        entry("a", "input", "4", 1),
    )
    assert [(s.scene, s.inputs[0].path) for s in manifest.pairs(found)] == [("a", "4"), ("b", "3")]


def test_no_exclusions_at_all() -> None:
    with pytest.raises(ValueError, match="it has: none"):
        manifest.excluded(small().data_set, ["misaligned"])
    listed = Exclusion("one", "reason", ("a",))
    assert manifest.excluded(
        DataSet("s", "S", "", "unknown", "", (), "", "", (".",), exclusions=(listed,)), ["one"]
    ) == {"a": listed}
