"""The one door to raw files: bytes in, a frame out, or one clear line why not."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import rawpy
from numpy.typing import NDArray

from isptools.frame import Capture, Frame
from isptools.raw import (
    cameras,
    capi,
    dng,
    dng_levels,
    filters,
    floats,
    integrity,
    libraw,
    stated,
    unpack,
)
from isptools.raw.color import xyz_to_camera_of
from isptools.raw.error import RawError
from isptools.raw.headers import Header
from isptools.raw.opcodes import LINEARIZED, OpcodeError
from isptools.raw.quiet import captured_stderr
from isptools.raw.tags import Tags, read_tags
from isptools.raw.trim import kept, passed_by, rolled, trimmed

MOSAIC = 32803  # PhotometricInterpretation: color filter array
NOT_A_RAW = "give it a camera raw file LibRaw knows (ARW, NEF, CR2, RAF, DNG, ...), or leave it out"
BROKEN = "copy it again from its source, or leave it out"
LARGER = "put the step `bin` first, or raw.read(..., larger=True)"

Trust = Literal["file", "libraw"]


def read(path: str | Path, trust: Trust = "file", larger: bool = False) -> Frame:
    """The visible pixels of a raw file and everything it states about them.

    Gives a Frame at the station SENSOR: (H, W) uint16 for Bayer, X-Trans and monochrome files,
    (H, W, 3) uint16 for demosaicked ("linear") ones, in the file's own digital numbers with black
    still in, not turned, not cropped further than LibRaw's visible area. A fact comes from the
    file's tags if they state it, else from LibRaw, else from cameras.toml (see docs/raw.md);
    `capture.departures` names each number that LibRaw has otherwise. With `trust` "libraw" levels,
    filters, white balance and pixels are LibRaw's, and `departures` says what the file states.

    `larger` also lets arrays of more than 2x2 filters through (kinds "quad" and "nona"), which
    nothing but the step `bin` takes.

    Raises RawError (a ValueError, one line) for a file that is missing, empty, no raw, damaged,
    or of a sensor this package can't treat.
    """
    return read_bytes(_load(Path(path)), str(path), trust, larger)


def read_bytes(data: bytes, name: str, trust: Trust = "file", larger: bool = False) -> Frame:
    """As `read`, from a file's content; `name` stands in messages. RawError as there."""
    if not data:
        raise RawError(name, "the file is empty (0 bytes); expected a raw photograph", BROKEN)
    with io.BytesIO(data) as file:  # closed, since tifffile's pages refer to it in a circle
        tags = read_tags(file)
    _expect_whole(tags, len(data), name)
    info = _look(data, name, data[:16], tags)
    array = _array(tags, info, name)
    if array and array.name and not larger:
        raise RawError(name, f"its color filters are {array.name}; expected 2x2 or X-Trans", LARGER)
    frame, masked = _decode(data, name, info, tags, array)
    frame = replace(frame, capture=_complete(frame.capture, tags, info, name))
    if info.dng and tags:
        frame = _settled(frame, stated.Source(data, tags, array, masked), name, trust)
    damage = integrity.missing_rows(frame.pixels, frame.capture) or integrity.broken_rows(
        frame.pixels, frame.capture, tags
    )
    if damage:
        raise RawError(name, damage, BROKEN)
    known = cameras.compared(cameras.fill_in(frame.capture))
    with _named(name):
        frame = replace(frame, capture=_with_matrix(known))
        return _opcodes_known(frame, trust)


def _opcodes_known(frame: Frame, trust: Trust) -> Frame:
    """Trimmed by its opcodes; with `trust` "libraw" as a file without what LibRaw passes by."""
    facts = frame.capture
    names = passed_by(facts)
    if not names:
        return frame
    said = f"{', '.join(names)} in the file, which LibRaw passes by"
    if trust == "libraw":
        told = (*facts.departures, f"{said}; left undone")
        return replace(frame, capture=replace(facts, opcode_list_1=b"", departures=told))
    told = (*facts.departures, f"{said}; done")
    return trimmed(replace(frame, capture=replace(facts, departures=told)))


