"""The facts of a DNG as MATLAB's imfinfo saved them, beside numbers that were taken out of it.

Some data sets keep such a struct as a .MAT file: tags MATLAB knows by name, others under
UnknownTags with their number, and the directory of the raw picture under SubIFDs where the DNG has
a preview first.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from isptools.frame import Capture
from isptools.raw import dng
from isptools.raw.dng_write import ORIENTATION_OF_FLIP
from isptools.raw.error import RawError
from isptools.raw.tags import Tags

NAMES = {
    "Orientation": 274, "CFAPattern": 33422, "ColorMatrix1": 50721, "ColorMatrix2": 50722,
    "CameraCalibration1": 50723, "CameraCalibration2": 50724, "AnalogBalance": 50727,
    "AsShotNeutral": 50728, "CalibrationIlluminant1": 50778, "CalibrationIlluminant2": 50779,
    "ForwardMatrix1": 50964, "ForwardMatrix2": 50965, "DefaultCropSize": 50720,
    "NoiseProfile": 51041,
}  # fmt: skip
KNOWN = frozenset(NAMES.values())
CFA, ORIENTATION, NEUTRAL, CROP_SIZE = 33422, 274, 50728, 50720
FLIPS = {orientation: flip for flip, orientation in ORIENTATION_OF_FLIP.items()}
TAKEN = (*dng.MATRICES, *dng.ILLUMINANTS, "analog_balance", "noise_profile")


def tags_of(info: dict[str, Any]) -> Tags:
    """The struct as tags: those of the first directory, and of the one that has a mosaic."""
    main, *others = [_numbers(each) for each in _directories(info)]
    raws = [tags for tags in others if CFA in tags]
    return Tags(main, raws[0] if raws else main)


def _directories(info: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield info
    subs = info.get("SubIFDs", ())
    for sub in [subs] if isinstance(subs, dict) else np.atleast_1d(subs):
        if isinstance(sub, dict):
            yield sub


def _numbers(info: dict[str, Any]) -> dict[int, Any]:
    """The tags that are wanted: number to a tuple of numbers."""
    unknown = info.get("UnknownTags", ())
    pairs = [(NAMES[name], value) for name, value in info.items() if name in NAMES]
    pairs += [
        (int(each["ID"]), each.get("Value"))
        for each in ([unknown] if isinstance(unknown, dict) else unknown)
        if isinstance(each, dict) and "ID" in each
    ]
    found = {}
    for number, value in pairs:
        values = np.atleast_1d(np.asarray(value)).ravel()
        if number in KNOWN and values.dtype.kind in "buif" and values.size:
            found[number] = tuple(float(one) for one in values)
    return found


def cfa_of(tags: Tags) -> str:
    """Letters per CFA position, "" where the file states none that is Bayer."""
    indices = tags.find(CFA) or ()
    if len(indices) != 4 or not set(indices) <= {0.0, 1.0, 2.0}:
        return ""
    letters = "".join("RGB"[int(index)] for index in indices)
    return letters if sorted(letters) == ["B", "G", "G", "R"] else ""


def stated(info: dict[str, Any], capture: Capture, name: str) -> Capture:
    """`capture` with what the struct states before what it has; each such fact is in `origins`.

    Levels, areas and exposure are left out: the numbers beside it were cropped and normalized.
    RawError in one line for a color filter array that is no Bayer pattern.
    """
    tags = tags_of(info)
    cfa = cfa_of(tags)
    if tags.find(CFA) and not cfa:
        what = f"its CFAPattern {tags.find(CFA)} is no Bayer pattern"
        raise RawError(name, what, "leave it out")
    facts = {key: fact for key, fact in dng.dng_facts(tags, capture).items() if key in TAKEN}
    facts |= _text(info, "Make", "make") | _text(info, "Model", "model")
    facts |= {"cfa": (cfa, "CFAPattern")} if cfa else {}
    facts |= _orientation(tags) | _gains(tags) | _matrix(facts)
    values = {fact: value for fact, (value, _) in facts.items()}
    kept = [origin for origin in capture.origins if origin[0] not in facts]
    origins = [(fact, f"imfinfo {title}") for fact, (_, title) in sorted(facts.items())]
    return replace(capture, **values, origins=(*kept, *origins))


def cropped_size(info: dict[str, Any]) -> tuple[int, int] | None:
    """Height and width of DNG's DefaultCrop, where it is stated."""
    size: tuple[float, ...] = tags_of(info).find(CROP_SIZE) or ()
    return (int(size[1]), int(size[0])) if len(size) == 2 else None


def _text(info: dict[str, Any], name: str, fact: str) -> dng.Facts:
    value = info.get(name)
    return {fact: (value.strip(), name)} if isinstance(value, str) and value.strip() else {}


def _orientation(tags: Tags) -> dng.Facts:
    code = int((tags.main.get(ORIENTATION) or tags.find(ORIENTATION) or (1,))[0])
    if code not in FLIPS:
        return {}
    return {"orientation": (code, "Orientation"), "flip": (FLIPS[code], "Orientation")}


def _gains(tags: Tags) -> dng.Facts:
    """As LibRaw has them of a DNG: float32 of one over float32 of the neutral."""
    neutral = np.array(tags.find(NEUTRAL) or (), np.float32)
    if neutral.shape != (3,) or not (neutral > 0).all():
        return {}
    red, green, blue = (float(gain) for gain in np.float32(1) / neutral)
    return {"as_shot": ((red, green, blue, 0.0), "AsShotNeutral")}


def _matrix(facts: dng.Facts) -> dng.Facts:
    """The matrix LibRaw would take, and what it makes of it: rgb_cam and daylight gains."""
    chosen = dng.as_libraw_chooses(facts)
    if chosen:
        (red, green, blue, _), title = chosen["daylight"]
        chosen["daylight"] = ((red, green, blue, green), title)
    return chosen
