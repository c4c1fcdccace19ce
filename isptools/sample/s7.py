"""The miniature of the S7 ISP data set: a dark and a well-lit raw of each scene, and JPEGs of both.

Folders and file names are the data set's, misspelled ones included; the pictures are ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools.develop.chain import develop
from isptools.develop.orient import upright
from isptools.develop.steps import Balance, Demosaic, EncodeSrgb, Levels, ToXYZ
from isptools.frame import Frame
from isptools.raw import write_dng
from isptools.raw.color import camera_to_srgb_of
from isptools.sample import scenes
from isptools.sample.camera import Camera, Exposure, expose

CODE = 5  # part of every seed
HEIGHT, WIDTH = 288, 384
WELL_LIT, DARK = 1 / 30, 1 / 125  # seconds: a quarter, or the nearest the camera can
ISO, DIM = 100.0, 0.9
PHONE = Camera(
    make="isptools",
    model="Miniature S7",
    kind="bayer",
    cfa="GRBG",
    black=64,  # so that a recipe's choice of black shows; the real files' level is not known
    white=1023,
    xyz_to_camera=(
        (0.7834, -0.2431, -0.0886), (-0.3312, 1.1459, 0.2067), (-0.0521, 0.1614, 0.5503),
    ),
    full_well=12_000.0,
    read_electrons=2.5,
    read_dn=0.8,
)  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """How one scene was taken and stored."""

    portrait: bool = False  # the JPEGs stand upright
    told: bool = False  # and the raws say so, too
    word: str = "exposure"


SHOTS = {
    "20161107_234316": Shot(),  # CURL validates with it
    "20161108_181533": Shot(portrait=True),
    "20161108_190210": Shot(portrait=True, told=True, word="expusure"),
    "20161109_131033": Shot(),  # CURL tests with it
    "20161109_131033_1": Shot(),
    "20161109_224805_0": Shot(),
    "20161109_224805_1": Shot(),
}
SIZE = f"{len(SHOTS)} scenes of {WIDTH} x {HEIGHT} pixels"


def write(out: Path, seed: int = 0) -> Iterator[Path]:
    """Write every scene below `out`; yields the files."""
    for number, (name, shot) in enumerate(SHOTS.items()):
        rng = Generator(PCG64(SeedSequence((seed, CODE, number))))
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        scene = _scene(rng, shot)
        orientation = 6 if shot.told else 1
        for start, seconds, mark in (("medium", WELL_LIT, ""), ("short", DARK, "1")):
            exposure = Exposure(seconds, WELL_LIT / DIM, ISO, (1.875, 1.0, 1.625), orientation, 1.7)
            frame = expose(scene, PHONE, exposure, rng)
            path = folder / f"{start}_{shot.word}{mark}.dng"
            write_dng(path, frame)
            yield path
            path = folder / f"{start}_{shot.word}.jpg"
            shown = upright(_shown(frame), 6 if shot.portrait else 0)
            imageio.imwrite(path, shown, plugin="pillow", extension=".jpg", quality=95)
            yield path


def _scene(rng: Generator, shot: Shot) -> NDArray[np.float32]:
    if not shot.portrait:
        return scenes.paint(rng, HEIGHT, WIDTH)
    return np.ascontiguousarray(np.rot90(scenes.paint(rng, WIDTH, HEIGHT)))


def _shown(frame: Frame) -> NDArray[np.uint8]:
    """A bright sRGB picture, as the sensor lies."""
    steps = (Levels(), Balance(), Demosaic("ppg"), ToXYZ(), EncodeSrgb())
    facts = replace(frame.capture, camera_to_srgb=camera_to_srgb_of(PHONE.xyz_to_camera))
    picture = develop(replace(frame, capture=facts), steps).pixels.astype(np.float64) / 65535
    return np.asarray(np.rint(255 * picture * (1.4 - 0.4 * picture)), np.uint8)
