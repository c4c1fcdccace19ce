"""Write one shard, row by row: whole under its name, or not at all."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import msgspec
import numpy as np

from isptools import fields
from isptools.frame import Array, Capture, Taken
from isptools.shards import disk
from isptools.shards.encoded import encode
from isptools.shards.schema import (
    AXES,
    FORMAT,
    KINDS,
    RGB,
    TRUST,
    FusionRow,
    InputRow,
    PairRow,
    Spec,
    TruthRow,
    table,
    trust,
    wrong_fusion,
    wrong_input,
    wrong_pair,
    wrong_truth,
)
from isptools.shards.sums import seal

LIBVER = ("v108", "v110")  # fixed, so that another HDF5 does not choose other bytes
TEXT = h5py.string_dtype()


@dataclass(frozen=True, slots=True)
class Written:
    """A shard that stands on the disk."""

    name: str
    sha256: str
    bytes: int
    rows: int
    truths: int
    scenes: int


def versions() -> dict[str, str]:
    """The libraries behind the bytes of a shard."""
    return {
        "h5py": h5py.__version__,
        "hdf5": h5py.version.hdf5_version,
        "hdf5plugin": hdf5plugin.version,
    }


def packs() -> bool:
    """Whether HDF5 has the filter of packed shards here, and writes and reads with it."""
    return bool(h5py.h5z.filter_avail(hdf5plugin.Bitshuffle.filter_id))


class Writer:
    """An open shard. Truths and inputs come one at a time; nothing but the tables is kept.

    HDF5 lays out what is left of a dataset's tiles when it is closed. Datasets stay open here to
    the end, so that the order of tiles does not hang on when Python frees an object, which a
    debugger, or the sampling profiler of a Dask worker, puts off.
    """

    def __init__(self, sink: disk.Sink, spec: Spec) -> None:
        self.sink, self.spec = sink, spec
        self.written: Written | None = None  # set when the shard stands under its name
        self.inputs: list[InputRow] = []
        self.truths: list[TruthRow] = []
        self.pairs: list[PairRow] = []
        self.fusions: list[FusionRow] = []
        self.shading: list[str] = []  # of every input; not stored where none has any
        self.texts: dict[str, list[str]] = {
            name: [] for name in ("facts", "history", "truth_facts", "truth_history")
        }
        self.datasets: dict[str, h5py.Dataset] = {}
        with disk.held_signals():
            self.file = h5py.File(sink, "w", libver=LIBVER)

    def lay_out(self) -> None:
        """Create the datasets, still empty, and what their numbers mean."""
        with self._guarded():
            self._lay_out(self.spec)

    def _lay_out(self, spec: Spec) -> None:
        self._attrs(self.file, {"format": FORMAT, "kind": KINDS[spec.positions], **spec.attrs})
        rgb = spec.positions == RGB
        self._create("input", spec.dtype, (3,) if rgb else ())
        what = "an upright picture" if rgb else "the visible area in the sensor's own orientation"
        self._attrs(self.datasets["input"], {
            "axes": AXES["picture" if rgb else "input"],
            "space": "srgb" if rgb else "sensor",
            "meaning": f"digital numbers of {what}; "
            "physical value = (DN - black) / (white - black), see /meta",
        })  # fmt: skip
        for name, picture in spec.pictures.items():
            self._create(name, picture.dtype, (3,))
            self._attrs(self.datasets[name], {
                "axes": AXES["picture"],
                "space": picture.space,
                "full_scale": picture.full_scale,
                "note": picture.note,
                "source": picture.source,
                "meaning": picture.meaning(),
            })  # fmt: skip
        if spec.weighted:
            self._create("weight", "uint8", ())
            self._attrs(self.datasets["weight"], {
                "axes": AXES["weight"],
                "full_scale": 1.0,
                "meaning": f"share of the burst that went into a pixel of the truth = stored / "
                f"{TRUST}; 0: not to be trusted (clipped, or nothing but the reference agreed)",
            })  # fmt: skip

    def truth(
        self,
        row: TruthRow,
        pictures: Mapping[str, Array],
        capture: Capture,
        history: tuple[Taken, ...],
    ) -> int:
        """Store (H, W, 3) pictures as the next truth; the clipped counts of `row` are set here.

        Returns its row number. ValueError, and nothing is stored, where `check` would refuse it.
        """
        _expect_none(row.key, (*wrong_truth(row), *wrong_facts(capture)))
        number = len(self.truths)
        counts: dict[str, int] = {}
        for name, picture in self.spec.pictures.items():
            planes, low, high = encode(pictures[name], picture)
            counts |= {f"{name}_low": low, f"{name}_high": high}
            for channel, plane in enumerate(planes):
                self._store(name, plane, number, channel)
        self.truths.append(replace(row, **counts))  # type: ignore[arg-type] # only integers
        self._texts("truth_", capture, history)
        return number

    def input(
        self,
        row: InputRow,
        pixels: Array,
        capture: Capture,
        history: tuple[Taken, ...],
        gains: Sequence[fields.Field] = (),
    ) -> None:
        """Store sensor integers, (H, W), or a finished picture, (H, W, 3), as the next input.

        By `gains` it is to be multiplied to stand where its truth does. Here and in `truth`, `pair`
        and `fusion`: ValueError for facts that make no sense, which readers would refuse.
        """
        kind = KINDS[self.spec.positions]
        _expect_none(row.key, (*wrong_input(row, kind), *wrong_facts(capture)))
        number = len(self.inputs)
        self._store("input", pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1), number)
        self.inputs.append(row)
        self.shading.append(fields.encoded(gains) if gains else "")
        self._texts("", capture, history)

    def pair(self, row: PairRow) -> None:
        """Store how well the last input lies on its truth; for every input or for none."""
        _expect_none(row.key, wrong_pair(row))
        self.pairs.append(row)

    def fusion(self, row: FusionRow, weight: Array) -> None:
        """Store the weights (H, W) from 0 to 1 of the last truth; for every truth or for none.

        What of `row` is counted in them is set here.
        """
        _expect_none(row.key, wrong_fusion(row))
        stored = trust(weight)
        self._store("weight", stored, len(self.truths) - 1)
        self.fusions.append(replace(row, trusted=float((stored > 0).mean())))

    def finish(self) -> None:
        """Write the tables."""
        if not self.inputs:
            return
        with self._guarded():
            for dataset in self.datasets.values():
                dataset.flush()
            self.file["meta"] = table(self.inputs, self.spec.positions)
            self.file["truth_meta"] = table(self.truths, self.spec.positions)
            if self.pairs:
                self.file["pair"] = table(self.pairs, self.spec.positions)
            if self.fusions:
                self.file["fusion"] = table(self.fusions, self.spec.positions)
            shading = {"shading": self.shading} if any(self.shading) else {}
            for name, lines in (self.texts | shading).items():
                self.file.create_dataset(name, data=lines, dtype=TEXT, track_times=False)
            seal(self.file)

    def close(self) -> None:
        """Close the HDF5 file; the shard has no name yet."""
        with disk.held_signals():
            self.file.close()

    def _texts(self, prefix: str, capture: Capture, history: tuple[Taken, ...]) -> None:
        self.texts[f"{prefix}facts"].append(msgspec.json.encode(capture).decode())
        self.texts[f"{prefix}history"].append(msgspec.json.encode(history).decode())

    def _store(self, name: str, pixels: Array, *place: int) -> None:
        """Write the row `place[0]`, or a channel of it."""
        dataset = self.datasets[name]
        with self._guarded():
            if len(dataset) <= place[0]:
                dataset.resize(place[0] + 1, axis=0)
            dataset[place] = pixels

    def _create(self, name: str, dtype: str, channels: tuple[int, ...]) -> None:
        height, width = self.spec.shape
        tile = (min(self.spec.tile, height), min(self.spec.tile, width))
        packed = self.spec.compression == "bitshuffle-lz4"
        self.datasets[name] = self.file.create_dataset(
            name,
            shape=(0, *channels, height, width),
            maxshape=(None, *channels, height, width),
            chunks=(*(1 for _ in (0, *channels)), *tile),
            dtype=dtype,
            track_times=False,
            **(hdf5plugin.Bitshuffle(cname="lz4") if packed else {}),
        )

    def _attrs(self, place: Any, attrs: Mapping[str, Any]) -> None:
        for name, value in attrs.items():
            place.attrs[name] = np.bool_(value) if isinstance(value, bool) else value

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        with disk.held_signals():
            yield
        self.sink.verify()


@contextmanager
def shard(folder: Path, spec: Spec) -> Iterator[Writer]:
    """Open the shard `spec.name` in a folder for writing.

    When the block ends without an error and inputs were stored, the file is closed, hashed and
    renamed, and `Writer.written` says so; otherwise nothing stays on the disk. OSError with the
    system's reason if the disk takes no more.
    """
    temp = disk.temporary(folder / spec.name)
    sink = disk.Sink(temp)
    try:
        writer = Writer(sink, spec)
        try:
            writer.lay_out()
            yield writer
            writer.finish()
        finally:
            writer.close()
        sink.verify()
        if writer.inputs:
            writer.written = _published(temp, folder, writer)
    finally:
        sink.close()
        temp.unlink(missing_ok=True)


def _published(temp: Path, folder: Path, writer: Writer) -> Written:
    name = writer.spec.name
    digest, size = disk.sha256(temp), temp.stat().st_size
    disk.publish(temp, folder / name)
    scenes = len({truth.scene for truth in writer.truths})
    return Written(name, digest, size, len(writer.inputs), len(writer.truths), scenes)


def wrong_facts(capture: Capture) -> Iterator[str]:
    """Whether what a file states comes back from JSON, which knows finite numbers alone."""
    try:
        same = msgspec.json.decode(msgspec.json.encode(capture), type=Capture) == capture
    except msgspec.MsgspecError:
        same = False
    if not same:
        yield "it states numbers that are not finite"


def _expect_none(key: str, wrong: Iterable[str]) -> None:
    for text in wrong:
        raise ValueError(f"{key}: {text}")


def canonical(value: Any) -> str:
    """JSON with sorted keys: what an attribute stores."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
