"""Pixels a second the loader delivers: mosaic and two truths, from compressed shards.

python benchmarks/loader.py SHARDS [--patch 512] [--workers 2]
"""

import argparse
import time
from pathlib import Path

from isptools.train import data, feed

TRUTHS = ("restoration", "enhancement")


def rate(folder: Path, patch: int, workers: int, items: int) -> float:
    """Megapixels of triples a second, after the workers have started."""
    source = data.open_shards(folder, "train", "packed", TRUTHS)
    cuts = data.Cuts(source, patch, 0, TRUTHS)
    batches = feed.batches(cuts, range(items), feed.Feed(1, workers))
    warm = items // 5
    for _ in range(warm):
        next(batches)
    start = time.perf_counter()
    count = sum(1 for _ in batches)
    return count * patch**2 / (time.perf_counter() - start) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--patch", type=int, nargs="+", default=[256])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--items", type=int, default=400)
    chosen = parser.parse_args()
    print(f"{'patch':>6}{'workers':>9}{'MP/s, best of 3':>18}")
    for patch in chosen.patch:
        for workers in chosen.workers:
            best = max(rate(chosen.shards, patch, workers, chosen.items) for _ in range(3))
            print(f"{patch:>6}{workers:>9}{best:>18.1f}")


if __name__ == "__main__":
    main()
