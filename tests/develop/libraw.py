"""rawpy.postprocess called with the parameters that a list of our steps stands for."""

import io
from dataclasses import replace

import numpy as np
import rawpy

from isptools import raw
from isptools.develop.steps import Balance, Blend, Demosaic, Encode, Levels, Orient, ToSpace
from isptools.frame import Capture, Frame, Space

METHODS = ("half", "linear", "ppg", "ahd")
BALANCES = ("camera", "daylight", "auto", "user")
USER = (1.9, 1.0, 1.4, 1.1)
HIGHLIGHTS = (0, 1, 2)
SPACES = ("raw", "srgb", "adobe", "prophoto", "xyz", "p3", "rec2020")
CURVES = {"linear": (1, 1), "libraw": (2.222, 4.5), "srgb": (2.4, 12.92)}
FLIPS = {1: 0, 2: 1, 3: 3, 4: 2, 5: 4, 6: 6, 7: 7, 8: 5}  # LibRaw's code of an EXIF orientation
PHASES = ("RGGB", "BGGR", "GRBG", "GBRG")
ALGORITHM = {
    "linear": rawpy.DemosaicAlgorithm.LINEAR,
    "ppg": rawpy.DemosaicAlgorithm.PPG,
    "ahd": rawpy.DemosaicAlgorithm.AHD,
}
COLOR = {
    "raw": rawpy.ColorSpace.raw,
    "srgb": rawpy.ColorSpace.sRGB,
    "adobe": rawpy.ColorSpace.Adobe,
    "prophoto": rawpy.ColorSpace.ProPhoto,
    "xyz": rawpy.ColorSpace.XYZ,
    "p3": rawpy.ColorSpace.P3D65,
    "rec2020": rawpy.ColorSpace.Rec2020,
}


def steps(
    method="ahd", balance="camera", highlights=0, space="srgb", curve="libraw",
    bright=1.0, auto_bright=False, adjust=0.0,
):  # fmt: skip
    """Our chain for one set of choices."""
    keep = "keep" if highlights else "clip"
    return (
        Levels(adjust_maximum=adjust),
        Balance(by=balance, gains=USER if balance == "user" else None, highlights=keep),
        Demosaic(method),
        *([Blend()] if highlights == 2 else []),
        ToSpace(space),
        # LibRaw leaves auto-bright out where highlights are kept, but not where they are blended
        Encode(curve, bright, auto_bright and highlights != 1),
        Orient(),
    )


def parameters(
    method="ahd", balance="camera", highlights=0, space="srgb", curve="libraw",
    bright=1.0, auto_bright=False, adjust=0.0,
):  # fmt: skip
    """rawpy's arguments for the same choices."""
    return {
        "half_size": method == "half",
        "demosaic_algorithm": ALGORITHM.get(method),
        "use_camera_wb": balance == "camera",
        "use_auto_wb": balance == "auto",
        "user_wb": list(USER) if balance == "user" else None,
        "highlight_mode": rawpy.HighlightMode(highlights),
        "output_color": COLOR[space],
        "gamma": CURVES[curve],
        "bright": bright,
        "no_auto_bright": not auto_bright,
        "adjust_maximum_thr": adjust,
        "output_bps": 16,
    }


def rendered(source, **choices):
    """What LibRaw makes of a path or of the bytes of a file."""
    opened = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    with rawpy.imread(opened) as file:
        return file.postprocess(**parameters(**choices))


def probe(cfa="RGGB", shape=(46, 62), seed=0, flip_orientation=1):
    """A colored, structured mosaic with noise, dark and saturated parts: a gray wall is blind."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    wave = 0.5 + 0.4 * np.sin(x / 3.1 + y / 7.3) * np.cos(y / 2.3)
    colors = np.stack([wave, 1 - wave, 0.3 + 0.5 * (x > shape[1] / 2)], -1)
    colors[: shape[0] // 4, : shape[1] // 3] = 1.3  # saturated
    colors[-shape[0] // 4 :, : shape[1] // 4] = 0.0  # at black
    site = np.array(["RGB".index(letter) for letter in cfa]).reshape(2, 2)
    index = np.tile(site, (shape[0] // 2 + 1, shape[1] // 2 + 1))[: shape[0], : shape[1]]
    light = np.take_along_axis(colors, index[..., None], 2)[..., 0]
    black, white = (252.0, 256.0, 260.0, 255.0), 4095
    level = np.tile(np.reshape(black, (2, 2)), (shape[0] // 2 + 1, shape[1] // 2 + 1))
    values = level[: shape[0], : shape[1]] + light * (white - 256) + rng.normal(0, 40, shape)
    sensor = np.clip(np.rint(values), 0, white + 60).astype(np.uint16)
    return Frame(sensor, Space.SENSOR, capture(cfa, black, white, flip_orientation))


def capture(cfa, black, white, orientation=1):
    return Capture(
        kind="bayer", cfa=cfa, black=black, black_libraw=tuple(int(b) for b in black), white=white,
        as_shot=(2.1, 1.0, 1.55, 0.0), daylight=(0.0, 0.0, 0.0, 0.0), make="isptools",
        model="probe", orientation=orientation, flip=FLIPS[orientation],
        color_matrix_1=((0.5838, -0.143, -0.0246), (-0.3497, 1.1477, 0.2297),
                        (-0.0748, 0.1885, 0.5778)),
        illuminant_1=21,
    )  # fmt: skip


def written(frame):
    """The frame as a DNG in memory, and read back with the facts LibRaw computes from it."""
    target = io.BytesIO()
    raw.write_dng(target, frame)
    data = target.getvalue()
    back = raw.read_bytes(data, "probe.dng")
    return data, replace(back, history=())
