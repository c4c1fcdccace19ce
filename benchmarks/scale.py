"""How long and how large is the plan of very many files? Headers are made by code.

    python benchmarks/scale.py --files 100000 --read 500
    python benchmarks/scale.py --files 0 --raw IMG.dng

Every file is there under its name and empty; where a header would be read from it, the header of
one DNG, made by code as well, is given instead. `--read` times the real thing on that DNG. `--raw`
builds shards of copies of a raw of your own, in this process, and tells the processor time.
"""

import argparse
import resource
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from msgspec.structs import replace as replaced

from isptools import datasets, raw
from isptools.apart import apart
from isptools.build import Options, build, lookup
from isptools.build.plan import Choice, plan, travelling
from isptools.children import decoders
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


def built(raw_file: Path, copies: int = 4) -> None:
    """Shards of a raw as input and truth of `copies` scenes, and what they cost."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "raw").mkdir()
        table(folder, 0)
        lines = ["split\tscene\trole\tpath"]
        for number in range(copies + 1):  # the first compiles
            name = f"{number}{raw_file.suffix}"
            shutil.copyfile(raw_file, folder / "raw" / name)
            lines += [f"train\t{number}\t{role}\t{name}" for role in ("truth", "input")]
        (folder / "manifest" / "files.tsv").write_text("\n".join(lines) + "\n")
        opened = datasets.selected(load("manifest", folder), {})
        recipe = replaced(Recipe.load("sid"), source={"data_set": "manifest"})
        build(recipe.small(1), folder / "raw", folder / "first", Options(data_set=opened))
        begun, own = time.perf_counter(), cpu()
        made = build(recipe, folder / "raw", folder / "all", Options(data_set=opened))
        took, own = time.perf_counter() - begun, cpu() - own
        mp = raw.read(raw_file).pixels.size / 1e6
        size = sum(shard.bytes for shard in made.shards) / 1e6
        scenes = copies + 1
        print(f"{scenes} scenes of {mp:.1f} MP: {own / scenes:.2f} s of processor time a scene "
              f"({took / scenes:.2f} s on the clock), {size / scenes:.1f} MB a scene")  # fmt: skip


def cpu() -> float:
    """Processor time of this process and of children that ended, s."""
    decoders.close()  # their time counts when they ended
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak() -> float:
    """Of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--files", type=int, default=100_000)
    words.add_argument("--read", type=int, default=500)
    words.add_argument("--raw", type=Path)
    asked = words.parse_args()
    if asked.raw:
        built(asked.raw)
    if asked.files:
        planned(asked)


def planned(asked: argparse.Namespace) -> None:
    """The plan of many files."""
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
