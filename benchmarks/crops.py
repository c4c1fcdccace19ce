"""Random square crops of 14-bit mosaics, and of mosaic and two truths: who reads them how fast?

    python benchmarks/crops.py [--shape 2832 4240] [--frames 4] [--items 60] [--page PAGE.md]

Every format holds the same frames, made from structure and shot noise, lossless; a row says so
where its library is not installed. MP/s is of the wall clock, CPU s/MP of all processes, MB of the
disk. Warm: the files are in the system's cache; cold: it was asked to forget them before each item.
The formats take turns within an item, so that a busy machine slows all alike. webdataset and
litdata hand out whole samples; their crop is cut from a frame they decode, which is what they are.
To add a row: write the frames in a function like `memmap`, and give what opens and cuts them.
"""

import argparse
import importlib
import io
import os
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CHUNK = 256
KINDS = ("mosaic", "triple")
Cut = Callable[[int, int, int, int], list[np.ndarray]]  # frame, top, left, size: input, truths
Frames = dict[str, np.ndarray]  # input (N, H, W); restoration, enhancement (N, 3, H, W)


@dataclass(frozen=True)
class Format:
    """`write` puts frames into a folder, `open` gives what cuts them: from each process anew."""

    name: str
    needs: str  # a library
    write: Callable[[Path, Frames], None]
    open: Callable[[Path], Cut]


