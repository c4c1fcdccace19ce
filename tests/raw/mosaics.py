"""Frames made from code, and DNGs written by tifffile instead of by us."""

import io
from dataclasses import fields, replace
from typing import Any

import numpy as np
import tifffile

from isptools import raw
from isptools.frame import Capture, Frame, Space

PHASES = ("RGGB", "GRBG", "GBRG", "BGGR")
XTRANS = "RBGBRGGGRGGBGGBGGRBRGRBGGGBGGRGGRGGB"
MATRIX_A = ((0.5838, -0.143, -0.0246), (-0.3497, 1.1477, 0.2297), (-0.0748, 0.1885, 0.5778))
MATRIX_B = ((1.1434, -0.4948, -0.121), (-0.3746, 1.2042, 0.1903), (-0.0666, 0.1479, 0.5235))
FLIP_OF_ORIENTATION = {1: 0, 2: 1, 3: 3, 4: 2, 5: 4, 6: 6, 7: 7, 8: 5}
# What LibRaw works out from the rest, or what says how a fact was found.
DERIVED = {"camera_to_srgb", "xyz_to_camera", "daylight", "origins"}


def capture(kind: str = "bayer", cfa: str = "RGGB", **facts: Any) -> Capture:
    positions = {"bayer": 4, "xtrans": 36, "monochrome": 1}[kind]
    cfa = {"bayer": cfa, "xtrans": XTRANS, "monochrome": ""}[kind]
    black = tuple(map(float, facts.pop("black", (512.0,) * positions)))
    stated: dict[str, Any] = {
        "white": 16383,
        "as_shot": (2.0, 1.0, 1.5, 0.0),
        "daylight": (1.0, 1.0, 1.0, 0.0),
        "color_matrix_1": MATRIX_A,
        "illuminant_1": 21,
    }
    if kind == "monochrome":
        stated |= {"as_shot": (0.0, 1.0, 0.0, 0.0), "color_matrix_1": None, "illuminant_1": None}
    libraw = tuple(int(level) for level in black)
    return Capture(kind=kind, cfa=cfa, black=black, black_libraw=libraw, **stated | facts)


def frame(shape: tuple[int, int] = (48, 50), seed: int = 1, **facts: Any) -> Frame:
    pixels = np.random.default_rng(seed).integers(600, 16384, shape).astype(np.uint16)
    made = capture(**facts)
    made = replace(made, active_area=(0, 0, *shape))
    return Frame(pixels, Space.SENSOR, made)


def written(made: Frame) -> bytes:
    target = io.BytesIO()
    raw.write_dng(target, made)
    return target.getvalue()


def differences(a: Capture, b: Capture, but: set[str] = DERIVED) -> dict[str, tuple[Any, Any]]:
    pairs = {f.name: (getattr(a, f.name), getattr(b, f.name)) for f in fields(a)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and name not in but}


def dng(pixels: np.ndarray, cfa: tuple[int, ...] = (0, 1, 1, 2), extra: Any = (), **options: Any):
    """A DNG by tifffile: another writer than ours, for tags that ours never writes."""
    side = int(len(cfa) ** 0.5)
    tags = [
        (254, 4, 1, 0, True),
        (33421, 3, 2, (side, side), True),
        (33422, 1, len(cfa), cfa, True),
        (50706, 1, 4, (1, 4, 0, 0), True),
        (50708, 2, 0, "Test Camera", True),
        (50717, 4, 1, options.pop("white", 65535), True),
        *extra,
    ]
    target = io.BytesIO()
    tifffile.imwrite(
        target, pixels, photometric=32803, extratags=tags, metadata=None, software=False, **options
    )
    return target.getvalue()
