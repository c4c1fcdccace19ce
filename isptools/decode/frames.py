"""From a file to a frame: which door it takes, and what is stated of it elsewhere."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from isptools import picture, raw, sources
from isptools.datasets import Card, Room
from isptools.datasets.card import Sensor
from isptools.datasets.scene import Named
from isptools.develop import binning
from isptools.develop.steps import as_bayer
from isptools.frame import Capture, Frame, Space
from isptools.raw import listed, mosaic
from isptools.raw.error import RawError

NONE = (0.0, 0.0, 0.0, 0.0)  # gains that nobody states


def sensor_of(named: Named, card: Card) -> Sensor | None:
    """What is known of a file that states nothing; None for a camera raw."""
    sensor = named.sensor or card.sensor
    if sensor is None:
        return None
    known = Path(named.path).suffix.lower() in mosaic.SUFFIXES
    return sensor if known or _is_bare(named, sensor) else None


def _is_bare(named: Named, sensor: Sensor) -> bool:
    """Whether a file holds numbers and no head: only the data set says their width and height."""
    return sensor.shape is not None and Path(named.path).suffix.lower() in mosaic.BARE


def header(
    path: Path, named: Named, card: Card, room: Room, beside: Mapping[str, Path]
) -> raw.Header:
    """The header of a camera raw, or what is stated about another file and its size."""
    sensor = sensor_of(named, card)
    own = room.numbers(sources.read(path), named) if room.reads_numbers else None
    if sensor is None and own is None:
        return listed.header(path)
    sensor = sensor or card.sensor or Sensor()
    stated = capture_of(named, sensor)
    if own is not None:
        found = mosaic.stated_header((own.shape[0], own.shape[1]), stated)
    elif _is_bare(named, sensor):
        size, shape = sources.status(path).st_size, sensor.shape or (0, 0)
        found = mosaic.bare_header(size, str(path), stated, shape, sensor.dtype, sensor.skip)
    else:
        name, variable = str(path), sensor.variable
        found = sources.part(path, lambda file: mosaic.header(file, name, stated, variable))
    capture = beside_stated(stated, room, beside, (found.height, found.width))
    expect_bayer(capture, named.path)
    return replace(found, cfa=capture.cfa, make=capture.make, model=capture.model,
                   flip=capture.flip, iso=capture.iso)  # fmt: skip


def binned(header: raw.Header) -> raw.Header:
    """Of a Quad or Nona Bayer raw, that of the Bayer frame which the step `bin` makes."""
    side = binning.SIDES[header.kind]
    shape = binning.binned_shape((header.height, header.width), header.cfa, side)
    cfa = binning.binned_cfa(header.cfa, side)
    return replace(header, height=shape[0], width=shape[1], kind="bayer", cfa=cfa)


def frame(
    data: bytes, named: Named, name: str, card: Card, room: Room, bins: bool = False
) -> Frame:
    """The SENSOR frame of an input, or of a truth that is developed. RawError in one line.

    With `bins` Quad and Nona Bayer raws come as Bayer (step `bin`).
    """
    sensor = sensor_of(named, card)
    own = room.numbers(data, named)
    if own is not None:
        return Frame(own, Space.SENSOR, capture_of(named, sensor or card.sensor or Sensor()))
    if sensor is None:
        return as_bayer(raw.read_bytes(data, name, larger=bins))
    stated = capture_of(named, sensor)
    if _is_bare(named, sensor):
        shape = sensor.shape or (0, 0)
        return Frame(
            mosaic.bare(data, name, shape, sensor.dtype, sensor.skip), Space.SENSOR, stated
        )
    return mosaic.read(data, name, stated, sensor.variable)


def linear(data: bytes, named: Named, name: str, sensor: Sensor) -> Frame:
    """A linear picture of 16 bits, whose alpha is dropped, as a frame at CAMERA.

    Its white is 65535, and no gain was applied to it here.
    """
    made = Frame(picture.linear(data, name), Space.CAMERA, capture_of(named, sensor))
    return replace(made, white=65535.0)


def beside_stated(
    given: Capture, room: Room, beside: Mapping[str, Path], shape: tuple[int, int]
) -> Capture:
    """With what the room finds in the files beside. StatedError.

    A room may take a disk that fails for a file that is damaged: they are read here before.
    """
    for path in beside.values():
        sources.read(path)
    return room.stated(given, beside, shape) if beside else given


def completed(given: Frame, capture: Capture, name: str) -> Frame:
    """With these facts. RawError where nothing states filters."""
    if not capture.cfa or ("cfa", "manifest") in capture.origins:
        expect_bayer(capture, name)
    return replace(given, capture=capture)


def capture_of(named: Named, sensor: Sensor) -> Capture:
    """What the data set states about a mosaic."""
    plain = named.path.lower().endswith(".mat")  # black is taken out of these already
    black = 0.0 if plain else sensor.black
    white = mosaic.SCALE if plain else sensor.white
    told = {"cfa": sensor.cfa, "exposure_s": named.exposure_s, "iso": named.iso, "white": white}
    return Capture(
        "bayer", sensor.cfa, (black,) * 4, (int(black),) * 4, white, NONE, NONE, sensor.make,
        sensor.model, exposure_s=named.exposure_s, iso=named.iso,
        origins=tuple((fact, "manifest") for fact, value in told.items() if value),
    )  # fmt: skip


def expect_bayer(capture: Capture, name: str) -> None:
    """RawError where nothing states the color filters."""
    if len(capture.cfa) != 4 or sorted(capture.cfa) != ["B", "G", "G", "R"]:
        what = f"nothing states its color filters ({capture.cfa or 'none'})"
        raise RawError(name, what, "state `cfa` in the [sensor] table of the data set's facts")
