"""Read shards: samples in physical units with their facts, for people and for training."""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from isptools import fields, patches
from isptools.frame import Capture
from isptools.shards import crops as cuts
from isptools.shards import listed, structure
from isptools.shards.listed import Told
from isptools.shards.opened import Opened, Stamp, looked_at, opened, stamp_of
from isptools.shards.schema import TRUST, FusionRow, InputRow, PairRow, Picture, TruthRow, decode
from isptools.shards.source import Maps, Source
from isptools.shards.sums import expect_sealed
from isptools.shards.table import Content, Table, content_of
from isptools.shards.tiles import Tiles
from isptools.storage import cache, url_of

Floats = NDArray[np.float32]
FIELDS = 1024  # fields of gains that are held, some 10 kB each
HANDLES = 400  # files that are open at once: systems allow a process some hundreds


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One input, its truths and facts; a cut of it where `window` is not the whole frame."""

    input: Floats  # (H, W), (DN - black) / (white - black) per CFA position, not clipped, times
    # the gains that undo shading where its truth has it undone; (3, H, W) of a finished picture
    restoration: Floats | None  # (3, H, W), physical values of its station (CIE XYZ)
    enhancement: Floats | None  # (3, H, W) in [0, 1], as encoded for the screen
    facts: InputRow
    split: str
    window: patches.Window  # top, left, height, width in the frame
    weight: Floats | None = None  # (H, W) of a fused truth: 0 where not to be trusted, up to 1

    @property
    def key(self) -> str:
        """The input's key, unique in its data set."""
        return self.facts.key


