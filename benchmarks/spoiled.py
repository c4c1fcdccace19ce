"""Pairs of patches whose truths are spoiled on purpose, laid out as DPED's: docs/papers/dped.md.

python benchmarks/spoiled.py noise PHOTOGRAPHS OUT
python benchmarks/spoiled.py shift PHOTOGRAPHS OUT

The phone's side of a cut is darker, softer, noisy and of another color; the Canon's is the cut. Of
the pairs that train every second one has a truth with noise (up to 32 of 255) or one that lies up
to 2 pixels off; the pairs that are scored have none. Then isptools build dped --source OUT.
"""

import argparse
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
from scipy.ndimage import gaussian_filter, shift

SIDE, MARGIN = 100, 4  # pixels of a patch, and around it before it is moved
TRAIN, TEST = 240, 96  # pairs
FOLDERS = {"train": "iphone/training_data/{}", "test": "iphone/test_data/patches/{}"}
EVERY = 8  # photograph is for the test
NOISE, SHIFT = 32.0, 2.0  # at most
GAIN, EXPONENT = (0.8, 0.85, 0.7), 1.15  # of the phone's look
SOFT, GRAIN = 0.9, 3.0  # its Gaussian in pixels, its noise of 255


def photographs(folder: Path) -> dict[str, list[Any]]:
    """(H, W, 3) from 0 to 1 by split."""
    files = sorted(x for x in folder.iterdir() if x.suffix in {".png", ".tif", ".jpg"})
    pictures = [imageio.imread(file)[..., :3] / np.float32(255) for file in files]
    test = pictures[::EVERY]
    return {"train": [x for i, x in enumerate(pictures) if i % EVERY], "test": test}


def cut(picture: Any, chance: np.random.Generator) -> Any:
    side = SIDE + 2 * MARGIN
    top, left = (chance.integers(n - side + 1) for n in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def phone(picture: Any, chance: np.random.Generator) -> Any:
    toned = (picture * np.float32(GAIN)) ** EXPONENT
    soft = gaussian_filter(toned, (SOFT, SOFT, 0))
    return soft + chance.normal(0, GRAIN / 255, picture.shape)


def spoiled(picture: Any, how: str, chance: np.random.Generator) -> Any:
    if how == "noise":
        return picture + chance.normal(0, chance.uniform(0, NOISE / 255), picture.shape)
    down, right = chance.uniform(-SHIFT, SHIFT, 2)
    return shift(picture, (down, right, 0), order=3, mode="reflect")


def write(path: Path, picture: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    inside = picture[MARGIN:-MARGIN, MARGIN:-MARGIN]
    imageio.imwrite(path, np.uint8(np.rint(np.clip(inside, 0, 1) * 255)), quality=98)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=("noise", "shift"))
    parser.add_argument("photographs", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    chance = np.random.default_rng(0)
    for split, pictures in photographs(args.photographs).items():
        for number in range(TRAIN if split == "train" else TEST):
            truth = cut(pictures[number % len(pictures)], chance)
            folder = args.out / FOLDERS[split]
            write(Path(str(folder).format("iphone")) / f"{number}.jpg", phone(truth, chance))
            if split == "train" and number % 2:
                truth = spoiled(truth, args.how, chance)
            write(Path(str(folder).format("canon")) / f"{number}.jpg", truth)


if __name__ == "__main__":
    main()
