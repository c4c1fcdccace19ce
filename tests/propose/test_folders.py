"""Folders of files as people have them, looked at by `isptools init`: right, or a question."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from isptools.cli import main
from tests.raw import mosaics

Facts = dict[str, Any]  # s: exposure, t: time, camera, scene: what it shows
Pairs = dict[str, list[str]]  # truth: inputs
DAY = 1_700_000_000
S, L = {"s": 0.1}, {"s": 10.0}
PHONE, DSLR = {"camera": "Maker Phone"}, {"camera": "Works Reflex"}
SHAPE = (48, 64)


def stamp(seconds: float) -> str:
    """As EXIF has it."""
    return str(np.datetime64(int(DAY + seconds), "s")).replace("-", ":").replace("T", " ")


def shown(scene: int) -> np.ndarray:
    """Blobs of that scene alone, 0 to 1."""
    coarse = np.random.default_rng(scene).random((6, 8)).astype(np.float32)
    return cv2.resize(coarse, SHAPE[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)


def dng(facts: Facts) -> bytes:
    """By tifffile, with the tags that cameras write."""
    maker, model = facts.get("camera", "Test One").split(" ", 1)
    seconds = facts.get("s", 0.01)
    extra = [(271, 2, 0, maker, True), (272, 2, 0, model, True)]
    if seconds:
        extra.append((33434, 5, 1, (round(seconds * 1000), 1000), True))
    when = {"datetime": stamp(facts["t"])} if "t" in facts else {}
    pixels = np.rint(600 + 50000 * shown(facts.get("scene", 0))).astype(np.uint16)
    return mosaics.dng(pixels, extra=tuple(extra), **when)


def jpeg(path: Path, facts: Facts) -> None:
    exif = Image.Exif()
    if "camera" in facts:
        exif[271], exif[272] = facts["camera"].split(" ", 1)
    if "t" in facts:
        exif[306] = stamp(facts["t"])
    picture = Image.fromarray((shown(facts.get("scene", 0)) * 255).astype(np.uint8))
    picture.resize(facts.get("size", SHAPE[::-1])).save(path, exif=exif)


def write(folder: Path, files: Mapping[str, Facts]) -> None:
    for name, facts in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".dng":
            path.write_bytes(dng(facts))
        elif path.suffix in {".jpg", ".JPG"}:
            jpeg(path, facts)
        else:
            path.write_text(str(facts.get("text", "")))


def asked(folder: Path, *more: str) -> tuple[dict[str, Any], str]:
    """What a program and what a person is told."""
    words = ["init", str(folder), "--out", str(folder.parent / "out"), "--overwrite", "--json"]
    done = CliRunner().invoke(main, [*words, *more])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    told = json.loads(done.stdout)
    assert done.exit_code == (told["kind"] is None), done.output
    return told, done.stderr


def pairs(told: Mapping[str, Any]) -> Pairs:
    scenes: dict[str, dict[str, list[str]]] = {}
    for one in told["files"]:
        scenes.setdefault(one["scene"], {}).setdefault(one["role"], []).append(one["path"])
    return {scene["truth"][0]: scene.get("input", []) for scene in scenes.values()}


def both(name: str, scene: int, **facts: Any) -> dict[str, Facts]:
    """short/NAME and long/NAME, a scene every 1000 seconds."""
    return {f"short/{name}.dng": {"t": 1000 * scene, "scene": scene, **S, **facts},
            f"long/{name}.dng": {"t": 1000 * scene + 2, "scene": scene, **L, **facts}}  # fmt: skip


RIGHT: dict[str, tuple[dict[str, Facts], str, Pairs | None]] = {
    "two names that differ in their number": (
        both("DSC_0001", 1) | both("DSC_0002", 2), "exposures",
        {f"long/DSC_000{i}.dng": [f"short/DSC_000{i}.dng"] for i in (1, 2)},
    ),
    "names of digits": (
        both("00001", 1) | both("00002", 2) | both("00003", 3), "exposures",
        {f"long/0000{i}.dng": [f"short/0000{i}.dng"] for i in (1, 2, 3)},
    ),
    "as SID is": (
        {"Sony/short/00001_00_0.1s.dng": {"scene": 1, **S},
         "Sony/short/00001_01_0.04s.dng": {"scene": 1, "s": 0.04},
         "Sony/long/00001_00_10s.dng": {"scene": 1, **L},
         "Sony/short/20007_00_0.1s.dng": {"scene": 2, **S},
         "Sony/long/20007_00_30s.dng": {"scene": 2, "s": 30.0}}, "exposures",
        {"Sony/long/00001_00_10s.dng":
         ["Sony/short/00001_00_0.1s.dng", "Sony/short/00001_01_0.04s.dng"],
         "Sony/long/20007_00_30s.dng": ["Sony/short/20007_00_0.1s.dng"]},
    ),
    "words in other letters, and a suffix": (
        {"Noisy/a_noisy.dng": {"scene": 1, **S}, "CLEAN/a_clean.dng": {"scene": 1, **L},
         "Noisy/b_noisy.dng": {"scene": 2, **S}, "CLEAN/b_clean.dng": {"scene": 2, **L}},
        "exposures",
        {f"CLEAN/{x}_clean.dng": [f"Noisy/{x}_noisy.dng"] for x in "ab"},
    ),
    "input and target by one camera": (
        {f"{side}/{i}.dng": {"scene": i, "t": 100 * i + (side == "target"), **facts}
         for i in (1, 2, 3) for side, facts in (("input", S), ("target", L))}, "exposures",
        {f"target/{i}.dng": [f"input/{i}.dng"] for i in (1, 2, 3)},
    ),
    "folders whose names say nothing": (
        {f"{side}/IMG_{i}.dng": {"scene": i, "t": 100 * i + 3 * (side == "b"), **facts}
         for i in (1, 2) for side, facts in (("a", S), ("b", L))}, "exposures",
        {f"b/IMG_{i}.dng": [f"a/IMG_{i}.dng"] for i in (1, 2)},
    ),
    "a folder a scene": (
        {f"{room}/{i}.dng": {"scene": i0, "t": 1000 * i0 + i, "s": (0.01, 0.1, 1.0)[i]}
         for i0, room in enumerate(("hall", "street")) for i in range(3)}, "exposures",
        {f"{room}/2.dng": [f"{room}/0.dng", f"{room}/1.dng"] for room in ("hall", "street")},
    ),
    "a folder a scene, without times": (
        {f"{room}/{i}.dng": {"scene": i0, "s": (0.01, 1.0)[i]}
         for i0, room in enumerate(("hall", "street")) for i in range(2)}, "exposures",
        {f"{room}/1.dng": [f"{room}/0.dng"] for room in ("hall", "street")},
    ),
    "a counter that runs on, told by time": (
        {"short/DSC_0001.dng": {"t": 0, "scene": 1, **S},
         "long/DSC_0002.dng": {"t": 2, "scene": 1, **L},
         "short/DSC_0003.dng": {"t": 300, "scene": 2, **S},
         "long/DSC_0004.dng": {"t": 302, "scene": 2, **L}}, "exposures",
        {"long/DSC_0002.dng": ["short/DSC_0001.dng"], "long/DSC_0004.dng": ["short/DSC_0003.dng"]},
    ),
    "brackets in one folder, told by time": (
        {f"IMG_{i}.dng": {"t": 500 * (i // 3) + i % 3, "scene": i // 3,
                          "s": (0.01, 0.04, 0.16)[i % 3]} for i in range(6)}, "exposures",
        {"IMG_2.dng": ["IMG_0.dng", "IMG_1.dng"], "IMG_5.dng": ["IMG_3.dng", "IMG_4.dng"]},
    ),
    "bursts, a folder each": (
        {f"burst{b}/{i}.dng": {"t": 900 * b + i, "scene": b} for b in (1, 2) for i in range(4)},
        "bursts", None,
    ),
    "bursts in one folder, told by time": (
        {f"IMG_{b}{i}.dng": {"t": 900 * b + i, "scene": b} for b in (1, 2) for i in range(4)},
        "bursts", None,
    ),
    "raws with the camera's own pictures": (
        {f"DSC_{i}.{end}": {"t": 900 * i, "scene": i, "camera": "Test One"}
         for i in (1, 2) for end in ("dng", "JPG")}, "camera", None,
    ),
    "raws and pictures in folders beside each other": (
        {f"{where}/DSC_{i}.{end}": {"t": 900 * i, "scene": i, "camera": "Test One"}
         for i in (1, 2) for where, end in (("raw", "dng"), ("jpeg", "jpg"))}, "camera", None,
    ),
    "two days of raws whose counter began again": (
        {f"{day}/IMG_{i}.dng": {"t": 90000 * d + 900 * i, "scene": 9 * d + i, "s": 0.01 + d}
         for d, day in enumerate(("monday", "tuesday")) for i in (1, 2)}, "raws", None,
    ),
    "phone and dslr": (
        {f"{side}/{i}.{end}": {"scene": i, **facts} for i in (1, 2)
         for side, end, facts in (("phone", "dng", PHONE), ("dslr", "jpg", DSLR))}, "pairs",
        {f"dslr/{i}.jpg": [f"phone/{i}.dng"] for i in (1, 2)},
    ),
    "phone and dslr, both as raw and picture": (
        {f"{side}/{i}.{end}": {"scene": i, **facts} for i in (1, 2) for end in ("dng", "jpg")
         for side, facts in (("phone", PHONE), ("dslr", DSLR))}, "pairs",
        {f"dslr/{i}.dng": [f"phone/{i}.dng"] for i in (1, 2)},
    ),
    "phone and dslr without a name in common, clocks an hour apart": (
        {f"phone/P{i}.jpg": {"scene": i, "t": 100 * i, **PHONE} for i in (1, 2, 3)}
        | {f"dslr/D{i + 4}.dng": {"scene": i, "t": 3600 + 100 * i, **DSLR} for i in (1, 2, 3)},
        "pairs", {f"dslr/D{i + 4}.dng": [f"phone/P{i}.jpg"] for i in (1, 2, 3)},
    ),
    "two cameras in folders whose names say nothing": (
        {f"x/P{i}.dng": {"scene": i, "t": 100 * i, **PHONE} for i in (1, 2, 3)}
        | {f"y/D{i + 4}.jpg": {"scene": i, "t": 100 * i + 4, "size": (128, 96), **DSLR}
           for i in (1, 2, 3)},
        "pairs", {f"y/D{i + 4}.jpg": [f"x/P{i}.dng"] for i in (1, 2, 3)},
    ),
    "a walk": ({f"IMG_{i}.dng": {"t": 700 * i, "scene": i} for i in range(4)}, "raws", None),
}  # fmt: skip
ASKED: dict[str, tuple[dict[str, Facts], str]] = {
    "phone and dslr by one camera": (
        {f"{side}/{i}.dng": {"scene": i} for i in range(5) for side in ("phone", "dslr")},
        "have 5 names in common, but by EXIF both are of one camera",
    ),
    "a counter that runs on, without times": (
        {f"{side}/DSC_{i}.dng": {"scene": i // 2, **facts}
         for i, (side, facts) in enumerate((("short", S), ("long", L)) * 2)},
        "names don't say which belong together",
    ),
    "names and times contradict each other": (
        {"short/1.dng": {"t": 300, **S}, "long/1.dng": {"t": 2, **L},
         "short/2.dng": {"t": 0, **S}, "long/2.dng": {"t": 302, **L}},
        "by its name short/1.dng belongs to long/1.dng, by its EXIF time to long/2.dng",
    ),
    "short is the longer one": (
        {"short/a.dng": L, "long/a.dng": S}, "short/a.dng is called short and states 10 s",
    ),
    "folders whose names say nothing, without times": (
        {f"{side}/{i}.dng": {"scene": i, **facts} for i in (1, 2)
         for side, facts in (("a", S), ("b", L))},
        "a/ and b/ have 2 names in common, b/ exposed longer, but files state no times",
    ),
    "one picture of the DSLR is missing": (
        {f"phone/a{i}.jpg": {"t": 100 * i, **PHONE} for i in range(3)}
        | {f"dslr/b{i}.jpg": {"t": 100 * i, **DSLR} for i in range(2)},
        "phone/ (3 files) and dslr/ (2)",
    ),
    "folders of several kinds": (
        {f"night/{name}": facts for name, facts in both("A_1", 1).items()}
        | {f"burst/b/{i}.dng": {"t": i} for i in range(4)},
        "burst/ is bursts, because",
    ),
    "pictures alone": ({f"{i}.jpg": {"scene": i} for i in range(3)}, "can't tell what this is"),
    "nothing that is a photograph": ({"notes.txt": {"text": "a"}}, "can't tell what this is"),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_kind_and_the_right_pairs(name: str, tmp_path: Path) -> None:
    files, kind, wanted = RIGHT[name]
    write(tmp_path / "photos", files)
    told, _ = asked(tmp_path / "photos")
    assert told["kind"] == kind, told["why"]
    assert {"exposures", "pairs"} >= {kind} or wanted is None
    if wanted is not None:
        assert pairs(told) == wanted
    if len(told["together"]) + len(pairs(told)) > 1 and not told["together"]:
        assert told["scenes"]["test"] >= 1


@pytest.mark.parametrize("name", ASKED)
def test_a_question_and_nothing_written(name: str, tmp_path: Path) -> None:
    files, why = ASKED[name]
    write(tmp_path / "photos", files)
    told, said = asked(tmp_path / "photos")
    assert told["kind"] is None
    assert why in said
    assert "nothing was written" in said
    assert not (tmp_path / "out").exists()


def test_the_users_word_decides(tmp_path: Path) -> None:
    files, _ = ASKED["names and times contradict each other"]
    write(tmp_path / "photos", files)
    assert pairs(asked(tmp_path / "photos", "--by", "names")[0])["long/1.dng"] == ["short/1.dng"]
    assert pairs(asked(tmp_path / "photos", "--by", "time")[0])["long/1.dng"] == ["short/2.dng"]
    files, _ = ASKED["folders whose names say nothing, without times"]
    write(tmp_path / "more", files)
    told = asked(tmp_path / "more", "--kind", "exposures")[0]
    assert pairs(told) == {f"b/{i}.dng": [f"a/{i}.dng"] for i in (1, 2)}


REAL: dict[str, tuple[dict[str, str], str, str]] = {
    "raws with the camera's own pictures": (
        {"A.CRW": "canon_g2/CRW_0304.CRW", "A.JPG": "canon_g2/IMG_0302.JPG",
         "B.CRW": "canon_g2/CRW_0305.CRW", "B.JPG": "canon_g2/IMG_0310.JPG"}, "camera", "",
    ),
    "a folder of nearly the same frames": (
        {f"chart/{name}.KDC": f"kodak_dc50/{name}.KDC"
         for name in ("DC0009L", "DC0010S", "DC0011M", "DC0012L")}, "bursts", "",
    ),
    "raws of many makers": (
        {"1.NEF": "nikon_d1/RAW_NIKON_D1.NEF", "2.KDC": "kodak_dc50/DC0009L.KDC",
         "3.qtk": "apple_quicktake/Image__1.qtk"}, "raws", "",
    ),
    "phone and dslr of one camera": (
        {"phone/8508.dng": "gopro_hero7black_pair/gopro_hero7black_8508_crop.dng",
         "dslr/8508.JPG": "gopro_hero7black_pair/GOPR8508.JPG"}, "",
        "by EXIF both are of one camera",
    ),
    "phone and dslr": (
        {"phone/1.dng": "gopro_hero6/gopro_hero6_0024_crop.dng",
         "dslr/1.NEF": "nikon_d1/RAW_NIKON_D1.NEF"}, "pairs", "",
    ),
    "folders of several kinds": (
        {"chart/a/1.KDC": "kodak_dc50/DC0009L.KDC", "chart/a/2.KDC": "kodak_dc50/DC0010S.KDC",
         "walk/A.CRW": "canon_g2/CRW_0304.CRW", "walk/A.JPG": "canon_g2/IMG_0302.JPG"}, "",
        "walk/ is raws with the camera's own picture beside them",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_raws(name: str, tmp_path: Path, shared_data: Path) -> None:
    files, kind, why = REAL[name]
    for path, source in files.items():
        (tmp_path / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shared_data / "raw" / source, tmp_path / "photos" / path)
    told, said = asked(tmp_path / "photos")
    assert told["kind"] == (kind or None), told["why"]
    assert why in said
