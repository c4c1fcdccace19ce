"""A frame to an uncompressed 16-bit DNG that LibRaw, and any DNG reader, opens."""

import math
import os
import struct
import uuid
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from isptools.frame import Capture, Frame, Matrix, Space, UnsupportedError
from isptools.raw import capi, opcodes, places

FORMATS = {"BYTE": (1, "B"), "ASCII": (2, "s"), "SHORT": (3, "H"), "LONG": (4, "I"),
           "RATIONAL": (5, "II"), "UNDEFINED": (7, "s"), "SRATIONAL": (10, "ii"),
           "DOUBLE": (12, "d")}  # fmt: skip
ORIENTATION_OF_FLIP = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}
UNKNOWN_CAMERA = "unknown camera"  # DNG requires UniqueCameraModel; read back as "not stated"
SMALLEST_SIDE = 22  # LibRaw refuses smaller pictures
D65 = 21

Field = tuple[int, str, Sequence[float] | bytes]  # tag, type, values


def write_dng(target: str | Path | BinaryIO, frame: Frame) -> None:
    """Write a mosaic and its facts as a DNG 1.4; the same frame gives the same bytes.

    `frame` stands at SENSOR and is Bayer, X-Trans or monochrome, (H, W) uint16, each side at
    least 22 pixels. A path is written under a temporary name and renamed when complete.

    `read` of the written file gives the same pixels and the same Capture, except that
    - `as_shot` passes through AsShotNeutral = 1 / gain: the second green reads 0 (LibRaw then
      uses the first); where a gain is no reciprocal of a float32, all are scaled by one factor
      below 2 that leaves LibRaw's balance as it was; a balance with a gain <= 0 is not written
      (LibRaw then reads 0, 1, 0, 0);
    - `black_libraw` is the integer part of `black`, as LibRaw reads a DNG;
    - `xyz_to_camera` without a `color_matrix_1` or `_2` (LibRaw's own table) is written, and read
      back, as `color_matrix_1` under D65; `camera_to_srgb` and `daylight` follow from the matrix;
    - `active_area` is the whole picture and `visible_origin` 0, as only visible pixels are
      written; opcodes that were applied are left out, the others' places are moved with it;
    - `pixel_aspect` is a float32;
    - rationals have 32 bits: an `exposure_s`, `aperture`, `black`, crop or matrix value that is no
      fraction of two such integers is written as the nearest one; `iso` is a whole number;
    - facts that LibRaw states without a tag (`origins`, white per channel) are not written.

    Without any matrix the file lacks ColorMatrix1, which DNG asks for and LibRaw does not: nothing
    is invented. Raises UnsupportedError (a ValueError) for another station, kind or size, and
    OSError where the target can't be written.
    """
    payload = encode(frame)
    if isinstance(target, str | Path):
        _replace(Path(target), payload)
    else:
        for part in payload:
            target.write(part)


def encode(frame: Frame) -> tuple[bytes, memoryview]:
    """The file as two parts: everything before the pixels, and the pixels."""
    capture = frame.capture
    _refuse(frame)
    pixels = np.ascontiguousarray(frame.pixels, dtype="<u2")
    fields = [*_image_fields(pixels.shape), *_mosaic_fields(capture), *_color_fields(capture),
              *_area_fields(capture, pixels.shape),
              *_other_fields(capture, _opcode_lists(frame))]  # fmt: skip
    head = _tiff(fields, _exif_fields(capture), pixels.nbytes)
    _expect_readable(head, pixels.shape, capture)
    return head, pixels.data.cast("B")


