"""Which of many hashes of 64 bits differ in few of them: exactly, and without each pair's look."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from isptools.compiled import kernel, part

BITS = 64
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]


def linked(hashes: U64, owners: I64, most: int) -> tuple[I64, I64]:
    """Hashes of different owners are near that differ in at most `most` bits.

    `hashes` (N,) and whose each is, `owners` (N,), from 0. Gives of each hash the first one before
    it that is near, -1 for none (N,), and of each owner the least owner that a chain of near hashes
    leads to (owners.max() + 1,).

    Of two hashes that differ in `most` of `most` + 1 runs of bits at most, one run is the same
    (Manku, Jain and Sarma, "Detecting near-duplicates for web crawling", WWW 2007): only hashes
    that have a run in common are compared. Where that are more than all pairs, all are. Memory
    grows with N alone.
    """
    first = np.full(len(hashes), len(hashes), np.int64)
    leaders = np.arange(owners.max(initial=-1) + 1)
    for order, starts in _buckets(hashes, most):
        _compare(hashes[order], owners[order], most, (order, starts), (first, leaders))
    first[first == len(hashes)] = -1
    return first, np.array([_leader(leaders, owner) for owner in range(len(leaders))], np.int64)


def _buckets(hashes: U64, most: int) -> Iterator[tuple[I64, I64]]:
    """Numbers of hashes, those of a bucket one after the other as they came; where buckets begin
    and the last one ends."""
    ends = np.linspace(0, BITS, most + 2).astype(np.uint64)
    runs = [hashes >> low & np.uint64((1 << int(high - low)) - 1) for low, high in pairwise(ends)]
    pairs = sum(int((size * (size - 1) // 2).sum()) for size in map(_sizes, runs))
    every = len(hashes) * (len(hashes) - 1) // 2
    for run in runs if pairs < every else [np.zeros_like(hashes)]:
        order = np.argsort(run, kind="stable")
        yield order, np.concatenate([[0], np.cumsum(_sizes(run))]).astype(np.int64)


def _sizes(run: U64) -> I64:
    return np.unique(run, return_counts=True)[1]


@kernel
def _compare(
    hashes: U64, owners: I64, most: int, bucket: tuple[I64, I64], found: tuple[I64, I64]
) -> None:
    order, starts = bucket
    first, leaders = found
    for at in range(len(starts) - 1):
        for i in range(starts[at] + 1, starts[at + 1]):
            for j in range(starts[at], i):
                a, b = owners[i], owners[j]
                if _ones(hashes[i] ^ hashes[j]) > most or a == b:
                    continue
                first[order[i]] = min(first[order[i]], order[j])
                if leaders[a] != leaders[b]:
                    a, b = _leader(leaders, a), _leader(leaders, b)
                    leaders[max(a, b)] = min(a, b)


@part
def _ones(bits: np.uint64) -> np.uint64:
    """How many bits are set, as Warren's "Hacker's Delight" counts them: pairs, fours, bytes."""
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + (
        (bits >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (bits * np.uint64(0x0101010101010101)) >> np.uint64(56)


@part
def _leader(leaders: I64, owner: int) -> int:
    while leaders[owner] != owner:
        leaders[owner] = leaders[leaders[owner]]
        owner = leaders[owner]
    return owner
