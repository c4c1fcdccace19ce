"""Manifests: the counts the authors and papers state, the protocols, and what is refused."""

import re
from collections import Counter
from pathlib import Path

import pytest

from isptools import datasets
from isptools.build.choose import limited
from isptools.datasets import BuildError, Card, table
from isptools.datasets import card as cards
from isptools.datasets.card import Exclusion, FileRow, Role
from isptools.datasets.files import Folder, Found
from isptools.datasets.listing import excluded
from isptools.datasets.scene import Scene, Source
from isptools.measure.exposure import Shot, ratio

SID, FUJI = cards.load("sid"), cards.load("sid-fuji")


@pytest.fixture(autouse=True)
def all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every file of the tables was on the disk."""
    monkeypatch.setattr(Folder, "find", lambda *_: Found(Source("", 0, 0)))
    monkeypatch.setattr(Folder, "unlisted", lambda *_: [])


def pairs(card: Card, chosen: str = "all", **words) -> tuple[Scene, ...]:
    limit = words.pop("limit", None)
    opened = datasets.selected(card, {"pairs": chosen, **words})
    return tuple(limited(table.find(card, opened.select, Path()).scenes, limit))


def by_split(scenes: tuple[Scene, ...]) -> tuple[int, int, int]:
    """Numbers of inputs in train, val and test."""
    counts = Counter(scene.split for scene in scenes for _ in scene.shot.inputs)
    return counts["train"], counts["val"], counts["test"]


def scenes_by_split(scenes: tuple[Scene, ...]) -> tuple[int, int, int]:
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
    found: Card, inputs: tuple[int, int, int], scenes: tuple[int, int, int]
) -> None:
    official = pairs(found)
    assert by_split(official) == inputs
    assert scenes_by_split(official) == scenes
    assert len(found.files) == sum(inputs) + sum(scenes)


def test_totals_are_the_papers() -> None:
    roles = Counter(entry.role for entry in SID.files + FUJI.files)
    assert roles == {"input": 5094, "truth": 424}
    assert Counter(entry.role for entry in SID.files) == {"input": 2697, "truth": 231}
    assert Counter(entry.role for entry in FUJI.files) == {"input": 2397, "truth": 193}


@pytest.mark.parametrize(
    ("found", "expected"), [(SID, (280, 36, 93)), (FUJI, (286, 38, 94))], ids=["sony", "fuji"]
)
def test_first_is_the_00_frames(found: Card, expected: tuple[int, int, int]) -> None:
    chosen = pairs(found, "first")
    assert by_split(chosen) == expected
    names = {entry.path for scene in chosen for entry in scene.shot.inputs}
    assert names == {e.path for e in found.files if e.role == "input" and "_00_" in e.path}


def test_one_per_scene_is_cameranets_count() -> None:
    chosen = pairs(SID, "one-per-scene", val="train")
    assert by_split(chosen) == scenes_by_split(chosen) == (181, 0, 50)
    fuji = pairs(FUJI, "one-per-scene", val="train")
    assert by_split(fuji) == (152, 0, 41)


def test_one_per_scene_takes_the_first_frame_of_the_shortest_exposure() -> None:
    every = {scene.name: scene for scene in pairs(SID)}
    for scene in pairs(SID, "one-per-scene"):
        (entry,) = scene.shot.inputs
        times = [float(other.exposure_s or 0) for other in every[scene.name].shot.inputs]
        assert entry.exposure_s == min(times)
        assert "_00_" in entry.path


def ratio_of(input_s: float | None, truth_s: float | None) -> float:
    """As SID's authors count it."""
    return min(ratio(Shot(input_s), Shot(truth_s), "time") or 0, 300)


def test_ratios_of_the_sony_test_pairs() -> None:
    ratios = Counter(
        ratio_of(entry.exposure_s, scene.shot.truth.exposure_s)
        for scene in pairs(SID, "first")
        if scene.split == "test"
        for entry in scene.shot.inputs
    )
    assert ratios == {100.0: 29, 250.0: 29, 300.0: 35}


@pytest.mark.parametrize("found", [SID, FUJI], ids=["sony", "fuji"])
def test_names_agree_with_the_columns(found: Card) -> None:
    digit = {"0": "train", "1": "test", "2": "val"}
    for entry in found.files:
        folder = {"input": "short", "truth": "long"}[entry.role]
        name = entry.path.rsplit("/", 1)[1]
        assert re.fullmatch(found.input_name, name)
        assert entry.path.split("/")[1] == folder
        assert (name[:5], digit[name[0]]) == (entry.scene, entry.split)
        # the authors' own parsing of the exposure time
        assert entry.exposure_s == float(name[9:-5])


@pytest.mark.parametrize("found", [SID, FUJI], ids=["sony", "fuji"])
def test_table_has_the_stated_order(found: Card) -> None:
    splits = [entry.split for entry in found.files]
    assert splits == sorted(splits, key=["train", "val", "test"].index)
    for before, entry in zip((None, *found.files), found.files, strict=False):
        new = before is None or before.scene != entry.scene
        assert (entry.role == "truth") == new