class Shards:
    """All samples of a folder of shards, in the order of their files.

    A shard is opened when a sample of it is asked for. Handles are of one process, so that an
    object may be pickled and may cross a fork. At most 400 files are open, those used last; to open
    one again costs a call of the system, as where its tiles lie is kept (24 bytes each).
    """

    def __init__(self, tables: tuple[Table, ...], chosen: NDArray[np.int64] | None = None) -> None:
        self.tables = tables
        counts = [len(table) for table in tables]
        self._starts = [0, *accumulate(counts)]  # number of each table's first sample among all
        self._chosen = chosen  # numbers among all, None for all
        self._pixels: dict[Path, Source] = {}  # open, the longest unused first
        self._maps: dict[Path, Maps] = {}
        self._texts: dict[Path, Opened] = {}  # open with HDF5, the longest unused first
        self._shading: dict[tuple[Path, int], tuple[fields.Field, ...]] = {}  # of inputs read
        self._pid = os.getpid()

    def __len__(self) -> int:
        return self._starts[-1] if self._chosen is None else len(self._chosen)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> Sample:
        """Sample i, whole."""
        return self.cut(i, (0, 0, *self.shape(i)))

    def cut(self, i: int, window: patches.Window) -> Sample:
        """A window of sample i; only the tiles it touches are read."""
        table, row = self._place(i)
        where = table.rows[row]
        weight = self.weight(i, window)
        shading = self.shading(i, window)
        light = normalized(self.raw(i, window), where, window[:2])
        return Sample(
            input=light if shading is None else light * shading,
            restoration=self._picture(table, "restoration", where.restoration, window),
            enhancement=self._picture(table, "enhancement", where.enhancement, window),
            facts=where,
            split=table.split,
            window=window,
            weight=None if weight is None else weight.astype(np.float32) / np.float32(TRUST),
        )

    def raw(
        self, i: int, window: patches.Window | None = None, out: NDArray[Any] | None = None
    ) -> NDArray[np.uint16]:
        """The sensor's integers of input i (or of a window of it), black level in.

        Here and in `stored` and `weight`: they are put into `out` where that is given.
        """
        table, row = self._place(i)
        return self._read(table, "input", (row,), window, out)

    def stored(
        self, i: int, name: str, window: patches.Window, out: NDArray[Any] | None = None
    ) -> tuple[NDArray[Any], float]:
        """A window of a truth as stored, (3, H, W), and what to multiply it by for its value.

        `name` is "restoration" or "enhancement". ValueError if input i has none.
        """
        table, row = self._place(i)
        at = getattr(table.rows[row], name)
        if at < 0 or name not in table.pictures:
            raise ValueError(f"{table.path}: {table.rows[row].key} has no {name} truth")
        return self._read(table, name, (at,), window, out), table.pictures[name].scale

    def weight(
        self, i: int, window: patches.Window | None = None, out: NDArray[Any] | None = None
    ) -> NDArray[np.uint8] | None:
        """How far each pixel of input i's truth can be trusted, as stored: (H, W), 0 to 255.

        None where truths were not fused from bursts.
        """
        table, row = self._place(i)
        if not table.fusions:
            return None
        return self._read(table, "weight", (table.rows[row].truth,), window, out)

    def shading(
        self, i: int, window: patches.Window | None = None, out: Floats | None = None
    ) -> Floats | None:
        """What input i is to be multiplied by to stand where its truth does: (H, W) float32.

        Its truth has lens shading (or the like) undone that the sensor's integers still hold. None
        where there is nothing of the kind, which leaves `out` as it is.
        """
        table, row = self._place(i)
        if not table.shaded:
            return None
        if (table.path, row) not in self._shading:
            if len(self._shading) >= FIELDS:
                self._shading.clear()
            self._shading[table.path, row] = fields.decoded(self._opened(table)["shading"][row])
        found = self._shading[table.path, row]
        area = window or (0, 0, *table.shape)
        return fields.gains(found, area, table.rows[row].cfa, out) if found else None

    def fusion(self, i: int) -> FusionRow | None:
        """What the truth of input i was fused from; None where it was not."""
        table, row = self._place(i)
        return table.fusions[table.rows[row].truth] if table.fusions else None

    def pair(self, i: int) -> PairRow | None:
        """How well input i lies on its truth; None where one camera took both."""
        table, row = self._place(i)
        return table.pairs[row] if table.pairs else None

    def facts(self, i: int) -> InputRow:
        """The facts of input i, without reading pixels."""
        table, row = self._place(i)
        return table.rows[row]

    def truth_facts(self, i: int) -> TruthRow:
        """The facts of the truth of input i, how good it is (`quality_db`) among them."""
        table, row = self._place(i)
        return table.truths[table.rows[row].truth]

    def capture(self, i: int) -> Capture:
        """Everything the file of input i states. ValueError in one line where it is none."""
        table, row = self._place(i)
        try:
            return msgspec.json.decode(self._opened(table)["facts"][row], type=Capture)
        except msgspec.DecodeError as error:
            raise ValueError(f"{table.path}: facts of {table.rows[row].key}: {error}") from None

    def picture(self, i: int, name: str) -> Picture:
        """What the numbers of a truth of input i mean, "restoration" or "enhancement"."""
        return self._place(i)[0].pictures[name]

    def path(self, i: int) -> Path:
        """The shard that holds sample i."""
        return self._place(i)[0].path

    def shape(self, i: int) -> tuple[int, int]:
        """Height and width of sample i."""
        return self._place(i)[0].shape

    def crops(self, size: int, seed: int = 0) -> "cuts.Crops[Sample]":
        """Random square cuts, the same for the same seed and step; see `Crops`."""
        return cuts.Crops(self, size, seed)

    def chosen(self, keep: Callable[[InputRow], bool]) -> "Shards":
        """Only the samples whose facts `keep` says, in their order."""
        kept = [i for i in range(len(self)) if keep(self.facts(i))]
        numbers = np.asarray(kept, np.int64)
        return Shards(self.tables, numbers if self._chosen is None else self._chosen[numbers])

    @property
    def examples(self) -> tuple[Table, ...]:
        """Shards whose attributes and pictures are like those of all others: of those that an index
        tells of the first of each kind of frames, as one recipe made them; and all others."""
        told = {(table.recipe, table.kind): table for table in reversed(self.tables) if table.told}
        others = [table for table in self.tables if not table.told]
        return (*reversed(told.values()), *others)

    def close(self) -> None:
        """Close the files; the next read opens them again."""
        for held in (self._pixels, self._texts):
            while held:
                held.popitem()[1].close()

    def __enter__(self) -> "Shards":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return Shards, (self.tables, self._chosen)

    def _place(self, i: int) -> tuple[Table, int]:
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {i} of {len(self)}")
        number = i % len(self) if self._chosen is None else int(self._chosen[i])
        table = bisect_right(self._starts, number) - 1
        return self.tables[table], number - self._starts[table]

    def _opened(self, table: Table) -> Opened:
        """Open with HDF5, for its texts."""
        if self._pid != os.getpid():  # a forked child must not use its parent's handles
            self._texts, self._pid = {}, os.getpid()
        return _held(self._texts, table.path, lambda: self._brought(table), max(HANDLES // 8, 1))

    def _brought(self, table: Table) -> Opened:
        """Open a shard; one of an object store is fetched again if it was dropped meanwhile, and
        handles of others that were dropped are closed, which gives their room back."""
        if not table.path.exists():
            cache.bring(table.path)
            for held in (self._pixels, self._texts):
                for path in [path for path in held if not path.exists()]:
                    held.pop(path).close()
        return opened(table.path, table.stamp)

    def _picture(self, table: Table, name: str, row: int, window: patches.Window) -> Floats | None:
        if row < 0 or name not in table.pictures:
            return None
        return decode(self._read(table, name, (row,), window), table.pictures[name])

    def _read(
        self, table: Table, name: str, place: tuple[int, ...], window: patches.Window | None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:  # fmt: skip
        area = _slices(window or (0, 0, *table.shape), table.shape)
        source = _held(self._pixels, table.path, lambda: self._source(table), HANDLES)
        tiles: Tiles = source[name] if name in source else self._opened(table)[name]
        return tiles.read(place, area, out)

    def _source(self, table: Table) -> Source:
        """A shard's file itself; HDF5 is asked where its tiles lie when it is met first."""
        maps = self._maps.get(table.path)
        if maps and maps.hold(table.path):
            cache.bring(table.path)  # it is used
            return Source(table.path, maps)
        _ = table.content  # which is as its index says, or said to be wrong
        with self._brought(table) as file:
            maps = self._maps[table.path] = Maps.of(file, stamp_of(table.path))
        return Source(table.path, maps)


T = TypeVar("T", Opened, Source)


def _held(held: dict[Path, T], path: Path, make: Callable[[], T], most: int) -> T:
    """What is open of a path, now the last used; the longest unused is closed beyond `most`."""
    found = held.pop(path, None) or make()
    while len(held) >= most:
        held.pop(next(iter(held))).close()
    held[path] = found
    return found


def open(folder: str | Path, split: str | None = None) -> Shards:  # noqa: A001 - shards.open
    """Open a folder of shards, or one shard; with `split`, only the shards of that split.

    Either may be an address as s3://bucket/folder: whole shards are then kept on this machine
    (docs/guides/object-storage.md). ValueError in one line if there is none, or a file is no shard
    of this format.
    """
    if url := url_of(folder):
        files, told = cache.listed(url, split), dict[str, Told]()
    else:
        path = Path(folder)
        told = listed.told(path) if path.is_dir() else {}
        files = sorted(path.glob("*.h5")) if path.is_dir() else [path] if path.exists() else []
    if not files:
        raise ValueError(f"{url or folder}: there are no shards (*.h5)")
    told = {file.name: told[file.name] for file in files if _is_told(file, told.get(file.name))}
    looked_at([file for file in files if not url and file.name not in told])
    every = (
        Table(file.absolute(), _content, told[file.name]) if file.name in told else load(file)
        for file in files
    )
    tables = tuple(table for table in every if split in {None, table.split})
    if not tables:
        raise ValueError(f"{url or folder}: there is no shard of split {split!r}")
    return Shards(tables)


def _is_told(path: Path, told: Told | None) -> bool:
    """Whether a file may be the one that an index tells of."""
    try:
        return told is not None and stamp_of(path)[2] == told.bytes
    except (OSError, ValueError):  # said when it is loaded
        return False


def load(path: Path, sound: bool = True) -> Table:
    """The tables and attributes of one shard. ValueError in one line if it is none, or damaged.

    With `sound` false, facts that make no sense are let through, for one who tells of each.
    """
    # files are opened later, maybe from another folder
    return Table(path.absolute(), _content, content=_content(path, None, sound))


def _content(path: Path, known: Stamp | None = None, sound: bool = True) -> Content:
    try:
        with opened(path, known) as file:
            for wrong in structure.layout(file):
                raise ValueError(wrong)
            sealed = expect_sealed(file.file, file.found)
            content = content_of(path, file, sealed)
        for _, wrong in structure.tables(content) if sound else ():
            raise ValueError(wrong)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a readable shard: {' '.join(str(error).split())}") from None
    return content


def normalized(
    pixels: NDArray[np.uint16], row: InputRow, start: tuple[int, int] = (0, 0)
) -> Floats:
    """(DN - black) / (white - black) per CFA position, float32, not clipped.

    `start` is where the first pixel stands in the frame.
    """
    if pixels.ndim == 3:
        low = np.asarray(row.black, np.float64)[:, None, None]
        return np.asarray((pixels - low) / (row.white - low), np.float32)
    every = patches.period(row.cfa)
    black = np.asarray(row.black, np.float64).reshape(every, every)
    out = np.empty(pixels.shape, np.float32)
    for y in range(every):
        for x in range(every):
            level = black[(start[0] + y) % every, (start[1] + x) % every]
            out[y::every, x::every] = (pixels[y::every, x::every] - level) / (row.white - level)
    return out


def _slices(window: patches.Window, shape: tuple[int, int]) -> tuple[slice, slice]:
    top, left, height, width = window
    if min(top, left, height, width) < 0 or top + height > shape[0] or left + width > shape[1]:
        raise ValueError(f"window {window} does not lie in a frame of {shape[0]} x {shape[1]}")
    return slice(top, top + height), slice(left, left + width)
