"""DeepISP's low-level network beside bilinear, Malvar's and Menon's, for docs/train.md.

Mosaics are made from photographs (folders `kodak24` and `mcm18` of PHOTOGRAPHS): linear light,
RGGB, Gaussian noise whose deviation is drawn for every picture from 1.4 to 2.9 of 255, as in the
MSR set. A network is trained on some photographs and scored on others. Needs colour-demosaicing.

python benchmarks/demosaic.py PHOTOGRAPHS --out RUN [--steps 12000]
python benchmarks/demosaic.py REFERENCE --check     (results its authors publish; needs OpenEXR)
"""

import argparse
import statistics
import time
import warnings
from dataclasses import replace
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import torch
from numpy.typing import NDArray

from isptools import measure
from isptools.frame import Capture
from isptools.shards import write
from isptools.shards.schema import InputRow, Picture, Spec, TruthRow
from isptools.train import checkpoint, data
from isptools.train.infer import Mosaic, develop
from isptools.train.place import Place
from isptools.train.run import Job, train
from isptools.train.settings import Settings

F32 = NDArray[np.float32]
BLACK, WHITE = 4096, 65535
SIGMA = 1.4 / 255, 2.9 / 255
TEST = ("kodim03", "kodim07", "kodim11", "kodim15", "kodim19", "kodim23", "3", "6", "9", "12",
        "15", "18")  # fmt: skip
ONES = (1.0,) * 4
EYE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
CAPTURE = Capture("bayer", "RGGB", (float(BLACK),) * 4, (BLACK,) * 4, WHITE, ONES, ONES)


def linear(shown: NDArray[np.uint8]) -> F32:
    x = shown.astype(np.float64) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encoded(light: F32) -> F32:
    x = np.clip(light, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-4) ** (1 / 2.4) - 0.055)


def mosaicked(light: F32) -> F32:
    out = np.empty(light.shape[:2], np.float32)
    for (top, left), channel in zip(((0, 0), (0, 1), (1, 0), (1, 1)), (0, 1, 1, 2), strict=True):
        out[top::2, left::2] = light[top::2, left::2, channel]
    return out


def shards(photographs: Path, folder: Path) -> None:
    """A shard for every split and shape."""
    found: dict[tuple[str, tuple[int, ...]], list[Path]] = {}
    files = sorted((photographs / "kodak24").iterdir()) + sorted((photographs / "mcm18").iterdir())
    for path in files:
        split = "test" if path.stem in TEST else "train"
        found.setdefault((split, imageio.imread(path).shape[:2]), []).append(path)
    for (split, shape), paths in found.items():
        with write.shard(folder, spec(f"photographs-{split}-{shape[0]}x{shape[1]}.h5", shape, split)
                         ) as writer:  # fmt: skip
            for path in paths:
                add(writer, path, np.random.default_rng(files.index(path)))


def add(writer: write.Writer, path: Path, random: np.random.Generator) -> None:
    light = linear(imageio.imread(path)[..., :3])
    sigma = random.uniform(*SIGMA)
    noisy = mosaicked(light) + random.normal(0, sigma, light.shape[:2])
    stored = np.clip(np.rint(BLACK + noisy * (WHITE - BLACK)), 0, WHITE).astype(np.uint16)
    shared = {
        "key": path.stem, "scene": path.stem, "exposure_s": None, "iso": None, "aperture": None,
        "orientation": 1, "flip": 0, "make": "", "model": "", "source": path.name,
        "source_sha256": "",
    }  # fmt: skip
    truth = TruthRow(
        gains=None, white=1.0, restoration_low=0, restoration_high=0, enhancement_low=0,
        enhancement_high=0, enhanced="", enhanced_sha256="", enhanced_turned=0, **shared,
    )  # fmt: skip
    row = InputRow(
        restoration=0, enhancement=-1, cfa="RGGB", black=CAPTURE.black, white=float(WHITE),
        as_shot=ONES, daylight=ONES, camera_to_srgb=None, xyz_to_camera=EYE, shot=(0.0,) * 4,
        read=(sigma**2,) * 4, noise_origin="estimated", ratio=None, ratio_origin="",
        visible_origin=(0, 0), active_area=None, default_crop=None, **shared,
    )  # fmt: skip
    at = writer.truth(truth, {"restoration": light}, CAPTURE, ())
    writer.input(replace(row, restoration=at), stored, CAPTURE, ())