def _array(tags: Tags | None, info: capi.Info, name: str) -> filters.Filters | None:
    """The color filters that a DNG states."""
    if tags is None or not info.dng or int((tags.raw.get(262) or (0,))[0]) != MOSAIC:
        return None
    top, left = map(int, (*(tags.raw.get(dng_levels.ACTIVE_AREA) or ()), 0, 0)[:2])
    with _named(name):
        return filters.stated(tags, (info.top - top, info.left - left))


def _settled(frame: Frame, source: stated.Source, name: str, trust: Trust) -> Frame:
    with _named(name):
        ours, departures = stated.settled(frame, source)
    kept = frame if trust == "libraw" else ours
    facts = replace(kept.capture, departures=departures)
    if facts.white <= min(facts.black):
        black = stated.spelled(facts.black)
        what = f"its white level {facts.white} is not above its black level {black}"
        raise RawError(name, what, "leave it out")
    return replace(kept, capture=facts)


def header(path: str | Path) -> Header:
    """A cheap look, without decoding: size, kind, color filter array, camera.

    Opens the file as LibRaw does and checks that the pixels its directory names lie inside it.
    Raises RawError as `read` does; damage that only shows in the pixels is left to `read`.
    """
    path = Path(path)
    with _open(path) as file:
        return _header(file, path, str(path))


def header_of_bytes(data: bytes, name: str) -> Header:
    """As `header`, from a file's content; `name` stands in messages."""
    with io.BytesIO(data) as file:
        return _header(file, data, name)


def _header(file: BinaryIO, source: bytes | Path, name: str) -> Header:
    start = file.read(16)
    size = file.seek(0, io.SEEK_END)
    if not size:
        raise RawError(name, "the file is empty (0 bytes); expected a raw photograph", BROKEN)
    file.seek(0)
    tags = read_tags(file)
    _expect_whole(tags, size, name)
    info = _look(source, name, start, tags)
    array = _array(tags, info, name)
    with _named(name):
        kind, cfa = libraw.array_of(info, array)
    make, model = libraw.camera_of(info)
    exposure = dng.exposure_facts(tags) if tags else {}
    iso = exposure.get("iso", (None,))[0]
    seconds = info.exposure_s if info.exposure_s > 0 else None
    seconds = exposure.get("exposure_s", (seconds,))[0]
    taken = info.taken if info.taken > 0 else None
    top, left, height, width = (0, 0, info.height, info.width)
    if tags is not None and info.dng:
        with _named(name):
            layout = dng.layout(tags, kind, cfa, (info.top, info.left))
            top, left, height, width = kept(layout, (info.height, info.width))
    cfa = "".join(rolled(tuple(cfa), top, left))
    return Header(height, width, kind, cfa, make, model, info.flip, iso, seconds, taken)


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        what = _no_file(path)
        if what:
            raise RawError(str(path), what, "check the path")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        what = f"it can't be read ({error.strerror})"
        raise RawError(str(path), what, "check the disk and the rights") from None


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "it is a folder; expected a raw photograph"
    if not path.exists():
        return "there is no such file"
    return "" if path.is_file() else "it is no regular file"


def _load(path: Path) -> bytes:
    with _open(path) as file:
        return file.read()


def _look(source: bytes | Path, name: str, start: bytes, tags: Tags | None) -> capi.Info:
    try:
        with captured_stderr():
            info = capi.opened_info(source)
    except capi.LibRawCallError as error:
        if "Input/output" in str(error):
            raise RawError(name, "LibRaw finds it cut off or damaged", BROKEN) from None
        if tags and tags.is_dng:  # some color filters are why
            with _named(name):
                filters.stated(tags, (0, 0))
        what = f"LibRaw {libraw.version()} does not know it as a raw photograph: it begins with "
        raise RawError(name, f"{what}{start!r}", NOT_A_RAW) from None
    if not info.decodable:
        raise _undecodable(name, info)
    return info


