"""What is held of one shard in memory: its tables and attributes, no pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isptools.shards.columns import Rows
from isptools.shards.opened import Opened, Stamp, stamp_of
from isptools.shards.schema import TABLES, FusionRow, InputRow, PairRow, Picture, TruthRow


@dataclass(frozen=True, slots=True)
class Table:
    """What is held of one shard in memory: its tables and attributes, no pixels."""

    path: Path
    shape: tuple[int, int]
    attrs: dict[str, Any]
    rows: Sequence[InputRow]
    truths: Sequence[TruthRow]
    pictures: dict[str, Picture]
    pairs: Sequence[PairRow] = ()  # one for each row, where two cameras took them
    fusions: Sequence[FusionRow] = ()  # one for each truth, where they were fused
    shaded: bool = False  # inputs have fields of gains, see `Shards.shading`
    sealed: bool = False  # whether it holds checksums of everything that is read
    stamp: Stamp | None = None  # of the file as it was let in
    dtype: str = "uint16"  # of the inputs; finished pictures may be uint8

    @property
    def split(self) -> str:
        """Which one it belongs to: "train", "val" or "test"."""
        return str(self.attrs["split"])


def table_of(path: Path, file: Opened, sealed: bool) -> Table:
    """Of an open shard whose layout is right."""
    attrs = {name: _plain(value) for name, value in file.attrs.items()}
    height, width = file["input"].shape[-2:]
    rows = {
        name: Rows(kind, file[name][:]) if name in file else () for name, kind in TABLES.items()
    }
    return Table(
        path=path.absolute(),  # files are opened later, maybe from another folder
        shape=(int(height), int(width)),
        attrs=attrs,
        rows=rows["meta"],
        truths=rows["truth_meta"],
        pictures={
            name: picture(file[name]) for name in ("restoration", "enhancement") if name in file
        },
        pairs=rows["pair"],
        fusions=rows["fusion"],
        shaded="shading" in file,
        sealed=sealed,
        stamp=stamp_of(path),
        dtype=file["input"].dtype.name,
    )


def picture(dataset: Any) -> Picture:
    """What the numbers of a truth's dataset mean, from its attributes."""
    attrs = dataset.attrs
    return Picture(
        space=str(attrs["space"]),
        dtype=dataset.dtype.name,
        full_scale=float(attrs["full_scale"]),
        note=str(attrs["note"]),
        source=str(attrs["source"]),
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
