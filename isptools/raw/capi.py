"""What LibRaw knows and rawpy leaves out, through LibRaw's own C interface.

rawpy carries the LibRaw library, so nothing is installed for this. Only the heads of two public
structures are read; their layout has been the same since LibRaw 0.20, and `libraw.frame_of`
compares what both ways say about a file.
"""

import ctypes
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rawpy

from isptools.frame import Matrix

NO_CALLBACKS = 0
XTRANS = 9  # LibRaw's code for a 6x6 array
UNSUPPORTED = 1 << 14  # LIBRAW_DECODER_UNSUPPORTED_FORMAT


class LibRawCallError(Exception):
    """A LibRaw function returned an error code."""


@dataclass(frozen=True, slots=True)
class Info:
    """One file as LibRaw sees it before it decodes a pixel."""

    make: str
    model: str
    dng: bool
    colors: int
    filters: int  # 0: no color filter array
    color_names: str  # letter of each color index
    pattern: tuple[int, ...]  # color index per position from the top left visible pixel
    pattern_repeats: bool  # whether `pattern` holds for the neighbouring cells too
    height: int
    width: int
    top: int
    left: int
    sensor: tuple[int, int]  # height and width with the margins
    flip: int
    pixel_aspect: float
    camera_to_srgb: Matrix | None  # None where LibRaw has no matrix and leaves colors alone
    iso: float
    exposure_s: float
    aperture: float
    taken: int  # seconds since 1970 by the camera's clock, as if its zone were ours; 0: not stated
    decoder: str  # LibRaw's name of the function that would decode it
    decodable: bool  # False for a codec LibRaw knows by name only


class _Params(ctypes.Structure):  # the head of libraw_iparams_t
    _fields_ = [
        ("guard", ctypes.c_char * 4), ("make", ctypes.c_char * 64), ("model", ctypes.c_char * 64),
        ("software", ctypes.c_char * 64), ("plain_make", ctypes.c_char * 64),
        ("plain_model", ctypes.c_char * 64), ("maker_index", ctypes.c_uint),
        ("raw_count", ctypes.c_uint), ("dng_version", ctypes.c_uint), ("foveon", ctypes.c_uint),
        ("colors", ctypes.c_int), ("filters", ctypes.c_uint), ("xtrans", ctypes.c_char * 36),
        ("xtrans_abs", ctypes.c_char * 36), ("color_names", ctypes.c_char * 5),
    ]  # fmt: skip


class _Head(ctypes.Structure):  # the head of libraw_data_t: image and libraw_image_sizes_t
    _fields_ = [
        ("image", ctypes.c_void_p), ("raw_height", ctypes.c_ushort),
        ("raw_width", ctypes.c_ushort), ("height", ctypes.c_ushort), ("width", ctypes.c_ushort),
        ("top", ctypes.c_ushort), ("left", ctypes.c_ushort), ("iheight", ctypes.c_ushort),
        ("iwidth", ctypes.c_ushort), ("pitch", ctypes.c_uint), ("pixel_aspect", ctypes.c_double),
        ("flip", ctypes.c_int),
    ]  # fmt: skip


class _Decoder(ctypes.Structure):  # libraw_decoder_info_t
    _fields_ = [("name", ctypes.c_char_p), ("flags", ctypes.c_uint)]


class _Other(ctypes.Structure):  # the head of libraw_imgother_t
    _fields_ = [
        ("iso", ctypes.c_float), ("shutter", ctypes.c_float), ("aperture", ctypes.c_float),
        ("focal_length", ctypes.c_float), ("timestamp", ctypes.c_int64),
    ]  # fmt: skip


