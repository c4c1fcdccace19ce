"""Folders as people have them: the right kind and the right pairs, or a question."""

from collections.abc import Sequence

import pytest

from isptools.propose.kinds import chosen, of_folders, proposals
from isptools.propose.look import Seen
from isptools.propose.proposal import By, Proposal
from tests.propose.test_kinds import NOWHERE, best, picture, raw

Pairs = dict[str, list[str]]  # truth: inputs
SHORT, LONG = {"exposure_s": 0.1}, {"exposure_s": 10.0}


@pytest.fixture(autouse=True)
def nobody_looks_into_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are none here; those that can't be compared are like no other."""
    monkeypatch.setattr("isptools.propose.kinds._print", lambda _path: None)


def pairs_of(found: Proposal) -> Pairs:
    return {shot.truth.path: [one.path for one in shot.inputs] for shot in found.shots}


def doubts(seen: Sequence[Seen], by: By | None = None) -> str:
    found = proposals(NOWHERE, seen, by)
    assert chosen(found) is None
    return " ".join(one.doubt for one in found)


def short_long(*names: str, start: float = 0.0, apart: float = 1000.0) -> list[Seen]:
    """short/NAME and long/NAME, a scene every `apart` seconds."""
    return [
        raw(f"{side}/{name}.dng", taken=start + apart * i + 2 * j, exposure_s=(0.1, 10.0)[j])
        for i, name in enumerate(names)
        for j, side in enumerate(("short", "long"))
    ]


@pytest.mark.parametrize(
    ("names", "scenes"),
    [
        (("DSC_0001", "DSC_0002"), ["DSC_0001", "DSC_0002"]),
        (("00001", "00002", "00003"), ["00001", "00002", "00003"]),
        (("_MG_1", "_MG_2"), ["MG_1", "MG_2"]),
        (("hall", "street"), ["hall", "street"]),
    ],
)
def test_names_in_short_and_long_with_their_digits(names: tuple[str, ...], scenes) -> None:
    for seen in (short_long(*names), [*map(untimed, short_long(*names))]):
        found = best(seen)
        assert found is not None
        assert found.kind == "exposures"
        assert [shot.name for shot in found.shots] == scenes
        assert pairs_of(found) == {f"long/{name}.dng": [f"short/{name}.dng"] for name in names}


def untimed(one: Seen) -> Seen:
    return raw(one.path, exposure_s=one.exposure_s)


