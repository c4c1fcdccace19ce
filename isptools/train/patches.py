"""Cuts of shards as plain tensors, for a training loop of one's own: map style, stream, fast feed.

Which cut comes when depends on the seed alone: the same one for any number of workers.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from isptools import shards
from isptools.train import feed
from isptools.train.carry import carried
from isptools.train.data import (
    AUGMENTS,
    TARGET,
    Cuts,
    Turn,
    Window,
    arranged,
    levels,
    mean_matrix,
    open_shards,
    phase,
    truth,
)  # fmt: skip
from isptools.train.infer import mirrored
from isptools.train.intake import ANY_LINEAR, BILINEAR, PACKED, XTRANS, XYZ, Batch, Intake

Sample = dict[str, Tensor]
BAYER = ("RGGB", "BGGR", "GRBG", "GBRG")
MOSAIC = Intake("bayer", 1, 1, lambda x, _: x, ANY_LINEAR)
INTAKES = {
    "packed": {"bayer": replace(PACKED, stations=ANY_LINEAR),
               "xtrans": replace(XTRANS, stations=ANY_LINEAR)},
    "mosaic": {"bayer": MOSAIC, "xtrans": replace(MOSAIC, kind="xtrans")},
    "bilinear": {"bayer": BILINEAR},
    "xyz": {"bayer": replace(XYZ, stations=ANY_LINEAR)},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a sample is. All of it changes the numbers, and nothing else does but the seed.

    `size` is the side in pixels of the mosaic. `packing`: "packed" (Bayer: R, G, G, B of each 2 x
    2 cell, sides halved; X-Trans: nine planes, a third), "mosaic" (one plane), "bilinear" (camera
    RGB) or "xyz" (the same in linear XYZ). `noise` adds the variance of the noise as a last plane.
    `ratio` multiplies by the exposure that the truth had more, `clip` then cuts at 1; below black
    nothing is cut. `phase` is the color pattern that the top left pixel begins, of Bayer mosaics;
    planes are its positions, row by row. `augment`: "turns" (eight symmetries), "flips" (both
    mirrors), "mirror" (left and right) or "none". `undone` multiplies by the gains that undo lens
    shading where the truth has it undone.
    """

    size: int = 256
    truths: tuple[str, ...] = ("enhancement",)
    packing: Literal["packed", "mosaic", "bilinear", "xyz"] = "packed"
    noise: bool = False
    ratio: bool = True
    clip: bool = True
    phase: str = "RGGB"
    augment: Literal["turns", "flips", "mirror", "none"] = "turns"
    undone: bool = True

    def intake(self, kind: str) -> Intake:
        """How mosaics of a kind enter. ValueError in one line for what does not go together."""
        found = INTAKES.get(self.packing, {})
        wrong = {
            f"packing {self.packing!r}": kind not in found,
            f"augment {self.augment!r}": self.augment not in AUGMENTS,
            f"phase {self.phase!r}": self.phase not in BAYER,
            f"phase {self.phase!r} with packing {self.packing!r}":
                self.packing in {"bilinear", "xyz"} and self.phase != TARGET[4],
            f"phase {self.phase!r} of X-Trans": kind == "xtrans" and self.phase != TARGET[4],
            f"truths {self.truths!r}": not set(self.truths) <= {"restoration", "enhancement"},
        }  # fmt: skip
        for what, is_wrong in wrong.items():
            if is_wrong:
                raise ValueError(f"{what}: not to be had of {kind} shards; the guide "
                                 "'your own training loop' has what is")  # fmt: skip
        intake = replace(found[kind], noise=self.noise, clip=self.clip)
        if self.size < intake.period or self.size % intake.period:
            raise ValueError(f"size {self.size}: take a multiple of {intake.period}")
        return intake


