"""From shards to batches: integers travel to the device, arithmetic happens there."""

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from isptools import shards
from isptools.train.models import Prepare

Array = NDArray[Any]
Batch = dict[str, Tensor]
Turn = tuple[int, int, int]  # symmetry, then where the cut begins behind it: top, left
PICTURES = ("raw", "restoration", "enhancement", "mask")  # of a batch; all else is facts
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


class Cuts:
    """Item n is a random cut of side `size` and a symmetry to turn it by; n and the seed fix it.

    The cut is read with a margin of one CFA period less one pixel, which `arranged` takes off again
    where the turned pattern asks for it.
    """

    def __init__(self, source: shards.Shards, size: int, seed: int, truths: Sequence[str]) -> None:
        margin = math.isqrt(len(source.facts(0).cfa)) - 1
        self.size, self.seed, self.truths = size, seed, tuple(truths)
        self.source, self.crops = source, source.crops(size + margin, seed)
        self.masked = any(table.fusions for table in source.tables)

    def rooms(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape and type of the pictures of one item."""
        side = (self.crops.size,) * 2
        rooms: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {
            "raw": (side, np.dtype(np.uint16))
        }
        for name in self.truths:
            kinds = {table.pictures[name].dtype for table in self.source.tables}
            rooms[name] = (3, *side), np.result_type(*kinds)
        return rooms | ({"mask": (side, np.dtype(np.uint8))} if self.masked else {})

    def fill(self, n: int, rooms: dict[str, Array]) -> tuple[dict[str, Array], Turn]:
        """Read item n into `rooms`; what a device must know beside, and how it is to be turned.

        ValueError in one line where a shard can't be read.
        """
        i, window = self.crops.window(n)
        facts = self.source.facts(i)
        choices = symmetries(facts.cfa)
        symmetry = choices[np.random.default_rng([self.seed, 2, n]).integers(len(choices))]
        top, left, positions = phase(facts.cfa, symmetry, window[2]) or (0, 0, ())
        known = levels(facts, positions)
        try:
            self.source.raw(i, window, rooms["raw"])
            for name in self.truths:
                _, scale = self.source.stored(i, name, window, rooms[name])
                known[f"{name}_scale"] = np.array(scale, np.float32)
            if self.masked and self.source.weight(i, window, rooms["mask"]) is None:
                rooms["mask"][...] = 255
        except OSError as error:
            path = self.source.path(i)
            raise ValueError(f"{path}: can't be read: {' '.join(str(error).split())}") from None
        return known, (symmetry, top, left)


def levels(facts: Any, positions: Sequence[int]) -> dict[str, Array]:
    """What the device needs to know of a mosaic beside its pixels, positions in their new order.

    `facts` is a row of a shard, or what has its names.
    """

    def at(values: Sequence[float]) -> Array:
        return np.array([values[i] for i in positions], np.float32)

    matrix = np.eye(3) if facts.xyz_to_camera is None else np.linalg.inv(facts.xyz_to_camera)
    return {
        "black": at(facts.black),
        "white": np.array(facts.white, np.float32),
        "gain": np.array(facts.ratio or 1.0, np.float32),
        "shot": at(facts.shot),
        "read": at(facts.read),
        "xyz_from_camera": matrix.astype(np.float32),
    }


def arranged(batch: Batch, turns: Sequence[Turn]) -> Batch:
    """A batch with every item under its symmetry, cut to the phase networks see.

    Runs where the batch lies: a turn costs a GPU nothing, and a processor that reads shards much.
    """
    every = math.isqrt(batch["black"].shape[1])
    size = batch["raw"].shape[-1] - every + 1

    def put(item: Tensor, turn: Turn) -> Tensor:
        symmetry, top, left = turn
        out = torch.rot90(item, symmetry % 4, (-2, -1))
        out = out.flip(-1) if symmetry >= 4 else out
        return out[..., top : top + size, left : left + size]

    pictures = {}
    for name in (name for name in PICTURES if name in batch):
        x = batch[name]
        signed = x.view(torch.int16) if x.dtype == torch.uint16 else x  # torch can't flip uint16
        put_all = torch.stack([put(item, turn) for item, turn in zip(signed, turns, strict=True)])
        pictures[name] = put_all.view(x.dtype)
    return batch | pictures


def prepared(batch: Batch, prepare: Prepare, noise: bool) -> Tensor:
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


def noise_level(batch: Batch) -> Tensor:
    """Shot plus squared read noise (CameraNet v2, under eq. 2), after the exposure gain.

    Shards hold variance = shot * x + read, so `read` is the square already.
    """
    gain = batch["gain"]
    level: Tensor = gain * batch["shot"].mean(1) + gain**2 * batch["read"].mean(1)
    return level


def trusted(batch: Batch) -> Tensor | None:
    """(N, 1, H, W): whether a truth's pixel is to be trusted; None where no truth was fused."""
    return batch["mask"][:, None] > 0 if "mask" in batch else None


def truth(batch: Batch, name: str) -> Tensor:
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
