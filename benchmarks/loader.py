"""Pixels a second the loader delivers: mosaic and two truths, from compressed shards.

Counted as they are handed over for the device; turning and arithmetic happen there. `--enlarge`
repeats the pictures of a small shard (`make demo`) until they fill a frame of 4240 x 2832.

python benchmarks/loader.py SHARDS [--enlarge] [--patch 512 1024] [--workers 0 2]
"""

import argparse
import os
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from isptools import shards
from isptools.shards import write
from isptools.shards.schema import ROOT, Spec
from isptools.train import data, feed
from isptools.train.intake import PACKED

TRUTHS = ("restoration", "enhancement")
FRAME = 2832, 4240


def rate(folder: Path, patch: int, workers: int, items: int) -> tuple[float, float]:
    """Megapixels of triples a second, after the workers have started, and a second of CPU time."""
    source = data.open_shards(folder, "train", PACKED, TRUTHS)
    cuts = data.Cuts(source, patch, 0, TRUTHS)
    batches = feed.batches(cuts, range(items), feed.Feed(1, workers))
    warm = items // 5
    used = spent()
    for _ in range(warm):
        next(batches)
    start = time.perf_counter()
    count = sum(1 for _ in batches)
    wall = time.perf_counter() - start
    return count * patch**2 / wall / 1e6, items * patch**2 / (spent() - used) / 1e6


def spent() -> float:
    """CPU seconds of this process and of those that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def enlarge(folder: Path, out: Path, scenes: int = 4) -> None:
    """Two inputs of each training scene, every picture repeated to fill the frame."""
    with shards.open(folder, "train") as source:
        table = source.tables[0]
        attrs = {name: table.attrs[name] for name in ROOT if name != "format"}
        spec = Spec("large.h5", FRAME, 4, 252, "bitshuffle-lz4", table.pictures, attrs)
        repeat = [-(-side // small) for side, small in zip(FRAME, table.shape, strict=True)]
        with write.shard(out, spec) as writer:
            for i in range(min(scenes, len(source))):
                sample, truth = source[i], source.truth_facts(i)
                pictures = {
                    name: large(getattr(sample, name), repeat).transpose(1, 2, 0) for name in TRUTHS
                }
                at = writer.truth(truth, pictures, source.capture(i), ())
                row = replace(sample.facts, restoration=at, enhancement=at)
                writer.input(row, large(source.raw(i), repeat), source.capture(i), ())


def large(picture: np.ndarray, repeat: list[int]) -> np.ndarray:
    times = (*(1 for _ in picture.shape[:-2]), *repeat)
    return np.tile(picture, times)[..., : FRAME[0], : FRAME[1]]


def show(folder: Path, chosen: argparse.Namespace) -> None:
    print(f"{'patch':>6}{'workers':>9}{'MP/s':>8}{'MP a CPU second':>17}, best of {chosen.times}")
    for patch in chosen.patch:
        for workers in chosen.workers:
            found = [rate(folder, patch, workers, chosen.items) for _ in range(chosen.times)]
            wall, cpu = (max(column) for column in zip(*found, strict=True))
            print(f"{patch:>6}{workers:>9}{wall:>8.1f}{cpu:>17.1f}", flush=True)
    peaks = [
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    size = sum(path.stat().st_size for path in folder.glob("*.h5")) / 1e6
    print(f"shards of {size:.0f} MB; at most {peaks[0]:.0f} MB in this process, {peaks[1]:.0f} MB "
          f"in one that reads; load {Path('/proc/loadavg').read_text()[:14]}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--enlarge", action="store_true")
    parser.add_argument("--patch", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--times", type=int, default=3)
    chosen = parser.parse_args()
    if not chosen.enlarge:
        show(chosen.shards, chosen)
        return
    with tempfile.TemporaryDirectory() as out:
        enlarge(chosen.shards, Path(out))
        show(Path(out), chosen)


if __name__ == "__main__":
    main()