class Patches(Dataset[Sample]):
    """Random cuts of a split, one an input and epoch, in a new order and place every epoch.

    Sample i of an epoch is a dict of float32 tensors: "input" (C, h, w), as the `Form` says, black
    0 and white 1; each truth (3, H, W) in its physical values, "restoration" linear and
    "enhancement" sRGB in [0, 1]; where truths were fused from bursts, "mask" (1, H, W), 0 where one
    is not to be trusted. Of several processes each has its own share, `rank` of `world`, by default
    as torch.distributed or torchrun say; shares have the same length and no sample in common.
    ValueError in one line for shards that do not suit.
    """

    def __init__(
        self, folder: Path | str, split: str = "train", form: Form | None = None, *, seed: int = 0,
        rank: int | None = None, world: int | None = None,
    ) -> None:  # fmt: skip
        self.form = form or Form()
        kind = _kind(Path(folder), split)
        period = self.form.intake(kind).period
        source = open_shards(Path(folder), split, self.form.intake(kind), self.form.truths)
        self.cuts = Cuts(
            source, self.form.size, seed, self.form.truths, self.form.augment, self.form.undone
        )
        self.cuts.pattern = self.form.phase if period == 2 else ""
        self.kind = kind
        self.rank, self.world = _share(rank, world)
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call] # torch's

    def __len__(self) -> int:
        """Samples of an epoch in this process."""
        return math.ceil(len(self.cuts.source) / self.world)

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the indices mean, as DistributedSampler has it; workers that wait see it."""
        self.epoch.fill_(epoch)

    def __getitem__(self, i: int) -> Sample:
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        return self.sample(self._number(int(self.epoch) * len(self) + i % len(self)))

    def _number(self, own: int) -> int:
        """The number among all processes' samples of one of this process's."""
        return own * self.world + self.rank

    def sample(self, n: int) -> Sample:
        """Sample n of all, which any process gives alike."""
        rooms = {name: np.empty(shape, kind) for name, (shape, kind) in self.cuts.rooms().items()}
        item = self.cuts.fill(n, rooms)
        batch = {k: torch.from_numpy(v)[None] for k, v in {**rooms, **item.facts}.items()}
        return {name: x[0] for name, x in self.prepared(batch, [item.turn]).items()}

    def key(self, n: int) -> str:
        """Which input sample n of all is cut from."""
        return self.cuts.source.facts(self.cuts.crops.window(n)[0]).key

    def prepared(self, batch: Batch, turns: list[Turn]) -> Sample:
        """Tensors (N, ...) of a batch as it was read, on the device where it lies."""
        batch = arranged(batch, turns) if turns else batch
        out = {"input": self._input(batch)}
        out |= {name: truth(batch, name) for name in self.form.truths}
        return out | ({"mask": (batch["mask"][:, None] > 0).float()} if "mask" in batch else {})

    def _input(self, batch: Batch) -> Tensor:
        if not self.form.ratio:
            batch = batch | {"gain": torch.ones_like(batch["gain"])}
        return self.form.intake(self.kind).prepared(batch)

    def frame(self, i: int, multiple: int = 1) -> tuple[Tensor, Window]:
        """The whole of input i (C, h, w), not turned, and where the frame lies in it.

        Pixels beyond the frame are mirrored, so that it begins with the phase, and its sides are
        multiples of `multiple` and of the CFA's period. The window (top, left, height, width) is in
        pixels of the mosaic: cut it out of a picture of that size.
        """
        source, period = self.cuts.source, self.form.intake(self.kind).period
        row = source.facts(i)
        top, left, positions = phase(row.cfa, 0, period, self.cuts.pattern) or (0, 0, ())
        starts = (period - top) % period, (period - left) % period
        unit = math.lcm(period, multiple)
        rows, columns = (
            mirrored(side, before, unit, period)
            for side, before in zip(source.shape(i), starts, strict=True)
        )
        pixels = {"raw": source.raw(i)}
        if self.cuts.shaded:
            pixels["shading"] = self.cuts.whole("shading", i)
        known = levels(row, positions, mean_matrix(source.capture(i)))
        laid = {name: np.ascontiguousarray(x[np.ix_(rows, columns)]) for name, x in pixels.items()}
        batch = {name: torch.from_numpy(x)[None] for name, x in {**laid, **known}.items()}
        return self._input(batch)[0], (*starts, *source.shape(i))

    def stream(self, batch: int = 0, start: int = 0) -> "Stream":
        """Without end: batches of so many, or single samples, from batch `start` on."""
        return Stream(self, batch, start)

    def batches(
        self, batch: int, steps: range, *, workers: int = 0, device: str | torch.device = "cpu"
    ) -> Iterator[Sample]:
        """The fast feed: batches of these steps on the device, where their arithmetic happens too.

        `workers` processes read ahead into memory that is shared and used again; a GPU takes it
        from there by itself while it computes. Step s of all ranks together are samples
        s * world * batch and following. ValueError in one line where a shard can't be read.
        """
        where = torch.device(device)
        cuda = where.type == "cuda"
        how = feed.Feed(batch, workers, cuda, self.rank, self.world)
        read = feed.batches(self.cuts, steps, how)
        for raw, turns in carried(read, where) if cuda else read:
            yield self.prepared({name: x.to(where) for name, x in raw.items()}, turns)


class Stream(IterableDataset[Sample]):
    """`Patches` without end. DataLoader's workers and the processes of a run share them out.

    Of batches (`DataLoader(..., batch_size=None)`) the order is the same for any number of workers.
    """

    def __init__(self, patches: Patches, batch: int, start: int) -> None:
        self.patches, self.batch, self.start = patches, batch, start

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        own, of = (worker.id, worker.num_workers) if worker else (0, 1)
        for at in count(self.start + own, of):
            yield self._batch(at) if self.batch else self.patches.sample(self.patches._number(at))

    def _batch(self, at: int) -> Sample:
        first = self.patches._number(at) * self.batch
        each = [self.patches.sample(n) for n in range(first, first + self.batch)]
        return {name: torch.stack([one[name] for one in each]) for name in each[0]}


def _kind(folder: Path, split: str) -> str:
    """Of mosaic that a split's shards hold."""
    return shards.open(folder, split).tables[0].kind


def _share(rank: int | None, world: int | None) -> tuple[int, int]:
    """Which process of how many this is, as told, or as torch or its launcher say."""
    if (rank is None) != (world is None):
        raise ValueError("give rank and world, or neither")
    if rank is None or world is None:
        both = torch.distributed
        if both.is_available() and both.is_initialized():
            rank, world = both.get_rank(), both.get_world_size()
        else:
            rank, world = (int(os.environ.get(n, d)) for n, d in (("RANK", 0), ("WORLD_SIZE", 1)))
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}: ranks are 0 to {world - 1}")
    return rank, world