def frames(count: int, shape: tuple[int, int], names: tuple[str, ...]) -> Frames:
    """14-bit numbers with texture, shot and read noise; truths are brighter and less noisy."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = 900 + 700 * np.sin(x / 61 + y / 97) + 120 * np.sin(x * 0.7) * np.cos(y * 0.9)
    made: Frames = {}
    for name in names:
        planes = (count, *shape) if name == "input" else (count, 3, *shape)
        gain, noise = (1, 1.5) if name == "input" else (6, 2.0)
        made[name] = np.empty(planes, np.uint16)
        for plane in np.ndindex(planes[:-2]):
            bright = light * gain
            spread = np.sqrt(np.maximum(bright, 1)) * noise
            noisy = bright + rng.normal(0, 1, shape).astype(np.float32) * spread + 512
            made[name][plane] = noisy.clip(0, 16383)
    return made


def _area(top: int, left: int, size: int) -> tuple[Any, ...]:
    return (..., slice(top, top + size), slice(left, left + size))


def write_memmap(folder: Path, made: Frames) -> None:
    for name, values in made.items():
        np.save(folder / f"{name}.npy", values)


def open_memmap(folder: Path) -> Cut:
    opened = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))]
    return lambda i, *at: [np.array(one[i][_area(*at)]) for one in opened]


def hdf5(packed: dict[str, Any]) -> tuple[Callable[[Path, Frames], None], Callable[[Path], Cut]]:
    def write(folder: Path, made: Frames) -> None:
        import h5py

        with h5py.File(folder / "a.h5", "w") as file:
            for name, values in made.items():
                chunks = (*(1 for _ in values.shape[:-2]), CHUNK, CHUNK)
                file.create_dataset(name, data=values, chunks=chunks, **packed)

    def opened(folder: Path) -> Cut:
        import h5py
        import hdf5plugin  # noqa: F401 - registers the decompression filter with HDF5

        file = h5py.File(folder / "a.h5")
        sets = [file[name] for name in sorted(file)]
        return lambda i, *at: [one[(i, *_area(*at))] for one in sets]

    return write, opened


def bitshuffle() -> dict[str, Any]:
    import hdf5plugin

    return dict(hdf5plugin.Bitshuffle(cname="lz4"))


def write_ours(folder: Path, made: Frames) -> None:
    from isptools.frame import Capture
    from isptools.shards import write
    from isptools.shards.schema import InputRow, Picture, Spec, TruthRow

    count, *shape = made["input"].shape
    none, four = (0.0, 0.0, 0.0, 0.0), (512.0,) * 4
    capture = Capture("bayer", "RGGB", four, (512,) * 4, 16383, (2.0, 1, 1.5, 1), none)
    attrs = {
        "data_set": "made", "title": "Made", "licence": "none", "redistribution": "allowed",
        "citation": "", "split": "train", "sample": True, "recipe_sha256": "0" * 64,
        "versions": "{}", "steps": "{}",
        "recipe": '{"name":"made","title":"Made","source":{},"truth":{},"storage":{}}',
    }  # fmt: skip
    station = {"restoration": "xyz", "enhancement": "srgb"}
    pictures = {
        name: Picture(station[name], "uint16", 1.0, "", "develop")
        for name in station
        if name in made
    }
    bare = np.zeros((*shape, 3), np.uint8)  # a shard has a truth: of mosaics an empty one
    pictures = pictures or {"enhancement": Picture("srgb", "uint8", 1.0, "", "develop")}
    spec = Spec("a.h5", tuple(shape), 4, 252, "bitshuffle-lz4", pictures, attrs)
    both = {
        "exposure_s": 0.1, "iso": 100.0, "aperture": 2.8, "orientation": 1, "flip": 0,
        "make": "Made", "model": "Made", "source_sha256": "0" * 64,
    }  # fmt: skip
    with write.shard(folder, spec) as writer:
        for i in range(count):
            truth = TruthRow(
                key=f"t{i}", scene=f"s{i}", gains=None, white=16383.0, restoration_low=0,
                restoration_high=0, enhancement_low=0, enhancement_high=0,
                source=f"t{i}.dng", enhanced="", enhanced_sha256="", enhanced_turned=0, **both,
            )  # fmt: skip
            planes = {
                name: made[name][i].transpose(1, 2, 0) if name in made else bare
                for name in pictures
            }
            at = writer.truth(truth, planes, capture, ())
            row = InputRow(
                key=f"i{i}", scene=f"s{i}", restoration=at if "restoration" in pictures else -1,
                enhancement=at, cfa="RGGB", black=four,
                white=16383.0, as_shot=(2.0, 1, 1.5, 1), daylight=none, camera_to_srgb=None,
                xyz_to_camera=None, shot=(1e-4,) * 4, read=(1e-6,) * 4, noise_origin="estimated",
                ratio=1.0, ratio_origin="manifest", visible_origin=(0, 0), active_area=None,
                default_crop=None, source=f"i{i}.dng", **both,
            )  # fmt: skip
            writer.input(row, made["input"][i], capture, ())


def open_ours(folder: Path) -> Cut:
    from isptools import shards

    opened = shards.open(folder)
    pictures = opened.tables[0].pictures
    names = [name for name in pictures if pictures[name].dtype == "uint16"]

    def cut(i: int, top: int, left: int, size: int) -> list[np.ndarray]:
        window = (top, left, size, size)
        return [opened.raw(i, window), *(opened.stored(i, name, window)[0] for name in names)]

    return cut


def write_zarr(folder: Path, made: Frames) -> None:
    import zarr

    for name, values in made.items():
        lead = tuple(1 for _ in values.shape[:-2])
        whole = tuple(-(-side // CHUNK) * CHUNK for side in values.shape[-2:])
        codec = zarr.codecs.BloscCodec(cname="lz4", shuffle="bitshuffle")
        array = zarr.create_array(
            folder / f"{name}.zarr", shape=values.shape, dtype=values.dtype,
            chunks=(*lead, CHUNK, CHUNK), shards=(*lead, *whole), compressors=codec,
        )  # fmt: skip
        array[...] = values


def open_zarr(folder: Path) -> Cut:
    import zarr

    opened = [zarr.open_array(path, mode="r") for path in sorted(folder.glob("*.zarr"))]
    return lambda i, *at: [np.asarray(one[(i, *_area(*at))]) for one in opened]


def write_webdataset(folder: Path, made: Frames) -> None:
    """A sample a frame, each array as .npy.gz, as their guides have it."""
    import gzip

    with tarfile.open(folder / "a.tar", "w") as tar:
        for i in range(len(made["input"])):
            for name, values in made.items():
                memory = io.BytesIO()
                np.save(memory, values[i])
                packed = gzip.compress(memory.getvalue(), 1)
                head = tarfile.TarInfo(f"{i:04d}.{name}.npy.gz")
                head.size = len(packed)
                tar.addfile(head, io.BytesIO(packed))


def open_webdataset(folder: Path) -> Cut:
    import gzip

    import webdataset

    def samples() -> Iterator[dict[str, Any]]:
        while True:
            yield from webdataset.WebDataset(str(folder / "a.tar"), shardshuffle=False)

    stream = samples()

    def cut(_: int, *at: int) -> list[np.ndarray]:
        """Of the next frame: there is no other."""
        sample = next(stream)
        found = [gzip.decompress(sample[key]) for key in sorted(sample) if key.endswith(".npy.gz")]
        return [np.load(io.BytesIO(one))[_area(*at)].copy() for one in found]

    return cut


def write_litdata(folder: Path, made: Frames) -> None:
    import litdata

    samples = [
        {name: values[i] for name, values in made.items()} for i in range(len(made["input"]))
    ]
    litdata.optimize(
        fn=_same, inputs=samples, output_dir=str(folder), chunk_bytes="256MB", num_workers=1
    )


def _same(sample: Any) -> Any:
    return sample


def open_litdata(folder: Path) -> Cut:
    import litdata

    data = litdata.StreamingDataset(str(folder))
    return lambda i, *at: [np.array(one[_area(*at)]) for _, one in sorted(data[i].items())]


def formats() -> list[Format]:
    return [
        Format("memmap (.npy)", "numpy", write_memmap, open_memmap),
        Format("isptools", "isptools", write_ours, open_ours),
        Format("HDF5, bitshuffle-LZ4", "hdf5plugin", *hdf5(bitshuffle())),
        Format("HDF5, LZF", "h5py", *hdf5({"compression": "lzf"})),
        Format("HDF5, gzip", "h5py", *hdf5({"compression": "gzip", "compression_opts": 4})),
        Format("Zarr 3, sharded", "zarr", write_zarr, open_zarr),
        Format("webdataset", "webdataset", write_webdataset, open_webdataset),
        Format("litdata", "litdata", write_litdata, open_litdata),
    ]


def is_there(library: str) -> bool:
    try:
        importlib.import_module(library)
    except ImportError:
        return False
    return True


@dataclass(frozen=True)
class Rate:
    """Of one format: seconds of the wall and of the processor for each item."""

    walls: list[float]
    processor: list[float]

    def mp_s(self, size: int) -> float:
        return size**2 / 1e6 / statistics.median(self.walls)

    def cpu(self, size: int) -> float:
        return statistics.median(self.processor) / (size**2 / 1e6)


def measured(folders: dict[str, Path], size: int, items: int, cold: bool) -> dict[str, Rate]:
    """One thread; formats take turns at every item, each at the same window."""
    cuts = {each.name: each.open(folders[each.name]) for each in formats() if each.name in folders}
    rng = np.random.default_rng(size)
    rates = {name: Rate([], []) for name in cuts}
    sizes = _frame(folders)
    for item in range(items + 3):
        frame, (top, left) = int(rng.integers(sizes[0])), _corner(rng, sizes[1:], size)
        for name, cut in cuts.items():
            if cold:
                forget(folders[name])
            wall, used = time.perf_counter(), time.process_time()
            cut(frame, top, left, size)
            used, wall = time.process_time() - used, time.perf_counter() - wall
            if item >= 3:  # the first open files, and warm
                rates[name].walls.append(wall)
                rates[name].processor.append(used)
    return rates


def _frame(folders: dict[str, Path]) -> tuple[int, int, int]:
    count, height, width = np.load(folders["memmap (.npy)"] / "input.npy", mmap_mode="r").shape
    return count, height, width


def _corner(rng: np.random.Generator, shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """On the array's phase, as training cuts."""
    top, left = (int(rng.integers((side - size) // 2 + 1)) * 2 for side in shape)
    return top, left


def forget(folder: Path) -> None:
    """Ask the system to drop a folder's files from its cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _worker(name: str, folder: Path, size: int, items: int, seed: int) -> float:
    """CPU seconds of the items of one process."""
    cut = next(each for each in formats() if each.name == name).open(folder)
    rng = np.random.default_rng(seed)
    shape = _frame({"memmap (.npy)": folder.parent / "memmap (.npy)"})
    used = time.process_time()
    for _ in range(items):
        cut(int(rng.integers(shape[0])), *_corner(rng, shape[1:], size), size)
    return time.process_time() - used


def by_workers(
    folder: Path, name: str, size: int, items: int, workers: int = 2
) -> tuple[float, float]:
    """MP/s and CPU s/MP of processes beside each other."""
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_worker, [name] * workers, [folder] * workers, [size] * workers,
                      [2] * workers, range(workers)))  # fmt: skip
        start = time.perf_counter()
        used = list(pool.map(_worker, [name] * workers, [folder] * workers, [size] * workers,
                             [items] * workers, range(workers)))  # fmt: skip
        wall = time.perf_counter() - start
    pixels = items * workers * size**2 / 1e6
    return pixels / wall, sum(used) / pixels


def table(root: Path, made: Frames, chosen: argparse.Namespace) -> Iterator[str]:
    """Lines of Markdown for one kind of sample."""
    folders, absent = {}, []
    for each in formats():
        if not is_there(each.needs):
            absent.append(each.name)
            continue
        folders[each.name] = root / each.name
        folders[each.name].mkdir(parents=True)
        each.write(folders[each.name], made)
    sizes = chosen.patch
    warm = {size: measured(folders, size, chosen.items, False) for size in sizes}
    cold = {size: measured(folders, size, max(5, chosen.items // 4), True) for size in sizes}
    heads = ["format", "MB"]
    for size in sizes:
        heads += [f"{size}: MP/s", "cold", "2 workers", "CPU s/MP", "over memmap"]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for name, folder in folders.items():
        stored = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        cells = [name, f"{stored / 1e6:.0f}"]
        for size in sizes:
            own, base = warm[size][name], warm[size]["memmap (.npy)"]
            pool = by_workers(folder, name, size, max(4, chosen.items // 4))
            cells += [
                f"{own.mp_s(size):.0f}", f"{cold[size][name].mp_s(size):.0f}", f"{pool[0]:.0f}",
                f"{own.cpu(size):.4f}", f"{own.cpu(size) / base.cpu(size):.1f}",
            ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"
    for name in absent:
        yield f"| {name} | not installed |" + " |" * (len(heads) - 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=2, default=[2832, 4240])
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--patch", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    chosen = parser.parse_args()
    for kind in chosen.kinds:
        names = ("input",) if kind == "mosaic" else ("input", "restoration", "enhancement")
        count = chosen.frames if kind == "mosaic" else max(1, chosen.frames // 4)
        print(f"\n{kind}, {count} frames of {chosen.shape[0]} x {chosen.shape[1]}\n", flush=True)
        with tempfile.TemporaryDirectory() as root:
            for line in table(Path(root), frames(count, tuple(chosen.shape), names), chosen):
                print(line, flush=True)


if __name__ == "__main__":
    main()
