"""From shards to batches: integers travel to the device, arithmetic happens there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isptools import shards
from isptools.frame import Capture, Matrix
from isptools.shards.made import may_shade
from isptools.train.intake import Batch, Intake, named

Array = NDArray[Any]
Window = tuple[int, int, int, int]  # top, left, height, width
Turn = tuple[int, int, int]  # symmetry, then where the cut begins behind it: top, left
PICTURES = ("raw", "shading", "restoration", "enhancement", "mask")  # of a batch; all else is facts
# of the eight symmetries as `turned` numbers them: which an augmentation may draw
AUGMENTS: dict[str, tuple[int, ...]] = {
    "turns": tuple(range(8)), "flips": (0, 2, 4, 6), "mirror": (0, 4), "none": (0,),
}  # fmt: skip
# the phase networks see, and the order of a finished picture's channels
TARGET = {3: "RGB", 4: "RGGB", 36: "RBGBRGGGRGGBGGBGGRBRGRBGGGBGGRGGRGGB"}


def turned(picture: Array, symmetry: int) -> Array:
    """(..., H, W) under one of the eight symmetries: a quarter turn a count, mirrored from 4 on."""
    out = np.rot90(picture, symmetry % 4, axes=(-2, -1))
    return out[..., ::-1] if symmetry >= 4 else out


@lru_cache(1024)
def phase(
    cfa: str, symmetry: int, side: int, pattern: str = ""
) -> tuple[int, int, tuple[int, ...]] | None:
    """Where a turned mosaic of `side` pixels shows the phase networks see, or another `pattern`.

    Top, left (each below the CFA's period) and, for every position of that phase, which position of
    `cfa` it was. None where this symmetry never shows it. Channels of a finished picture stay.
    """
    if len(cfa) == 3:
        return 0, 0, tuple(cfa.index(letter) for letter in TARGET[3])
    every = 2 if len(cfa) == 4 else 6
    where = np.arange(every**2).reshape(every, every)
    small = side % every + 2 * every
    tiled = turned(np.tile(where, (4, 4))[:small, :small], symmetry)
    for top in range(every):
        for left in range(every):
            found = tiled[top : top + every, left : left + every].ravel()
            if "".join(cfa[i] for i in found) == (pattern or TARGET[len(cfa)]):
                return top, left, tuple(found.tolist())
    return None


@lru_cache(64)
def symmetries(cfa: str) -> tuple[int, ...]:
    """Those of the eight that keep the pattern up to a shift: all for Bayer and for pictures."""
    side = 1 if len(cfa) == 4 else 5
    return tuple(k for k in range(8) if phase(cfa, k, side) is not None)


def open_shards(
    folder: Path, split: str, intake: Intake, needs: Sequence[str] = ()
) -> shards.Shards:
    """The shards of a split, after a look whether a network can take them.

    ValueError in one line: none there, another kind of CFA, no truth, or one of another station.
    """
    opened = shards.open(folder, split)
    for table in opened.examples:
        if table.kind != intake.kind:
            raise ValueError(
                f"{table.path}: holds {named(table.kind)}, this network takes {named(intake.kind)}"
            )
        for name in needs:
            space = table.pictures[name].space if name in table.pictures else None
            missing = [row.key for row in table.rows if getattr(row, name) < 0]
            if space is None or missing:
                what = missing[0] if missing else "the shard"
                raise ValueError(f"{table.path}: {what} has no {name} truth, which this needs")
            if space not in intake.stations[name]:
                wanted = " or ".join(sorted(intake.stations[name]))
                raise ValueError(f"{table.path}: {name} stands at {space}, expected {wanted}")
    return opened


class Cuts:
    """Item n is a random cut of side `size` and a symmetry to turn it by; n and the seed fix it.

    The cut is read with a margin of one CFA period less one pixel, which `arranged` takes off again
    where the turned pattern asks for it. With `undone`, inputs come with the gains that undo their
    lens shading, where their truths have it undone. A `pattern` other than that of `TARGET` is for
    networks of one's own.
    """

    pattern = ""

    def __init__(
        self, source: shards.Shards, size: int, seed: int, truths: Sequence[str],
        augment: str = "turns", undone: bool = True,
    ) -> None:  # fmt: skip
        self.allowed = AUGMENTS[augment]
        margin = math.isqrt(len(source.facts(0).cfa)) - 1
        self.size, self.seed, self.truths = size, seed, tuple(truths)
        self.means: dict[int, Matrix | None] = {}
        self.source, self.crops = source, source.crops(size + margin, seed)
        examples = source.examples
        self.masked = any(table.fusions for table in examples)
        looked_at = source.tables if any(may_shade(one.attrs) for one in examples) else examples
        self.shaded = undone and any(table.shaded for table in looked_at)
        self.confidence: NDArray[np.float32] | None = None  # a weight an input, where they differ

    def rooms(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape and type of the pictures of one item."""
        side = (self.crops.size,) * 2
        # finished pictures may have 8 or 16 bits, each as its file had it
        alike = self.source.examples[0].kind != "rgb"
        tables = self.source.examples if alike else self.source.tables
        kind = np.result_type(*(table.dtype for table in tables))
        channels = (3,) if len(self.source.facts(0).cfa) == 3 else ()
        rooms: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {
            "raw": ((*channels, *side), kind)
        }
        for name in self.truths:
            kinds = {table.pictures[name].dtype for table in tables}
            rooms[name] = (3, *side), np.result_type(*kinds)
        rooms |= {"shading": (side, np.dtype(np.float32))} if self.shaded else {}
        return rooms | ({"mask": (side, np.dtype(np.uint8))} if self.masked else {})

    def _mean(self, i: int) -> Matrix | None:
        if i not in self.means:
            self.means[i] = mean_matrix(self.source.capture(i))
        return self.means[i]

    def item(self, n: int) -> "Item":
        """Item n before its pixels are read. ValueError in one line where its facts can't be."""
        i, window = self.crops.window(n)
        facts = self.source.facts(i)
        choices = [one for one in symmetries(facts.cfa) if one in self.allowed]
        if not choices:
            raise ValueError(
                f"{self.source.path(i)}: its color pattern {facts.cfa} is none that is known here"
            )
        symmetry = choices[np.random.default_rng([self.seed, 2, n]).integers(len(choices))]
        top, left, positions = phase(facts.cfa, symmetry, window[2], self.pattern) or (0, 0, ())
        try:
            known = levels(facts, positions, self._mean(i))
        except OSError as error:
            raise self._unreadable(i, error) from None
        for name in self.truths:
            scale = self.source.picture(i, name).scale
            known[f"{name}_scale"] = np.array(scale, np.float32)
        if self.confidence is not None:
            known["confidence"] = self.confidence[i]
        return Item(i, window, (symmetry, top, left), known)

    def fill(self, n: int, rooms: dict[str, Array]) -> "Item":
        """Read item n into `rooms`. ValueError in one line where a shard can't be read."""
        item = self.item(n)
        for name, room in rooms.items():
            self._read(name, item.place, item.window, room)
        return item

    def whole(self, name: str, i: int) -> Array:
        """A picture of input i over the whole frame, ([3,] H, W), as `rooms` has its type."""
        shape, kind = self.rooms()[name]
        out = np.empty((*shape[:-2], *self.source.shape(i)), kind)
        self._read(name, i, (0, 0, *self.source.shape(i)), out)
        return out

    def _read(self, name: str, i: int, window: Window, out: Array) -> None:
        try:
            if name == "raw":
                self.source.raw(i, window, out)
            elif name == "shading":
                if self.source.shading(i, window, out) is None:
                    out[...] = 1
            elif name != "mask":
                self.source.stored(i, name, window, out)
            elif self.source.weight(i, window, out) is None:
                out[...] = 255
        except OSError as error:
            raise self._unreadable(i, error) from None

    def _unreadable(self, i: int, error: OSError) -> ValueError:
        said = " ".join(str(error).split())
        return ValueError(f"{self.source.path(i)}: can't be read: {said}")


@dataclass(frozen=True, slots=True)
class Item:
    """A cut: of which input, where, how it is to be turned, and what a device must know beside."""

    place: int
    window: Window
    turn: Turn
    facts: dict[str, Array]


def mean_matrix(capture: Capture) -> Matrix | None:
    """3x3 XYZ to camera as CameraNet v1 (III.B) takes it: the mean of ColorMatrix1 and 2.

    Of the one that is stated where only one is; LibRaw's where none is; None where it has none.
    """
    stated = [m for m in (capture.color_matrix_1, capture.color_matrix_2) if m is not None]
    if not stated:
        return capture.xyz_to_camera
    mean = np.mean(stated, axis=0).tolist()
    return tuple(map(tuple, mean))


def levels(facts: Any, positions: Sequence[int], mean: Matrix | None = None) -> dict[str, Array]:
    """What the device needs to know of a mosaic beside its pixels, positions in their new order.

    `facts` is a row of a shard, or what has its names; `mean` is of `mean_matrix`.
    """

    def at(values: Sequence[float]) -> Array:
        return np.array([values[i] for i in positions], np.float32)

    stated = mean or facts.xyz_to_camera
    matrix = np.eye(3) if stated is None else np.linalg.inv(stated)
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


def trusted(batch: Batch) -> Tensor | None:
    """(N, 1, H, W): whether a truth's pixel is to be trusted; None where no truth was fused."""
    return batch["mask"][:, None] > 0 if "mask" in batch else None


def truth(batch: Batch, name: str) -> Tensor:
    """A truth in physical values, float32."""
    return batch[name].to(torch.float32) * batch[f"{name}_scale"].view(-1, 1, 1, 1)
