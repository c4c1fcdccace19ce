"""What an image is at every station between the sensor and the screen, and what its file says."""

import math
import mmap
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

Pixels = NDArray[np.uint16] | NDArray[np.float32]
# quad, nona: Bayer of 2x2 or 3x3 pixels of one color; rgb: a finished picture
Kind = Literal["bayer", "xtrans", "quad", "nona", "linear", "monochrome", "rgb"]
Matrix = tuple[tuple[float, ...], ...]  # row by row


class Space(StrEnum):
    """A station of the light path: it fixes shape, dtype, and what 0 and 1 mean.

    Stations in uint16 carry LibRaw's own integers: 65535 is the scaled white level.
    """

    SENSOR = "sensor"  # (H, W) uint16, digital numbers of the visible area, black level still in
    MOSAIC = "mosaic"  # (H, W) uint16, digital numbers, black removed and clipped at 0
    BALANCED = "balanced"  # (H, W) uint16, white balanced, 65535 = white level (LibRaw's scale)
    CAMERA = "camera"  # (H, W, 3) uint16, linear camera RGB, white balanced, demosaicked
    XYZ = "xyz"  # (H, W, 3) float32, CIE XYZ (D65), Y = 1 is a neutral white, nothing clipped
    CAMERA_LINEAR = "camera_linear"  # (H, W, 3) uint16, LibRaw's output color "raw"
    SRGB_LINEAR = "srgb_linear"  # (H, W, 3) uint16, linear light, clipped to [0, 65535]; so all:
    ADOBE_LINEAR = "adobe_linear"
    PROPHOTO_LINEAR = "prophoto_linear"
    XYZ_LINEAR = "xyz_linear"  # LibRaw's clipped XYZ: a neutral white is already clipped in Z
    P3_LINEAR = "p3_linear"
    REC2020_LINEAR = "rec2020_linear"
    CAMERA_ENCODED = "camera_encoded"  # (H, W, 3) uint16, behind the transfer curve; so all below
    SRGB = "srgb"
    ADOBE = "adobe"
    PROPHOTO = "prophoto"
    XYZ_ENCODED = "xyz_encoded"
    P3 = "p3"
    REC2020 = "rec2020"


MOSAICS = frozenset({Space.SENSOR, Space.MOSAIC, Space.BALANCED})


@dataclass(frozen=True, slots=True)
class GainMap:
    """One DNG GainMap opcode (DNG 1.7, opcode 9): gains on a grid over the active area.

    `gains` is row by row over (points_v, points_h, map_planes). Spacing and origin are relative:
    0 is the top (left) edge of the active area and 1 its bottom (right) edge.
    """

    opcode_list: int  # 1, 2 or 3
    area: tuple[int, int, int, int]  # top, left, bottom, right in pixels of the active area
    plane: int
    planes: int
    row_pitch: int
    col_pitch: int
    points_v: int
    points_h: int
    spacing_v: float
    spacing_h: float
    origin_v: float
    origin_h: float
    map_planes: int
    gains: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Capture:
    """The facts about one exposure, as its file states them; no step may change them.

    Values per CFA position are read row by row from the top left visible pixel. Gains stand in
    LibRaw's order R, G, B, G2 and on its scale (not normalized; -1 or 0 where it found none).
    `origins` says for each fact that did not come from LibRaw where it came from, `departures`
    has a line for each where LibRaw says another number than the file.
    """

    kind: Kind
    cfa: str  # letters per CFA position: 4 ("RGGB"), 36 for X-Trans and nona, 16 for quad, "" where
    # there is no CFA;
    # "RGB" for a finished picture, which has all three at every pixel
    black: tuple[float, ...]  # DN per CFA position (per channel for "linear"), fraction kept
    black_libraw: tuple[int, ...]  # whole DN per CFA position that are subtracted: LibRaw's, or the
    # integer part of `black` where LibRaw is 1 DN or more off it
    white: int  # DN at saturation, black still in
    as_shot: tuple[float, float, float, float]
    daylight: tuple[float, float, float, float]
    make: str = ""
    model: str = ""
    camera_to_srgb: Matrix | None = None  # 3x3, balanced camera RGB to linear sRGB (LibRaw rgb_cam)
    xyz_to_camera: Matrix | None = None  # 3x3, the matrix LibRaw's rgb_cam was made from
    color_matrix_1: Matrix | None = None  # 3x3 XYZ to camera under illuminant_1 (DNG)
    color_matrix_2: Matrix | None = None
    illuminant_1: int | None = None  # EXIF LightSource code; 21 is D65
    illuminant_2: int | None = None
    camera_calibration_1: Matrix | None = None
    camera_calibration_2: Matrix | None = None
    analog_balance: tuple[float, ...] | None = None
    forward_matrix_1: Matrix | None = None  # 3x3 balanced camera to XYZ D50 (DNG)
    forward_matrix_2: Matrix | None = None
    noise_profile: tuple[tuple[float, float], ...] | None = None  # (S, O), one or one a channel
    exposure_s: float | None = None  # seconds
    iso: float | None = None
    aperture: float | None = None  # f-number
    orientation: int = 1  # EXIF/TIFF code 1..8
    flip: int = 0  # LibRaw's code for the same: bit 0 columns, bit 1 rows, bit 2 transposes
    active_area: tuple[int, int, int, int] | None = None  # top, left, bottom, right on the sensor
    visible_origin: tuple[int, int] = (0, 0)  # row, column on the sensor of the top left pixel
    default_crop: tuple[float, float, float, float] | None = None  # top, left, height, width,
    # in pixels of the active area
    opcode_list_1: bytes = b""
    opcode_list_2: bytes = b""
    opcode_list_3: bytes = b""
    gain_maps: tuple[GainMap, ...] = ()
    pixel_aspect: float = 1.0  # height over width of a sensor pixel, as LibRaw states it
    origins: tuple[tuple[str, str], ...] = ()
    departures: tuple[str, ...] = ()  # the file's statement, LibRaw's number, which was taken


