"""Which folder is what: from what files state, without files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from isptools.datasets.splits import in_tenths
from isptools.propose.kinds import chosen, proposals
from isptools.propose.look import Seen
from isptools.propose.proposal import By, Proposal

NOWHERE = Path("/nowhere")


@pytest.fixture(autouse=True)
def nobody_looks_into_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are none here; those that can't be compared are like no other."""
    monkeypatch.setattr("isptools.propose.kinds._print", lambda _path: None)


def raw(path: str, **facts) -> Seen:
    stated = {"mosaic": "bayer", "shape": (3000, 4000), "camera": "Test One", "exposure_s": 0.01}
    return Seen(path, 1000, "raw", **(stated | facts))


def picture(path: str, **facts) -> Seen:
    return Seen(path, 1000, "picture", **({"shape": (3000, 4000), "camera": "Test One"} | facts))


def best(seen: Sequence[Seen], by: By | None = None) -> Proposal | None:
    return chosen(proposals(NOWHERE, seen, by))


def told(seen: Sequence[Seen]) -> tuple[str, dict[str, tuple[str, list[str]]]]:
    found = best(seen)
    assert found is not None
    shots = {s.name: (s.truth.path, [one.path for one in s.inputs]) for s in found.shots}
    return found.kind, shots


def test_raws_for_themselves() -> None:
    kind, shots = told([raw("a/IMG_1.dng"), raw("b/IMG_1.dng"), raw("b/IMG_2.dng")])
    assert kind == "raws"
    assert list(shots) == ["a-IMG_1.dng", "b-IMG_1.dng", "IMG_2"]
    assert shots["IMG_2"] == ("b/IMG_2.dng", ["b/IMG_2.dng"])


@pytest.mark.parametrize("where", ["", "jpg/"])
def test_raw_and_jpeg(where: str) -> None:
    seen = [raw("IMG_1.NEF"), raw("IMG_2.NEF"), raw("IMG_3.NEF")]
    found = best([*seen, picture(f"{where}img_1.JPG"), picture(f"{where}IMG_2.JPG", camera="")])
    assert found is not None
    assert found.kind == "camera"
    assert [shot.final.path for shot in found.shots] == [f"{where}img_1.JPG", f"{where}IMG_2.JPG"]


def test_a_picture_of_another_camera_is_not_the_raws() -> None:
    found = best([raw("a.NEF"), picture("a.jpg", camera="Other Two")])
    assert found is not None
    assert found.kind == "raws"


def test_make_and_model_may_be_stated_in_other_words() -> None:
    found = best(
        [raw("a.NEF", camera="Canon PowerShot G2"), picture("a.jpg", camera="PowerShot G2")]
    )
    assert found is not None
    assert found.kind == "camera"


@pytest.mark.parametrize(
    "names",
    [
        ["short/00001_00_0.1s.ARW", "short/00001_01_0.1s.ARW", "long/00001_00_10s.ARW"],
        ["x_short_1.ARW", "x_short_2.ARW", "x_long.ARW"],
        ["x/noisy1.ARW", "x/noisy2.ARW", "x/clean.ARW"],
        ["x/IMG_1.ARW", "x/IMG_2.ARW", "x/IMG_3.ARW"],
    ],
)
def test_short_and_long_by_names_and_folders(names: list[str]) -> None:
    seen = [raw(name, taken=100.0 + i) for i, name in enumerate(names)]
    seen[2] = replace(seen[2], exposure_s=1.0)
    kind, shots = told(seen)
    assert kind == "exposures"
    assert list(shots.values()) == [(names[2], names[:2])]


def test_scenes_and_inputs_are_told_apart() -> None:
    seen = [
        raw(f"{day}/IMG_{i}.dng", taken=1000.0 * number + i)
        for number, day in enumerate(("monday", "tuesday", "sunday"))
        for i in range(3)
    ]
    lone = [raw(f"{day}/x.dng", taken=9e6 + 1e6 * i) for i, day in enumerate(("monday", "sunday"))]
    by_time = [replace(one, path=one.path.replace("/", "/a/")) for one in seen]
    for frames in ([*seen, *lone], by_time):
        found = best(frames)
        assert found is not None
        names = [shot.name for shot in found.shots]
        assert len(set(names)) == len(names)
    twice = [raw("noisy1/x.dng"), raw("noisy2/x.dng"), raw("clean/x.dng", exposure_s=1.0)]
    assert told(twice) == ("exposures", {"x": ("clean/x.dng", ["noisy1/x.dng"])})


def test_short_and_long_by_names_alone() -> None:
    seen = [raw("hall_short.dng", exposure_s=None), raw("hall_long.dng", exposure_s=None)]
    assert told(seen) == ("exposures", {"hall": ("hall_long.dng", ["hall_short.dng"])})


