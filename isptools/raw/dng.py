"""The facts in DNG and EXIF tags that LibRaw's binding leaves out, or rounds (DNG 1.7)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from isptools.frame import Capture, GainMap, Kind, Matrix
from isptools.raw.color import XYZ_FROM_SRGB, as_matrix, camera_to_srgb_of
from isptools.raw.opcodes import OpcodeError, parse
from isptools.raw.tags import Tags

MATRICES = {
    "color_matrix_1": (50721, "ColorMatrix1"),
    "color_matrix_2": (50722, "ColorMatrix2"),
    "camera_calibration_1": (50723, "CameraCalibration1"),
    "camera_calibration_2": (50724, "CameraCalibration2"),
    "forward_matrix_1": (50964, "ForwardMatrix1"),
    "forward_matrix_2": (50965, "ForwardMatrix2"),
}
ILLUMINANTS = {
    "illuminant_1": (50778, "CalibrationIlluminant1"),
    "illuminant_2": (50779, "CalibrationIlluminant2"),
}
OPCODE_LISTS = {
    "opcode_list_1": (51008, "OpcodeList1"),
    "opcode_list_2": (51009, "OpcodeList2"),
    "opcode_list_3": (51022, "OpcodeList3"),
}
DAYLIGHTS = (21, 1, 20, 22, 23, 4)  # illuminants whose matrix LibRaw prefers, in its order
LARGEST_ISO = 65535  # of ISOSpeedRatings: "this or more"
SENSITIVITIES = (  # tag, its name, the SensitivityTypes that name it
    (34866, "RecommendedExposureIndex", {2, 4, 6, 7}),
    (34865, "StandardOutputSensitivity", {1, 4, 5, 7}),
    (34867, "ISOSpeed", {3, 5, 6, 7}),
)
PERIODS = {"bayer": 2, "xtrans": 6, "monochrome": 1}
Facts = dict[str, tuple[Any, str]]  # field of Capture -> value, name of the tag it came from


class TagError(ValueError):
    """A tag that contradicts its own specification."""


def exposure_facts(tags: Tags) -> Facts:
    """Exposure, aperture and ISO from EXIF, for every TIFF-based raw.

    A tag that is there without a value (0, 1/0, 0/0) says that nothing is known: None, where LibRaw
    states 1.
    """
    found: Facts = {}
    for name, tag, title in [("exposure_s", 33434, "ExposureTime"), ("aperture", 33437, "FNumber")]:
        values = tags.find(tag)
        if values:
            known = math.isfinite(values[0]) and values[0] > 0
            found[name] = (float(values[0]) if known else None, title)
    iso = (tags.find(34855) or (0,))[0]
    if iso == LARGEST_ISO:
        found |= _sensitivity(tags)
    if iso and "iso" not in found:
        found["iso"] = (float(iso), "ISOSpeedRatings")
    return found


def _sensitivity(tags: Tags) -> Facts:
    """ISO of more than 16 bits, which stands where SensitivityType says (EXIF 2.3, 4.6.5)."""
    kind = int((tags.find(34864) or (0,))[0])
    for tag, title, kinds in SENSITIVITIES:
        value = (tags.find(tag) or (0,))[0]
        if value > 0 and (kind in kinds or not kind):
            return {"iso": (float(value), title)}
    return {}


def dng_facts(tags: Tags, capture: Capture) -> Facts:
    """Everything a DNG states about color, noise, areas and opcodes; levels: `raw.dng_levels`.

    `capture` holds LibRaw's facts.
    """
    found: Facts = {
        name: (matrix, title)
        for name, (tag, title) in MATRICES.items()
        if (matrix := _matrix(tags.find(tag))) is not None
    }
    for name, (tag, title) in ILLUMINANTS.items():
        if tags.find(tag):
            found[name] = (int(tags.find(tag)[0]), title)
    balance = tags.find(50727) or ()
    if len(balance) == 3 and all(map(math.isfinite, balance)):
        found["analog_balance"] = (tuple(map(float, balance)), "AnalogBalance")
    found |= _noise(tags) | _areas(tags) | _opcodes(tags)
    return found | _chosen_matrix(found, capture)


def _matrix(values: Sequence[float] | None) -> Matrix | None:
    """A 3x3 matrix; four-color cameras have other shapes, which nothing here can use."""
    if values is None or len(values) != 9 or not all(map(math.isfinite, values)):
        return None
    return tuple(tuple(map(float, values[row : row + 3])) for row in (0, 3, 6))


def _chosen_matrix(found: Facts, capture: Capture) -> Facts:
    """The calibrated ColorMatrix from which LibRaw made its camera_to_srgb.

    LibRaw takes the values as float32 where it chooses between two, as double where there is one.
    """
    if capture.camera_to_srgb is None:
        return {}
    candidates = [
        (calibrated(found, number, as_float), f"ColorMatrix{number}")
        for number in (1, 2)
        for as_float in (np.float32, np.float64)
        if f"color_matrix_{number}" in found
    ]
    distances = [_distance(camera_to_srgb_of(m), capture.camera_to_srgb) for m, _ in candidates]
    if min(distances, default=1.0) > 1e-5:
        return {}
    return {"xyz_to_camera": candidates[distances.index(min(distances))]}


def calibrated(found: Facts, number: int, as_float: type) -> Matrix:
    """AnalogBalance x CameraCalibration x ColorMatrix `number`: XYZ to camera, 3x3.

    DNG 1.7, chapter 6; each factor as `as_float`, products in double.
    """
    balance = np.diag(found["analog_balance"][0] if "analog_balance" in found else np.ones(3))
    name = f"camera_calibration_{number}"
    calibration = found[name][0] if name in found else np.eye(3)
    parts = [balance, calibration, found[f"color_matrix_{number}"][0]]
    first, second, third = (np.array(part, as_float).astype(np.float64) for part in parts)
    return as_matrix(first @ second @ third)


def as_libraw_chooses(found: Facts) -> Facts:
    """`xyz_to_camera`, `camera_to_srgb` and `daylight` that LibRaw makes of calibrated matrices."""
    number = _preferred(found)
    if number is None:
        return {}
    both = "color_matrix_1" in found and "color_matrix_2" in found
    matrix = calibrated(found, number, np.float32 if both else np.float64)
    title = f"ColorMatrix{number}"
    to_srgb = camera_to_srgb_of(matrix)
    if to_srgb is None:
        return {}
    sums = (np.array(matrix) @ XYZ_FROM_SRGB).sum(axis=1)
    red, green, blue = (float(np.float32(1 / value)) for value in sums)
    return {
        "xyz_to_camera": (matrix, title),
        "camera_to_srgb": (to_srgb, title),
        "daylight": ((red, green, blue, 0.0), title),
    }


def _preferred(found: Facts) -> int | None:
    """The D65 matrix before that of another daylight, before the last one."""
    there = [number for number in (1, 2) if f"color_matrix_{number}" in found]
    lights = {number: found.get(f"illuminant_{number}", (0,))[0] for number in there}
    for light in DAYLIGHTS:
        for number in there:
            if lights[number] == light:
                return number
    return there[-1] if there else None


def _distance(ours: Matrix | None, libraw: Matrix) -> float:
    return 1.0 if ours is None else float(np.abs(np.array(ours) - np.array(libraw)).max())


def _noise(tags: Tags) -> Facts:
    values = tags.find(51041)
    if not values or len(values) % 2 or not all(map(math.isfinite, values)):
        return {}
    pairs = tuple(zip(map(float, values[::2]), map(float, values[1::2]), strict=True))
    return {"noise_profile": (pairs, "NoiseProfile")}


def _areas(tags: Tags) -> Facts:
    found: Facts = {}
    if len(area := tags.raw.get(50829, ())) == 4:
        found["active_area"] = (tuple(map(int, area)), "ActiveArea")
    origin, size = tags.raw.get(50719, ()), tags.raw.get(50720, ())
    if len(origin) == len(size) == 2 and all(map(math.isfinite, (*origin, *size))):
        (left, top), (width, height) = map(float, origin), map(float, size)
        found["default_crop"] = ((top, left, height, width), "DefaultCropOrigin, DefaultCropSize")
    return found


def _opcodes(tags: Tags) -> Facts:
    found: Facts = {}
    maps: list[GainMap] = []
    for number, (name, (tag, title)) in enumerate(OPCODE_LISTS.items(), start=1):
        code = tags.find(tag)
        if code:
            found[name] = (bytes(code), title)
            maps += gain_maps(bytes(code), number)
    if maps:
        found["gain_maps"] = (tuple(maps), "OpcodeList")
    return found


def layout(tags: Tags, kind: Kind, cfa: str, origin: tuple[int, int]) -> Capture:
    """Where the visible pixels lie and what the opcode lists hold, as far as a header goes."""
    none = (0.0, 0.0, 0.0, 0.0)
    stated = {name: value for name, (value, _) in (_areas(tags) | _opcodes(tags)).items()}
    return Capture(kind, cfa, (), (), 0, none, none, visible_origin=origin, **stated)


def gain_maps(code: bytes, opcode_list: int) -> list[GainMap]:
    """The GainMap opcodes of one list (big endian whatever the file is); others are passed over.

    Raises TagError for a list that ends before its opcodes do.
    """
    try:
        opcodes = parse(code, opcode_list)
    except OpcodeError as error:
        raise TagError(str(error)) from None
    return [one.does for one in opcodes if isinstance(one.does, GainMap)]