@functools.cache
def _library() -> ctypes.CDLL:
    """LibRaw as rawpy loaded it: a symbol look-up also searches what rawpy's module links to."""
    here = Path(rawpy.__file__).parent
    for path in [rawpy._rawpy.__file__, *sorted(here.glob("*raw*.dll"))]:
        library = ctypes.CDLL(str(path))
        if hasattr(library, "libraw_get_iparams"):
            return _declared(library)
    raise RuntimeError(
        f"the rawpy in {here} hides LibRaw's C interface; install rawpy's wheel from PyPI"
    )


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    handle, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    signatures = {
        "init": ([ctypes.c_uint], handle),
        "close": ([handle], None),
        "strerror": ([number], text),
        "open_file": ([handle, text], number),
        "open_buffer": ([handle, text, ctypes.c_size_t], number),
        "get_iparams": ([handle], ctypes.POINTER(_Params)),
        "get_imgother": ([handle], ctypes.POINTER(_Other)),
        "get_rgb_cam": ([handle, number, number], ctypes.c_float),
        "get_decoder_info": ([handle, ctypes.POINTER(_Decoder)], number),
        "COLOR": ([handle, number, number], number),
    }
    for name, (arguments, result) in signatures.items():
        function = getattr(library, f"libraw_{name}")
        function.argtypes, function.restype = arguments, result
    return library


def opened_info(source: bytes | Path) -> Info:
    """Open a file (or its bytes) as far as LibRaw does without decoding pixels.

    Raises LibRawCallError with LibRaw's own words.
    """
    with _opened(source) as handle:
        return _info(_library(), handle)


@contextmanager
def _opened(source: bytes | Path) -> Iterator[int]:
    library = _library()
    handle = library.libraw_init(NO_CALLBACKS)
    try:
        code = _open(library, handle, source)
        if code:
            raise LibRawCallError(library.libraw_strerror(code).decode())
        yield handle
    finally:
        library.libraw_close(handle)


def _open(library: ctypes.CDLL, handle: int, source: bytes | Path) -> int:
    if isinstance(source, bytes):
        return int(library.libraw_open_buffer(handle, source, len(source)))
    if os.name == "nt":
        return int(library.libraw_open_wfile(ctypes.c_void_p(handle), str(source)))
    return int(library.libraw_open_file(handle, os.fsencode(source)))


def _info(library: ctypes.CDLL, handle: int) -> Info:
    params = library.libraw_get_iparams(handle).contents
    other = library.libraw_get_imgother(handle).contents
    head = _Head.from_address(handle)
    side = 6 if params.filters == XTRANS else 2
    cells = [_cell(library, handle, side, (i, j)) for i in (0, side) for j in (0, side)]
    decoder, decodable = _decoder(library, handle)
    return Info(
        make=params.make.decode(errors="replace"),
        model=params.model.decode(errors="replace"),
        dng=params.dng_version > 0,
        colors=params.colors,
        filters=params.filters,
        color_names=params.color_names.decode(errors="replace"),
        pattern=cells[0],
        pattern_repeats=len(set(cells)) == 1,
        height=head.height,
        width=head.width,
        top=head.top,
        left=head.left,
        sensor=(head.raw_height, head.raw_width),
        flip=head.flip,
        pixel_aspect=head.pixel_aspect,
        camera_to_srgb=_camera_to_srgb(library, handle),
        iso=other.iso,
        exposure_s=other.shutter,
        aperture=other.aperture,
        taken=other.timestamp,
        decoder=decoder,
        decodable=decodable,
    )


def _decoder(library: ctypes.CDLL, handle: int) -> tuple[str, bool]:
    """Its name, and whether it decodes."""
    decoder = _Decoder()
    code = library.libraw_get_decoder_info(handle, ctypes.byref(decoder))
    name = decoder.name.decode(errors="replace") if code == 0 and decoder.name else ""
    return name, code == 0 and not decoder.flags & UNSUPPORTED


def _cell(library: ctypes.CDLL, handle: int, side: int, corner: tuple[int, int]) -> tuple[int, ...]:
    top, left = corner
    return tuple(
        int(library.libraw_COLOR(handle, top + row, left + column))
        for row in range(side)
        for column in range(side)
    )


def _camera_to_srgb(library: ctypes.CDLL, handle: int) -> Matrix | None:
    values = [[library.libraw_get_rgb_cam(handle, i, j) for j in range(3)] for i in range(3)]
    if np.array_equal(values, np.eye(3)):
        return None
    return tuple(tuple(row) for row in values)
