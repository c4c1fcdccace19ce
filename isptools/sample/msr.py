"""The miniature of MSR: small linear pictures, and mosaics of them with and without noise.

Folders, kinds of files and sizes are the data set's; the ids of its lists, the pictures and the
phase of the Canon mosaics are ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools.sample import scenes
from isptools.sample.files import written

CODE = 21  # part of every seed
HEIGHT, WIDTH = 132, 220
DOWN = 2  # pictures are means of so many pixels a side, as the data set's are downscaled
FULL = 65535
BRIGHT = 0.8  # of full scale: a white card; lamps are cut off
SHOT, READ = 2e-4, 2.5e-5  # variance of the noise = SHOT x + READ
SIDES = {True: "Dataset_LINEAR_with_noise", False: "Dataset_LINEAR_without_noise"}
Light = NDArray[np.float64]
U16 = NDArray[np.uint16]


@dataclass(frozen=True)
class Part:
    """One camera's folder."""

    code: int
    cfa: str
    lists: dict[str, tuple[int, ...]]  # ids by list
    colors: tuple[tuple[float, float, float], ...]  # linear sRGB to the camera's; rows sum to 1


PARTS = {
    "bayer_panasonic": Part(
        0, "RGGB",
        {"train.txt": (1, 2, 3, 5, 8, 13), "validation.txt": (4, 9), "test.txt": (100, 104, 105)},
        ((0.7, 0.25, 0.05), (0.125, 0.75, 0.125), (0.05, 0.25, 0.7)),
    ),
    "bayer_canon": Part(
        1, "GBRG", {"train.txt": (), "validation.txt": (), "test.txt": (1, 2, 7)},
        ((0.625, 0.3, 0.075), (0.1, 0.8, 0.1), (0.025, 0.35, 0.625)),
    ),
}  # fmt: skip
SIZE = f"14 pictures of {WIDTH} x {HEIGHT} pixels, with and without noise"


def write(out: Path, seed: int = 0) -> list[Path]:
    """Write every mosaic, truth and list below `out`; returns the files."""
    return written(_files(seed), out)


def truth(name: str, number: int, seed: int = 0) -> U16:
    """The linear picture (HEIGHT, WIDTH, 3) of one id of a part."""
    rng = _rng(seed, PARTS[name].code, number)
    painted = scenes.paint(rng, HEIGHT * DOWN, WIDTH * DOWN).astype(np.float64)
    small = painted.reshape(HEIGHT, DOWN, WIDTH, DOWN, 3).mean((1, 3))
    color = sum(small[..., i, None] * np.array(PARTS[name].colors)[:, i] for i in range(3))
    return np.asarray(np.clip(np.rint(np.asarray(color) * BRIGHT * FULL), 0, FULL), np.uint16)


def mosaic(name: str, picture: U16) -> U16:
    """One color a pixel."""
    flat = np.empty(picture.shape[:2], np.uint16)
    for i, letter in enumerate(PARTS[name].cfa):
        at = slice(i // 2, None, 2), slice(i % 2, None, 2)
        flat[at] = picture[(*at, "RGB".index(letter))]
    return flat


def _files(seed: int) -> Iterator[tuple[str, bytes]]:
    for name, part in PARTS.items():
        for folder in SIDES.values():
            for path, ids in part.lists.items():
                yield f"{folder}/{name}/{path}", "".join(f"{one}\n" for one in ids).encode()
        for one in (each for ids in part.lists.values() for each in ids):
            picture = truth(name, one, seed)
            clean = mosaic(name, picture)
            noisy = _noisy(clean, _rng(seed, part.code, one, 1))
            whole = np.dstack([picture[..., ::-1], np.full(clean.shape, FULL, np.uint16)])
            for noise, folder in SIDES.items():
                yield f"{folder}/{name}/input/{one}.png", _png(noisy if noise else clean)
                yield f"{folder}/{name}/groundtruth/{one}.png", _png(whole)


def _noisy(clean: U16, rng: Generator) -> U16:
    light = clean / np.float64(FULL)
    moved = light + rng.standard_normal(light.shape) * np.sqrt(SHOT * light + READ)
    return np.asarray(np.clip(np.rint(moved * FULL), 0, FULL), np.uint16)


def _png(pixels: U16) -> bytes:
    return np.asarray(cv2.imencode(".png", pixels)[1]).tobytes()


def _rng(*integers: int) -> Generator:
    return Generator(PCG64(SeedSequence((CODE, *integers))))