MOST_GAIN = 256.0  # of one color over another; more is no light, but a number near 0


def usable(gains: tuple[float, ...]) -> bool:
    """Whether R, G, B (and G2) are a white balance: finite, above 0, no more than 8 stops apart.

    A green of 0 counts as 1, as LibRaw has it.
    """
    three = (gains[0], gains[1] or 1.0, gains[2])
    known = all(math.isfinite(gain) and gain > 1e-5 for gain in three)
    return known and max(three) <= MOST_GAIN * min(three)


@dataclass(frozen=True, slots=True)
class Taken:
    """One step that a frame went through, and what it measured on the pixels while it did."""

    step: object
    found: tuple[tuple[str, tuple[float, ...]], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Read-only pixels, the station they stand at, their facts, and the steps already taken."""

    pixels: Pixels
    space: Space
    capture: Capture
    white: float = 0.0  # DN above black that stands for full scale; set when black is removed
    gains: tuple[float, ...] = ()  # R, G, B, G2 as applied, normalized; set by white balance
    balance_origin: str = (
        ""  # where they came from: as_shot, as_shot_xy, daylight, gray_world, recipe
    )
    history: tuple[Taken, ...] = field(default=())

    def __post_init__(self) -> None:
        flat = self.space in MOSAICS and self.capture.kind != "linear"
        if self.pixels.ndim != (2 if flat else 3):
            raise ValueError(f"{self.space} does not fit shape {self.pixels.shape}")
        self.pixels.setflags(write=False)


class UnsupportedError(ValueError):
    """A valid input that a step or a room can't treat; the message names what and why."""


Array = NDArray[Any]


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Pixels not yet filled, in memory of their own that goes back to the system when freed.

    The C library keeps freed blocks of up to 32 MB, a 12 MP mosaic among them, for later.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not size or not hasattr(mmap, "MAP_ANONYMOUS"):
        return np.empty(shape, dtype)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


def forget(pixels: Array, rows: int) -> None:
    """Give back the memory of the first rows of an array made by `empty`; they read as 0 then."""
    memory = getattr(getattr(pixels.base, "base", None), "obj", None)
    if isinstance(memory, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        length = max(rows, 0) * pixels.strides[0] // mmap.PAGESIZE * mmap.PAGESIZE
        if length:
            memory.madvise(mmap.MADV_DONTNEED, 0, length)