def _refuse(frame: Frame) -> None:
    capture = frame.capture
    if frame.space != Space.SENSOR or frame.pixels.dtype != np.uint16:
        raise UnsupportedError(f"write_dng takes uint16 at the station sensor, got {frame.space}")
    if capture.kind not in {"bayer", "xtrans", "monochrome"}:
        raise UnsupportedError(f"write_dng writes mosaics and monochrome, not {capture.kind!r}")
    positions = {"bayer": 4, "xtrans": 36, "monochrome": 1}[capture.kind]
    letters = 0 if capture.kind == "monochrome" else positions
    if len(capture.cfa) != letters or set(capture.cfa) - set("RGB"):
        raise UnsupportedError(
            f"{capture.cfa!r} is no {capture.kind} color filter array of R, G, B"
        )
    if len(capture.black) != positions:
        raise UnsupportedError(f"{len(capture.black)} black levels for {positions} CFA positions")
    if min(frame.pixels.shape) < SMALLEST_SIDE:
        raise UnsupportedError(
            f"a picture of {frame.pixels.shape} is too small for LibRaw: {SMALLEST_SIDE} at least"
        )
    if ORIENTATION_OF_FLIP.get(capture.flip) != capture.orientation:
        raise UnsupportedError(
            f"orientation {capture.orientation} and flip {capture.flip} contradict each other"
        )


def _expect_readable(head: bytes, shape: tuple[int, ...], capture: Capture) -> None:
    """LibRaw trims DNGs of some cameras at certain widths (Sony 4288, Leica SL2, ...)."""
    seen = capi.opened_info(head)
    if (seen.height, seen.width) != shape:
        raise UnsupportedError(
            f"LibRaw would read this {shape} picture of a {capture.make} {capture.model} "
            f"as {(seen.height, seen.width)}; cut it, or leave out make and model"
        )


def _image_fields(shape: tuple[int, ...]) -> list[Field]:
    height, width = shape
    return [
        (254, "LONG", [0]),  # NewSubfileType: the main picture
        (256, "LONG", [width]),
        (257, "LONG", [height]),
        (258, "SHORT", [16]),
        (259, "SHORT", [1]),  # uncompressed
        (277, "SHORT", [1]),
        (278, "LONG", [height]),  # one strip
        (279, "LONG", [height * width * 2]),
        (284, "SHORT", [1]),
        (50706, "BYTE", [1, 4, 0, 0]),
    ]


def _mosaic_fields(capture: Capture) -> list[Field]:
    side = {"bayer": 2, "xtrans": 6, "monochrome": 1}[capture.kind]
    whole = all(float(level).is_integer() for level in capture.black)
    fields: list[Field] = [
        (50713, "SHORT", [side, side]),
        (50714, "LONG", capture.black) if whole else (50714, "RATIONAL", capture.black),
        (50717, "LONG", [capture.white]),
    ]
    if capture.kind == "monochrome":
        return [*fields, (262, "SHORT", [34892])]  # LinearRaw with one sample
    return [
        *fields,
        (262, "SHORT", [32803]),
        (33421, "SHORT", [side, side]),
        (33422, "BYTE", ["RGB".index(letter) for letter in capture.cfa]),
        (50710, "BYTE", [0, 1, 2]),
        (50711, "SHORT", [1]),
    ]


def _color_fields(capture: Capture) -> list[Field]:
    first, light = capture.color_matrix_1, capture.illuminant_1
    if first is None and capture.color_matrix_2 is None and capture.xyz_to_camera is not None:
        first, light = capture.xyz_to_camera, D65
    matrices: list[tuple[int, Matrix | None]] = [
        (50721, first), (50722, capture.color_matrix_2),
        (50723, capture.camera_calibration_1), (50724, capture.camera_calibration_2),
        (50964, capture.forward_matrix_1), (50965, capture.forward_matrix_2),
    ]  # fmt: skip
    fields: list[Field] = [
        (tag, "SRATIONAL", [value for row in matrix for value in row])
        for tag, matrix in matrices
        if matrix is not None
    ]
    fields += _stated(50778, "SHORT", light) + _stated(50779, "SHORT", capture.illuminant_2)
    fields += _stated(50727, "RATIONAL", capture.analog_balance)
    if min(capture.as_shot[:3]) > 0 and capture.kind != "monochrome":
        fields.append((50728, "RATIONAL", _as_shot_neutral(capture.as_shot)))
    return fields


