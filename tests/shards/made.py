"""Shards written from code, without a build: known numbers in known places."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from isptools.frame import Capture
from isptools.shards import sums, write
from isptools.shards.schema import InputRow, Picture, Spec, TruthRow

XTRANS = "RBGBRGGGRGGBGGBGGRBRGBRGGGBGGRGGRGGB"
RECIPE = '{"name":"made","title":"Made","source":{},"truth":{},"storage":{}}'


def capture(cfa: str = "RGGB") -> Capture:
    kind: Any = "bayer" if len(cfa) == 4 else "xtrans"
    black = tuple(float(60 + i) for i in range(len(cfa)))
    return Capture(kind, cfa, black, tuple(map(int, black)), 4095, (2.0, 1, 1.5, 1), (2, 1, 1, 1))


def input_row(key: str, scene: str, cfa: str = "RGGB", **changes: Any) -> InputRow:
    facts = capture(cfa)
    row = InputRow(
        key=key, scene=scene, restoration=-1, enhancement=-1, cfa=cfa, black=facts.black,
        white=4095.0, as_shot=(2.0, 1.0, 1.5, 1.0), daylight=(2.0, 1.0, 1.0, 1.0),
        camera_to_srgb=None, xyz_to_camera=((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)),
        shot=(1e-4,) * len(cfa), read=(1e-6,) * len(cfa), noise_origin="estimated",
        exposure_s=0.1, iso=None, aperture=2.8, ratio=100.0, ratio_origin="manifest",
        orientation=6, flip=6, visible_origin=(2, 4), active_area=None,
        default_crop=(0.0, 0.0, 10.0, 20.0), make="Test", model="Kämera", source=f"short/{key}.dng",
        source_sha256=key.encode().hex().ljust(64, "0"),
    )  # fmt: skip
    return replace(row, **changes)


def truth_row(key: str, scene: str, **changes: Any) -> TruthRow:
    row = TruthRow(
        key=key, scene=scene, gains=None, white=4000.0, restoration_low=0, restoration_high=0,
        enhancement_low=0, enhancement_high=0, exposure_s=10.0, iso=100.0, aperture=None,
        orientation=6, flip=6, make="Test", model="Kämera", source=f"long/{key}.dng",
        source_sha256=key.encode().hex().ljust(64, "0"), enhanced="", enhanced_sha256="",
        enhanced_turned=0,
    )  # fmt: skip
    return replace(row, **changes)


def spec(name: str = "a.h5", shape: tuple[int, int] = (50, 70), **changes: Any) -> Spec:
    made = Spec(
        name=name,
        shape=shape,
        positions=4,
        tile=24,
        compression="bitshuffle-lz4",
        pictures={
            "restoration": Picture("xyz", "uint16", 1.25, "a note", "develop"),
            "enhancement": Picture("srgb", "uint8", 1.0, "", "develop"),
        },
        attrs={
            "data_set": "made", "title": "Made", "licence": "none", "redistribution": "allowed",
            "citation": "", "split": "train", "sample": True, "recipe": RECIPE,
            "recipe_sha256": "0" * 64, "versions": "{}", "steps": "{}",
        },
    )  # fmt: skip
    return replace(made, **changes)


def mosaic(seed: int, shape: tuple[int, int] = (50, 70)) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 65536, shape).astype(np.uint16)


def truth(seed: int, shape: tuple[int, int] = (50, 70)) -> dict[str, NDArray[Any]]:
    """Values below 0 and above full scale included."""
    random = np.random.default_rng(100 + seed)
    xyz = random.uniform(-0.1, 1.4, (*shape, 3)).astype(np.float32)
    return {"restoration": xyz, "enhancement": random.integers(0, 65536, (*shape, 3), np.uint16)}


def shard(folder: Path, made: Spec | None = None, scenes: tuple[str, ...] = ("s1", "s2")) -> Path:
    """Two inputs and one truth a scene."""
    made = made or spec()
    cfa = "RGGB" if made.positions == 4 else XTRANS
    with write.shard(folder, made) as writer:
        for number, scene in enumerate(scenes):
            pictures = {name: truth(number, made.shape)[name] for name in made.pictures}
            at = writer.truth(truth_row(f"{scene}/long", scene), pictures, capture(cfa), ())
            for k in range(2):
                row = input_row(f"{scene}/{k}", scene, cfa, **dict.fromkeys(made.pictures, at))
                writer.input(row, mosaic(10 * number + k, made.shape), capture(cfa), ())
    return folder / made.name


def earlier(index: dict[str, Any]) -> bytes:
    """An index as it was before it proved itself, so that a test may say anything in it."""
    kept = {word: value for word, value in index.items() if word not in {"proof", "planned"}}
    return json.dumps(kept).encode()


def relist(folder: Path, name: str) -> None:
    """Make the index agree with a spoiled shard, so that only what is inside can betray it."""
    path = folder / "index.json"
    index = json.loads(path.read_text())
    for shard in index["shards"]:
        if shard["name"] == name:
            data = (folder / name).read_bytes()
            shard |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    path.write_bytes(earlier(index))


@contextmanager
def changed(path: Path) -> Iterator[h5py.File]:
    """A shard to be spoiled, and sealed again: as one that was made so."""
    with h5py.File(path, "r+") as file:
        yield file
    with h5py.File(path, "r+") as file, suppress(RuntimeError):  # a tile that is not there
        sums.seal(file)