def _undecodable(name: str, info: capi.Info) -> RawError:
    camera = " ".join(libraw.camera_of(info)).strip() or "unknown camera"
    what = f"LibRaw {libraw.version()} can't decode the pixels of this file ({camera})"
    return RawError(name, what, "convert it to a DNG LibRaw decodes, or leave it out")


def _expect_whole(tags: Tags | None, size: int, name: str) -> None:
    if tags is None:
        return
    missing = integrity.missing_bytes(tags, size)
    if missing:
        raise RawError(name, missing, BROKEN)


def _decode(
    data: bytes, name: str, info: capi.Info, tags: Tags | None, array: filters.Filters | None
) -> tuple[Frame, NDArray[np.float64] | None]:
    """LibRaw's frame, and black as its masked areas show it."""
    said: list[str] = []
    sensor = unpack.sensor(data, tags, info)
    stated = unpack.without_pixels(data, tags) if tags and sensor is not None else data
    try:
        with _named(name), captured_stderr() as said, rawpy.imread(io.BytesIO(stated)) as raw:
            frame = libraw.frame_of(raw, info, array, sensor)
            whole = raw.raw_image if sensor is None else sensor
            masked = _masked(whole, tags, frame.capture) if tags and info.dng else None
    except rawpy.LibRawFileUnsupportedError:
        raise _undecodable(name, info) from None
    except rawpy.LibRawError as error:
        raise RawError(
            name, f"its pixels can't be decoded ({_words(error, said)})", BROKEN
        ) from None
    if said:
        raise RawError(name, f"some of its pixels are damaged ({said[0]})", BROKEN)
    return frame, masked


def _masked(sensor: NDArray[Any], tags: Tags, facts: Capture) -> NDArray[np.float64] | None:
    if facts.kind == "linear" or floats.is_floating_point(tags):
        return None
    period = dng_levels.PERIODS[facts.kind]
    return dng_levels.measured_black(sensor, tags, facts.visible_origin, period)


def _words(error: Exception, said: list[str]) -> str:
    """LibRaw's own words, on one line; rawpy hands them over as bytes."""
    text = error.args[0] if error.args else ""
    text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return ": ".join([text, *(line.rpartition(": ")[2] for line in said[:1])])


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Put the file's name in front of what the rooms below say about its facts."""
    try:
        yield
    except (libraw.SensorError, filters.FilterError, dng.TagError, OpcodeError) as error:
        raise RawError(name, str(error), "leave it out") from None


def _complete(capture: Capture, tags: Tags | None, info: capi.Info, name: str) -> Capture:
    """The file's tags before LibRaw's statements; each such fact is recorded in `origins`."""
    if tags is None:
        if info.dng:
            raise RawError(name, "the directory of this DNG can't be followed", BROKEN)
        return capture
    with _named(name):
        facts = dng.exposure_facts(tags)
        if info.dng:
            facts |= dng.dng_facts(tags, capture)
    values: dict[str, Any] = {fact: value for fact, (value, _) in facts.items()}
    origins = [(fact, f"tag {title}") for fact, (_, title) in sorted(facts.items())]
    if integrity.is_linearized(tags):
        origins.append(("pixels", LINEARIZED))
    return replace(capture, **values, origins=tuple(origins))


def _with_matrix(capture: Capture) -> Capture:
    """LibRaw carries a few cameras' rgb_cam without the matrix it would come from."""
    if capture.xyz_to_camera is not None or capture.camera_to_srgb is None:
        return capture
    matrix = xyz_to_camera_of(capture.camera_to_srgb, capture.daylight)
    if matrix is None:
        return capture
    origins = (*capture.origins, ("xyz_to_camera", "inverse of LibRaw's rgb_cam"))
    return replace(capture, xyz_to_camera=matrix, origins=origins)