def spec(name: str, shape: tuple[int, int], split: str) -> Spec:
    attrs = {
        "data_set": "photographs", "title": "", "licence": "", "redistribution": "", "citation": "",
        "split": split, "sample": False, "recipe": "{}", "recipe_sha256": "", "versions": "{}",
        "steps": "{}",
    }  # fmt: skip
    pictures = {"restoration": Picture("camera", "uint16", 1.0, "", "files")}
    return Spec(name, shape, 4, 128, "bitshuffle-lz4", pictures, attrs)


def settings(steps: int, patch: int, rate: float) -> Settings:
    stage = {"train": "whole", "steps": steps, "rate": rate, "decay": "exponential"}
    words = {
        "title": "DeepISP low level, photographs", "network": "deepisp-low", "patch": patch,
        "adam": {"betas": (0.9, 0.999)}, "objective": {"loss": "l2"}, "save_every": 500,
        "log_every": 500, "stages": [stage],
    }  # fmt: skip
    return Settings.of(words)


def others() -> dict[str, object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of plots it could not draw
        import colour_demosaicing as theirs
    return {
        "bilinear": theirs.demosaicing_CFA_Bayer_bilinear,
        "Malvar 2004": theirs.demosaicing_CFA_Bayer_Malvar2004,
        "Menon 2007": theirs.demosaicing_CFA_Bayer_Menon2007,
    }


def table(folder: Path, run: Path) -> None:
    camera, _ = checkpoint.model(run)
    rows: dict[str, list[tuple[float, float]]] = {}
    with data.open_shards(folder, "test", camera.intake, ("restoration",)) as source:
        for i in range(len(source)):
            sample = source[i]
            truth = sample.restoration.transpose(1, 2, 0)
            network = develop(camera, Mosaic.of_row(source.raw(i), sample.facts))["restoration"]
            pictures = {name: work(sample.input, "RGGB") for name, work in others().items()}
            pictures["DeepISP low level"] = network.transpose(1, 2, 0)
            for name, picture in pictures.items():
                ours = np.clip(picture, 0, 1)
                both = (measure.psnr(one(ours), one(truth)) for one in (np.asarray, encoded))
                rows.setdefault(name, []).append(tuple(both))
    print(f"| {len(rows['bilinear'])} photographs | linear PSNR | sRGB PSNR | worst margin |")
    print("|---|---|---|---|")
    best = np.array(rows["DeepISP low level"])
    for name, found in rows.items():
        means = " | ".join(f"{statistics.mean(column):.2f}" for column in zip(*found, strict=True))
        print(f"| {name} | {means} | {(best - np.array(found)).min():.2f} |")


def check(reference: Path) -> None:
    """How far the library's results lie from those its authors publish."""
    import OpenEXR

    def read(name: str) -> NDArray[np.float64]:
        channels = OpenEXR.File(str(reference / f"{name}.exr")).channels()
        planes = channels.get("RGB") or channels.get("Y") or next(iter(channels.values()))
        return np.asarray(planes.pixels, np.float64)

    mosaic = read("Lighthouse_CFA_RGGB")
    mosaic = mosaic[..., 0] if mosaic.ndim == 3 else mosaic
    for name, work in others().items():
        published = read(f"Lighthouse_{name.replace(' ', '').capitalize()}_RGGB")
        print(f"{name}: at most {np.abs(work(mosaic, 'RGGB') - published).max():.2e} away")


def compare(photographs: Path, out: Path, steps: int = 12000, patch: int = 48) -> None:
    """Train on one core, or go on with it, and print the table."""
    torch.set_num_threads(1)
    made = out / "shards"
    if not made.exists():
        made.mkdir(parents=True)
        shards(photographs, made)

    def show(_: str, step: int, of: int, loss: float | None) -> None:
        if loss is not None:
            print(f"{step}/{of}: {loss:.6f}", flush=True)

    start = time.process_time()
    train(settings(steps, patch, 2e-4), Job(made, out, Place("cpu"), show=show))
    print(f"{time.process_time() - start:.0f} s on one core")
    table(made, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--patch", type=int, default=48)
    chosen = parser.parse_args()
    if chosen.check:
        check(chosen.folder)
    else:
        compare(chosen.folder, chosen.out, chosen.steps, chosen.patch)


if __name__ == "__main__":
    main()
