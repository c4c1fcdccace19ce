"""A miniature of a data set: its real folders and file names, its pictures made from code.

Everything is drawn from numpy's PCG64 with seeds of integers (seed, data set, scene, file), so a
file does not depend on which others are made, or in which order. Scenes use only arithmetic that
IEEE 754 fixes; the noise uses numpy's Poisson and normal generators, whose rare branches call the
system's logarithm: another machine gives the same bytes unless a draw falls within the last bit of
such a branch, another numpy unless it changes these generators.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools import manifest as manifests
from isptools.frame import Frame
from isptools.manifest import DataSet, Entry, Manifest, Rule
from isptools.raw import write_dng
from isptools.sample import fivek, hdrplus, msr, pairs, s7, scenes, sidd
from isptools.sample.camera import Exposure, expose
from isptools.sample.sid import Miniature, miniature

RAW_NAMES = ("sid", "sid-fuji")  # of raw files that `frames` gives
BURSTS = {
    "hdrplus": (hdrplus.write, hdrplus.SIZE),
    "bursts": (hdrplus.write_own, hdrplus.OWN_SIZE),
}
INDEXED = {"fivek": fivek, "s7-isp": s7}
MOSAICS = {"msr": (msr.write, msr.SIZE), "sidd": (sidd.write, sidd.SIZE)}
NAMES = (*RAW_NAMES, *BURSTS, *INDEXED, *pairs.NAMES, *MOSAICS)
SHUTTER = {0.033: 1.0 / 30.0}  # what a nominal exposure time stands for, in seconds

__all__ = ["BURSTS", "NAMES", "RAW_NAMES", "frames", "manifest", "scene", "write"]


def write(name: str, out: Path, seed: int = 0) -> list[Path]:
    """Write the miniature of `name` below `out` and return its files, in the manifest's order.

    The files have the data set's own names; existing ones are replaced. Raises
    ValueError for an unknown name, OSError where `out` can't be written.
    """
    if name in BURSTS:
        return list(BURSTS[name][0](out, seed))
    if name in INDEXED:
        return list(INDEXED[name].write(out, seed))
    if name in pairs.NAMES:
        return pairs.write(name, out, seed)
    if name in MOSAICS:
        return MOSAICS[name][0](out, seed)
    if name not in NAMES:
        raise ValueError(_unknown(name))
    written = []
    for entry, frame in frames(name, seed):
        target = out / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_dng(target, frame)
        written.append(target)
    return written


def frames(name: str, seed: int = 0) -> Iterator[tuple[Entry, Frame]]:
    """Each file of the miniature and its content, a SENSOR frame, in the manifest's order."""
    small = miniature(name)
    entries = manifest(name, manifests.load(name)).entries
    truth_s = {entry.scene: _seconds(entry) for entry in entries if entry.role == "truth"}
    pictures: dict[str, NDArray[np.float32]] = {}
    for entry in entries:
        if entry.scene not in pictures:
            pictures = {entry.scene: scene(name, entry.scene, seed)}
        setup = small.scenes[entry.scene]
        exposure = Exposure(
            seconds=_seconds(entry),
            scene_seconds=truth_s[entry.scene],
            iso=entry.iso or 100.0,
            gains=setup.gains,
            orientation=setup.orientation,
        )
        rng = _generator(seed, small.code, int(entry.scene), *_numbers(entry))
        yield entry, expose(pictures[entry.scene], small.camera, exposure, rng)


def scene(name: str, scene_id: str, seed: int = 0) -> NDArray[np.float32]:
    """What stood before the camera: linear sRGB (H, W, 3) float32, turned as the sensor sees it.

    1.0 is the white that saturates green in the long exposure; lamps are brighter, up to about 10.
    Nothing is clipped, so this is the truth that the miniature's truths approach.
    """
    small = miniature(name)
    if scene_id not in small.scenes:
        known = ", ".join(small.scenes)
        raise ValueError(f"the miniature of {name} has no scene {scene_id!r}; it has: {known}")
    rng = _generator(seed, small.code, int(scene_id))
    if small.scenes[scene_id].orientation == 1:
        return scenes.paint(rng, small.height, small.width)
    upright = scenes.paint(rng, small.width, small.height)
    # a picture is shown turned clockwise for orientation 6, so it lies turned the other way
    turns = {6: 1, 8: -1}[small.scenes[scene_id].orientation]
    return np.ascontiguousarray(np.rot90(upright, turns))


def manifest(name: str, official: Manifest) -> Manifest:
    """The official manifest with only the miniature's files, and the miniature's own facts."""
    if name in BURSTS:
        return msgspec.structs.replace(official, data_set=_of_code(official, BURSTS[name][1]))
    if name in INDEXED:
        known = tuple(row for row in official.known if row.scene in INDEXED[name].SHOTS)
        facts = _of_code(official, INDEXED[name].SIZE)
        return msgspec.structs.replace(official, data_set=facts, known=known)
    if name in pairs.NAMES or name in MOSAICS:
        facts = _of_code(official, MOSAICS[name][1] if name in MOSAICS else "some pictures")
        facts = msgspec.structs.replace(facts, rules=tuple(map(_rule_of_code, facts.rules)))
        return msgspec.structs.replace(official, data_set=facts)
    if name not in NAMES:
        raise ValueError(_unknown(name))
    small = miniature(name)
    names = _paths(small)
    facts = _of_code(official, f"{len(names)} files of {small.width} x {small.height} pixels")
    camera = f"{small.camera.make} {small.camera.model}"
    data_set = msgspec.structs.replace(facts, cameras=(camera,))
    entries = tuple(entry for entry in official.entries if entry.path in names)
    return msgspec.structs.replace(official, data_set=data_set, entries=entries)


def _unknown(name: str) -> str:
    return f"there is no miniature of {name!r}; there is: {', '.join(NAMES)}"


def _of_code(official: Manifest, size: str) -> DataSet:
    """The data set's facts as they hold for its miniature."""
    return msgspec.structs.replace(
        official.data_set,
        title=f"{official.data_set.title}: miniature made from code, not photographs",
        licence="Apache-2.0 (made by isptools; nothing of the data set is in it)",
        redistribution="allowed",
        downloads=(),
        size=size,
    )


def _rule_of_code(rule: Rule) -> Rule:
    sensor = rule.sensor
    if sensor:
        model = f"Miniature {sensor.make}".strip()
        sensor = msgspec.structs.replace(sensor, make="isptools", model=model)
    return msgspec.structs.replace(rule, pairs=None, sensor=sensor)


def _paths(small: Miniature) -> set[str]:
    shorts = {
        f"{small.folder}/short/{scene_id}_{short}s.{small.suffix}"
        for scene_id, setup in small.scenes.items()
        for short in setup.shorts
    }
    return shorts | {
        f"{small.folder}/long/{scene_id}_00_{setup.long_s}s.{small.suffix}"
        for scene_id, setup in small.scenes.items()
    }


def _seconds(entry: Entry) -> float:
    if entry.exposure_s is None:
        raise ValueError(f"{entry.path}: the manifest states no exposure time")
    return SHUTTER.get(entry.exposure_s, entry.exposure_s)


def _numbers(entry: Entry) -> tuple[int, int, int]:
    """Role, frame and exposure of a file as integers, for its seed."""
    _, frame, exposure = PurePosixPath(entry.path).name.rsplit("s.", 1)[0].split("_")
    return int(entry.role == "truth"), int(frame), round(float(exposure) * 1000)


def _generator(*integers: int) -> Generator:
    return Generator(PCG64(SeedSequence(integers)))