def _as_shot_neutral(as_shot: Sequence[float]) -> list[float]:
    """Neutral color from which LibRaw, taking float32 reciprocals, gets the gains.

    Not every float32 is such a reciprocal. Then all gains are multiplied by the first factor of
    1 + k / 4096 for which the gains over their smallest and over their largest one, the only
    things LibRaw's balance looks at, come out as the same float32.
    """
    gains = np.array(as_shot[:3], dtype=np.float32)
    neutral, found = _reciprocals(gains)
    if np.array_equal(found, gains):
        return [float(value) for value in neutral]
    for k in range(4096):
        scaled, found = _reciprocals((gains * (1 + k / 4096)).astype(np.float32))
        if all(np.array_equal(found / f(found), gains / f(gains)) for f in (np.min, np.max)):
            return [float(value) for value in scaled]
    return [float(value) for value in neutral]


def _reciprocals(gains: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """float32 numbers whose float32 reciprocals come nearest to the gains; and those."""
    one, start = np.float32(1), np.float32(1) / gains
    around = np.stack([start, np.nextafter(start, 0 * one), np.nextafter(start, 2 * start)])
    best = np.abs(one / around - gains).argmin(axis=0)
    neutral = np.take_along_axis(around, best[None], axis=0)[0]
    return neutral, one / neutral


def _area_fields(capture: Capture, shape: tuple[int, ...]) -> list[Field]:
    fields: list[Field] = [
        (50829, "LONG", [0, 0, *shape]),
        (50718, "RATIONAL", [capture.pixel_aspect, 1]),  # DefaultScale: across, down
    ]
    if capture.default_crop is not None:
        top, left, height, width = capture.default_crop
        fields += [(50719, "RATIONAL", [left, top]), (50720, "RATIONAL", [width, height])]
    return fields


def _opcode_lists(frame: Frame) -> list[bytes]:
    """Without what was applied, and with places as the visible pixels alone have them."""
    capture, (height, width) = frame.capture, frame.pixels.shape[:2]
    taken = {(name, place) for step in frame.history for name, found in step.found
             for place in found}  # fmt: skip
    lists = []
    for number in (1, 2, 3):
        code: bytes = getattr(capture, f"opcode_list_{number}")
        window = places.window_of(capture, number, (height, width))
        if window == (0, 0, height, width) and not [
            name for name, _ in taken if name == f"opcode_list_{number}"
        ]:
            lists.append(code)
            continue
        stated = opcodes.parse(code, number)
        left = [
            places.moved(one, places.Shift(-window[0], -window[1], window[2:], (height, width)))
            for one, window in places.placed(stated, window)
            if (f"opcode_list_{number}", one.place) not in taken
        ]
        lists.append(opcodes.encode([one for one in left if one is not None]))
    return lists


def _other_fields(capture: Capture, lists: list[bytes]) -> list[Field]:
    make, model = capture.make, capture.model
    oldest_reader = [1, 3, 0, 0] if any(lists) else [1, 1, 0, 0]
    fields: list[Field] = [
        (274, "SHORT", [capture.orientation]),
        (50707, "BYTE", oldest_reader),
        (50708, "ASCII", _text(f"{make} {model}".strip() or UNKNOWN_CAMERA)),
    ]
    fields += [(tag, "ASCII", _text(text)) for tag, text in [(271, make), (272, model)] if text]
    fields += [
        (tag, "UNDEFINED", code)
        for tag, code in zip((51008, 51009, 51022), lists, strict=True)
        if code
    ]
    if capture.noise_profile is not None:
        fields.append((51041, "DOUBLE", [x for pair in capture.noise_profile for x in pair]))
    return fields


def _exif_fields(capture: Capture) -> list[Field]:
    fields: list[Field] = [(36864, "UNDEFINED", b"0230")]
    fields += _stated(33434, "RATIONAL", capture.exposure_s)
    fields += _stated(33437, "RATIONAL", capture.aperture)
    if capture.iso is not None:
        fields.append((34855, "SHORT", [min(round(capture.iso), 65535)]))
        if capture.iso > 65535:  # EXIF 2.3: the long form stands beside the saturated short one
            fields += [(34864, "SHORT", [2]), (34866, "LONG", [round(capture.iso)])]
    return fields


def _stated(tag: int, kind: str, value: float | Sequence[float] | None) -> list[Field]:
    if value is None:
        return []
    return [(tag, kind, value if isinstance(value, Sequence) else [value])]


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _tiff(fields: list[Field], exif: list[Field], strip: int) -> bytes:
    """Header, IFD 0 and EXIF IFD with their values; the one strip follows at the end."""
    fields = [*fields, (273, "LONG", [0]), (34665, "LONG", [0])]
    start = 8
    exif_at = start + len(_directory(fields, start))
    pixels_at = exif_at + len(_directory(exif, exif_at))
    if pixels_at + strip >= 2**32:
        raise UnsupportedError(f"{strip} bytes of pixels do not fit in a TIFF file")
    places = {273: pixels_at, 34665: exif_at}
    fields = [
        (tag, kind, [places[tag]] if tag in places else values) for tag, kind, values in fields
    ]
    return (
        struct.pack("<2sHI", b"II", 42, start)
        + _directory(fields, start)
        + _directory(exif, exif_at)
    )


def _directory(fields: Iterable[Field], start: int) -> bytes:
    """One IFD that stands at byte `start`, and behind it the values that do not fit inside."""
    ordered = sorted(fields, key=lambda field: field[0])
    entries, beyond = b"", b""
    values_at = start + 2 + 12 * len(ordered) + 4
    for tag, kind, values in ordered:
        data = values if isinstance(values, bytes) else _pack(kind, values)
        code, letter = FORMATS[kind]
        count = len(data) // struct.calcsize("<" + letter)
        if len(data) > 4:
            place = struct.pack("<I", values_at + len(beyond))
            beyond += data + b"\0" * (-len(data) % 4)
        else:
            place = data.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, code, count) + place
    whole = struct.pack("<H", len(ordered)) + entries + b"\0\0\0\0" + beyond
    return whole + b"\0" * (-len(whole) % 4)


