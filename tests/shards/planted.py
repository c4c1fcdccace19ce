"""Faults that are planted into shards of miniatures, and the word by which `check` names each.

A plant changes one shard behind the index's back but with its blessing, as a wrong build would have
written it: only the pictures and the facts of the pairs can betray it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - registers the decompression filter with HDF5
import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from isptools.develop.chain import develop
from isptools.develop.steps import Balance, Demosaic, Levels, ToXYZ
from isptools.frame import Capture, Frame, Space
from isptools.shards.check import Problem, check
from isptools.shards.quality import correlation, luminance
from isptools.shards.read import load, normalized
from isptools.shards.schema import decode
from isptools.synth.camera import FUJI
from tests.shards.made import changed, earlier, relist

Plant = Callable[[h5py.File], None]
F64 = NDArray[np.float64]
SRGB_FROM_XYZ = np.linalg.inv(
    np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
              [0.0193339, 0.1191920, 0.9503041]])
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One kind of fault, in one miniature."""

    about: str
    recipe: str
    plant: Plant
    named: tuple[str, ...]  # words that name it: the first in a problem's line


def planted(fault: Fault, folder: Path) -> list[Problem]:
    """Plant into the first shard of a folder, and check the folder."""
    name = alone(folder)
    with changed(folder / name) as file:
        fault.plant(file)
        if "pair" in file:
            _correlated(file)
    relist(folder, name)
    return check(folder)


def alone(folder: Path) -> str:
    """Leave only the shard with the most inputs in a folder; returns its name."""
    index = json.loads((folder / "index.json").read_text())
    first = max(index["shards"], key=lambda shard: shard["rows"])
    for shard in index["shards"]:
        if shard is not first:
            (folder / shard["name"]).unlink()
    counts = {"inputs": first["rows"], "scenes": first["scenes"], "shards": 1}
    index |= {"shards": [first], "counts": {first["split"]: counts}}
    (folder / "index.json").write_bytes(earlier(index))
    return str(first["name"])


def names(problems: list[Problem]) -> set[str]:
    return {problem.what for problem in problems if problem.sure}


def _correlated(file: h5py.File) -> None:
    """Let the table `pair` say what the spoiled pixels correlate by."""
    table, rows = load(Path(file.filename)), file["pair"][:]
    for i, row in enumerate(table.rows):
        truth = decode(file["enhancement"][row.enhancement], table.pictures["enhancement"])
        own = luminance(normalized(file["input"][i], row), row.cfa)
        rows["correlation"][i] = correlation(own, luminance(truth, "RGB"))
    file["pair"][...] = rows


# -- what is changed -----------------------------------------------------------------------------


def truths(change: Callable[[F64], Any], name: str = "restoration") -> Plant:
    """Change every truth, (3, H, W) in physical values; it is stored as before."""

    def plant(file: h5py.File) -> None:
        data = file[name]
        largest = np.iinfo(data.dtype).max
        scale = data.attrs["full_scale"] / largest
        for j in range(len(data)):
            new = np.rint(change(data[j] * scale) / scale)
            data[j] = np.clip(new, 0, largest).astype(data.dtype)

    return plant


def inputs(change: Callable[[F64, Any], Any]) -> Plant:
    """Change every input, (H, W) DN above the stated black; it is given with its row of meta."""

    def plant(file: h5py.File) -> None:
        for i, row in enumerate(file["meta"][:]):
            black = mosaic(row["black"], file["input"].shape[1:])
            new = np.rint(change(file["input"][i] - black, row) + black)
            file["input"][i] = np.clip(new, 0, 65535).astype(np.uint16)

    return plant


def facts(column: str, change: Callable[[Any], Any], table: str = "meta") -> Plant:
    """Change a column for all rows."""

    def plant(file: h5py.File) -> None:
        rows = file[table][:]
        rows[column] = [change(value) for value in rows[column]]
        file[table][...] = rows

    return plant


