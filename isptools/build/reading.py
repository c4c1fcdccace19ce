"""Which door a file takes: a camera raw, a mosaic that states nothing, or a picture as truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from isptools import raw
from isptools.build.enhanced import decoded
from isptools.frame import Capture, Frame, Space, UnsupportedError
from isptools.manifest import Entry, Sensor
from isptools.raw import mosaic
from isptools.raw.error import RawError

NONE = (0.0, 0.0, 0.0, 0.0)  # gains that nobody states


def capture_of(entry: Entry, sensor: Sensor, facts: Path | None = None) -> Capture:
    """What is stated about a mosaic: by its facts file, else by the data set."""
    plain = entry.path.lower().endswith(".mat")  # black is taken out of these already
    black = 0.0 if plain else sensor.black
    white = mosaic.SCALE if plain else sensor.white
    told = {"cfa": sensor.cfa, "exposure_s": entry.exposure_s, "iso": entry.iso, "white": white}
    capture = Capture(
        "bayer", sensor.cfa, (black,) * 4, (int(black),) * 4, white, NONE, NONE, sensor.make,
        sensor.model, exposure_s=entry.exposure_s, iso=entry.iso,
        origins=tuple((fact, "manifest") for fact, value in told.items() if value),
    )  # fmt: skip
    if facts is not None:
        capture = mosaic.with_record(capture, facts.read_bytes(), facts.name)
    if len(capture.cfa) != 4 or sorted(capture.cfa) != ["B", "G", "G", "R"]:
        what = f"nothing states its color filters ({capture.cfa or 'none'})"
        raise RawError(entry.path, what, "state `cfa` in the [sensor] table of the manifest")
    return capture


def header(path: Path, entry: Entry, sensor: Sensor | None, facts: Path | None) -> raw.Header:
    """The header of a camera raw, or what is stated about another file and its size."""
    if not sensor or path.suffix.lower() not in mosaic.SUFFIXES:
        return raw.header(path)
    found = mosaic.header(path, capture_of(entry, sensor, facts), sensor.variable)
    crop = mosaic.cropped_size(facts.read_bytes(), facts.name) if facts else None
    if crop == (found.width, found.height) and crop[0] != crop[1]:
        what = f"it is {found.height} x {found.width}, its metadata's crop {crop[0]} x {crop[1]}"
        raise RawError(str(path), f"{what}: it lies transposed", "turn it back, or leave it out")
    return found


def frame(data: bytes, entry: Entry, name: str, sensor: Sensor | None, facts: Path | None) -> Frame:
    """The SENSOR frame of an input, or of a truth that is developed. RawError in one line."""
    if not sensor or Path(name).suffix.lower() not in mosaic.SUFFIXES:
        return raw.read_bytes(data, name)
    return mosaic.read(data, name, capture_of(entry, sensor, facts), sensor.variable)


def picture(data: bytes, entry: Entry, name: str, sensor: Sensor) -> Frame:
    """A linear picture of 16 bits, whose alpha is dropped, as a frame at CAMERA.

    Its white is 65535, and no gain was applied to it here.
    """
    pixels = decoded(data, Path(name))
    if pixels.dtype != np.uint16:
        raise UnsupportedError(f"{name} has 8 bits a channel; a linear truth needs 16")
    kept = np.ascontiguousarray(pixels)
    return replace(Frame(kept, Space.CAMERA, capture_of(entry, sensor)), white=65535.0)
