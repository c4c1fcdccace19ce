"""Shards of real raws, where some lie on this machine: each with a short exposure made from it."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from isptools import raw
from isptools.build import Options, build
from isptools.datasets import card, selected
from isptools.frame import Frame, Space
from isptools.recipe import Recipe

RAWS = (
    "canon_g2/CRW_0304.CRW", "canon_g2/CRW_0305.CRW", "nikon_d1/RAW_NIKON_D1.NEF",
    "gopro_hero6/gopro_hero6_0024_crop.dng", "canon_d30/CRW.CRW",
)  # fmt: skip
DATA_SET = """
name = "real"
title = "Real raws"
licence = "as each file's source says"
redistribution = "unknown"
home = "https://example.org/real"
downloads = []
size = "60 MB"
place = "made from raws"
roots = ["."]
"""
RECIPE = """
name = "real"
title = "Real raws, and exposures made from them"

[source]
data_set = "manifest"

[truth]
make = "develop"
steps = [
    { step = "levels" },
    { step = "balance", by = "camera" },
    { step = "demosaic", method = "ahd" },
    { step = "xyz" },
]
[truth.restoration]
from = "kept"
at = "xyz"
full_scale = 1.25
"""
FEWER = 8  # times the light


def folder() -> Path | None:
    """Where the real raws lie."""
    here = Path(__file__).resolve().parents[3] / "shared" / "data"
    found = Path(os.environ.get("ISPTOOLS_DATA", here)) / "raw"
    return found if found.is_dir() else None


def shorter(frame: Frame, times: float, seed: int) -> Frame:
    """The same light for a shorter time: each electron stays with a chance of 1 / `times`.

    Photons that are thinned at random are Poisson again (so is their noise); reading adds its own.
    One electron is taken for what makes a signal of white's tenth as noisy as compact cameras are.
    """
    facts = frame.capture
    black = np.tile(np.reshape(facts.black, (2, 2)), [side // 2 + 1 for side in frame.pixels.shape])
    black = black[: frame.pixels.shape[0], : frame.pixels.shape[1]]
    span, full = facts.white - min(facts.black), 8000.0
    random = np.random.default_rng(seed)
    electrons = np.maximum(np.rint((frame.pixels - black) * full / span), 0).astype(np.int64)
    kept = random.binomial(electrons, 1 / times)
    numbers = kept * span / full + random.normal(0, 0.0005 * span, kept.shape) + black
    pixels = np.clip(np.rint(numbers), 0, facts.white).astype(np.uint16)
    profile = ((1 / full, 0.0005**2 + 1 / 12 / span**2),)
    seconds = (facts.exposure_s or 0.1) / times
    return Frame(pixels, Space.SENSOR, replace(facts, noise_profile=profile, exposure_s=seconds))


def built(data: Path, out: Path) -> Iterator[tuple[str, Path]]:
    """Each raw as input of itself, and as the truth of shorter exposures; names and folders."""
    source = out / "source"
    source.mkdir(parents=True, exist_ok=True)
    rows = {"own": ["split\tscene\trole\tpath"], "short": ["split\tscene\trole\tpath\texposure_s"]}
    for number, name in enumerate(RAWS):
        frame, scene = raw.read(data / name), f"{number:02}"
        (source / Path(name).name).write_bytes((data / name).read_bytes())
        raw.write_dng(source / f"{scene}_short.dng", shorter(frame, FEWER, number))
        rows["own"].append(f"train\t{scene}\ttruth\t{Path(name).name}")
        rows["own"].append(f"train\t{scene}\tinput\t{Path(name).name}")
        rows["short"].append(f"train\t{scene}\ttruth\t{Path(name).name}\t1")
        rows["short"].append(f"train\t{scene}\tinput\t{scene}_short.dng\t{1 / FEWER}")
    for kind, lines in rows.items():
        manifest, made = out / kind / "manifest", out / kind / "shards"
        if not (made / "index.json").is_file():
            manifest.mkdir(parents=True, exist_ok=True)
            (manifest / "dataset.toml").write_text(DATA_SET)
            (manifest / "files.tsv").write_text("\n".join(lines) + "\n")
            recipe = msgspec.toml.decode(RECIPE, type=Recipe)
            opened = selected(card.load("manifest", out / kind), {})
            build(recipe, source, made, Options(data_set=opened))
        told = "real raws, own truths" if kind == "own" else f"real raws, {FEWER} times less light"
        yield told, made
