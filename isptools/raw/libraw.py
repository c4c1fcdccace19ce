"""Pixels and facts as LibRaw states them, through rawpy."""

from pathlib import Path
from typing import Any

import numpy as np
import rawpy
from numpy.typing import NDArray

from isptools.frame import Capture, Frame, Kind, Matrix, Space, UnsupportedError

# CIE XYZ (D65) of linear sRGB's primaries, column by column, as LibRaw carries it (xyz_rgb)
XYZ_FROM_SRGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip


def version() -> str:
    """LibRaw's version, to be stamped: it changes pixels."""
    return ".".join(map(str, rawpy.libraw_version))


def frame_of(raw: Any) -> Frame:
    """Copy the visible pixels and the facts out of an opened and unpacked rawpy object."""
    kind = _kind(raw)
    cfa, colors = _cfa(raw, kind)
    black = tuple(int(raw.black_level_per_channel[i]) for i in colors)
    sizes = raw.sizes
    pixels = np.array(raw.raw_image_visible, copy=True)
    capture = Capture(
        kind=kind,
        cfa=cfa,
        black=black,
        black_libraw=black,
        white=int(raw.white_level),
        as_shot=_four(raw.camera_whitebalance),
        daylight=_four(raw.daylight_whitebalance),
        camera_to_srgb=camera_to_srgb(raw),
        xyz_to_camera=_matrix(raw.rgb_xyz_matrix[:3]),
        flip=int(sizes.flip),
        pixel_aspect=float(sizes.pixel_aspect),
    )
    return Frame(pixels[..., :3] if kind == "linear" else pixels, Space.SENSOR, capture)


def _kind(raw: Any) -> Kind:
    if raw.raw_type == rawpy.RawType.Stack:
        return "linear"
    if raw.num_colors == 1 or raw.raw_pattern is None:
        return "monochrome"
    if raw.raw_pattern.shape == (6, 6):
        return "xtrans"
    if raw.num_colors != 3 or raw.raw_pattern.shape != (2, 2):
        raise UnsupportedError(f"color filter array of {raw.num_colors} colors is not supported")
    return "bayer"


def _cfa(raw: Any, kind: Kind) -> tuple[str, list[int]]:
    """Letters per CFA position, and the color index (0..3) of each."""
    if kind in {"linear", "monochrome"}:
        return "", [0, 1, 2] if kind == "linear" else [0]
    side = 6 if kind == "xtrans" else 2
    indices = [int(i) for i in raw.raw_colors_visible[:side, :side].ravel()]
    letters = raw.color_desc.decode()
    return "".join(letters[i] for i in indices), indices


def _four(values: Any) -> tuple[float, float, float, float]:
    a, b, c, d = (float(value) for value in values)
    return a, b, c, d


def _matrix(values: NDArray[np.float32]) -> Matrix | None:
    if not np.any(values):
        return None
    return tuple(tuple(float(value) for value in row[:3]) for row in values)


def camera_to_srgb(raw: Any) -> Matrix | None:
    """LibRaw's rgb_cam (balanced camera to linear sRGB); None where it has no matrix.

    A DNG states it; for LibRaw's own table it is computed as in cam_xyz_coeff: the rows of
    xyz_to_camera @ XYZ_FROM_SRGB are brought to sum 1, then inverted.
    """
    stated = _matrix(raw.color_matrix)
    table = _matrix(raw.rgb_xyz_matrix[:3])
    if stated is not None or table is None:
        return stated
    camera_from_srgb = np.asarray(table, np.float32).astype(np.float64) @ XYZ_FROM_SRGB
    camera_from_srgb /= camera_from_srgb.sum(axis=1, keepdims=True)
    return _matrix(np.linalg.inv(camera_from_srgb).astype(np.float32))


def open_raw(path: Path) -> Any:
    return rawpy.imread(str(path))
