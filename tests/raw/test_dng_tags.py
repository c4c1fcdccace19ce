"""What other readers find in a DNG we write, held against the DNG 1.4 specification.

Adobe's validator is not at hand; these are its demands on tags, types and layout that can be
checked by reading: required tags, directories in order, values inside the file.
"""

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile

from tests.raw import mosaics
from tests.raw.mosaics import PHASES, XTRANS, frame, written

ASCII, SHORT, LONG, RATIONAL, SRATIONAL, BYTE, UNDEFINED, DOUBLE = 2, 3, 4, 5, 10, 1, 7, 12
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8, 12: 8}
# DNG 1.4 chapters 2 to 4 and TIFF 6 baseline: tag, types it may have, count (None: any)
REQUIRED = {
    254: ({LONG}, 1),
    256: ({SHORT, LONG}, 1),
    257: ({SHORT, LONG}, 1),
    258: ({SHORT}, 1),
    259: ({SHORT}, 1),
    262: ({SHORT}, 1),
    273: ({SHORT, LONG}, 1),
    274: ({SHORT}, 1),
    277: ({SHORT}, 1),
    278: ({SHORT, LONG}, 1),
    279: ({SHORT, LONG}, 1),
    50706: ({BYTE}, 4),
    50708: ({ASCII}, None),
    50713: ({SHORT}, 2),
    50714: ({SHORT, LONG, RATIONAL}, None),
    50717: ({SHORT, LONG}, 1),
}
MOSAIC = {33421: ({SHORT}, 2), 33422: ({BYTE}, None), 50721: ({SRATIONAL}, 9)}
OPTIONAL = {
    271: {ASCII},
    272: {ASCII},
    284: {SHORT},
    34665: {LONG},
    50707: {BYTE},
    50710: {BYTE},
    50711: {SHORT},
    50718: {RATIONAL},
    50719: {SHORT, LONG, RATIONAL},
    50720: {SHORT, LONG, RATIONAL},
    50722: {SRATIONAL},
    50723: {SRATIONAL},
    50724: {SRATIONAL},
    50727: {RATIONAL},
    50728: {SHORT, RATIONAL},
    50778: {SHORT},
    50779: {SHORT},
    50829: {SHORT, LONG},
    50964: {SRATIONAL},
    50965: {SRATIONAL},
    51008: {UNDEFINED},
    51009: {UNDEFINED},
    51022: {UNDEFINED},
    51041: {DOUBLE},
}
FULL: dict[str, Any] = {
    "make": "Fujifilm",
    "model": "X-T2",
    "color_matrix_2": mosaics.MATRIX_B,
    "illuminant_2": 17,
    "analog_balance": (1.0, 1.0, 1.0),
    "camera_calibration_1": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "forward_matrix_1": mosaics.MATRIX_A,
    "noise_profile": ((1e-4, 2e-8),),
    "exposure_s": 1 / 30,
    "iso": 1000.0,
    "aperture": 3.6,
    "default_crop": (2.0, 2.0, 40.0, 40.0),
    "opcode_list_2": b"\0\0\0\0",
}


def directory(data: bytes, start: int) -> list[tuple[int, int, int, int]]:
    """(tag, type, count, where its values stand) by nothing but the TIFF 6 specification."""
    (count,) = struct.unpack_from("<H", data, start)
    entries = []
    for number in range(count):
        place = start + 2 + 12 * number
        tag, kind, length = struct.unpack_from("<HHI", data, place)
        inside = SIZES[kind] * length <= 4
        values = place + 8 if inside else struct.unpack_from("<I", data, place + 8)[0]
        entries.append((tag, kind, length, values))
    assert struct.unpack_from("<I", data, start + 2 + 12 * count) == (0,)  # no further IFD
    return entries