def test_iso_anomaly_is_kept_as_listed() -> None:
    scene = [entry for entry in SID.files if entry.scene == "00207"]
    odd = [entry.path for entry in scene if entry.iso != 25600]
    assert odd == ["Sony/short/00207_02_0.033s.ARW"]
    others = {e.scene: {x.iso for x in SID.files if x.scene == e.scene} for e in SID.files}
    assert [name for name, isos in others.items() if len(isos) > 1] == ["00207"]


def test_excluded_scenes() -> None:
    without = pairs(SID, exclude=["misaligned"])
    assert scenes_by_split(without) == (161, 20, 47)
    fuji = pairs(FUJI, exclude=["misaligned"])
    assert scenes_by_split(fuji) == (135, 17, 40)
    both = pairs(SID, exclude=["misaligned", "claimed-train"])
    assert scenes_by_split(both) == (159, 20, 47)
    reasons = excluded(SID, ["misaligned"])
    assert sorted(reasons) == ["10034", "10045", "10172"]
    assert "misaligned" in reasons["10034"].reason


def test_unknown_exclusion_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="has no exclusion list 'blurred'") as caught:
        pairs(SID, exclude=["blurred"])
    assert "misaligned, claimed-train" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_limit_keeps_the_first_scenes_of_each_split() -> None:
    few = pairs(SID, limit=2)
    every = pairs(SID)
    assert scenes_by_split(few) == (2, 2, 2)
    for split in ("train", "val", "test"):
        of_split = [scene for scene in every if scene.split == split]
        assert [scene for scene in few if scene.split == split] == of_split[:2]
    assert scenes_by_split(pairs(SID, val="train", limit=2)) == (2, 0, 2)
    assert pairs(SID, limit=0) == ()


def test_limit_counts_after_the_exclusion() -> None:
    tests = [s.name for s in pairs(SID) if s.split == "test"]
    kept = pairs(SID, exclude=["misaligned"], limit=len(tests))
    assert sum(scene.split == "test" for scene in kept) == 47


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
    found = cards.load("mine", mine.parent)
    assert found.name == "mine"
    assert found.citation == ""
    assert found.files == (
        FileRow("train", "a", "truth", "a/long.dng", 1.0, 100.0),
        FileRow("train", "a", "input", "a/short.dng", 0.1, None),
    )
    assert cards.load(str(mine)) == found


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
        cards.load("mine", mine.parent)
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
        cards.load("mine", mine.parent)
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
        cards.load(str(mine))
    assert "\n" not in str(caught.value)


def test_what_is_published_of_scenes(mine: Path) -> None:
    text = "scene\tcamera\tlists\none\tSome Camera\tpaper:train other:test\ntwo\t\t\n"
    folder(mine, GOOD)
    (mine / "scenes.tsv").write_text(text, encoding="utf-8")
    one, two = cards.load(str(mine)).scenes
    assert (one.camera, one.splits) == ("Some Camera", {"paper": "train", "other": "test"})
    assert (two.camera, two.splits) == ("", {})


def test_missing_folder_and_table(mine: Path) -> None:
    with pytest.raises(ValueError, match="no data set 'yours'"):
        cards.load("yours", mine.parent)
    (mine / "dataset.toml").write_text(TOML)
    with pytest.raises(BuildError, match=r"there is no files\.tsv"):
        pairs(cards.load("mine", mine.parent))


def entry(scene: str, role: Role, path: str, exposure: float | None) -> FileRow:
    return FileRow("train", scene, role, path, exposure)


def small(*rows: FileRow, **facts) -> Card:
    return Card(
        "s", "S", "CC0", "allowed", "", (), "", "", (".",), folder=Path(), files=rows, **facts
    )


@pytest.mark.parametrize("roles", [("truth",), ("input",), ("truth", "truth", "input")])
def test_pairs_need_one_truth_and_an_input(roles: tuple[Role, ...]) -> None:
    entries = [entry("a", role, str(i), 1.0) for i, role in enumerate(roles)]
    with pytest.raises(ValueError, match="scene a needs one truth and an input"):
        pairs(small(*entries))


def test_protocols_without_exposure_times() -> None:
    found = small(
        entry("a", "input", "1", None), entry("a", "input", "2", None), entry("a", "truth", "3", 1)
    )
    assert [e.path for e in pairs(found)[0].shot.inputs] == ["1", "2"]
    assert [e.path for e in pairs(found, "first")[0].shot.inputs] == ["1"]
    assert [e.path for e in pairs(found, "one-per-scene")[0].shot.inputs] == ["1"]


def test_a_scenes_entries_need_not_stand_together() -> None:
    found = small(
        entry("a", "truth", "1", 10),
        entry("b", "truth", "2", 10),
        entry("b", "input", "3", 1),
        entry("a", "input", "4", 1),
    )
    assert [(s.name, s.shot.inputs[0].path) for s in pairs(found)] == [("a", "4"), ("b", "3")]


def test_no_exclusions_at_all() -> None:
    with pytest.raises(BuildError, match="it has: none"):
        excluded(small(), ["misaligned"])
    listed = Exclusion("one", "reason", ("a",))
    assert excluded(small(exclusions=(listed,)), ["one"]) == {"a": listed}
