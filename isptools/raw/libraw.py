"""Pixels and facts as LibRaw states them, through rawpy; and LibRaw's own demosaicking."""

import io
from typing import Any

import numpy as np
import rawpy
from numpy.typing import NDArray

from isptools.frame import Capture, Frame, Kind, Matrix, Space, UnsupportedError, empty
from isptools.raw import capi, dng_write
from isptools.raw.color import XYZ_FROM_SRGB, as_matrix
from isptools.raw.decimal import shortest
from isptools.raw.filters import Filters

__all__ = ["XYZ_FROM_SRGB", "cfa_of", "demosaic", "frame_of", "kind_of", "version"]

METHODS = {
    "vng": rawpy.DemosaicAlgorithm.VNG,
    "dcb": rawpy.DemosaicAlgorithm.DCB,
    "dht": rawpy.DemosaicAlgorithm.DHT,
    "aahd": rawpy.DemosaicAlgorithm.AAHD,
    "xtrans-1pass": rawpy.DemosaicAlgorithm.PPG,  # LibRaw: any quality up to 2 but 0 and 1
    "xtrans-3pass": rawpy.DemosaicAlgorithm.AHD,  # LibRaw: any quality above 2
}
XTRANS_SIDE = 512  # LibRaw's X-Trans interpolation refuses a smaller picture
STAND_IN = "DNG"  # LibRaw's make for a DNG that names none


class SensorError(ValueError):
    """A sensor, or a statement about it, that a Frame can't hold."""


def version() -> str:
    """LibRaw's version, to be stamped: it changes pixels."""
    return ".".join(map(str, rawpy.libraw_version))


def codecs() -> dict[str, bool]:
    """What this LibRaw can unpack of DNG beyond the plain and lossless ones."""
    flags = rawpy.flags or {}
    names = {"DNGDEFLATECODEC": "DNG deflate", "DNGLOSSYCODEC": "DNG lossy JPEG"}
    return {name: bool(flags.get(flag)) for flag, name in names.items()}


def frame_of(
    raw: Any, info: capi.Info, array: Filters | None = None, sensor: NDArray[Any] | None = None
) -> Frame:
    """Copy the visible pixels and the facts out of an opened rawpy object.

    `info` is what LibRaw's C interface says about the same file, `array` what its tags say about
    its color filters, `sensor` all its pixels where they were decoded elsewhere. Black of an array
    that LibRaw takes for another kind is its least.
    """
    kind, cfa = array_of(info, array)
    _expect_agreement(raw, info, kind)
    levels = tuple(int(level) for level in raw.black_level_per_channel)
    black = (min(levels[:3]),) * len(cfa)
    if _sees(info, kind):
        cfa = cfa_of(info, kind)
        black = tuple(levels[i] for i in _positions(info, kind))
    make, model = camera_of(info)
    capture = Capture(
        kind=kind,
        cfa=cfa,
        black=tuple(map(float, black)),
        black_libraw=black,
        white=int(raw.white_level),
        as_shot=_four(raw.camera_whitebalance),
        daylight=_four(raw.daylight_whitebalance),
        make=make,
        model=model,
        camera_to_srgb=info.camera_to_srgb,
        xyz_to_camera=None if info.dng else _table_matrix(raw),
        exposure_s=_stated(info.exposure_s),
        iso=_stated(info.iso),
        aperture=_stated(info.aperture),
        orientation=dng_write.ORIENTATION_OF_FLIP[info.flip],
        flip=info.flip,
        visible_origin=(int(raw.sizes.top_margin), int(raw.sizes.left_margin)),
        pixel_aspect=float(raw.sizes.pixel_aspect),
    )
    return Frame(_visible(raw, kind, sensor), Space.SENSOR, capture)


def _visible(raw: Any, kind: Kind, sensor: NDArray[Any] | None) -> NDArray[Any]:
    """The visible pixels in memory of their own."""
    whole = raw.raw_image_visible[..., :3] if kind == "linear" else raw.raw_image_visible
    if sensor is not None:
        if sensor.shape == whole.shape:
            return sensor
        top, left = raw.sizes.top_margin, raw.sizes.left_margin
        whole = sensor[top : top + raw.sizes.height, left : left + raw.sizes.width]
    pixels = empty(whole.shape, whole.dtype)
    pixels[...] = whole
    return pixels


def _expect_agreement(raw: Any, info: capi.Info, kind: Kind) -> None:
    sizes = raw.sizes
    theirs = (
        raw.num_colors,
        raw.color_desc.decode(errors="replace"),
        sizes.flip,
        sizes.pixel_aspect,
    )
    ours = (info.colors, info.color_names, info.flip, info.pixel_aspect)
    if theirs != ours:
        raise SensorError(f"LibRaw {version()} contradicts itself about it: {theirs} and {ours}")
    if (raw.raw_type == rawpy.RawType.Stack) != (kind == "linear"):
        raise SensorError(f"LibRaw decodes it to {raw.raw_type}, which does not fit {kind} pixels")
    if raw.raw_image_visible.shape[:2] != (sizes.height, sizes.width):
        raise SensorError("its sensor is laid out at 45 degrees (Fujifilm Super CCD)")
    if info.flip not in dng_write.ORIENTATION_OF_FLIP:
        raise SensorError(f"LibRaw states an orientation ({info.flip}) that does not exist")