def test_brackets_by_time() -> None:
    seen = [
        raw(f"IMG_{i}.dng", taken=1000.0 + 100 * (i // 3) + i, exposure_s=(0.01, 0.1, 1.0)[i % 3])
        for i in range(6)
    ]
    kind, shots = told(seen)
    assert kind == "exposures"
    assert shots == {
        "IMG_0": ("IMG_2.dng", ["IMG_0.dng", "IMG_1.dng"]),
        "IMG_3": ("IMG_5.dng", ["IMG_3.dng", "IMG_4.dng"]),
    }


def test_shorter_exposures_of_another_camera_are_no_inputs() -> None:
    seen = [raw(f"x/{i}.dng", taken=float(i)) for i in (1, 2, 3)]
    seen[1:] = replace(seen[1], camera="Other"), replace(seen[2], exposure_s=0.5)
    assert told(seen) == ("exposures", {"x": ("x/3.dng", ["x/1.dng"])})


def test_bursts_by_folder_and_by_time() -> None:
    folders = [raw(f"b{b}/{i}.dng", taken=1000.0 * b + i) for b in (1, 2) for i in range(4)]
    flat = [raw(f"IMG_{i}.dng", taken=1000.0 * (i // 3) + i) for i in range(6)]
    for seen, names in ((folders, ["b1", "b2"]), (flat, ["IMG_0", "IMG_3"])):
        found = best(seen)
        assert found is not None
        assert found.kind == "bursts"
        assert [shot.name for shot in found.shots] == names
        assert all(len(shot.frames) >= 3 for shot in found.shots)


@pytest.mark.parametrize("factor", [1, 3])
def test_a_day_of_photographs_is_neither_burst_nor_bracket(factor: int) -> None:
    times = [0.01 * factor**i for i in range(5)]
    found = best(
        [raw(f"2024-05-01/{i}.dng", taken=500.0 * i, exposure_s=s) for i, s in enumerate(times)]
    )
    assert found is not None
    assert found.kind == "raws"


def test_pairs_by_camera_and_by_folder_names() -> None:
    cameras = [raw("x/1.dng", camera="Phone"), picture("y/1.jpg", camera="DSLR")]
    names = [picture("a/canon/1.jpg", camera=""), picture("a/iphone/1.jpg", camera="")]
    for seen, truth in ((cameras, "y/1.jpg"), (names, "a/canon/1.jpg")):
        kind, shots = told(seen)
        assert kind == "pairs"
        assert shots["1"][0] == truth


def test_the_smaller_picture_is_taken_as_the_phones() -> None:
    seen = [picture("a/1.jpg", camera="One"), picture("b/1.jpg", camera="Two", shape=(600, 800))]
    assert told(seen) == ("pairs", {"1": ("a/1.jpg", ["b/1.jpg"])})


def test_brackets_of_two_cameras_are_no_pairs_unless_folders_say_so() -> None:
    def seen(*folders: str) -> list[Seen]:
        return [
            raw(f"{folder}/{i}.dng", camera=folder, taken=100.0 + i, exposure_s=0.1 * 4**i)
            for folder in folders
            for i in range(3)
        ]

    assert told(seen("hall", "street"))[0] == "exposures"
    assert told(seen("phone", "dslr"))[0] == "pairs"


def test_folders_of_one_camera_are_no_pairs() -> None:
    assert best([picture("a/1.jpg"), picture("b/1.jpg")]) is None


def test_pictures_alone_and_broken_raws_can_not_be_told() -> None:
    assert best([]) is None
    assert best([picture("a.jpg"), picture("b.jpg")]) is None
    assert best([raw("a.dng", wrong="cut off"), Seen("notes.txt", 5, "other")]) is None


def test_the_rarer_mosaic_is_left_out() -> None:
    found = best([raw("a.raf", mosaic="xtrans"), raw("b.dng"), raw("c.dng")])
    assert found is not None
    assert [shot.name for shot in found.shots] == ["b", "c"]


@pytest.mark.parametrize("count", [1, 2, 5, 20, 137])
def test_groups_stay_whole_and_splits_are_of_the_size_they_should(count: int) -> None:
    names = [f"s{i}" for i in range(count)]
    groups = [names[i : i + 1 + i % 3] for i in range(0, count, 3)]
    groups = [[*group] for group in groups if group]
    splits = in_tenths(groups)
    for group in groups:
        assert len({splits[name] for name in group}) == 1
    total = sum(len(group) for group in groups)
    tests = sum(split == "test" for split in splits.values())
    assert tests <= max(min(map(len, groups)), round(total * 0.1))
    assert tests or len(groups) < 2
    assert in_tenths(groups) == splits


def test_six_couples_have_a_test_and_a_validation_couple() -> None:
    splits = in_tenths([[f"a{i}", f"b{i}"] for i in range(6)])
    counts = [sum(split == each for split in splits.values()) for each in ("train", "val", "test")]
    assert counts == [8, 2, 2]


def test_names_of_exposures_that_last_as_long_are_an_offer_with_its_reason() -> None:
    seen = [raw(f"{side}/0000{i}.dng") for side in ("short", "long") for i in (1, 2)]
    found = {one.kind: one for one in proposals(NOWHERE, seen)}
    assert chosen(list(found.values())).kind == "raws"
    offer = found["exposures"]
    assert not offer.sure
    assert offer.why == (
        "names say short and long (scenes: 2), but by EXIF none was exposed 2 times as long as "
        "another"
    )
    assert [(s.truth.path, [one.path for one in s.inputs]) for s in offer.shots] == [
        (f"long/0000{i}.dng", [f"short/0000{i}.dng"]) for i in (1, 2)
    ]
