"""How fast is it, beside what else does the work? The table of docs/benchmarks.md.

    python benchmarks/speed.py [--page docs/benchmarks.md] [--small] [--rows NAME ...]
    python benchmarks/speed.py --quick   # small ratios alone, against half of docs/benchmarks.json

Two sides of a row take turns in one process (or one after the other as processes), with one thread
each, and what is compared is the processor's time, which a busy machine spoils less than the clock;
rows of several processes say the clock too. A cell is the median [least, most] over the turns.
Everything is made from code here: a 12 MP mosaic, written as a lossless DNG as cameras have it.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
FOLDER = HERE.parent
sys.path.insert(0, str(FOLDER))
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
FIVE = """
import sys, rawpy, tifffile
with rawpy.imread(sys.argv[1]) as raw:
    rgb = raw.postprocess(use_camera_wb=True, no_auto_bright=True, output_bps=16,
                          adjust_maximum_thr=0.0)
tifffile.imwrite(sys.argv[2], rgb, photometric="rgb")
"""
LIBRARIES = ("isptools-raw", "rawpy", "numpy", "numba", "h5py", "hdf5plugin", "tifffile")


@dataclass
class Row:
    """One line: what was measured, beside what, the aim, and whether `value` meets it."""

    name: str
    work: str
    beside: str
    told: str  # with its spread
    aim: str
    value: float
    least: float | None = None  # the aim as a number: at least, or at most
    most: float | None = None
    ratio: bool = False  # whether `value` says the same on another machine

    @property
    def holds(self) -> str:
        if self.least is None and self.most is None:
            return ""
        met = (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )
        return "yes" if met else "**no**"


@dataclass
class Setting:
    """Where things lie, and how much is done."""

    place: Path
    small: bool
    turns: int
    hdrplus: Path | None = None  # a checkout of amonod/hdrplus-python

    @property
    def shape(self) -> tuple[int, int]:
        return (1500, 2000) if self.small else (3000, 4000)

    def raw(self) -> Path:
        path = self.place / "lossless.dng"
        if not path.exists():
            path.write_bytes(lossless_dng(mosaic(self.shape)))
        return path


def spread(values: list[float], unit: str = "") -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):.3g} [{low:.3g}, {high:.3g}]{unit}"


def in_turn(turns: int, *sides: Callable[[], object]) -> list[list[float]]:
    """Seconds of the processor of each side, after one call that warms up."""
    for side in sides:
        side()
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(turns):
        for seconds, side in zip(found, sides, strict=True):
            start = time.process_time()
            side()
            seconds.append(time.process_time() - start)
    return found


def ratios(above: list[float], below: list[float]) -> list[float]:
    return [one / other for one, other in zip(above, below, strict=True)]


def process(*words: object) -> tuple[float, float]:
    """Seconds of the clock and of the processor of a process and its children."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([str(word) for word in words], capture_output=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in {0, 3}:
        raise RuntimeError(f"{words}: {done.stderr.decode()[-2000:]}{done.stdout.decode()[-2000:]}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used


def isptools(*words: object) -> tuple[float, float]:
    return process(sys.executable, "-m", "isptools.cli", *words)


def mosaic(shape: tuple[int, int]) -> np.ndarray:
    """14 bits: structure, and noise as a sensor's."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = 2500 + 1800 * np.sin(x / 40 + y / 90) + 300 * np.sin(x * 0.9) * np.cos(y * 1.1)
    rng = np.random.default_rng(0)
    return (512 + light + rng.normal(0, 1, shape) * np.sqrt(light + 900)).astype(np.uint16)


def lossless_dng(values: np.ndarray) -> bytes:
    """One strip of lossless JPEG, two components a pixel, as most cameras write it."""
    from tests.raw.lossless import huffman, segment
    from tests.raw.tiff import dng

    table = {size: (size + 8, 5) if size > 8 else (size, 4) for size in range(17)}
    table = {size: (code, bits) for size, (code, bits) in _canonical().items()}
    pairs = values.reshape(values.shape[0], -1, 2).astype(np.int64)
    guess = np.empty_like(pairs)
    guess[:, 1:] = pairs[:, :-1]
    guess[1:, 0] = pairs[:-1, 0]
    guess[0, 0] = 1 << 13
    difference = (pairs - guess).ravel()
    size = np.ceil(np.log2(np.abs(difference) + 1)).astype(np.int64)
    low = np.where(difference < 0, difference + (1 << size) - 1, difference)
    code = np.array([table[k][0] for k in range(17)])[size]
    bits = np.array([table[k][1] for k in range(17)])[size]
    scan = _packed((code << size) | low, bits + size).replace(b"\xff", b"\xff\0")
    rows, columns = pairs.shape[:2]
    frame = bytes([14, rows >> 8, rows & 255, columns >> 8, columns & 255, 2])
    frame += bytes([0, 0x11, 0, 1, 0x11, 0])
    piece = b"".join([
        b"\xff\xd8", segment(0xC4, b"\0" + huffman(table)), segment(0xC3, frame),
        segment(0xDA, bytes([2, 0, 0, 1, 0, 1, 0, 0])), scan, b"\xff\xd9",
    ])  # fmt: skip
    black, white = (50714, 4, [512]), (50717, 4, [16383])
    return dng(values.shape, [piece], (259, 3, [7]), black, white, bits=14)


def _canonical() -> dict[int, tuple[int, int]]:
    from tests.raw.lossless import codes

    common = {4: 3, 5: 3, 6: 3, 7: 3, 8: 3}  # five of eight codes of 3 bits; the others are longer
    return codes({size: common.get(size, 6) for size in range(17)})


def _packed(numbers: np.ndarray, lengths: np.ndarray) -> bytes:
    """Numbers of so many bits each, one behind the other; ones at the end."""
    parts, rest = [], np.empty(0, np.uint8)
    for start in range(0, len(numbers), 1 << 20):
        some, bits = numbers[start : start + (1 << 20)], lengths[start : start + (1 << 20)]
        ends = np.cumsum(bits)
        flat = np.empty(int(ends[-1]), np.uint8)
        for k in range(int(bits.max())):  # the k-th bit from the end of each
            there = bits > k
            flat[ends[there] - 1 - k] = (some[there] >> k) & 1
        flat = np.concatenate([rest, flat])
        whole = len(flat) // 8 * 8
        parts.append(np.packbits(flat[:whole]).tobytes())
        rest = flat[whole:]
    last = np.concatenate([rest, np.ones(-len(rest) % 8, np.uint8)])
    return b"".join([*parts, np.packbits(last).tobytes()])


def develops(at: Setting) -> Iterator[Row]:
    """From the file to the picture."""
    import rawpy

    from isptools import raw
    from isptools.develop.chain import develop
    from isptools.develop.steps import Balance, Demosaic, Encode, Levels, Orient, ToSpace

    path = at.raw()
    for method in ("linear", "ppg", "ahd"):
        steps = (Levels(), Balance(), Demosaic(method), ToSpace("srgb"), Encode(), Orient())

        def theirs(name: str = method.upper()) -> np.ndarray:
            with rawpy.imread(str(path)) as opened:
                return opened.postprocess(
                    demosaic_algorithm=rawpy.DemosaicAlgorithm[name], use_camera_wb=True,
                    no_auto_bright=True, adjust_maximum_thr=0.0, output_bps=16,
                )  # fmt: skip

        def ours(steps: Any = steps) -> np.ndarray:
            return develop(raw.read(path, "libraw"), steps).pixels

        differing = int(np.count_nonzero(theirs() != ours()))
        found = ratios(*in_turn(at.turns, theirs, ours))
        yield Row(
            f"file-{method}", f"lossless DNG to 16-bit sRGB, {method.upper()}", "rawpy / ours",
            f"{spread(found)}, {differing} differing", ">= 4", statistics.median(found), least=4,
            ratio=True,
        )  # fmt: skip


def unpacks(at: Setting) -> Iterator[Row]:
    """Decoding alone: LibRaw, this package, and two other decoders."""
    import rawpy

    from isptools import raw

    path = at.raw()

    def libraw() -> np.ndarray:
        with rawpy.imread(str(path)) as opened:
            return opened.raw_image.copy()

    sides: dict[str, Callable[[], object]] = {
        "LibRaw": libraw,
        "`raw.read`": lambda: raw.read(path),
    }
    if _has("imagecodecs"):
        import tifffile

        sides["tifffile + imagecodecs"] = lambda: tifffile.imread(path, maxworkers=1)
    if _has("flashraw"):
        import flashraw

        sides["flashraw"] = lambda: flashraw.imread(str(path), output="raw-u16", threads=1)
    times = dict(zip(sides, in_turn(at.turns, *sides.values()), strict=True))
    for name in list(sides)[1:]:
        found = ratios(times["LibRaw"], times[name])
        yield Row(
            f"decode-{name}", f"decoding it, {name}", "LibRaw / it", spread(found), "",
            statistics.median(found), ratio=True,
        )  # fmt: skip
    for name in ("imagecodecs", "flashraw"):
        if not _has(name):
            yield Row(f"decode-{name}", f"decoding it, {name}", "", "not installed", "", 0)


def _has(library: str) -> bool:
    try:
        version(library)
    except Exception:  # its own error, of a module of the standard library
        return False
    return True


def noise(at: Setting) -> Iterator[Row]:
    from isptools import raw
    from isptools.develop.noise import estimate

    frame = raw.read(at.raw())
    (found,) = in_turn(at.turns, lambda: estimate(frame))
    scale = 12e6 / frame.pixels.size * 1e3
    told = [value * scale for value in found]
    yield Row("noise", "noise estimate of 12 MP", "ms", spread(told, " ms"), "<= 40 ms",
              statistics.median(told), most=40)  # fmt: skip


def commands(at: Setting) -> Iterator[Row]:
    """`render` and `inspect` as processes."""
    path, out = at.raw(), at.place / "out.tif"
    five, render, walls = [], [], []
    turns = max(3, at.turns // 2)
    isptools("render", path, "--out", out)
    for _ in range(turns):
        wall_5, used_5 = process(sys.executable, "-c", FIVE, path, out)
        wall, used = isptools("render", path, "--out", out)
        five.append(used_5)
        render.append(used)
        walls.append(wall_5 / wall)
    found = ratios(five, render)
    yield Row("render", "`render` of one file to TIFF", "five lines of rawpy / ours",
              f"{spread(found)}; by the clock {spread(walls)}", "> 1", statistics.median(found),
              least=1, ratio=True)  # fmt: skip
    small = at.place / "small.dng"
    small.write_bytes(lossless_dng(mosaic((96, 128))))
    found = [isptools("inspect", small)[1] for _ in range(turns)]
    yield Row("inspect", "`inspect` of a small raw", "CPU s", spread(found, " s"), "<= 0.4 s",
              statistics.median(found), most=0.4)  # fmt: skip
    helps = [isptools("--help")[1] for _ in range(turns)]
    yield Row("help", "`isptools --help`", "CPU s", spread(helps, " s"), "", 0)


def raws(at: Setting, name: str, count: int, shape: tuple[int, int]) -> tuple[object, ...]:
    """Words of a build of so many raws, each another file; of eight pictures."""
    folder, values = at.place / name, mosaic(shape)
    folder.mkdir()
    made = [lossless_dng(np.roll(values, 2 * i, 1)) for i in range(min(count, 8))]
    for i in range(count):
        (folder / f"a{i:03d}.dng").write_bytes(made[i % 8] + i.to_bytes(2, "big"))
    isptools("init", folder, "--kind", "raws", "--out", at.place)
    return "build", at.place / f"{name}.toml", "--source", folder


def builds(at: Setting) -> Iterator[Row]:
    """Shards of some raws, and checked."""
    from isptools import raw
    from isptools.develop.chain import develop
    from isptools.develop.steps import Balance, Demosaic, Encode, Levels, ToSpace

    count = 4 if at.small else 8
    words = raws(at, "own", count, at.shape)
    isptools(*words, "--out", at.place / "warm")
    steps = (Levels(), Balance(), Demosaic("ahd"), ToSpace("srgb"), Encode())

    def once() -> None:
        develop(raw.read(at.place / "own" / "a000.dng"), steps)

    least = statistics.median(in_turn(3, once)[0]) * count
    used = [isptools(*words, "--out", at.place / f"one{i}")[1] for i in range(2)]
    idle = isptools(*words, "--out", at.place / "one0")[1]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    found = [(value - idle) / least for value in used]
    yield Row("build", f"build of {count} raws, less its start", "over unpack + develop (AHD) once",
              f"{spread(found)}; at most {peak:.0f} MB in a process", "<= 1.3, <= 500 MB",
              statistics.median(found), most=1.3, ratio=True)  # fmt: skip
    shards = sorted((at.place / "one0").glob("*.h5"))
    isptools("check", at.place / "one0")
    sums, checks = [], {1: [], 2: []}
    for _ in range(3):
        sums.append(process("sha256sum", *shards)[0])
        for jobs, walls in checks.items():
            walls.append(isptools("check", at.place / "one0", "--jobs", jobs)[0])
    size = sum(path.stat().st_size for path in shards) / 1e6
    for jobs, walls in checks.items():
        found = ratios(walls, sums)
        yield Row(f"check-{jobs}", f"`check --jobs {jobs}` of {size:.0f} MB, by the clock",
                  "over sha256sum", spread(found), "<= 1.5" if jobs == 2 else "",
                  statistics.median(found), most=1.5 if jobs == 2 else None)  # fmt: skip


def scales(at: Setting) -> Iterator[Row]:
    """From one process to two."""
    count = 8 if at.small else 64
    words = raws(at, "sixtyfour", count, (1500, 2000))
    isptools(*words, "--limit", 2, "--out", at.place / "few")
    walls = [[isptools(*words, "--out", at.place / f"j{jobs}-{i}", "--jobs", jobs)[0]
              for i in range(2)] for jobs in (1, 2)]  # fmt: skip
    found = ratios(*walls)
    yield Row("jobs", f"1 to 2 jobs on {count} raws of 3 MP, by the clock", "one / two",
              spread(found), ">= 1.9", statistics.median(found), least=1.9)  # fmt: skip


def folders(at: Setting) -> Iterator[Row]:
    """Many scenes, many shards."""
    few, many = 4, 24 if at.small else 300
    tiny = lossless_dng(mosaic((64, 64)))
    used: dict[int, list[float]] = {}
    for count in (few, many):
        folder, out = at.place / f"of{count}", at.place / f"shards{count}"
        folder.mkdir()
        for i in range(count):
            (folder / f"p{i:04d}.dng").write_bytes(tiny[:-2] + i.to_bytes(2, "big"))
        isptools("init", folder, "--kind", "raws", "--out", at.place)
        words = ("build", at.place / f"of{count}.toml", "--source", folder, "--out", out)
        isptools(*words)
        used[count] = [isptools(*words)[1] for _ in range(3)]
    found = [one + (other - one) * (1000 - few) / (many - few)
             for one, other in zip(*used.values(), strict=True)]  # fmt: skip
    yield Row("rebuild", f"a rebuild with nothing to do, 1,000 scenes (from {few} and {many})",
              "CPU s", f"{spread(found, ' s')}; its start {min(used[few]):.2f} s", "<= 0.5 s",
              statistics.median(found), most=0.5)  # fmt: skip
    yield from _opens(at)


def _opens(at: Setting) -> Iterator[Row]:
    """Shards of 66 inputs each, copies of one under an index."""
    from isptools import shards
    from isptools.shards import proof
    from tests.shards import made

    number, many = 100 if at.small else 1500, at.place / "copies"
    many.mkdir()
    one = made.shard(many, made.spec("c0000.h5", (24, 24)), tuple(f"s{k}" for k in range(33)))
    for i in range(1, number):
        shutil.copyfile(one, many / f"c{i:04d}.h5")
    listed = {"sha256": "0" * 64, "bytes": one.stat().st_size, "rows": 66, "scenes": 33,
              "split": "train", "shape": (24, 24), "kind": "bayer"}  # fmt: skip
    lines = [{"name": path.name} | listed for path in sorted(many.glob("*.h5"))]
    recipe = {"name": "made", "sha256": "0" * 64, "json": made.RECIPE}
    index = {"format": 2, "recipe": recipe, "shards": lines}
    (many / "index.json").write_bytes(proof.proved(json.dumps(index).encode(), indent=1))
    walls = []
    for _ in range(5):
        start = time.perf_counter()
        opened = shards.open(many)
        walls.append(time.perf_counter() - start)
        opened.close()
    tracemalloc.start()
    opened = shards.open(many)
    held = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    yield Row("open", f"opening {number} shards of {len(opened)} inputs, by the clock", "s",
              f"{spread(walls, ' s')}, {held:.1f} MB", "<= 0.2 s, <= 10 MB",
              statistics.median(walls), most=0.2)  # fmt: skip


def cuts(at: Setting) -> Iterator[Row]:
    """Random crops of mosaics, one thread, warm."""
    sys.path.insert(0, str(HERE))
    import crops

    shape = (1400, 2100) if at.small else (2832, 4240)
    made = crops.frames(2 if at.small else 4, shape, ("input",))
    places = {}
    for each in crops.formats():
        beside = each.name not in {"webdataset", "litdata"}
        if at.small:  # others take longer to write than all cuts
            beside = each.name in {"memmap (.npy)", "isptools", "HDF5, bitshuffle-LZ4"}
        if beside and crops.is_there(each.needs):
            places[each.name] = at.place / each.name
            places[each.name].mkdir()
            each.write(places[each.name], made)
    for size in (512, 1024):
        rates = crops.measured(places, size, 6 * at.turns, False)
        base = rates["memmap (.npy)"].cpu(size)
        ours = rates["isptools"].cpu(size)
        others = ", ".join(
            f"{name} {rate.cpu(size) / base:.1f}" for name, rate in rates.items()
            if name not in {"isptools", "memmap (.npy)"}
        )  # fmt: skip
        yield Row(f"crop-{size}", f"{size} crops of a mosaic, CPU", "over memmap",
                  f"{ours / base:.1f}; {others}", "<= 2, and the least", ours / base, most=2,
                  ratio=True)  # fmt: skip


def bursts(at: Setting) -> Iterator[Row]:
    """A burst to one frame. The peer is no package: it is measured where a checkout is named."""
    from benchmarks import painted
    from isptools.burst import fuse

    frames = painted.burst(painted.scene(at.shape))
    height, width = frames[0].pixels.shape
    work = f"fusion, {len(frames)} x {width} x {height}"
    if at.hdrplus is None:
        found = ratios(*in_turn(3, lambda: fuse(frames), lambda: plain_mean(frames)))
        told = f"{spread(found)}; the aim's peer was not there (--hdrplus)"
        yield Row("fuse", work, "over the plain mean of the frames", told, "", 0)
        return
    from benchmarks.peer_hdrplus import merge

    few = [replace(frame, pixels=frame.pixels[:1024, :1024]) for frame in frames]
    merge(at.hdrplus, few)  # it compiles
    ours, theirs = in_turn(3, lambda: fuse(frames))[0], []
    theirs = [used(lambda: merge(at.hdrplus, frames))]
    ours += [used(lambda: fuse(frames)) for _ in range(2)]
    found = [theirs[0] / seconds for seconds in ours]
    yield Row("fuse", work, "hdrplus-python / ours", spread(found), ">= 12",
              statistics.median(found), least=12, ratio=True)  # fmt: skip


def plain_mean(frames: Sequence[Any]) -> np.ndarray:
    total = np.zeros(frames[0].pixels.shape, np.float32)
    for frame in frames:
        total += frame.pixels
    return total / len(frames)


def used(side: Callable[[], object]) -> float:
    """Seconds of the processor of one call."""
    start = time.process_time()
    side()
    return time.process_time() - start


def pairs(at: Setting) -> Iterator[Row]:
    """Two photographs' homography, beside OpenCV's parts at full size."""
    import cv2

    from benchmarks import painted
    from isptools.pair.align import align
    from tests.pair.views import corner_error

    cv2.setNumThreads(1)
    picture, other, h = painted.pair(painted.scene(at.shape))
    ours = in_turn(3, lambda: align(picture, other))[0]
    start = time.process_time()
    theirs = painted.sift(picture, other)
    seconds = time.process_time() - start
    ours += [used(lambda: align(picture, other)) for _ in range(2)]
    found = align(picture, other)
    off = [corner_error(each, h, picture.shape) for each in (found.mapping.h, theirs)]
    told = [seconds / each for each in ours]
    work = "aligning " + " + ".join(f"{one.shape[1]} x {one.shape[0]}" for one in (picture, other))
    yield Row("align", work, "SIFT + MAGSAC++ + ECC at full size / ours",
              f"{spread(told)}; a corner off by {off[0]:.2f} px (theirs {off[1]:.2f})", ">= 12",
              statistics.median(told), least=12, ratio=True)  # fmt: skip


PARTS = (develops, unpacks, noise, commands, builds, scales, folders, cuts, bursts, pairs)
QUICK = (develops, cuts)
TRIES = 3  # a loss is one that shows each time: other programs may fill the caches in one


def rows(at: Setting, parts: tuple[Callable[[Setting], Iterator[Row]], ...]) -> list[Row]:
    found = []
    for part in parts:
        try:
            for row in part(at):
                found.append(row)
                print(f"{row.work}: {row.told} ({row.beside})", flush=True)
        except Exception as error:  # the other rows stand
            found.append(Row(part.__name__, part.__doc__ or part.__name__, "",
                             f"failed: {' '.join(str(error).split())[:200]}", "", 0))  # fmt: skip
            print(f"{part.__name__}: {error}", flush=True)
    return found


def machine() -> str:
    names = Path("/proc/cpuinfo").read_text().split("model name")
    model = names[1].split(":", 1)[1].splitlines()[0].strip() if len(names) > 1 else "unknown"
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{model}, {os.cpu_count()} cores, load {load} at the end; Python "
        f"{platform.python_version()}, {libraries}.\n"
    )


def page(found: list[Row]) -> str:
    lines = [machine(), "| work | beside | measured | aim | holds |", "|---|---|---|---|---|"]
    lines += [f"| {r.work} | {r.beside} | {r.told} | {r.aim} | {r.holds} |" for r in found]
    return "\n".join(lines) + "\n"


def put(path: Path, text: str) -> None:
    """Between the markers of a page."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, behind = rest.partition(END)
    if not end:
        raise SystemExit(f"{path}: has no lines {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{behind}", encoding="utf-8")


def lost(found: list[Row], before: list[dict[str, Any]]) -> list[str]:
    """Ratios that are worse than half of what they were."""
    was = {row["name"]: row["value"] for row in before if row["ratio"] and row["value"]}
    said = []
    for row in found:
        if row.name in was and row.ratio and row.value:
            share = row.value / was[row.name]
            share = 1 / share if row.most is not None else share
            if share < 0.5:
                said.append(f"{row.work}: {row.value:.3g}, it was {was[row.name]:.3g}")
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="put the table between its markers")
    parser.add_argument("--small", action="store_true", help="small pictures: a check, no numbers")
    parser.add_argument("--quick", action="store_true", help="ratios against docs/benchmarks.json")
    parser.add_argument("--rows", nargs="+", choices=[part.__name__ for part in PARTS])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--hdrplus", type=Path, default=os.environ.get("HDRPLUS"),
                        help="a checkout of amonod/hdrplus-python [$HDRPLUS]")  # fmt: skip
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    saved = FOLDER / "docs" / "benchmarks.json"
    if chosen.quick:
        before = json.loads(saved.read_text())["quick"]
        for _ in range(TRIES):
            said = lost(measured(QUICK, True, chosen.turns), before)
            print("\n".join(said))
            if not said:
                return
        raise SystemExit(1)
    parts = tuple(part for part in PARTS if part.__name__ in (chosen.rows or ()))
    found = measured(parts or PARTS, chosen.small, chosen.turns, chosen.hdrplus)
    if chosen.page:
        put(chosen.page, page(found))
        quick = measured(QUICK, True, chosen.turns)
        words = {"rows": list(map(asdict, found)), "quick": list(map(asdict, quick))}
        saved.write_text(json.dumps(words, indent=1) + "\n")


def measured(
    parts: tuple[Callable[[Setting], Iterator[Row]], ...], small: bool, turns: int,
    hdrplus: Path | None = None,
) -> list[Row]:  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        return rows(Setting(Path(place), small, turns, hdrplus), parts)


if __name__ == "__main__":
    main()
