"""Pictures that were made elsewhere, found by the keys of a split's inputs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools import picture
from isptools.frame import UnsupportedError

SUFFIXES = (".npy", ".png", ".tif", ".tiff")
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """Which file is the picture of which key, and what is wrong with the folder, a line each."""

    files: dict[str, Path]
    wrong: tuple[str, ...]


def found(folder: Path, keys: Sequence[str]) -> Found:
    """Look for FOLDER/KEY.png (.tif, .tiff, .npy), or for the last part of a key where only one is
    called so. ValueError in one line where there is no such folder."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder of pictures")
    meant = _names(keys)
    files: dict[str, list[Path]] = defaultdict(list)
    wrong = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix().removesuffix(path.suffix)
        if path.suffix.lower() not in SUFFIXES:
            wrong.append(f"{path}: neither PNG, TIFF nor npy; left out")
        elif name in meant:
            files[meant[name]].append(path)
        else:
            wrong.append(f"{path}: no input of the split has the key {name}; left out")
    for key in keys:
        if not files[key]:
            wrong.append(f"{key}: no picture, expected {folder / key}.png, .tif or .npy")
        if len(files[key]) > 1:
            wrong.append(f"{key}: two pictures, {files[key][0]} and {files[key][1]}; left out")
    return Found({key: paths[0] for key, paths in files.items() if len(paths) == 1}, tuple(wrong))


def _names(keys: Sequence[str]) -> dict[str, str]:
    """Every name that a picture of a key may have."""
    last = [key.rpartition("/")[2] for key in keys]
    short = {name: key for name, key in zip(last, keys, strict=True) if last.count(name) == 1}
    return short | {key: key for key in keys}


def read(path: Path, shape: tuple[int, int]) -> Floats:
    """(H, W, 3) float32: integers over their largest value, floats as they are.

    npy may also be (3, H, W). ValueError in one line for another shape, no picture, or NaN.
    """
    values = _array(path) if path.suffix.lower() == ".npy" else _picture(path)
    if path.suffix.lower() == ".npy" and values.shape == (3, *shape):
        values = values.transpose(1, 2, 0)
    if values.shape != (*shape, 3):
        turned = values.shape == (*shape[::-1], 3)
        why = ": pictures are compared as they stand on the sensor, not turned" if turned else ""
        raise ValueError(f"{path}: its shape is {values.shape}, expected {(*shape, 3)}{why}")
    if values.dtype.kind == "u":
        return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    if not np.isfinite(values).all():
        raise ValueError(f"{path}: holds values that are no numbers")
    return values.astype(np.float32)


def _picture(path: Path) -> NDArray[Any]:
    try:
        return picture.read(path)
    except UnsupportedError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _array(path: Path) -> NDArray[Any]:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path}: no array that can be read ({error})") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "uf":
        raise ValueError(f"{path}: expected an array of unsigned integers or floats")
    return values
