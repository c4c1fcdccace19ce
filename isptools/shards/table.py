"""What is held of one shard in memory: its tables and attributes, no pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isptools.shards.columns import Rows
from isptools.shards.listed import Told
from isptools.shards.opened import Opened, Stamp, stamp_of
from isptools.shards.schema import TABLES, FusionRow, InputRow, PairRow, Picture, TruthRow


@dataclass(frozen=True, slots=True)
class Content:
    """What was read of one shard: its tables and attributes."""

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


Load = Callable[[Path, Stamp | None], Content]  # the stamp of a file that was let in before


class Table:
    """One shard: what it holds but its pixels.

    Where an index tells of it (`told`), that is believed until something else is asked for: then
    the shard is read, once, and it must be as it was told. Whatever is asked of it: ValueError in
    one line if it can't be read, or is another one.
    """

    __slots__ = ("_content", "_load", "path", "stamp", "told")

    def __init__(
        self, path: Path, load: Load, told: Told | None = None, content: Content | None = None,
        stamp: Stamp | None = None,
    ) -> None:  # fmt: skip
        self.path, self.told, self._load, self._content = path, told, load, content
        self.stamp = content.stamp if content else stamp

    @property
    def content(self) -> Content:
        """All that was read of it; read now if it was not before."""
        if self._content is None:
            found = self._load(self.path, self.stamp)
            for wrong in _otherwise(found, self.told) if self.told else ():
                raise ValueError(f"{self.path}: it is not the shard that its index lists ({wrong})")
            self._content, self.stamp = found, found.stamp
        return self._content

    @property
    def split(self) -> str:
        """Which one it belongs to: "train", "val" or "test"."""
        return self.told.split if self.told else str(self.content.attrs["split"])

    @property
    def kind(self) -> str:
        """Of its inputs: "bayer", "xtrans" or "rgb"."""
        return self.told.kind if self.told else str(self.content.attrs["kind"])

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of its frames, pixels."""
        return self.told.shape if self.told else self.content.shape

    @property
    def recipe(self) -> str:
        """The sha256 of the recipe that made it."""
        return self.told.recipe if self.told else str(self.content.attrs["recipe_sha256"])

    def __len__(self) -> int:
        """How many inputs it holds."""
        return self.told.rows if self.told else len(self.content.rows)

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of its root."""
        return self.content.attrs

    @property
    def rows(self) -> Sequence[InputRow]:
        """The facts of its inputs."""
        return self.content.rows

    @property
    def truths(self) -> Sequence[TruthRow]:
        """The facts of its truths."""
        return self.content.truths

    @property
    def pictures(self) -> dict[str, Picture]:
        """What the numbers of its truths mean, by their names."""
        return self.content.pictures

    @property
    def pairs(self) -> Sequence[PairRow]:
        """How each input lies on its truth, where two cameras took them; else nothing."""
        return self.content.pairs

    @property
    def fusions(self) -> Sequence[FusionRow]:
        """What each truth was fused from, where it was; else nothing."""
        return self.content.fusions

    @property
    def shaded(self) -> bool:
        """Whether inputs have fields of gains, see `Shards.shading`."""
        return self.content.shaded

    @property
    def sealed(self) -> bool:
        """Whether it holds checksums of everything that is read."""
        return self.content.sealed

    @property
    def dtype(self) -> str:
        """NumPy's name of the type of its inputs."""
        return self.content.dtype

    def __reduce__(self) -> tuple[Any, ...]:
        """What an index tells of is read again where it arrives, but not looked at from outside."""
        return Table, (self.path, self._load, self.told, None if self.told else self._content,
                       self.stamp)  # fmt: skip


def _otherwise(found: Content, told: Told) -> list[str]:
    """Where a shard is not what was told of it."""
    attrs = {name: str(found.attrs[name]) for name in ("split", "kind", "recipe_sha256")}
    here = {"rows": len(found.rows), "split": attrs["split"], "shape": found.shape,
            "kind": attrs["kind"], "recipe": attrs["recipe_sha256"]}  # fmt: skip
    return [
        f"{name}: {value} here, {getattr(told, name)} there"
        for name, value in here.items()
        if value != getattr(told, name)
    ]


def content_of(path: Path, file: Opened, sealed: bool) -> Content:
    """Of an open shard whose layout is right."""
    attrs = {name: _plain(value) for name, value in file.attrs.items()}
    pixels = file.found.datasets["input"]
    height, width = pixels.shape[-2:]
    rows = {
        name: Rows(kind, file[name][:]) if name in file else () for name, kind in TABLES.items()
    }
    return Content(
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
        dtype=pixels.dtype.name,
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
