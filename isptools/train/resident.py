"""All pictures of a split in a device's memory, as stored: cuts and turns happen there."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isptools.train.data import Cuts, Item, Turn
from isptools.train.feed import Feed, Turns
from isptools.train.intake import Batch

SHARE = 0.5  # of a GPU's free memory that shards may take unasked
Which = tuple[str, int]  # a picture: its shard, its row
SIGNED = {torch.uint16: torch.int16}  # torch indexes no uint16


@dataclass(frozen=True, slots=True)
class Walk:
    """How a turned cut runs over a picture of a buffer: where it begins, the way down and right."""

    begin: int
    down: int
    right: int


def walk(window: tuple[int, int, int, int], width: int, turn: Turn) -> Walk:
    """Of a window of a frame `width` pixels wide, as `data.arranged` turns and cuts it."""
    symmetry, top, left = turn
    last = window[2] - 1
    # where a turned pixel (y, x) came from: row = a + b y + c x, column likewise
    row, column = {
        0: ((0, 1, 0), (0, 0, 1)), 1: ((0, 0, 1), (last, -1, 0)),
        2: ((last, -1, 0), (last, 0, -1)), 3: ((last, 0, -1), (0, 1, 0)),
    }[symmetry % 4]  # fmt: skip
    at, down, right = (
        (r + first) * width + c + second
        for r, c, first, second in zip(
            row, column, (window[0], 0, 0), (window[1], 0, 0), strict=True
        )
    )
    if symmetry >= 4:
        at, right = at + right * last, -right
    return Walk(at + down * top + right * left, down, right)


def gathered(flat: Tensor, begin: Tensor, step: Tensor, size: int) -> Tensor:
    """Cuts of a buffer: `begin` (N, C) where planes begin, `step` (N, 2) down and right."""
    at = torch.arange(size, device=flat.device)
    down, right = step[:, :1, None] * at[:, None], step[:, 1:, None] * at
    return flat[begin[:, :, None, None] + (down + right)[:, None]]


class Held:
    """Buffers of all pictures of some cuts' shards; `batches` gives what `feed.loader` does.

    ValueError in one line where a shard can't be read or the device has no room.
    """

    def __init__(self, cuts: Cuts, device: torch.device, compiled: bool = False) -> None:
        self.cuts, self.device = cuts, device
        self.take: Callable[..., Tensor] = torch.compile(gathered) if compiled else gathered
        self.kinds = {name: (shape, _torch(kind)) for name, (shape, kind) in cuts.rooms().items()}
        self.starts = {name: starts(cuts, name) for name in self.kinds}
        try:
            self.flats = {name: self._filled(name) for name in self.kinds}
        except torch.cuda.OutOfMemoryError:
            raise ValueError(
                f"these shards take {needed(cuts) >> 20} MB, which do not fit into this GPU's "
                "memory; leave --data resident out"
            ) from None

    def batches(self, steps: range, feed: Feed) -> Iterator[tuple[Batch, list[Turn]]]:
        """The batches of these steps, turned; with no turns left to do."""
        for items in Turns(steps, feed.batch, feed.rank, feed.world):
            yield self.batch([self.cuts.item(n) for n in items]), []

    def batch(self, items: list[Item]) -> Batch:
        """The batch of these items, cut and turned on the device."""
        places = self._sent(np.array([self._places(item) for item in items]))
        step, out = places[:, :2], {}
        begins = _parts(places[:, 2:], [_planes(shape) for shape, _ in self.kinds.values()])
        for (name, (shape, kind)), begin in zip(self.kinds.items(), begins, strict=True):
            cut = self.take(self.flats[name], begin, step, self.cuts.size).view(kind)
            out[name] = cut if len(shape) == 3 else cut[:, 0]
        return out | self._facts({
            name: np.stack([item.facts[name] for item in items]) for name in items[0].facts
        })  # fmt: skip

    def _places(self, item: Item) -> list[int]:
        """The way down and right, then where every plane of every picture begins."""
        height, width = self.cuts.source.shape(item.place)
        way = walk(item.window, width, item.turn)
        return [way.down, way.right] + [
            self.starts[name][picture(self.cuts, name, item.place)] + way.begin + c * height * width
            for name, (shape, _) in self.kinds.items()
            for c in range(_planes(shape))
        ]

    def _facts(self, facts: dict[str, NDArray[Any]]) -> Batch:
        """In one transfer."""
        rows = [value.reshape(len(value), -1) for value in facts.values()]
        parts = _parts(self._sent(np.concatenate(rows, 1)), [row.shape[1] for row in rows])
        return {
            name: part.reshape(value.shape)
            for part, (name, value) in zip(parts, facts.items(), strict=True)
        }

    def _sent(self, values: NDArray[Any]) -> Tensor:
        out = torch.from_numpy(values)
        if self.device.type != "cuda":
            return out.to(self.device)
        return out.pin_memory().to(self.device, non_blocking=True)

    def _filled(self, name: str) -> Tensor:
        (shape, kind), source = self.kinds[name], self.cuts.source
        stored = SIGNED.get(kind, kind)
        sizes = {
            picture(self.cuts, name, i): (_planes(shape) * math.prod(source.shape(i)), i)
            for i in range(len(source))
        }
        flat = torch.empty(
            sum(size for size, _ in sizes.values()), dtype=stored, device=self.device
        )
        for which, (size, i) in sizes.items():
            start = self.starts[name][which]
            pixels = np.ascontiguousarray(self.cuts.whole(name, i)).reshape(-1)
            flat[start : start + size] = torch.from_numpy(pixels).view(stored).to(self.device)
        return flat


def starts(cuts: Cuts, name: str) -> dict[Which, int]:
    """Where each picture of a kind begins in its buffer; one that several inputs share is once."""
    out: dict[Which, int] = {}
    planes, total = _planes(cuts.rooms()[name][0]), 0
    for i in range(len(cuts.source)):
        which = picture(cuts, name, i)
        if which not in out:
            out[which] = total
            total += planes * math.prod(cuts.source.shape(i))
    return out


def picture(cuts: Cuts, name: str, i: int) -> Which:
    """Which picture of this kind input i has: its shard and row there."""
    if name in {"raw", "shading"}:
        return "", i
    facts = cuts.source.facts(i)
    return str(cuts.source.path(i)), facts.truth if name == "mask" else getattr(facts, name)


def needed(cuts: Cuts) -> int:
    """Bytes of all pictures."""
    total = 0
    for name, (shape, kind) in cuts.rooms().items():
        places = {picture(cuts, name, i): i for i in range(len(cuts.source))}
        pixels = sum(math.prod(cuts.source.shape(i)) for i in places.values())
        total += pixels * _planes(shape) * kind.itemsize
    return total


def fits(cuts: Cuts, device: torch.device) -> bool:
    """Whether they leave a GPU most of its memory."""
    return device.type == "cuda" and needed(cuts) < SHARE * torch.cuda.mem_get_info(device)[0]


def _parts(x: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
    """Columns of so many each."""
    out: tuple[Tensor, ...] = x.split(sizes, 1)  # type: ignore[no-untyped-call] # torch's
    return out


def _planes(shape: tuple[int, ...]) -> int:
    return shape[0] if len(shape) == 3 else 1


def _torch(kind: np.dtype[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, kind)).dtype
