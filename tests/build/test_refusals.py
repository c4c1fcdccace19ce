"""Every bad input: one ledger line that names it, and nothing else lost."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import msgspec
import pytest

from isptools import shards
from isptools.build import BuildError
from isptools.shards.check import check
from tests.build import tiny as tinies
from tests.build.tiny import Tiny, frame, write

SHORT, LONG = "short/a1_0.dng", "long/a1_long.dng"
XTRANS = "RBGBRGGGRGGBGGBGGRBRGBRGGGBGGRGGRGGB"


def zero_bytes(tiny: Tiny, name: str) -> None:
    tiny.file(name).write_bytes(b"")


def cut_off(tiny: Tiny, name: str) -> None:
    data = tiny.file(name).read_bytes()
    tiny.file(name).write_bytes(data[: len(data) // 2])


def text(tiny: Tiny, name: str) -> None:
    tiny.file(name).write_text("this is a text that somebody renamed\n" * 99)


def other_camera(tiny: Tiny, name: str) -> None:
    write(tiny, name, frame(0, make="Test", model="Two"))


def other_size(tiny: Tiny, name: str) -> None:
    write(tiny, name, frame(0, shape=(56, 72)))


def other_cfa(tiny: Tiny, name: str) -> None:
    write(tiny, name, frame(0, cfa="BGGR"))


def monochrome(tiny: Tiny, name: str) -> None:
    facts: dict[str, Any] = {"kind": "monochrome", "cfa": "", "black": (64.0,)}
    gray: dict[str, Any] = {"as_shot": (0.0, 1.0, 0.0, 0.0), "color_matrix_1": None}
    write(tiny, name, frame(0, **facts, **gray, illuminant_1=None, black_libraw=(64,)))


def wide_pixels(tiny: Tiny, name: str) -> None:
    write(tiny, name, frame(0, pixel_aspect=0.5))


def gone(tiny: Tiny, name: str) -> None:
    tiny.file(name).unlink()


def twice(tiny: Tiny, name: str) -> None:
    path = tiny.file(name)
    shutil.copy(path, path.with_suffix(".ARW"))


def folder(tiny: Tiny, name: str) -> None:
    tiny.file(name).unlink()
    tiny.file(name).mkdir()


BAD: list[tuple[Callable[[Tiny, str], None], str, str]] = [
    (zero_bytes, "refused", "unreadable"),
    (cut_off, "refused", "unreadable"),
    (text, "refused", "unreadable"),
    (other_camera, "refused", "wrong-camera"),
    (other_size, "refused", "wrong-size"),
    (other_cfa, "refused", "wrong-cfa"),
    (monochrome, "refused", "monochrome"),
    (wide_pixels, "refused", "non-square-pixels"),
    (gone, "missing", "missing"),
    (folder, "missing", "missing"),
    (twice, "refused", "two-files"),
]
OF_BOTH = [bad for bad in BAD if not bad[2].startswith("wrong-")]


def refused(tiny: Tiny) -> list[tuple[str, str, str]]:
    lines = tinies.ledger(tiny.out)
    return [(x["file"], x["kind"], x["reason"]) for x in lines if x["kind"] != "noted"]


def keys(tiny: Tiny) -> list[str]:
    with shards.open(tiny.out) as opened:
        return sorted(sample.key for sample in opened)


def all_keys(but: str = "") -> list[str]:
    keys = [f"tiny/{scene}/{scene}_{k}" for scene in tinies.SPLITS for k in (0, 1)]
    return sorted(key for key in keys if not (but and key.startswith(but)))


@pytest.mark.parametrize(("spoil", "kind", "reason"), BAD)
def test_a_bad_input_goes_and_its_scene_stays(
    tiny: Tiny, spoil: Callable[[Tiny, str], None], kind: str, reason: str
) -> None:
    spoil(tiny, SHORT)
    summary = tiny.build()
    assert refused(tiny) == [(SHORT, kind, reason)]
    assert summary.refusals[kind] == {reason: 1}
    assert keys(tiny) == all_keys(but="tiny/a1/a1_0")
    assert [problem for problem in check(tiny.out) if problem.sure] == []


@pytest.mark.parametrize(("spoil", "kind", "reason"), OF_BOTH)
def test_a_bad_truth_takes_its_scene_along(
    tiny: Tiny, spoil: Callable[[Tiny, str], None], kind: str, reason: str
) -> None:
    spoil(tiny, LONG)
    tiny.build()
    inputs = [(f"short/a1_{k}.dng", "refused", "truth-missing") for k in (0, 1)]
    assert sorted(refused(tiny)) == sorted([(LONG, kind, reason), *inputs])
    assert keys(tiny) == all_keys(but="tiny/a1")
    assert [problem for problem in check(tiny.out) if problem.sure] == []


@pytest.mark.parametrize("where", ["corrupt", "unsupported_codec", "no_metadata", "linear_dng"])
def test_odd_real_files(tiny: Tiny, shared_data: Path, where: str) -> None:
    odd = sorted(path for path in (shared_data / "raw_odd" / where).iterdir() if path.is_file())
    assert odd
    for path in odd:
        shutil.copyfile(path, tiny.file(SHORT))
        tiny.build()
        lines = refused(tiny)
        assert [line[:2] for line in lines] == [(SHORT, "refused")], path
        assert keys(tiny) == all_keys(but="tiny/a1/a1_0"), path
        shutil.rmtree(tiny.out)


def test_a_linear_truth_is_named(tiny: Tiny, shared_data: Path) -> None:
    shutil.copyfile(shared_data / "raw_odd/linear_dng/sample_1mp.dng", tiny.file(LONG))
    tiny.build()
    assert (LONG, "refused", "linear") in refused(tiny)
    assert "has no mosaic" in str(tinies.ledger(tiny.out))


def test_real_pixels_that_are_not_square(tiny: Tiny, shared_data: Path) -> None:
    for name in (LONG, SHORT, "short/a1_1.dng"):
        shutil.copyfile(shared_data / "raw/kodak_dc120/P003912.KDC", tiny.file(name))
    tiny.build()
    assert (LONG, "refused", "non-square-pixels") in refused(tiny)
    assert keys(tiny) == all_keys(but="tiny/a1")


def test_damage_that_only_decoding_shows(tiny: Tiny, shared_data: Path) -> None:
    """Nearly all pixels of this file are missing, and LibRaw does not complain."""
    for name in (LONG, SHORT, "short/a1_1.dng"):
        shutil.copyfile(shared_data / "raw_odd/corrupt/DNG.dng", tiny.file(name))
    tiny.build()
    assert (LONG, "refused", "unreadable") in refused(tiny)
    assert keys(tiny) == all_keys(but="tiny/a1")


def test_a_file_that_must_not_be_read(tiny: Tiny) -> None:
    tiny.file(SHORT).chmod(0)
    try:
        with tiny.file(SHORT).open("rb"):
            pytest.skip("this user may read everything")
    except PermissionError:
        pass
    tiny.build()
    assert refused(tiny) == [(SHORT, "refused", "unreadable")]


def test_everything_refused_makes_no_shard(tiny: Tiny) -> None:
    for name in ("short/a1_0.dng", "short/a1_1.dng"):
        wide_pixels(tiny, name)  # found only when the file is read
    summary = tiny.build()
    assert [shard.name for shard in summary.shards if shard.split == "train"] == [
        "tiny-train-64x80-0001.h5"
    ]
    assert keys(tiny) == all_keys(but="tiny/a1")
    assert tiny.build().made == 0


def test_inputs_without_noise_to_fit_are_kept(tiny: Tiny) -> None:
    """An all-black frame without a NoiseProfile: no noise can be estimated, the row says 0."""
    dark = frame(0, 0.0, noise_profile=None, exposure_s=0.1)
    write(tiny, SHORT, replace(dark, pixels=dark.pixels * 0 + 64))
    tiny.build()
    with shards.open(tiny.out) as opened:
        row = next(sample.facts for sample in opened if sample.key == "tiny/a1/a1_0")
    assert (row.noise_origin, set(row.shot)) == ("estimated", {0.0})


def test_two_names_that_differ_in_case(tiny: Tiny) -> None:
    path = tiny.file(SHORT)
    other = path.with_name("A1_0.DNG")
    if other.exists():
        pytest.skip("this file system does not tell names by case")
    shutil.copy(path, other)
    tiny.build()
    assert refused(tiny) == [(SHORT, "refused", "two-files")]


def test_a_file_under_a_name_in_another_case_is_found_and_noted(tiny: Tiny) -> None:
    path = tiny.file(SHORT)
    path.rename(path.with_name("A1_0.DNG"))
    tiny.build()
    assert keys(tiny) == all_keys()
    noted = [line for line in tinies.ledger(tiny.out) if line["reason"] == "other-name"]
    assert [(line["file"], line["kind"]) for line in noted] == [(SHORT, "noted")]
    with shards.open(tiny.out) as opened:
        sources = {sample.facts.source for sample in opened}
    assert "short/A1_0.DNG" in sources


def test_sidecars_are_no_second_files(tiny: Tiny) -> None:
    tiny.file("short/a1_0.xmp").write_text("<x/>")
    tiny.file("short/a1_0.jpg").write_bytes(b"")
    tiny.build()
    assert refused(tiny) == []


def test_files_that_no_manifest_lists(tiny: Tiny) -> None:
    write(tiny, "short/z9_7.dng", frame(9))
    tiny.file("short/notes.txt").write_text("no raw")
    tiny.build()
    assert refused(tiny) == [("short/z9_7.dng", "unlisted", "unlisted")]
    assert keys(tiny) == all_keys()


def test_cameras_the_data_set_does_not_name_are_noted(tiny: Tiny) -> None:
    for seed, name in enumerate((LONG, SHORT, "short/a1_1.dng")):
        facts = {"make": "Test", "model": "Two", "exposure_s": 0.1 if seed else 10.0}
        write(tiny, name, frame(seed, **facts))
    tiny.build()
    lines = tinies.ledger(tiny.out)
    assert [(x["kind"], x["reason"]) for x in lines] == [("noted", "other-camera")] * 3
    assert "Test Two" in lines[0]["detail"]
    assert keys(tiny) == all_keys()


def test_a_file_that_is_not_the_one_the_manifest_names(tiny: Tiny) -> None:
    rows = tuple(
        msgspec.structs.replace(row, sha256="0" * 64) if row.path == SHORT else row
        for row in tiny.card.files
    )
    tiny.build(card=msgspec.structs.replace(tiny.card, files=rows))
    assert refused(tiny) == [(SHORT, "refused", "wrong-hash")]


def test_xtrans_without_a_method_for_it_is_refused_by_name(tiny: Tiny) -> None:
    facts: dict[str, Any] = {"kind": "xtrans", "cfa": XTRANS, "black": (64.0,) * 36}
    for seed, name in enumerate((LONG, SHORT, "short/a1_1.dng")):
        facts["exposure_s"] = 0.1 if seed else 10.0
        write(tiny, name, frame(seed, **facts, black_libraw=(64,) * 36))
    tiny.build()
    lines = [line for line in tinies.ledger(tiny.out) if line["reason"] == "unsupported"]
    assert {line["file"] for line in lines} == {LONG, SHORT, "short/a1_1.dng"}
    assert "xtrans" in lines[0]["detail"]


def test_keys_that_come_twice_in_a_manifest(tiny: Tiny) -> None:
    first = next(row for row in tiny.card.files if row.path == SHORT)
    again = msgspec.structs.replace(first, path="long/a1_0.dng")
    shutil.copy(tiny.file(SHORT), tiny.file("long/a1_0.dng"))
    rows = (*tiny.card.files, again)
    with pytest.raises(BuildError, match="have the key tiny/a1/a1_0"):
        tiny.build(card=msgspec.structs.replace(tiny.card, files=rows))


def test_the_ledger_says_numbers_and_one_line_each(tiny: Tiny) -> None:
    cut_off(tiny, SHORT)
    wide_pixels(tiny, "short/b2_0.dng")
    tiny.build()
    lines = {line["file"]: line for line in tinies.ledger(tiny.out)}
    assert lines[SHORT]["number"] == tiny.file(SHORT).stat().st_size
    assert lines["short/b2_0.dng"]["number"] == 0.5
    assert all("\n" not in line["detail"] for line in lines.values())
    with h5py.File(tiny.out / "tiny-train-64x80-0001.h5") as file:
        assert len(file["input"]) == 1