def array_of(info: capi.Info, array: Filters | None) -> tuple[Kind, str]:
    """Kind and letters by the tags, where they name the color filters, else by LibRaw."""
    if array:
        return array.kind, array.cfa
    kind = kind_of(info)
    return kind, cfa_of(info, kind)


def _sees(info: capi.Info, kind: Kind) -> bool:
    """Whether LibRaw takes the array for one of this kind."""
    try:
        return kind_of(info) == kind
    except SensorError:
        return False


def kind_of(info: capi.Info) -> Kind:
    """The kind of color filters that LibRaw states. SensorError for those that nobody treats."""
    if info.filters == 0:
        return "monochrome" if info.colors == 1 else "linear"
    if info.colors != 3:
        raise SensorError(f"its color filter array has {info.colors} colors; 3 can be treated")
    if info.filters == capi.XTRANS:
        return "xtrans"
    if info.filters < 1000 or not info.pattern_repeats:
        raise SensorError(
            "its color filter array is no pattern of 2x2 pixels (turned by 45 degrees?)"
        )
    return "bayer"


def cfa_of(info: capi.Info, kind: Kind) -> str:
    """Letters per CFA position, row by row from the top left visible pixel."""
    if kind in {"linear", "monochrome"}:
        return ""
    return "".join(info.color_names[i] for i in info.pattern)


def camera_of(info: capi.Info) -> tuple[str, str]:
    """Make and model as LibRaw spells them ("Nikon", "D1"); empty where the file names none."""
    stated = f"{info.make} {info.model}"
    if info.dng and (info.make == STAND_IN or stated == dng_write.UNKNOWN_CAMERA):
        return "", ""
    return info.make, info.model


def _positions(info: capi.Info, kind: Kind) -> tuple[int, ...]:
    """Color index per CFA position, per channel where there is no CFA."""
    if kind == "linear":
        return (0, 1, 2)
    return (0,) if kind == "monochrome" else info.pattern


def _table_matrix(raw: Any) -> Matrix | None:
    """LibRaw's own table of cameras (rgb_xyz_matrix); a DNG's matrix stands in its tags."""
    values = raw.rgb_xyz_matrix[:3]
    return as_matrix(values) if np.any(values) else None


def _four(values: Any) -> tuple[float, float, float, float]:
    a, b, c, d = (float(value) for value in values)
    return a, b, c, d


def _stated(value: float) -> float | None:
    """LibRaw's float32 as the shortest decimal that is the same float32; 0 is "not stated"."""
    return shortest(value) if np.isfinite(value) and value > 0 else None


def demosaic(
    balanced: NDArray[np.uint16], cfa: str, camera_matrix: Any, method: str
) -> NDArray[np.uint16]:
    """LibRaw's own demosaicking of an array: (H, W) to (H, W, 3), both balanced, 65535 = white.

    `cfa` is as in Capture. `camera_matrix` is the 3x3 XYZ to camera matrix or None; AAHD and
    X-Trans look at it, to compare colors as an eye does. `method`: "vng", "dcb", "dht", "aahd" for
    Bayer, "xtrans-1pass", "xtrans-3pass" for X-Trans, whose sides must be at least 512 pixels.
    The array goes through LibRaw as a DNG in memory with black 0, white 65535 and gains of 1, so
    that nothing but the demosaicking touches a value. Raises UnsupportedError.
    """
    _expect_method(balanced.shape, cfa, method)
    head, pixels = dng_write.encode(_stand_in(balanced, cfa, camera_matrix))
    with rawpy.imread(io.BytesIO(head + bytes(pixels))) as raw:
        rgb = raw.postprocess(
            demosaic_algorithm=METHODS[method],
            output_color=rawpy.ColorSpace.raw,
            gamma=(1, 1),
            no_auto_bright=True,
            user_wb=[1.0, 1.0, 1.0, 1.0],
            adjust_maximum_thr=0.0,
            user_flip=0,
            output_bps=16,
        )
    return rgb.view(np.uint16)


def _expect_method(shape: tuple[int, ...], cfa: str, method: str) -> None:
    if method not in METHODS:
        raise UnsupportedError(f"{method!r} is none of LibRaw's {', '.join(METHODS)}")
    kind = "xtrans" if method.startswith("xtrans") else "bayer"
    if len(cfa) != {"xtrans": 36, "bayer": 4}[kind]:
        raise UnsupportedError(f"{method!r} is made for {kind} arrays, not for {cfa!r}")
    if kind == "xtrans" and min(shape) < XTRANS_SIDE:
        raise UnsupportedError(f"LibRaw's {method} needs sides of {XTRANS_SIDE}, not {shape}")


def _stand_in(balanced: NDArray[np.uint16], cfa: str, camera_matrix: Any) -> Frame:
    capture = Capture(
        kind="xtrans" if len(cfa) == 36 else "bayer",
        cfa=cfa,
        black=(0.0,) * len(cfa),
        black_libraw=(0,) * len(cfa),
        white=65535,
        as_shot=(1.0, 1.0, 1.0, 1.0),
        daylight=(1.0, 1.0, 1.0, 1.0),
        xyz_to_camera=None if camera_matrix is None else as_matrix(np.asarray(camera_matrix)),
    )
    return Frame(balanced.view(), Space.SENSOR, capture)  # a view: the caller's stays writable
