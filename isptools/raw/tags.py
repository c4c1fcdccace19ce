"""The TIFF, EXIF and DNG tags of a raw file, as plain Python values."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

# What the picture is and where its strips or tiles lie; exposure; DNG's facts. Nothing else is
# read: profiles and private data can be large.
WANTED = frozenset({
    254, 256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 339,
    33421, 33422, 33434, 33437, 34855, 34864, 34865, 34866, 34867,
    50706, 50710, 50711, 50712, 50713, 50714, 50715, 50716, 50717, 50719, 50720, 50721,
    50722, 50723, 50724, 50727, 50729, 50778, 50779, 50829, 50830, 50964, 50965, 51041,
})  # fmt: skip
TEXTS = {50931, 50932}  # CameraCalibrationSignature, ProfileCalibrationSignature
OPCODE_LISTS = {51008, 51009, 51022}
EXIF_NAMES = {
    "ExposureTime": 33434,
    "FNumber": 33437,
    "ISOSpeedRatings": 34855,
    "SensitivityType": 34864,
    "StandardOutputSensitivity": 34865,
    "RecommendedExposureIndex": 34866,
    "ISOSpeed": 34867,
}
EXIF_IFD, PHOTOMETRIC, SUBFILE, DNG_VERSION = 34665, 262, 254, 50706
RAW_PHOTOMETRICS = {32803, 34892}  # color filter array, LinearRaw
COMPRESSION, SHORT = 259, 3
RATIONALS = {5, 10}
MOST = 64  # directories of one file; cameras write up to a dozen
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Tags:
    """Tag number to a tuple of numbers (rationals divided), bytes for opcode lists, or a text."""

    main: dict[int, Any] = field(default_factory=dict)  # IFD 0, and EXIF's exposure facts
    raw: dict[int, Any] = field(default_factory=dict)  # the IFD of the largest raw picture
    order: str = "<"  # of bytes: "<" little, ">" big endian
    compression_at: int = 0  # where the raw picture's Compression stands in the file; 0: nowhere

    @property
    def is_dng(self) -> bool:
        """Whether the file states a DNGVersion."""
        return DNG_VERSION in self.main

    def find(self, tag: int) -> Any:
        """The raw picture's own value, else that of IFD 0, else None."""
        return self.raw.get(tag, self.main.get(tag))


def read_tags(file: BinaryIO) -> Tags | None:
    """None for a file that is no TIFF (CRW, RAF, CR3, ...) or whose directories can't be followed.

    A missing fact is then LibRaw's to state; whether a DNG may lack its tags is for the caller.
    """
    import tifffile  # noqa: PLC0415 - takes longer to load than a directory to read

    try:
        with _quiet_tifffile(), tifffile.TiffFile(file) as tiff:
            pages = list(_pages(tiff.pages, set()))
            directories = [_values(page) for page in pages]
            order = tiff.byteorder
    except Exception:  # tifffile raises a dozen types on a damaged directory
        return None
    if not directories:
        return None
    raws = [ifd for ifd in directories if _is_raw(ifd)]
    largest = max(raws, key=lambda ifd: ifd.get(256, (0,))[0] * ifd.get(257, (0,))[0], default={})
    of_largest = [page for page, ifd in zip(pages, directories, strict=True) if ifd is largest]
    return Tags(directories[0], largest, order, _compression_at(of_largest))


def _compression_at(pages: list[Any]) -> int:
    tag = pages[0].tags.get(COMPRESSION) if pages else None
    return int(tag.valueoffset) if tag is not None and (tag.dtype, tag.count) == (SHORT, 1) else 0


@contextmanager
def _quiet_tifffile() -> Iterator[None]:
    """tifffile logs a damaged tag and leaves it out; the log would reach people as noise."""
    logger = logging.getLogger("tifffile")
    with _one_at_a_time:
        before, logger.disabled = logger.disabled, True
        try:
            yield
        finally:
            logger.disabled = before


def _pages(pages: Any, seen: set[int]) -> Iterator[Any]:
    """Directories in the order of the file, the first MOST; a chain ends where it meets itself."""
    import tifffile  # noqa: PLC0415 - see above

    for index in range(MOST):
        try:
            page = pages[index] if pages else None
        except IndexError:
            return
        if not isinstance(page, tifffile.TiffPage) or page.offset in seen or len(seen) >= MOST:
            return
        seen.add(page.offset)
        yield page
        yield from _pages(page.pages, seen)


def _values(page: Any) -> dict[int, Any]:
    values: dict[int, Any] = {}
    for tag in page.tags.values():
        if tag.code == EXIF_IFD and isinstance(tag.value, dict):
            values.update(_exif(tag.value))
        elif tag.code in OPCODE_LISTS:
            values[tag.code] = _bytes(tag.value)
        elif tag.code in TEXTS:
            values[tag.code] = _text(tag.value)
        elif tag.code in WANTED and tag.code not in values:
            values[tag.code] = _plain(tag.value, tag.dtype in RATIONALS)
    return {code: value for code, value in values.items() if len(value)}  # count 0, wrong type


def _bytes(value: Any) -> bytes:
    """Of a tag that should be UNDEFINED; some writers say BYTE. Numbers of other types are none."""
    try:
        return bytes(value) if isinstance(value, bytes | tuple | list) else b""
    except ValueError:
        return b""


def _exif(named: dict[str, Any]) -> dict[int, Any]:
    """tifffile gives EXIF values by name, and rationals as pairs of integers."""
    return {
        number: _plain(named[name], number in {33434, 33437})
        for name, number in EXIF_NAMES.items()
        if name in named
    }


def _text(value: Any) -> str:
    """A text, which DNG also allows as bytes."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return value.rstrip("\0") if isinstance(value, str) else ""


def _plain(value: Any, rational: bool) -> Any:
    if isinstance(value, str):
        return ()  # a number is wanted everywhere; a damaged type says otherwise
    numbers = (value,) if isinstance(value, int | float) else tuple(value)
    if not rational:
        return numbers
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return tuple(above / below if below else float("nan") for above, below in pairs)


def _is_raw(ifd: dict[int, Any]) -> bool:
    kind, purpose = ifd.get(PHOTOMETRIC, (0,))[0], ifd.get(SUBFILE, (0,))[0]
    return int(kind) in RAW_PHOTOMETRICS and int(purpose) == 0