def mosaic(values: Any, shape: tuple[int, ...]) -> F64:
    """Values per CFA position over a frame."""
    side = round(len(values) ** 0.5)
    tiled = np.tile(np.reshape(values, (side, side)), [-(-length // side) for length in shape])
    return np.asarray(tiled[: shape[0], : shape[1]], np.float64)


def swapped(name: str) -> Plant:
    """The first row and the last."""

    def plant(file: h5py.File) -> None:
        last = len(file[name]) - 1
        file[name][0], file[name][last] = file[name][last], file[name][0]

    return plant


def planes(factors: dict[int, float]) -> Plant:
    """Scale CFA positions of the inputs."""

    def change(light: F64, _: Any) -> F64:
        return light * mosaic([factors.get(i, 1.0) for i in range(4)], light.shape)

    return inputs(change)


def noisy(light: F64, row: Any, more: float = 3.0) -> F64:
    """Noise of the stated kind, `more` times its variance, on top of what there is."""
    span = row["white"] - row["black"][0]
    smooth = np.maximum(gaussian_filter(light, 2), 0) / span
    variance = row["shot"][0] * smooth + row["read"][0]
    return (
        light + np.random.default_rng(0).normal(size=light.shape) * np.sqrt(more * variance) * span
    )


def smoothed(light: F64, _: Any) -> F64:
    """As a camera that cleans its raws."""
    out = light.copy()
    for i in range(4):
        part = out[i // 2 :: 2, i % 2 :: 2]
        part[...] = gaussian_filter(part, 1.0)
    return out


def middle(turn: Callable[[Any], Any]) -> Callable[[F64], F64]:
    """Turn the square in the middle of (3, H, W)."""

    def change(picture: F64) -> F64:
        out, side = picture.copy(), min(picture.shape[1:])
        top, left = ((length - side) // 2 for length in picture.shape[1:])
        part = out[:, top : top + side, left : left + side]
        part[...] = np.stack([turn(plane) for plane in part.copy()])
        return out

    return change


def colored(matrix: Any) -> Callable[[F64], F64]:
    """Mix the colors of (3, H, W)."""
    return lambda picture: np.tensordot(np.asarray(matrix), picture, 1)


def camera_matrix(file_matrix: Any) -> F64:
    """Balanced camera RGB to linear sRGB from XYZ to camera."""
    camera = np.array(file_matrix) @ np.linalg.inv(SRGB_FROM_XYZ)
    return np.asarray(np.linalg.inv(camera / camera.sum(1, keepdims=True)))


def of_camera(change: Any) -> Plant:
    """Mix XYZ truths in balanced camera RGB by a matrix."""

    def plant(file: h5py.File) -> None:
        to_xyz = np.linalg.inv(SRGB_FROM_XYZ) @ file["meta"]["camera_to_srgb"][0]
        truths(colored(to_xyz @ np.asarray(change) @ np.linalg.inv(to_xyz)))(file)

    return plant


def by_other_matrix(file: h5py.File) -> None:
    """Truths as if another camera's matrix had been taken."""
    own = file["meta"]["camera_to_srgb"][0]
    other = camera_matrix(FUJI.xyz_to_camera)
    back = SRGB_FROM_XYZ
    truths(colored(np.linalg.inv(back) @ other @ np.linalg.inv(own) @ back))(file)


def without_matrix(file: h5py.File) -> None:
    """Truths as if camera RGB were sRGB."""
    own = file["meta"]["camera_to_srgb"][0]
    truths(colored(np.linalg.inv(SRGB_FROM_XYZ) @ np.linalg.inv(own) @ SRGB_FROM_XYZ))(file)


def own_truth(file: h5py.File) -> None:
    """Truths developed from the first input of each scene, brought to the truth's light."""
    rows = file["meta"][:]
    for i in reversed(range(len(rows))):
        capture = msgspec.json.decode(file["facts"][i], type=Capture)
        frame = Frame(file["input"][i], Space.SENSOR, capture)
        steps = (Levels(), Balance(by="camera"), Demosaic(method="linear"), ToXYZ())
        xyz = develop(frame, steps).pixels * rows["ratio"][i]
        stored = np.rint(xyz.transpose(2, 0, 1) * 65535 / 1.25)
        file["restoration"][rows["restoration"][i]] = np.clip(stored, 0, 65535).astype(np.uint16)


def encoded(light: F64) -> F64:
    """IEC 61966-2-1."""
    steep = 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, 12.92 * light, steep)


def decoded(shown: F64) -> F64:
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)


def hot(picture: F64) -> F64:
    """One pixel of a thousand at 80 % of white."""
    spots = np.random.default_rng(0).random(picture.shape[1:]) < 1e-3
    return np.where(spots, 0.8 * np.array([0.95, 1, 1.09])[:, None, None], picture)


def slope(picture: F64) -> F64:
    """Light from the left instead of the right."""
    return picture * np.linspace(1.4, 0.6, picture.shape[2])


def corners(picture: F64) -> F64:
    """The lens shading undone: 1.37 in the corners."""
    y, x = (np.linspace(-1, 1, side) for side in picture.shape[1:])
    return picture * (1 + 0.37 * (y[:, None] ** 2 + x**2) / 2)


def lamp(picture: F64) -> F64:
    """A lamp on the left that was not there before, and none on the right."""
    y, x = (np.linspace(-1, 1, side) for side in picture.shape[1:])
    glow = [np.exp(-((x - at) ** 2 + y[:, None] ** 2) / 0.15) for at in (-0.6, 0.6)]
    return picture * (1 + 1.2 * glow[0]) / (1 + 1.2 * glow[1])


def zoomed(picture: F64) -> F64:
    """Three per cent larger."""
    height, width = picture.shape[1:]
    big = np.stack([zoom(plane, 1.03, order=1) for plane in picture])
    top, left = (big.shape[1] - height) // 2, (big.shape[2] - width) // 2
    return big[:, top : top + height, left : left + width]


def blurred(deviation: float) -> Callable[[F64], F64]:
    return lambda picture: gaussian_filter(picture, (0, deviation, deviation))


def rolled(down: int, right: int) -> Callable[[F64], F64]:
    return lambda picture: np.roll(picture, (down, right), (-2, -1))


def rolled_input(down: int, right: int) -> Plant:
    def plant(file: h5py.File) -> None:
        for i in range(len(file["input"])):
            file["input"][i] = np.roll(file["input"][i], (down, right), (0, 1))

    return plant


def turned_input(turn: Callable[[Any], Any]) -> Plant:
    def plant(file: h5py.File) -> None:
        for i in range(len(file["input"])):
            file["input"][i] = turn(file["input"][i])

    return plant
