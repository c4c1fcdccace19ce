"""A data set of a few small frames with its own manifest and recipe, made from code."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from isptools import datasets, raw
from isptools.build import Options, Summary, build
from isptools.datasets import Opened
from isptools.datasets.card import Card, load
from isptools.frame import Capture, Frame, Space
from isptools.recipe import Recipe

SHAPE = (64, 80)
MATRIX = ((0.58, -0.14, -0.02), (-0.35, 1.15, 0.23), (-0.07, 0.19, 0.58))
SPLITS = {"a1": "train", "b2": "train", "c3": "val", "d4": "test"}

DATA_SET = """
name = "tiny"
title = "Tiny"
licence = "CC0"
redistribution = "allowed"
home = "https://example.org/tiny"
downloads = ["https://example.org/tiny.zip"]
size = "1 MB"
place = "unpack it so that --source holds long/ and short/"
roots = [".", "Tiny"]
cameras = ["Test One"]
input_name = '[a-z]\\d_\\d\\.dng'
"""
RECIPE = """
name = "tiny"
title = "Tiny truths"

[source]
data_set = "manifest"

[truth]
make = "develop"
steps = [
    { step = "levels" },
    { step = "balance", by = "camera" },
    { step = "demosaic", method = "linear" },
    { step = "xyz" },
    { step = "encode-srgb" },
]
[truth.restoration]
from = "kept"
at = "xyz"
full_scale = 1.25
[truth.enhancement]
from = "kept"
at = "srgb"
dtype = "uint8"

[storage]
scenes_per_shard = 1
tile = 36
"""


@dataclass(frozen=True)
class Tiny:
    """Where it lies: `recipe.toml` and `manifest/` beside `raw/`."""

    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "raw"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def recipe(self) -> Recipe:
        return Recipe.load(self.folder / "recipe.toml")

    @property
    def card(self) -> Card:
        return load("manifest", self.folder)

    def opened(self, recipe: Recipe | None = None, card: Card | None = None) -> Opened:
        words = dict((recipe or self.recipe).source)
        words.pop("data_set")
        return datasets.selected(card or self.card, words)

    def file(self, name: str) -> Path:
        return self.source / name

    def build(self, out: Path | None = None, recipe: Recipe | None = None, **how: Any) -> Summary:
        recipe = recipe or self.recipe
        opened = self.opened(recipe, how.pop("card", None))
        options = Options(**{"data_set": opened, **how})
        return build(recipe, self.source, out or self.out, options)


def frame(seed: int, gain: float = 1.0, shape: tuple[int, int] = SHAPE, **facts: Any) -> Frame:
    """A colored, structured scene, Bayer unless the facts say otherwise."""
    stated = {
        "kind": "bayer", "cfa": "RGGB", "black": (64.0, 65.0, 66.0, 67.0), "white": 4095,
        "black_libraw": (64, 65, 66, 67), "as_shot": (2.0, 1.0, 1.5, 0.0),
        "daylight": (1.0, 1.0, 1.0, 0.0), "make": "Test", "model": "One", "color_matrix_1": MATRIX,
        "illuminant_1": 21, "exposure_s": 10.0, "iso": 200.0, "noise_profile": ((1e-4, 1e-6),),
    } | facts  # fmt: skip
    random = np.random.default_rng(seed)
    smooth = np.kron(random.random((shape[0] // 8, shape[1] // 8)), np.ones((8, 8)))
    light = gain * (0.05 + 0.8 * smooth + 0.05 * random.random(shape))
    pixels = np.clip(np.rint(64 + light * 4000), 0, 4095).astype(np.uint16)
    return Frame(pixels, Space.SENSOR, Capture(**{**stated, "active_area": (0, 0, *shape)}))


def make(folder: Path) -> Tiny:
    """Four scenes in three splits, each with a long and two short exposures."""
    tiny = Tiny(folder)
    (folder / "manifest").mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "manifest" / "dataset.toml").write_text(DATA_SET)
    lines = ["split\tscene\trole\tpath\texposure_s\tiso"]
    for number, (scene, split) in enumerate(SPLITS.items()):
        write(tiny, f"long/{scene}_long.dng", frame(number))
        lines.append(f"{split}\t{scene}\ttruth\tlong/{scene}_long.dng\t10\t200")
        for k in range(2):
            short = frame(number, 0.01, exposure_s=0.1)
            noisy = short.pixels + np.random.default_rng([number, k]).integers(0, 9, SHAPE)
            write(tiny, f"short/{scene}_{k}.dng", replace(short, pixels=noisy.astype(np.uint16)))
            lines.append(f"{split}\t{scene}\tinput\tshort/{scene}_{k}.dng\t0.1\t200")
    (folder / "manifest" / "files.tsv").write_text("\n".join(lines) + "\n")
    return tiny


def write(tiny: Tiny, name: str, made: Frame) -> None:
    tiny.file(name).parent.mkdir(parents=True, exist_ok=True)
    raw.write_dng(tiny.file(name), made)


def listing(folder: Path) -> dict[str, bytes]:
    """Every visible file of a folder and its bytes."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    }


def ledger(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
