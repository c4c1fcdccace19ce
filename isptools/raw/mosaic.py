"""Mosaics that are no camera raws: gray PNGs, .MAT files of numbers from 0 to 1, bare numbers.

Such files hold numbers and nothing else. What they mean is told by a `Capture`, made from what the
data set states.
"""

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from isptools.frame import Capture, Frame, Space
from isptools.raw import imfinfo, mat
from isptools.raw.error import RawError
from isptools.raw.headers import Header

SUFFIXES = frozenset({".png", ".mat"})
BARE = frozenset({".raw", ".bin"})  # numbers alone; only where their width and height are stated
DTYPES: dict[str, np.dtype[Any]] = {
    "uint8": np.dtype("u1"),
    "uint16": np.dtype("<u2"),
    "uint16-big": np.dtype(">u2"),
}
SCALE = 65535  # what 1.0 of a .MAT file is stored as
SLACK = 1 / SCALE  # outside of 0 to 1 by rounding
REMEDY = "copy it again from its source, or leave it out"


def header(file: BinaryIO, name: str, capture: Capture, variable: str = "x") -> Header:
    """The size of a mosaic or a picture with the facts of `capture`; no pixel is decoded.

    RawError in one line for a file that is none.
    """
    sides = mat.shape(file, name, variable) if _is_mat(name) else _png_size(file, name)
    if len(sides) != 2 or not all(sides):
        raise RawError(name, f"{variable} is {sides}, expected height and width", REMEDY)
    return stated_header((sides[0], sides[1]), capture)


def stated_header(shape: tuple[int, int], capture: Capture) -> Header:
    """Of a file that states nothing: its size, with the facts of `capture`."""
    return Header(*shape, capture.kind, capture.cfa, capture.make, capture.model, capture.flip,
                  capture.iso)  # fmt: skip


def read(data: bytes, name: str, capture: Capture, variable: str = "x") -> Frame:
    """A SENSOR frame, (H, W) uint16, of a gray PNG or of a .MAT file.

    A PNG's integers stay as they are. Numbers of a .MAT have black taken out and lie in [0, 1];
    they are stored as round(65535 x), so `capture` must say black 0 and white 65535. Two numbers
    that differ by a step of 10-bit data (1 / 1023) stay 64 apart, and none is moved by more than
    1 / 128 of such a step. RawError in one line, also for other numbers.
    """
    pixels = _scaled(data, name, variable) if _is_mat(name) else _gray(data, name, capture)
    return Frame(pixels, Space.SENSOR, capture)


def bare(
    data: bytes, name: str, shape: tuple[int, int], dtype: str, skip: int
) -> NDArray[np.uint16]:
    """(H, W) uint16 of a file that holds nothing but numbers, row by row, behind `skip` bytes.

    RawError in one line where it holds more or fewer.
    """
    _expect_size(len(data), name, shape, dtype, skip)
    numbers = np.frombuffer(data, DTYPES[dtype], offset=skip).reshape(shape)
    return np.asarray(numbers, np.uint16)


def bare_header(
    size: int, name: str, capture: Capture, shape: tuple[int, int], dtype: str, skip: int
) -> Header:
    """The stated size with the facts of `capture`, where the file's bytes are as many as that."""
    _expect_size(size, name, shape, dtype, skip)
    return stated_header(shape, capture)


def _expect_size(size: int, name: str, shape: tuple[int, int], dtype: str, skip: int) -> None:
    expected = skip + shape[0] * shape[1] * DTYPES[dtype].itemsize
    if size != expected:
        what = (
            f"it holds {size} bytes, {shape[0]} x {shape[1]} {dtype} behind {skip} are {expected}"
        )
        raise RawError(name, what, "mend `shape`, `dtype` or `skip` of the data set's [sensor]")


def with_record(capture: Capture, data: bytes, name: str, variable: str = "metadata") -> Capture:
    """The facts that a .MAT file of metadata states, before those of `capture`."""
    return imfinfo.stated(mat.record(data, name, variable), capture, name)


def cropped_size(data: bytes, name: str, variable: str = "metadata") -> tuple[int, int] | None:
    """Height and width that a .MAT file of metadata states for the cropped picture."""
    return imfinfo.cropped_size(mat.record(data, name, variable))


def _is_mat(name: str) -> bool:
    return name.lower().endswith(".mat")


def _png_size(file: BinaryIO, name: str) -> tuple[int, int]:
    try:
        with Image.open(file, formats=("PNG",)) as opened:
            return opened.height, opened.width
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise RawError(name, f"it is no PNG that can be read ({_first(error)})",
                       REMEDY) from None  # fmt: skip


def _first(error: Exception) -> str:
    return type(error).__name__ if not str(error) else " ".join(str(error).split())[:120]


def _gray(data: bytes, name: str, capture: Capture) -> NDArray[np.uint16]:
    import cv2  # noqa: PLC0415 - takes long to load, and few mosaics need it

    encoded = np.frombuffer(data, np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    if pixels is None or not _whole(data):
        raise RawError(name, "it is no PNG, or it is cut off", REMEDY)
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        found = f"{pixels.shape} {pixels.dtype}"
        raise RawError(name, f"it holds {found}; a mosaic is gray, 8 or 16 bits", "leave it out")
    if pixels.dtype == np.uint8 and capture.white > 255:
        what = f"it holds {pixels.dtype} numbers, but the data set's white is {capture.white}"
        raise RawError(name, what, "take the data set's own 16-bit file")
    return pixels.astype(np.uint16)


def _whole(data: bytes) -> bool:
    """OpenCV decodes half a PNG without a word; Pillow verifies every chunk's checksum."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as opened:
            opened.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return False
    return True


def _scaled(data: bytes, name: str, variable: str) -> NDArray[np.uint16]:
    values = mat.array(data, name, variable)
    if values.ndim != 2 or values.dtype.kind != "f":
        what = f"{variable} is {values.shape} {values.dtype}, expected numbers of height and width"
        raise RawError(name, what, REMEDY)
    low, high = float(values.min(initial=0)), float(values.max(initial=0))  # NaN passes through
    if not (low >= -SLACK and high <= 1 + SLACK):
        what = f"{variable} holds values from {low:.6g} to {high:.6g}, expected 0 to 1"
        raise RawError(name, what, "leave it out")
    out = np.empty(values.shape, np.uint16)
    for row in range(len(values)):  # one row at a time: float64 for the rounding, little memory
        out[row] = np.rint(np.clip(values[row].astype(np.float64), 0, 1) * SCALE)
    return out
