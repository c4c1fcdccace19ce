"""Photographs in the layout of the MSR set: linear pictures as a camera sees them, noisy mosaics.

python benchmarks/as_msr.py PHOTOGRAPHS FOLDER

`splits.tsv` of PHOTOGRAPHS names the split of each file by its stem. A gamma of 2.2 is undone and
pictures are halved, so that every pixel has its three colors; the camera's colors and its noise are
those of the set's miniature (isptools.datasets.msr).
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from isptools.datasets import msr

PART = "bayer_panasonic"
LISTS = {"train": "train.txt", "val": "validation.txt", "test": "test.txt"}
SEEDS = {"train": 114, "val": 97, "test": 101}
U16 = NDArray[np.uint16]


def truth(path: Path) -> U16:
    """(H, W, 3) linear camera RGB."""
    light = (cv2.imread(str(path))[..., ::-1] / 255.0) ** 2.2
    height, width = (side // 4 * 4 for side in light.shape[:2])
    small = light[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
    seen = small @ np.array(msr.PARTS[PART].colors).T * msr.BRIGHT
    return np.rint(seen.clip(0, 1) * msr.FULL).astype(np.uint16)


def noisy(mosaic: U16, seed: tuple[int, int]) -> U16:
    """Shot and read noise, the same for the same seed."""
    light = mosaic / msr.FULL
    drawn = np.random.default_rng(seed).standard_normal(light.shape)
    moved = light + drawn * np.sqrt(msr.SHOT * light + msr.READ)
    return np.rint(moved.clip(0, 1) * msr.FULL).astype(np.uint16)


def main(photographs: Path, out: Path) -> None:
    """Write both folders and the three lists."""
    place = out / msr.SIDES[True] / PART
    for name in ("input", "groundtruth"):
        (place / name).mkdir(parents=True, exist_ok=True)
    ids: dict[str, list[str]] = {split: [] for split in LISTS}
    lines = (photographs / "splits.tsv").read_text(encoding="utf-8").splitlines()
    for stem, split in (line.split("\t") for line in lines):
        (path,) = photographs.glob(f"{stem}.*")
        picture = truth(path)
        cv2.imwrite(str(place / f"groundtruth/{stem}.png"), picture[..., ::-1])
        seen = noisy(msr.mosaic_of(PART, picture), (len(ids[split]), SEEDS[split]))
        cv2.imwrite(str(place / f"input/{stem}.png"), seen)
        ids[split].append(stem)
    for split, name in LISTS.items():
        (place / name).write_text("".join(f"{one}\n" for one in ids[split]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