def _pack(kind: str, values: Sequence[float]) -> bytes:
    if kind in {"RATIONAL", "SRATIONAL"}:
        limit = 2**32 - 1 if kind == "RATIONAL" else 2**31 - 1
        pairs = [part for value in values for part in rational(value, limit, kind[0] == "S")]
        return struct.pack(f"<{len(pairs)}{FORMATS[kind][1][0]}", *pairs)
    numbers = values if kind == "DOUBLE" else [int(value) for value in values]
    return struct.pack(f"<{len(numbers)}{FORMATS[kind][1]}", *numbers)


def rational(value: float, limit: int, signed: bool) -> tuple[int, int]:
    """The fraction nearest to `value` whose two integers are at most `limit`.

    A double that is the quotient of two such integers comes back as the identical double.
    UnsupportedError for a value that is out of their reach.
    """
    if not math.isfinite(value) or abs(value) > limit or (value < 0 and not signed):
        raise UnsupportedError(f"{value} can't be written as a TIFF rational")
    exact = Fraction(value)
    largest = limit if abs(value) <= 1 else int(limit / abs(exact)) + 1  # + 1: value is rounded
    found = exact.limit_denominator(min(largest, limit))
    if abs(found.numerator) > limit:
        found = exact.limit_denominator(largest - 1)
    return found.numerator, found.denominator


def _replace(path: Path, payload: Iterable[bytes | memoryview]) -> None:
    """Write beside the target, flush to disk, rename: the file exists whole or not at all."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            for piece in payload:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
