"""From shards to batches: integers travel to the device, arithmetic happens there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name
from torch.utils.data import DataLoader, Dataset, Sampler

from isptools import shards
from isptools.shards.schema import InputRow
from isptools.train.models import Prepare

Array = NDArray[Any]
TARGET = {4: "RGGB", 36: "RBGBRGGGRGGBGGBGGRBRGRBGGGBGGRGGRGGB"}  # the phase networks see
STATIONS = {"restoration": {"xyz"}, "enhancement": {"srgb"}}
# a network on bilinear camera RGB has no Enhance-Net behind it that would take its output for XYZ
OWN_STATIONS = {("bilinear", "restoration"): {"xyz", "camera"}}
KIND = {"packed": "bayer", "bilinear": "bayer", "xyz": "bayer", "xtrans": "xtrans"}
# SID's X-Trans packing: per 6x6 cell four pixels a plane for planes 0 to 3 (R, G, B mixed rows are
# as its authors have them), then G at fixed places of each 3x3
XTRANS_QUADS = (
    ((0, 0), (0, 4), (3, 1), (3, 3)), ((0, 2), (0, 5), (3, 2), (3, 5)),
    ((0, 1), (0, 3), (3, 0), (3, 4)), ((1, 2), (2, 5), (5, 2), (4, 5)),
    ((2, 2), (1, 5), (4, 2), (5, 5)),
)  # fmt: skip
XTRANS_GREENS = ((1, 0), (1, 1), (2, 0), (2, 1))


def turned(picture: Array, symmetry: int) -> Array:
    """(..., H, W) under one of the eight symmetries: a quarter turn a count, mirrored from 4 on."""
    out = np.rot90(picture, symmetry % 4, axes=(-2, -1))
    return out[..., ::-1] if symmetry >= 4 else out


@lru_cache(1024)
def phase(cfa: str, symmetry: int, side: int) -> tuple[int, int, tuple[int, ...]] | None:
    """Where a turned mosaic of `side` pixels shows the phase networks see.

    Top, left (each below the CFA's period) and, for every position of that phase, which position of
    `cfa` it was. None where this symmetry never shows it.
    """
    every = 2 if len(cfa) == 4 else 6
    where = np.arange(every**2).reshape(every, every)
    small = side % every + 2 * every
    tiled = turned(np.tile(where, (4, 4))[:small, :small], symmetry)
    for top in range(every):
        for left in range(every):
            found = tiled[top : top + every, left : left + every].ravel()
            if "".join(cfa[i] for i in found) == TARGET[len(cfa)]:
                return top, left, tuple(found.tolist())
    return None


@lru_cache(64)
def symmetries(cfa: str) -> tuple[int, ...]:
    """Those of the eight that keep the pattern up to a shift: all for Bayer."""
    side = 1 if len(cfa) == 4 else 5
    return tuple(k for k in range(8) if phase(cfa, k, side) is not None)


def open_shards(
    folder: Path, split: str, prepare: Prepare, needs: Sequence[str] = ()
) -> shards.Shards:
    """The shards of a split, after a look whether a network can take them.

    ValueError in one line: none there, another kind of CFA, no truth, or one of another station.
    """
    opened = shards.open(folder, split)
    for table in opened.tables:
        kind = str(table.attrs["kind"])
        if kind != KIND[prepare]:
            raise ValueError(
                f"{table.path}: holds {kind} mosaics, this network takes {KIND[prepare]}"
            )
        for name in needs:
            space = table.pictures[name].space if name in table.pictures else None
            missing = [row.key for row in table.rows if getattr(row, name) < 0]
            if space is None or missing:
                what = missing[0] if missing else "the shard"
                raise ValueError(f"{table.path}: {what} has no {name} truth, which this needs")
            fitting = OWN_STATIONS.get((prepare, name), STATIONS[name])
            if space not in fitting:
                wanted = " or ".join(sorted(fitting))
                raise ValueError(f"{table.path}: {name} stands at {space}, expected {wanted}")
    return opened


class Cuts(Dataset[dict[str, Tensor]]):
    """Item n is a random cut of side `size`, turned at random; n and the seed fix it."""

    def __init__(self, source: shards.Shards, size: int, seed: int, truths: Sequence[str]) -> None:
        cfa = source.facts(0).cfa
        self.margin = (2 if len(cfa) == 4 else 6) - 1
        self.size, self.seed, self.truths = size, seed, tuple(truths)
        self.source = source
        self.crops = source.crops(size + self.margin, seed)

    def __getitem__(self, n: int) -> dict[str, Tensor]:
        i, window = self.crops.window(n)
        facts = self.source.facts(i)
        choices = symmetries(facts.cfa)
        symmetry = choices[np.random.default_rng([self.seed, 2, n]).integers(len(choices))]
        top, left, positions = phase(facts.cfa, symmetry, window[2]) or (0, 0, ())

        def cut(pixels: Array) -> Tensor:
            out = turned(pixels, symmetry)
            out = out[..., top : top + self.size, left : left + self.size]
            return torch.from_numpy(np.ascontiguousarray(out))

        item = {"raw": cut(self.source.raw(i, window)), **levels(facts, positions)}
        for name in self.truths:
            pixels, scale = self.source.stored(i, name, window)
            item[name] = cut(pixels)
            item[f"{name}_scale"] = torch.tensor(scale, dtype=torch.float32)
        return item


def levels(facts: InputRow, positions: Sequence[int]) -> dict[str, Tensor]:
    """What the device needs to know of a mosaic beside its pixels, positions in their new order."""

    def at(values: Sequence[float]) -> Tensor:
        return torch.tensor([values[i] for i in positions], dtype=torch.float32)

    matrix = np.eye(3) if facts.xyz_to_camera is None else np.linalg.inv(facts.xyz_to_camera)
    return {
        "black": at(facts.black),
        "white": torch.tensor(facts.white, dtype=torch.float32),
        "gain": torch.tensor(facts.ratio or 1.0, dtype=torch.float32),
        "shot": at(facts.shot),
        "read": at(facts.read),
        "xyz_from_camera": torch.tensor(matrix, dtype=torch.float32),
    }


class Turns(Sampler[int]):
    """The items of one process, step by step: the same whole for any number of processes."""

    def __init__(self, steps: range, batch: int, rank: int = 0, world: int = 1) -> None:
        self.steps, self.batch, self.rank, self.world = steps, batch, rank, world

    def __iter__(self) -> Iterator[int]:
        for step in self.steps:
            first = (step * self.world + self.rank) * self.batch
            yield from range(first, first + self.batch)

    def __len__(self) -> int:
        return len(self.steps) * self.batch


@dataclass(frozen=True, slots=True)
class Feed:
    """How batches are fetched; nothing here changes what is in them."""

    batch: int = 1
    workers: int = 0
    pin: bool = False
    rank: int = 0
    world: int = 1


def loader(cuts: Cuts, steps: range, feed: Feed) -> DataLoader[dict[str, Tensor]]:
    """Batches of the steps, in order, fetched ahead by `feed.workers` processes."""
    return DataLoader(
        cuts,
        batch_size=feed.batch,
        sampler=Turns(steps, feed.batch, feed.rank, feed.world),
        num_workers=feed.workers,
        pin_memory=feed.pin,
        prefetch_factor=4 if feed.workers else None,
    )


def prepared(batch: dict[str, Tensor], prepare: Prepare, noise: bool) -> Tensor:
    """The network's input, on the batch's device: normalized, gained, packed or demosaicked.

    Behind the gain it is cut at 1, where the longer exposure of the truth was saturated (as the
    authors of SID do); below 0 nothing is cut.
    """
    raw = batch["raw"].to(torch.float32)
    every = int(batch["black"].shape[1] ** 0.5)
    black = batch["black"].view(-1, every, every)
    black = black.repeat(1, *(-(-side // every) for side in raw.shape[1:]))
    black = black[:, : raw.shape[1], : raw.shape[2]]
    gain = batch["gain"].view(-1, 1, 1)
    x = ((raw - black) / (batch["white"].view(-1, 1, 1) - black) * gain).clamp(max=1)[:, None]
    if prepare == "packed":
        x = F.pixel_unshuffle(x, 2)
    elif prepare == "xtrans":
        x = nine_planes(x)
    else:
        x = bilinear(x)
        if prepare == "xyz":
            x = torch.einsum("nck,nkhw->nchw", batch["xyz_from_camera"], x)
    if not noise:
        return x
    plane = noise_level(batch).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
    return torch.cat([x, plane], 1)


def noise_level(batch: dict[str, Tensor]) -> Tensor:
    """Shot plus squared read noise (CameraNet v2, under eq. 2), after the exposure gain.

    Shards hold variance = shot * x + read, so `read` is the square already.
    """
    gain = batch["gain"]
    level: Tensor = gain * batch["shot"].mean(1) + gain**2 * batch["read"].mean(1)
    return level


def truth(batch: dict[str, Tensor], name: str) -> Tensor:
    """A truth in physical values, float32."""
    return batch[name].to(torch.float32) * batch[f"{name}_scale"].view(-1, 1, 1, 1)


def bilinear(x: Tensor) -> Tensor:
    """(N, 1, H, W) RGGB mosaic to (N, 3, H, W): means of the nearest samples of each color."""
    masks = x.new_zeros(3, *x.shape[2:])
    masks[0, ::2, ::2] = masks[1, ::2, 1::2] = masks[1, 1::2, ::2] = masks[2, 1::2, 1::2] = 1
    cross = x.new_tensor([[0, 1, 0], [1, 4, 1], [0, 1, 0]])
    square = x.new_tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    kernel = torch.stack([square, cross, square])[:, None]
    total = F.conv2d(x * masks, kernel, padding=1, groups=3)
    return total / F.conv2d(masks[None], kernel, padding=1, groups=3)


def nine_planes(x: Tensor) -> Tensor:
    """(N, 1, H, W) X-Trans mosaic, sides multiples of 6, to SID's (N, 9, H / 3, W / 3)."""
    out = x.new_empty(x.shape[0], 9, x.shape[2] // 3, x.shape[3] // 3)
    for plane, quad in enumerate(XTRANS_QUADS):
        for k, (row, column) in enumerate(quad):
            out[:, plane, k // 2 :: 2, k % 2 :: 2] = x[:, 0, row::6, column::6]
    for plane, (row, column) in enumerate(XTRANS_GREENS, 5):
        out[:, plane] = x[:, 0, row::3, column::3]
    return out
