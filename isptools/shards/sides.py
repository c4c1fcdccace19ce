"""Both sides of a pair as `check` looks at them; what is asked of a side is computed once."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools import fields, patches
from isptools.measure.slope import block_side
from isptools.shards import agree, passes
from isptools.shards.opened import Opened
from isptools.shards.schema import InputRow, Picture, decode
from isptools.shards.table import Table

F32 = NDArray[np.float32]
ALL = slice(None)


class Input:
    """Input i of an open shard: its integers (H, W), or (3, H, W) of a finished picture."""

    def __init__(self, file: Opened, table: Table, i: int) -> None:
        self.pixels: NDArray[Any] = file["input"][i]
        self.row: InputRow = table.rows[i]
        self.fields = fields.decoded(file["shading"][i]) if table.shaded else ()
        self.kept: dict[tuple[int, int], tuple[F32, F32]] = {}  # of windows, by their corner

    @cached_property
    def side(self) -> int:
        """Pixels of a block's side."""
        height, width = self.pixels.shape[-2:]
        return block_side((height, width), len(self.row.cfa))

    @cached_property
    def found(self) -> passes.Own:
        """Of a mosaic: blocks as the sensor had them, cells as they stand beside a truth."""
        area = (0, 0, *self.pixels.shape)
        grown = fields.gains(self.fields, area, self.row.cfa) if self.fields else None
        return passes.own(self.pixels, self.row, agree.weights(self.row), self.side, grown)

    @cached_property
    def sight(self) -> agree.Sight:
        """What is compared with truths, computed once."""
        return agree.Sight(self.found.cells, self.row)


class Truth:
    """The planes (3, H, W) of a truth as they are stored, and what its numbers mean."""

    def __init__(self, planes: NDArray[Any], meaning: Picture, cfa: str) -> None:
        self.planes, self.meaning, self.cfa = planes, meaning, cfa
        self.kept: dict[Any, passes.Balanced] = {}  # what holds for several of its inputs

    def physical(self, rows: slice = ALL, columns: slice = ALL) -> F32:
        """A part of it (3, h, w) in physical values."""
        return decode(self.planes[:, rows, columns], self.meaning)

    @cached_property
    def values(self) -> F32 | None:
        """(largest + 1,): the physical value of each integer; None of stored floats."""
        if not self.meaning.largest:
            return None
        return decode(np.arange(self.meaning.largest + 1, dtype=self.planes.dtype), self.meaning)

    @property
    def finite(self) -> bool:
        """Whether every stored number is one."""
        return self.values is not None or bool(np.isfinite(self.planes).all())

    @cached_property
    def shown(self) -> agree.Shown:
        """Its luminance per CFA cell."""
        space, values = self.meaning.space, self.values
        if values is None:
            light = agree.luminance(lambda channel: self.planes[channel], space)
            return agree.Shown(agree.truth_cells(light, self.cfa))
        shares, linear = agree.shares(space), agree.linear(values, space)
        each = np.stack([share * linear for share in shares.values()])
        planes = self.planes[min(shares) : max(shares) + 1]
        return agree.Shown(passes.cells(planes, each, patches.period(self.cfa)))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many pixels of green, or of luminance, have each integer."""
        return passes.counts(self.planes[1], self.meaning.largest)


class Truths:
    """The truths of an open shard; the last of each kind is kept, whose inputs stand together."""

    def __init__(self, file: Opened, table: Table) -> None:
        self.file, self.table = file, table
        self.last: dict[str, tuple[int, Truth]] = {}

    def of(self, row: InputRow) -> dict[str, Truth]:
        """By name, the truths of an input."""
        return {name: self.at(name, getattr(row, name)) for name in self.table.pictures}

    def at(self, name: str, number: int) -> Truth:
        """Row `number` of "restoration" or "enhancement", read where it is not the last one."""
        if name not in self.last or self.last[name][0] != number:
            self.last.pop(name, None)  # its memory is free before the next is read
            planes, meaning = self.file[name][number], self.table.pictures[name]
            self.last[name] = number, Truth(planes, meaning, self.table.rows[0].cfa)
        return self.last[name][1]
