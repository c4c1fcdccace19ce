"""How long and how large is the plan of very many files? Headers are made by code.

    python benchmarks/scale.py --files 100000 --read 500
    python benchmarks/scale.py --files 0 --pairs 160471
    python benchmarks/scale.py --files 0 --rows 160471
    python benchmarks/scale.py --files 0 --raw IMG.dng

Every file is there under its name and empty; where a header would be read from it, the header of
one DNG, made by code as well, is given instead, and a shard that would be made is noted and left
empty. All else is a build: listing, plan, journal, index, cards; then the same once more, with
nothing to do. `--read` times the real header of that DNG. `--pairs` does so for pairs of patches,
`--rows` writes their shards, with patches of 8 x 8 pixels, and opens them in a process of its own.
`--raw` builds shards of copies of a raw of your own, in this process, and tells the processor time.
"""

import argparse
import hashlib
import pickle
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from msgspec.structs import replace as replaced

from isptools import datasets, raw, shards
from isptools.apart import apart
from isptools.build import Options, build, lookup, run
from isptools.build.journal import Made
from isptools.build.patch_rows import Patch, picture_facts, stored
from isptools.build.plan import travelling
from isptools.build.task import File, Unit
from isptools.build.work import Work, spec_of
from isptools.build.work import noted as work_noted
from isptools.children import decoders
from isptools.datasets import Opened
from isptools.datasets.card import load
from isptools.datasets.scene import Named, Source
from isptools.decode import files as decode
from isptools.frame import Capture, Frame, Space
from isptools.recipe import Recipe
from isptools.shards import write
from isptools.shards.write import Written

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
    words.add_argument("--read", type=int, default=0)
    words.add_argument("--pairs", type=int, default=0)
    words.add_argument("--rows", type=int, default=0)
    words.add_argument("--open", type=Path)
    words.add_argument("--raw", type=Path)
    asked = words.parse_args()
    if asked.open:
        looked_at(asked.open)
        return
    if asked.raw:
        built(asked.raw)
    with tempfile.TemporaryDirectory() as place:
        if asked.files:
            files(Path(place), asked.files, asked.read)
        if asked.pairs:
            pairs(Path(place), asked.pairs)
        if asked.rows:
            rows(Path(place) / "rows", asked.rows)


def files(folder: Path, count: int, read: int) -> None:
    """A build of many raw files, and how long a header takes."""
    dng = folder / "one.dng"
    raw.write_dng(dng, frame())
    table(folder, count)
    card = load("manifest", folder)
    told = decode.Told("one.dng", Named("one.dng"), travelling(card), dng.stat().st_size)
    header = apart(decode.header, dng, told, {}, False)
    lookup.apart = lambda *_: header  # type: ignore[assignment]
    del card
    simulated(folder, folder / "raw", Recipe.load("sid"), {})
    begun = time.perf_counter()
    for _ in range(read):
        apart(decode.header, dng, told, {}, False)
    each = (time.perf_counter() - begun) / max(read, 1)
    print(f"a header really read: {each * 1e3:.2f} ms, so {each * count:.0f} s for all")


def pairs(folder: Path, count: int) -> None:
    """A build of many pairs of patches of two cameras."""
    raws = folder / "pairs"
    for side in ("iphone", "canon"):
        place = raws / "iphone" / "training_data" / side
        place.mkdir(parents=True)
        for number in range(count):
            (place / f"{number}.jpg").touch()
    recipe = Recipe.load("dped")
    simulated(folder, raws, recipe, {"data_set": datasets.opened(recipe.source)})


def simulated(folder: Path, source: Path, recipe: Recipe, own: dict[str, Opened]) -> None:
    """Twice a build whose shards are noted and not made; what each took."""
    run.made = noted
    before = peak()
    for turn in ("first", "again"):
        begun, used = time.perf_counter(), time.process_time()
        data_set = own.get("data_set") or datasets.selected(load("manifest", folder), {})
        made = build(recipe, source, folder / "out", Options(data_set=data_set))
        took, used = time.perf_counter() - begun, time.process_time() - used
        inputs = sum(shard.rows for shard in made.shards)
        print(f"{turn}: {made.made} shards noted, {made.kept} kept, of {inputs} inputs")
        print(told(took, used, before))
    shutil.rmtree(folder / "out")


def told(took: float, used: float, before: float) -> str:
    """Seconds, and memory beyond what the process had at most `before`, MB."""
    return (
        f"  {took:.1f} s ({used:.1f} s of processor time), at most {peak() - before:.0f} MB more "
        f"than {before:.0f}"
    )


def noted(unit: Unit, work: Work) -> Made:
    """As a maker does behind its last pixel."""
    (work.out / unit.name).touch()
    written = Written(unit.name, "0" * 64, 0, unit.rows, len(unit.tasks), len(unit.tasks))
    return work_noted(unit, work, SimpleNamespace(written=written), [])  # type: ignore[arg-type]


def rows(folder: Path, count: int, each: int = 4096) -> None:
    """Shards of many pairs of patches, whose rows are then held by a process that reads.

    One is written, as long as the recipe's, and stands there under many names.
    """
    folder.mkdir()
    opened = datasets.opened(Recipe.load("dped").source)
    work = Work(Recipe.load("dped"), opened.card, {}, folder, folder, None, "")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    unit = Unit("dped-train-8x8-0000.h5", "train", (8, 8), "rgb", ())
    with write.shard(folder, replace(spec_of(unit, work), dtype="uint8")) as shard:
        for number in range(each):
            scene = f"iphone-train/{number}"
            names = [f"iphone/training_data/{side}/{number}.jpg" for side in ("iphone", "canon")]
            sides = [File(f"dped/{scene}", Named(n), Source(n, 0, 0)) for n in names]
            sums = [hashlib.sha256(name.encode()).hexdigest() for name in names]
            patch = Patch("", tuple(sides), tuple(sums), pixels, pixels, picture_facts(pixels))  # type: ignore[arg-type]
            stored(shard, scene, patch)
    for number in range(1, -(-count // each)):
        shutil.copyfile(folder / unit.name, folder / unit.name.replace("0000", f"{number:04d}"))
    subprocess.run([sys.executable, __file__, "--open", str(folder)], check=True)


def looked_at(folder: Path) -> None:
    """What it takes to open a folder, and to hand it to another process."""
    shards.open(folder / "dped-train-8x8-0000.h5")  # what libraries take is not the rows'
    before, begun, used = peak(), time.perf_counter(), time.process_time()
    data = shards.open(folder)
    took, used = time.perf_counter() - begun, time.process_time() - used
    print(f"{len(data)} rows opened; {len(pickle.dumps(data)) / 1e6:.0f} MB to hand on")
    print(told(took, used, before))
    used = time.process_time()
    for i in range(0, len(data), 16):
        data.facts(i)
    print(f"a row: {(time.process_time() - used) / (len(data) / 16) * 1e6:.0f} us")


if __name__ == "__main__":
    main()
