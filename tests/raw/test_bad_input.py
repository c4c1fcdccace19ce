"""Files a user may hand over by mistake, or that broke on the way: one clear line each."""

import io
import os
import random
import shutil
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
import rawpy

from isptools import raw
from isptools.frame import Frame, Space
from isptools.raw.quiet import STDERR, captured_stderr
from tests.raw.mosaics import capture, dng, frame, written

CORRUPT = [
    "CanonRaw.cr2",
    "CanonRaw.crw",
    "DNG.dng",
    "FujiFilm.raf",
    "Issue 247-1.nef",
    "Nikon.nef",
    "fixture-Leica-M10.dng",
    "issue_1530_poc.crw",
    "issue_857_poc.raf",
    "testARW.arw",
]
WHOLE = [
    "raw/apple_quicktake/Image__1.qtk",
    "raw/apple_quicktake/raw_Image_04.qtk",
    "raw/canon_g2/CRW_0305.CRW",
    "raw/gopro_hero6/gopro_hero6_0024_crop.dng",
    "raw/gopro_hero6/gopro_hero6_0024_crop_uncompressed.dng",
    "raw/kodak_dc120/P003909.KDC",
    "raw/kodak_dc120/P003912.KDC",
    "raw/kodak_dc50/DC0009L.KDC",
    "raw/nikon_d1/RAW_NIKON_D1.NEF",
    "raw_odd/linear_dng/canon_eos_6d.dng",
    "raw_odd/no_metadata/test.dng",
    "raw_odd/non_bayer/RAW_KODAK_C330_FORMAT_NONE_YRGB.raw",
]


def refusal(call: Callable[[], object], name: str) -> str:
    """The message; asserts that it is one line, begins with the file and says what to do."""
    with pytest.raises(raw.RawError) as caught:
        call()
    text = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert text.startswith(f"{name}: ")
    assert "; " in text
    assert text.isprintable()
    return text


def attempt(data: bytes) -> Frame | str:
    try:
        return raw.read_bytes(data, "a.raw")
    except raw.RawError as error:
        return str(error)


def assert_both_refuse(path: Path, words: str) -> None:
    assert words in refusal(lambda: raw.read(path), str(path))
    assert words in refusal(lambda: raw.header(path), str(path))


def test_no_such_file(tmp_path: Path) -> None:
    assert_both_refuse(tmp_path / "a.ARW", "there is no such file")
    assert_both_refuse(tmp_path / ("a" * 300 + ".ARW"), "it can't be read (File name too long)")


def test_a_folder(tmp_path: Path) -> None:
    assert_both_refuse(tmp_path, "it is a folder")


def test_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.ARW").touch()
    assert_both_refuse(tmp_path / "a.ARW", "empty (0 bytes)")


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"hello, this is a longer text\n" * 1000, bytes(100_000), b"II*\0\x08\0\0\0\0\0"],
    ids=["short", "text", "zeros", "tiff"],
)
def test_something_else_renamed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.ARW"
    path.write_bytes(content)
    text = refusal(lambda: raw.read(path), str(path))
    assert "does not know it as a raw" in text or "cut off or damaged" in text
    refusal(lambda: raw.header(path), str(path))


