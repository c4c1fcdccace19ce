"""Random cuts of shards, torch-free: only the tiles a cut touches are read."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from isptools import patches
from isptools.shards.schema import InputRow

S = TypeVar("S")  # what a cut is
Cut_co = TypeVar("Cut_co", covariant=True)


class Frames(Protocol[Cut_co]):
    """Whole frames that can be cut: `isptools.shards.Shards`."""

    @property
    def tables(self) -> Sequence[Any]:
        """One for each shard, with `shape` and `path`."""

    def __len__(self) -> int: ...
    def facts(self, i: int) -> InputRow:
        """The facts of input i."""

    def shape(self, i: int) -> tuple[int, int]:
        """Height and width of input i, pixels."""

    def cut(self, i: int, window: patches.Window) -> Cut_co:
        """A window (top, left, height, width) of input i."""


class Crops(Generic[S]):
    """Square cuts of side `size`, each origin a multiple of the CFA's period.

    `crops[step]` depends on seed and step alone: in every epoch of `len(shards)` steps each sample
    comes once, in a new order, cut at a new place. Iterating begins at step 0 and does not end.
    """

    def __init__(self, shards: Frames[S], size: int, seed: int = 0) -> None:
        for table in shards.tables:
            if size > min(table.shape):
                raise ValueError(f"a cut of {size} pixels does not fit into {table.path}")
        self.shards, self.size, self.seed = shards, size, seed
        self._order: tuple[int, list[int]] = (-1, [])

    def __getitem__(self, step: int) -> S:
        i, window = self.window(step)
        return self.shards.cut(i, window)

    def __iter__(self) -> Iterator[S]:
        step = 0
        while True:
            yield self[step]
            step += 1

    def window(self, step: int) -> tuple[int, patches.Window]:
        """The sample of a step, and where it is cut: top, left, height, width."""
        epoch, at = divmod(step, len(self.shards))
        if self._order[0] != epoch:
            order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self.shards))
            self._order = (epoch, order.tolist())
        i = self._order[1][at]
        random = np.random.default_rng([self.seed, 1, step])
        every = patches.period(self.shards.facts(i).cfa)
        top, left = patches.origin(self.shards.shape(i), self.size, every, random)
        return i, (top, left, self.size, self.size)
