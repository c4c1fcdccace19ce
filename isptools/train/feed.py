"""Batches in the order of the steps, read ahead by other processes into memory they share."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from isptools.children import end_with_parent, safe_path
from isptools.train.carry import pinned, released
from isptools.train.data import Cuts, Turn, arranged
from isptools.train.intake import Batch

SHARED = Path("/dev/shm")  # where shared memory lies on Linux
AHEAD = 2  # batches a process reads before they are asked for
Read = tuple[int, dict[str, NDArray[Any]], list[Turn], str]  # slot, facts, turns, what went wrong


@dataclass(frozen=True, slots=True)
class Feed:
    """How batches are fetched; nothing here changes what is in them."""

    batch: int = 1
    workers: int = 0
    pin: bool = False
    rank: int = 0
    world: int = 1


class Turns(Sampler[list[int]]):
    """The items of one process, step by step: the same whole for any number of processes."""

    def __init__(self, steps: range, batch: int, rank: int = 0, world: int = 1) -> None:
        self.steps, self.batch, self.rank, self.world = steps, batch, rank, world

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            first = (step * self.world + self.rank) * self.batch
            yield list(range(first, first + self.batch))

    def __len__(self) -> int:
        return len(self.steps)


class Slots(Dataset[Read]):
    """Memory for a few batches, which is written again and again.

    Fresh memory for every batch costs more than reading it: the system has to find and clear its
    pages. Each process goes round its own slots, and has one more of them than batches ahead, so
    that a batch stays until the next one is asked for.
    """

    def __init__(self, cuts: Cuts, batch: int, workers: int) -> None:
        self.cuts, self.each, self.next = cuts, AHEAD + 1 if workers else 1, 0
        count = self.each * max(workers, 1)
        self.pixels = {
            name: torch.from_numpy(np.empty((count, batch, *shape), dtype))
            for name, (shape, dtype) in cuts.rooms().items()
        }
        if workers:
            _expect_shared(sum(x.numel() * x.element_size() for x in self.pixels.values()))
            for pixels in self.pixels.values():
                pixels.share_memory_()  # type: ignore[no-untyped-call] # torch's

    def __getitem__(self, items: list[int]) -> Read:
        worker = get_worker_info()
        slot = (worker.id if worker else 0) * self.each + self.next
        self.next = (self.next + 1) % self.each
        known, turns = [], []
        for place, n in enumerate(items):
            rooms = {name: x[slot, place].numpy() for name, x in self.pixels.items()}
            try:
                item = self.cuts.fill(n, rooms)
            except ValueError as error:
                return slot, {}, [], str(error)
            known.append(item.facts)
            turns.append(item.turn)
        return slot, {k: np.stack([one[k] for one in known]) for k in known[0]}, turns, ""


def batches(cuts: Cuts, steps: range, feed: Feed) -> Iterator[tuple[Batch, list[Turn]]]:
    """Batches of the steps, in order, as read: `arranged` turns them, on the device they go to.

    A batch lies in memory that is used again: take from it what you need before the next one. With
    `pin` that memory is a ring which a GPU reads by itself. ValueError in one line where a shard
    can't be read.
    """
    slots = Slots(cuts, feed.batch, feed.workers)
    fixed = [x for x in slots.pixels.values() if feed.pin and pinned(x)]
    fetched: Any = DataLoader(
        slots, batch_size=None, sampler=Turns(steps, feed.batch, feed.rank, feed.world),
        num_workers=feed.workers, collate_fn=_as_it_is, worker_init_fn=end_with_parent,
        prefetch_factor=AHEAD if feed.workers else None,
        generator=torch.Generator(),  # networks' chance must not depend on how often reading began
    )  # fmt: skip
    try:
        with safe_path():
            reading = iter(fetched)
        for slot, facts, turns, wrong in reading:
            if wrong:
                raise ValueError(wrong)
            batch = {name: x[slot] for name, x in slots.pixels.items()}
            yield batch | {name: torch.from_numpy(value) for name, value in facts.items()}, turns
    finally:
        for x in fixed:
            released(x)


def loader(cuts: Cuts, steps: range, feed: Feed) -> Iterator[dict[str, Tensor]]:
    """The same batches, turned here and in memory of their own: (N, ..., side, side) each."""
    return (arranged(batch, turns) for batch, turns in batches(cuts, steps, feed))


def shareable(cuts: Cuts, batch: int, workers: int) -> bool:
    """Whether memory that so many readers share is free."""
    each = sum(math.prod(shape) * kind.itemsize for shape, kind in cuts.rooms().values())
    needed = workers * (AHEAD + 1) * batch * each
    return not SHARED.is_dir() or shutil.disk_usage(SHARED).free >= needed


def _expect_shared(needed: int) -> None:
    """ValueError where so many bytes are not free: the system would end a process that writes."""
    if SHARED.is_dir() and (free := shutil.disk_usage(SHARED).free) < needed:
        raise ValueError(
            f"{SHARED}: {free >> 20} MB are free, reading ahead takes {-(-needed >> 20)} MB: take "
            "fewer --jobs or a smaller patch, or give the container more (--shm-size)"
        )


def _as_it_is(item: Any) -> Any:
    return item
