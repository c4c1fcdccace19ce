"""How long and how large is the plan of very many files? Headers are made by code.

    python benchmarks/scale.py --files 100000 --read 500

Every file is there under its name and empty; where a header would be read from it, the header of
one DNG, made by code as well, is given instead. `--read` times the real thing on that DNG.
"""

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from isptools import datasets, raw
from isptools.apart import apart
from isptools.build import lookup
from isptools.build.plan import Choice, plan, travelling
from isptools.datasets import Opened
from isptools.datasets.card import load
from isptools.datasets.scene import Named
from isptools.decode import files as decode
from isptools.frame import Capture, Frame, Space
from isptools.recipe import Recipe

INPUTS = 10  # short exposures of a truth, as See-in-the-Dark has at most


def table(folder: Path, files: int) -> None:
    """A data set of its own with `files` empty files."""
    (folder / "manifest").mkdir()
    (folder / "manifest" / "dataset.toml").write_text(
        'name = "many"\ntitle = "Many"\nlicence = "none"\nredistribution = "allowed"\nhome = ""\n'
        'downloads = []\nsize = ""\nplace = ""\nroots = ["."]\n'
    )
    lines = ["split\tscene\trole\tpath"]
    for scene in range(files // (INPUTS + 1)):
        split = ("train", "train", "val", "test")[scene % 4]
        place = folder / "raw" / f"{scene % 100:02d}"
        place.mkdir(parents=True, exist_ok=True)
        for k in range(INPUTS + 1):
            name = f"s{scene:06d}_{k:02d}.dng"
            (place / name).touch()
            lines.append(f"{split}\t{scene:06d}\t{'input' if k else 'truth'}\t{place.name}/{name}")
    (folder / "manifest" / "files.tsv").write_text("\n".join(lines) + "\n")


def frame() -> Frame:
    """A mosaic of 64 x 80 whose file states what a camera's does."""
    matrix = ((0.58, -0.14, -0.02), (-0.35, 1.15, 0.23), (-0.07, 0.19, 0.58))
    facts = Capture(
        "bayer", "RGGB", (64.0,) * 4, (64,) * 4, 4095, (2.0, 1.0, 1.5, 0.0), (1.0, 1.0, 1.0, 0.0),
        make="Test", model="One", exposure_s=1.0, iso=100.0, color_matrix_1=matrix,
        illuminant_1=21,
    )  # fmt: skip
    pixels = np.random.default_rng(0).integers(64, 4096, (64, 80)).astype(np.uint16)
    return Frame(pixels, Space.SENSOR, replace(facts, active_area=(0, 0, 64, 80)))


def peak() -> float:
    """Of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--files", type=int, default=100_000)
    words.add_argument("--read", type=int, default=500)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        dng = folder / "one.dng"
        raw.write_dng(dng, frame())
        before, begun = peak(), time.perf_counter()
        table(folder, asked.files)
        print(f"{asked.files} names made in {time.perf_counter() - begun:.1f} s")

        card = load("manifest", folder)
        opened: Opened = datasets.selected(card, {})
        told = decode.Told("one.dng", Named("one.dng"), travelling(card), dng.stat().st_size)
        header = apart(decode.header, dng, told, {}, False)
        lookup.apart = lambda *_: header  # type: ignore[assignment]

        begun, own = time.perf_counter(), time.process_time()
        listing = opened.room.find(opened.card, opened.select, folder / "raw")
        listed = time.perf_counter() - begun
        recipe = Recipe.load("sid")
        made = plan(recipe, opened, listing, Choice())
        took, own = time.perf_counter() - begun, time.process_time() - own
        files = sum(len(unit.sources) for unit in made.units)
        print(f"listed in {listed:.1f} s, planned in {took:.1f} s ({own:.1f} s of processor time)")
        print(f"{len(made.units)} shards of {files} files, {peak() - before:.0f} MB more memory")

        begun = time.perf_counter()
        for _ in range(asked.read):
            apart(decode.header, dng, told, {}, False)
        each = (time.perf_counter() - begun) / asked.read
        print(f"a header really read: {each * 1e3:.2f} ms, so {each * asked.files:.0f} s for all")


if __name__ == "__main__":
    main()