@pytest.mark.parametrize(
    "facts",
    [{}, FULL, {"kind": "xtrans", **FULL}, {"kind": "monochrome"}],
    ids=lambda f: str(len(f)),
)
def test_the_layout_is_what_the_specification_asks_for(facts: dict[str, Any]) -> None:
    data = written(frame(**facts))
    assert data[:8] == b"II*\0" + struct.pack("<I", 8)
    main = directory(data, 8)
    exif_at = next(place for tag, _, _, place in main if tag == 34665)
    exif = directory(data, struct.unpack_from("<I", data, exif_at)[0])
    for entries in (main, exif):
        tags = [tag for tag, *_ in entries]
        assert tags == sorted(set(tags))
        for tag, kind, length, place in entries:
            assert place % 2 == 0, tag
            assert place + SIZES[kind] * length <= len(data), tag
    required = REQUIRED | ({} if facts.get("kind") == "monochrome" else MOSAIC)
    found = {tag: (kind, length) for tag, kind, length, _ in main}
    for tag, (kinds, length) in required.items():
        assert found[tag][0] in kinds, tag
        assert length in {None, found[tag][1]}, tag
    for tag in found.keys() - required.keys():
        assert found[tag][0] in OPTIONAL[tag], tag


def test_tifffile_reads_the_same_facts() -> None:
    made = frame(**FULL)
    with tifffile.TiffFile(io.BytesIO(written(made))) as tiff:
        assert len(tiff.pages) == 1
        page = tiff.pages[0]
        assert np.array_equal(page.asarray(), made.pixels)
        tags = {tag.code: tag.value for tag in page.tags.values()}
    assert tags[50706] == b"\1\4\0\0"
    assert tags[50707] == b"\1\3\0\0"  # opcode lists came with 1.3
    assert (tags[271], tags[272], tags[50708]) == ("Fujifilm", "X-T2", "Fujifilm X-T2")
    assert tags[33422] == b"\0\1\1\2"
    assert tags[50721][:4] == (2919, 5000, -143, 1000)
    assert tags[51041] == (1e-4, 2e-8)
    assert tags[50719] == (2, 1, 2, 1)
    exif = tags[34665]
    assert exif["ExposureTime"] == (1, 30)
    assert exif["FNumber"] == (18, 5)
    assert exif["ISOSpeedRatings"] == 1000


def test_a_separate_exif_reader_agrees() -> None:
    exifread = pytest.importorskip("exifread", reason="a second EXIF reader, not needed otherwise")
    tags = exifread.process_file(io.BytesIO(written(frame(**FULL))), details=False)
    assert str(tags["EXIF ExposureTime"]) == "1/30"
    assert str(tags["EXIF ISOSpeedRatings"]) == "1000"
    assert str(tags["Image Make"]) == "Fujifilm"
    assert str(tags["Image Orientation"]) == "Horizontal (normal)"


@pytest.mark.parametrize("cfa", PHASES)
def test_the_color_filter_array_is_named_from_the_top_left(cfa: str) -> None:
    with tifffile.TiffFile(io.BytesIO(written(frame(cfa=cfa)))) as tiff:
        pattern = tiff.pages[0].tags[33422].value
    assert pattern == bytes("RGB".index(letter) for letter in cfa)


def test_xtrans_and_monochrome_are_marked_as_such() -> None:
    with tifffile.TiffFile(io.BytesIO(written(frame(kind="xtrans")))) as tiff:
        tags = tiff.pages[0].tags
        assert tags[33421].value == (6, 6)
        assert tags[33422].value == bytes("RGB".index(letter) for letter in XTRANS)
    with tifffile.TiffFile(io.BytesIO(written(frame(kind="monochrome")))) as tiff:
        tags = tiff.pages[0].tags
        assert tags[262].value == 34892  # LinearRaw
        assert 33422 not in tags


def test_nothing_tells_the_time_or_the_writer() -> None:
    with tifffile.TiffFile(io.BytesIO(written(frame(**FULL)))) as tiff:
        tags = tiff.pages[0].tags
        assert not {305, 306, 315, 36867} & {tag.code for tag in tags.values()}
        assert "DateTimeOriginal" not in tags[34665].value
