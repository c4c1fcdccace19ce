"""See-in-the-Dark: files.tsv lists it; here is its miniature.

The names are a subset of the official lists; the pictures are ours. Everything is drawn from
numpy's PCG64 with seeds of integers (seed, data set, scene, file), so a file does not depend on
which others are made, or in which order. Scenes use only arithmetic that IEEE 754 fixes; the noise
uses numpy's Poisson and normal generators, whose rare branches call the system's logarithm: another
machine gives the same bytes unless a draw falls within the last bit of such a branch, another numpy
unless it changes these generators.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools.datasets.card import Card, FileRow
from isptools.datasets.small import of_code
from isptools.datasets.table import Select, find
from isptools.frame import Frame
from isptools.raw import write_dng
from isptools.synth import scenes
from isptools.synth.camera import FUJI, SONY, Camera, Exposure, expose

__all__ = ["Select", "find", "frames", "miniature", "scene", "small"]

SHUTTER = {0.033: 1.0 / 30.0}  # what a nominal exposure time stands for, in seconds
STREET = (2.03125, 1.0, 2.4375)  # as-shot gains of two lights, within the range of SID's own
LAMP = (1.71875, 1.0, 3.0625)


@dataclass(frozen=True)
class Setup:
    """One scene: the short exposures taken of it, its light, and how the camera was held."""

    shorts: tuple[str, ...]  # "00_0.1": frame and nominal exposure, as in the file names
    gains: tuple[float, float, float] = STREET
    orientation: int = 1
    long_s: int = 10  # the long exposure, seconds


@dataclass(frozen=True)
class Miniature:
    """What is drawn for one of the two cameras: its sensor, its frames of (height, width), its
    scenes."""

    code: int  # part of every seed, so that the two miniatures differ
    camera: Camera
    height: int
    width: int
    folder: str
    suffix: str
    scenes: dict[str, Setup]


MINIATURES = {
    "sid": Miniature(1, SONY, 384, 512, "Sony", "ARW", {
        "00001": Setup(("00_0.04", "00_0.1", "01_0.1")),
        "00102": Setup(("00_0.1", "01_0.1"), LAMP, long_s=30),
        "00179": Setup(("00_0.033", "00_0.04", "00_0.1"), LAMP, orientation=8),
        "20007": Setup(("00_0.04", "00_0.1", "01_0.04")),
        "10003": Setup(("00_0.04", "00_0.1"), LAMP),
        "10034": Setup(("00_0.04", "00_0.1")),
    }),
    # LibRaw's X-Trans interpolation refuses pictures with a side below 512
    "sid-fuji": Miniature(2, FUJI, 516, 612, "Fuji", "RAF", {
        "00002": Setup(("00_0.1", "01_0.1")),
        "00021": Setup(("00_0.033", "00_0.1", "01_0.033"), LAMP, orientation=6),
        "00101": Setup(("00_0.04", "00_0.1")),
        "20018": Setup(("00_0.033", "00_0.1"), LAMP),
        "10019": Setup(("00_0.033", "00_0.1")),
        "10172": Setup(("00_0.033", "00_0.04", "00_0.1"), LAMP),
    }),
}  # fmt: skip


def small(card: Card) -> Card:
    """The facts of the miniature, and the rows of files.tsv that it has."""
    mini = MINIATURES[card.name]
    names = _paths(mini)
    size = f"{len(names)} files of {mini.width} x {mini.height} pixels"
    camera = f"{mini.camera.make} {mini.camera.model}"
    rows = tuple(row for row in card.files or () if row.path in names)
    return of_code(card, size, cameras=(camera,), files=rows)


def miniature(card: Card, out: Path, seed: int = 0) -> Iterator[Path]:
    """Write the files under the data set's own names; existing ones are replaced."""
    for row, frame in frames(card, seed):
        target = out / row.path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_dng(target, frame)
        yield target


def frames(card: Card, seed: int = 0) -> Iterator[tuple[FileRow, Frame]]:
    """Each file of the miniature and its content, a SENSOR frame, in the order of files.tsv."""
    mini = MINIATURES[card.name]
    rows = small(card).files or ()
    truth_s = {row.scene: _seconds(row) for row in rows if row.role == "truth"}
    pictures: dict[str, NDArray[np.float32]] = {}
    for row in rows:
        if row.scene not in pictures:
            pictures = {row.scene: scene(card.name, row.scene, seed)}
        setup = mini.scenes[row.scene]
        exposure = Exposure(
            seconds=_seconds(row),
            scene_seconds=truth_s[row.scene],
            iso=row.iso or 100.0,
            gains=setup.gains,
            orientation=setup.orientation,
        )
        rng = _generator(seed, mini.code, int(row.scene), *_numbers(row))
        yield row, expose(pictures[row.scene], mini.camera, exposure, rng)


def scene(name: str, scene_id: str, seed: int = 0) -> NDArray[np.float32]:
    """What stood before the camera: linear sRGB (H, W, 3) float32, turned as the sensor sees it.

    1.0 is the white that saturates green in the long exposure; lamps are brighter, up to about 10.
    Nothing is clipped, so this is the truth that the miniature's truths approach. ValueError for a
    scene that the miniature has not.
    """
    mini = MINIATURES[name]
    if scene_id not in mini.scenes:
        known = ", ".join(mini.scenes)
        raise ValueError(f"the miniature of {name} has no scene {scene_id!r}; it has: {known}")
    rng = _generator(seed, mini.code, int(scene_id))
    if mini.scenes[scene_id].orientation == 1:
        return scenes.paint(rng, mini.height, mini.width)
    upright = scenes.paint(rng, mini.width, mini.height)
    # a picture is shown turned clockwise for orientation 6, so it lies turned the other way
    turns = {6: 1, 8: -1}[mini.scenes[scene_id].orientation]
    return np.ascontiguousarray(np.rot90(upright, turns))


def _paths(mini: Miniature) -> set[str]:
    shorts = {
        f"{mini.folder}/short/{scene_id}_{short}s.{mini.suffix}"
        for scene_id, setup in mini.scenes.items()
        for short in setup.shorts
    }
    return shorts | {
        f"{mini.folder}/long/{scene_id}_00_{setup.long_s}s.{mini.suffix}"
        for scene_id, setup in mini.scenes.items()
    }


def _seconds(row: FileRow) -> float:
    if row.exposure_s is None:
        raise ValueError(f"{row.path}: files.tsv states no exposure time")
    return SHUTTER.get(row.exposure_s, row.exposure_s)


def _numbers(row: FileRow) -> tuple[int, int, int]:
    """Role, frame and exposure of a file as integers, for its seed."""
    _, frame, exposure = PurePosixPath(row.path).name.rsplit("s.", 1)[0].split("_")
    return int(row.role == "truth"), int(frame), round(float(exposure) * 1000)


def _generator(*integers: int) -> Generator:
    return Generator(PCG64(SeedSequence(integers)))