LAYOUTS: dict[str, tuple[list[Seen], Pairs]] = {
    "a word behind the number": (
        [raw(f"{i:03d}_{side}.dng", exposure_s=s)
         for i in (1, 2) for side, s in (("short", 0.1), ("long", 5.0))],
        {"001_long.dng": ["001_short.dng"], "002_long.dng": ["002_short.dng"]},
    ),
    "words inside a folder a scene": (
        [raw(f"room{i}/{side}.dng", exposure_s=s)
         for i in (1, 2) for side, s in (("noisy", 0.1), ("clean", 5.0))],
        {"room1/clean.dng": ["room1/noisy.dng"], "room2/clean.dng": ["room2/noisy.dng"]},
    ),
    "as SID is": (
        [*(raw(f"Sony/short/00001_0{i}_0.{1 + i}s.ARW", exposure_s=0.1 + i / 10) for i in (0, 1)),
         raw("Sony/long/00001_00_10s.ARW", **LONG),
         raw("Sony/short/00002_00_0.1s.ARW", **SHORT), raw("Sony/long/00002_00_30s.ARW", **LONG)],
        {"Sony/long/00001_00_10s.ARW":
         ["Sony/short/00001_00_0.1s.ARW", "Sony/short/00001_01_0.2s.ARW"],
         "Sony/long/00002_00_30s.ARW": ["Sony/short/00002_00_0.1s.ARW"]},
    ),
    "a counter that runs on, told by time": (
        [raw("short/DSC_0001.dng", taken=0.0, **SHORT), raw("long/DSC_0002.dng", taken=2.0, **LONG),
         raw("short/DSC_0003.dng", taken=300.0, **SHORT),
         raw("long/DSC_0004.dng", taken=302.0, **LONG)],
        {"long/DSC_0002.dng": ["short/DSC_0001.dng"], "long/DSC_0004.dng": ["short/DSC_0003.dng"]},
    ),
    "several short ones before each long one": (
        [*(raw(f"short/{i}.dng", taken=100.0 * (i // 3) + i % 3, **SHORT) for i in range(6)),
         *(raw(f"long/L{i}.dng", taken=100.0 * i + 4, **LONG) for i in range(2))],
        {"long/L0.dng": ["short/0.dng", "short/1.dng", "short/2.dng"],
         "long/L1.dng": ["short/3.dng", "short/4.dng", "short/5.dng"]},
    ),
    "two long ones of one name: the longest": (
        [raw("short/a_0.1s.dng", **SHORT), raw("long/a_1s.dng", exposure_s=1.0),
         raw("long/a_10s.dng", **LONG)],
        {"long/a_10s.dng": ["short/a_0.1s.dng", "long/a_1s.dng"]},
    ),
    "one short exposure has no partner": (
        [*short_long("A_1", "A_2", "A_3")[:-1]],
        {"long/A_1.dng": ["short/A_1.dng"], "long/A_2.dng": ["short/A_2.dng"]},
    ),
    "input and gt": (
        [raw(f"night/{side}/IMG_{i}.CR2", exposure_s=s)
         for i in (7, 8) for side, s in (("input", 0.1), ("gt", 4.0))],
        {"night/gt/IMG_7.CR2": ["night/input/IMG_7.CR2"],
         "night/gt/IMG_8.CR2": ["night/input/IMG_8.CR2"]},
    ),
    "phone and dslr, digits alone": (
        [picture(f"{side}/{i}.jpg", camera=camera)
         for i in (1, 2) for side, camera in (("phone", "P 1"), ("dslr", "D 1"))],
        {"dslr/1.jpg": ["phone/1.jpg"], "dslr/2.jpg": ["phone/2.jpg"]},
    ),
    "phone and dslr, no name in common, clocks an hour apart": (
        [*(raw(f"phone/IMG_{i}.dng", camera="P 1", taken=100.0 * i) for i in (1, 2, 3)),
         *(picture(f"dslr/DSC{i + 40}.jpg", camera="D 1", taken=3600.0 + 100.0 * i)
           for i in (1, 2, 3))],
        {f"dslr/DSC{i + 40}.jpg": [f"phone/IMG_{i}.dng"] for i in (1, 2, 3)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_pairs_are_right(name: str) -> None:
    seen, wanted = LAYOUTS[name]
    found = best(seen)
    assert found is not None
    assert found.kind in {"exposures", "pairs"}
    assert pairs_of(found) == wanted


CLASH = [
    raw("short/DSC_0001.dng", taken=300.0, **SHORT), raw("long/DSC_0001.dng", taken=2.0, **LONG),
    raw("short/DSC_0002.dng", taken=0.0, **SHORT), raw("long/DSC_0002.dng", taken=302.0, **LONG),
]  # fmt: skip


def test_names_and_times_that_contradict_each_other_are_both_shown() -> None:
    said = doubts(CLASH)
    assert "short/DSC_0001.dng belongs to long/DSC_0001.dng" in said
    assert "by its EXIF time to long/DSC_0002.dng" in said
    found = best(CLASH, "names")
    assert found is not None
    assert pairs_of(found)["long/DSC_0001.dng"] == ["short/DSC_0001.dng"]
    found = best(CLASH, "time")
    assert found is not None
    assert pairs_of(found)["long/DSC_0002.dng"] == ["short/DSC_0001.dng"]


QUESTIONS: dict[str, tuple[list[Seen], str]] = {
    "a counter that runs on, without times": (
        [raw(f"{side}/DSC_{i}.dng") for i, side in enumerate(("short", "long") * 2)],
        "names don't say which belong together, and EXIF times",
    ),
    "a counter, and shots so close that times don't tell": (
        [raw(f"{side}/DSC_{i}.dng", taken=4.0 * i, **(SHORT if side == "short" else {}))
         for i, side in enumerate(("short", "long") * 2)],
        "EXIF times don't say which belong together",
    ),
    "short is the longer one": (
        [raw("short/a.dng", **LONG), raw("long/a.dng", **SHORT)],
        "short/a.dng is called short and states 10 s, long/a.dng is called long and states 0.1 s",
    ),
    "phone and dslr by one camera": (
        [raw(f"{side}/{i}.dng") for i in range(5) for side in ("phone", "dslr")],
        "have 5 names in common, but by EXIF both are of one camera, Test One",
    ),
    "phone and dslr without a name in common or a time": (
        [picture(f"phone/a{i}.jpg", camera="P") for i in range(3)]
        + [picture(f"dslr/b{i}.jpg", camera="D") for i in range(3)],
        "too few names in common, and EXIF times don't say",
    ),
    "one picture of the DSLR is missing and no name says which": (
        [picture(f"phone/a{i}.jpg", camera="P", taken=100.0 * i) for i in range(3)]
        + [picture(f"dslr/b{i}.jpg", camera="D", taken=100.0 * i) for i in range(2)],
        "phone/ (3 files) and dslr/ (2)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_can_not_be_told_is_asked(name: str) -> None:
    seen, why = QUESTIONS[name]
    assert why in doubts(seen)


def test_one_cameras_pairs_are_taken_if_the_user_says_so() -> None:
    seen = QUESTIONS["phone and dslr by one camera"][0]
    found = next(one for one in proposals(NOWHERE, seen) if one.kind == "pairs")
    assert [shot.truth.path for shot in found.shots] == [f"dslr/{i}.dng" for i in range(5)]


def test_a_folder_of_folders_says_what_each_is() -> None:
    seen = [
        *(raw(f"night/{one.path}", **SHORT if "short" in one.path else LONG)
          for one in short_long("A_1", "A_2")),
        *(raw(f"burst/b{b}/{i}.dng", taken=1000.0 * b + i) for b in (1, 2) for i in range(4)),
        *(raw(f"walk/{i}.dng", taken=5000.0 * i) for i in range(3)),
    ]  # fmt: skip
    kinds = {name: one.kind for name, one in of_folders(NOWHERE, seen).items()}
    assert kinds == {"night": "exposures", "burst": "bursts", "walk": "raws"}