def test_a_png_renamed(tmp_path: Path) -> None:
    path = tmp_path / "a.NEF"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    assert_both_refuse(path, r"it begins with b'\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("name", CORRUPT)
def test_every_damaged_file_is_refused(
    shared_data: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = shared_data / "raw_odd/corrupt" / name
    refusal(lambda: raw.read(path), str(path))
    assert capfd.readouterr() == ("", "")


def test_missing_tiles_are_noticed_though_libraw_is_content(shared_data: Path) -> None:
    path = shared_data / "raw_odd/corrupt/DNG.dng"
    with rawpy.imread(str(path)) as opened:
        assert opened.raw_image.size  # no error
    assert_both_refuse(path, "only 1 of 140 tiles of pixels are there")


def test_a_codec_libraw_does_not_have(shared_data: Path) -> None:
    path = shared_data / "raw_odd/unsupported_codec/GOPR0024.GPR"
    assert_both_refuse(path, "can't decode the pixels of this file (GoPro HERO6 Black)")


@pytest.mark.parametrize("part", [0.02, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_off_is_refused_or_misses_no_pixel(
    shared_data: Path, name: str, part: float, capfd: pytest.CaptureFixture[str]
) -> None:
    data = (shared_data / name).read_bytes()
    found = attempt(data[: int(len(data) * part)])
    if isinstance(found, Frame):
        assert np.array_equal(found.pixels, raw.read(shared_data / name).pixels)
    else:
        assert found.startswith("a.raw: ")
    assert capfd.readouterr().err == ""


def test_strips_beyond_the_end_are_named() -> None:
    data = written(frame())
    text = refusal(lambda: raw.read_bytes(data[:-2], "a.dng"), "a.dng")
    assert f"its pixels end at byte {len(data)}, the file at {len(data) - 2}" in text


def test_too_few_strips_are_named() -> None:
    data = bytearray(dng(np.full((40, 40), 1000, np.uint16), white=4095, rowsperstrip=40))
    place = data.index(struct.pack("<HHI", 278, 4, 1))  # RowsPerStrip as tifffile writes it
    struct.pack_into("<I", data, place + 8, 10)
    assert "only 1 of 4 strips" in refusal(lambda: raw.read_bytes(bytes(data), "a.dng"), "a.dng")


def test_rows_nobody_decoded_are_noticed() -> None:
    made = frame((64, 60), black=(512.0,) * 4)
    pixels = made.pixels.copy()
    pixels[40:] = 0
    data = written(Frame(pixels, Space.SENSOR, made.capture))
    text = refusal(lambda: raw.read_bytes(data, "a.dng"), "a.dng")
    assert "24 of 64 rows hold nothing but zeros although black is at 512" in text


@pytest.mark.parametrize("black", [0.0, 1.0, 512.0])
@pytest.mark.parametrize("noise", [0.0, 0.2, 3.0])
def test_dark_frames_are_not_taken_for_damage(black: float, noise: float) -> None:
    """A lens cap on: everything at black, down to a sensor that clips there."""
    rng = np.random.default_rng(5)
    pixels = np.clip(np.rint(rng.normal(black, noise, (200, 300))), 0, 65535).astype(np.uint16)
    facts = capture(black=(black,) * 4)
    read = raw.read_bytes(written(Frame(pixels, Space.SENSOR, facts)), "dark.dng")
    assert np.array_equal(read.pixels, pixels)


def test_a_saturated_frame_is_not_taken_for_damage() -> None:
    pixels = np.full((200, 300), 16383, np.uint16)
    assert raw.read_bytes(written(Frame(pixels, Space.SENSOR, capture())), "a.dng").pixels.all()


def test_non_square_pixels_are_stated(shared_data: Path) -> None:
    read = raw.read(shared_data / "raw/kodak_dc120/P003909.KDC")
    assert read.pixels.shape == (976, 848)
    assert read.capture.pixel_aspect == pytest.approx(1.5346, abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "name",
    [
        "raw/gopro_hero6/gopro_hero6_0024_crop_uncompressed.dng",
        "raw/kodak_dc50/DC0010S.KDC",
        "raw_odd/linear_dng/sample_1mp.dng",
        "raw_odd/no_metadata/test.dng",
    ],
)
def test_flipped_bytes_in_a_directory_are_survived(shared_data: Path, name: str, seed: int) -> None:
    dice = random.Random(seed)
    whole = (shared_data / name).read_bytes()
    for _ in range(10):
        data = bytearray(whole)
        for _ in range(dice.choice([1, 3, 10])):
            data[dice.randrange(1000)] = dice.randrange(256)
        found = attempt(bytes(data))
        assert isinstance(found, Frame) or found.isprintable()


def test_reading_in_worker_processes(shared_data: Path) -> None:
    paths = [shared_data / name for name in WHOLE[:4]]
    here = [raw.read(path).capture for path in paths]
    there = joblib.Parallel(n_jobs=2)(joblib.delayed(raw.read)(path) for path in paths)
    assert [read.capture for read in there] == here


def test_reading_in_threads(shared_data: Path) -> None:
    good, bad = shared_data / WHOLE[4], shared_data / "raw_odd/corrupt/Nikon.nef"

    tasks = (joblib.delayed(attempt)(path.read_bytes()) for path in [good, bad] * 4)
    found = joblib.Parallel(n_jobs=4, prefer="threads")(tasks)
    assert [read.capture.model for read in found[::2]] == ["HERO6 Black"] * 4
    assert all("data corrupted" in text for text in found[1::2])


def test_what_others_write_to_stderr_meanwhile_is_passed_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with captured_stderr() as said:
        os.write(STDERR, b"a.raw: data corrupted at 17\nsomething else\nno line end")
    assert said == ["a.raw: data corrupted at 17"]
    assert capfd.readouterr().err == "something else\nno line end"


def test_no_standard_error_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.dng"
    path.write_bytes(written(frame()))
    script = textwrap.dedent(
        f"""
        import os
        os.close(2)
        from isptools import raw
        print(raw.read({str(path)!r}).pixels.shape)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"(48, 50)"


def test_a_file_of_another_camera_is_named_as_such(shared_data: Path, tmp_path: Path) -> None:
    """What a wrong-camera check of a build looks at."""
    path = tmp_path / "00001_00_10s.ARW"
    shutil.copy(shared_data / "raw/kodak_dc50/DC0009L.KDC", path)
    assert (raw.header(path).make, raw.header(path).model) == ("Kodak", "DC50")
    assert raw.read_bytes(path.read_bytes(), "x").capture.make == "Kodak"
    assert io.BytesIO(path.read_bytes()).read(2) in {b"II", b"MM"}
