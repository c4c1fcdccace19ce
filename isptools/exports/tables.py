"""Writers of column stores: Parquet by pyarrow, Zarr by zarr."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.exports.records import FROM_ROOT, Record, text

TILE = 256  # side of a chunk of Zarr


class Parquet:
    """A file a group, `SPLIT-SHAPE.parquet`, a row group a record: pictures as nested lists of
    numbers, the commonest facts as columns, all of them as JSON in `facts`."""

    def __init__(self, folder: Path) -> None:
        import pyarrow  # noqa: F401, PLC0415 - an extra, missed at once

        self.folder = folder
        self.open: dict[str, Any] = {}

    def add(self, record: Record) -> None:
        """Write the record as the next row of its group's file."""
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        facts = record.facts
        columns = {name: pa.array([facts[name]], kind) for name, kind in self._columns().items()}
        columns["facts"] = pa.array([text(facts)])
        columns |= {name: _nested(array[None]) for name, array in record.arrays.items()}
        table = pa.table(columns).replace_schema_metadata(
            {name: str(facts[name]) for name in FROM_ROOT}
        )
        if record.group not in self.open:
            path = self.folder / f"{record.group}.parquet"
            pictures = [f"{name}{'.list.element' * array.ndim}" for name, array in
                        record.arrays.items()]  # fmt: skip
            self.open[record.group] = pq.ParquetWriter(
                path, table.schema, compression="zstd", use_dictionary=False,
                use_byte_stream_split=[
                    name for name in pictures
                    if record.arrays[name.partition(".")[0]].dtype.kind == "f"
                ],
            )  # fmt: skip
        self.open[record.group].write_table(table)

    def _columns(self) -> dict[str, Any]:
        import pyarrow as pa  # noqa: PLC0415 - an extra

        text_, number = pa.string(), pa.float64()
        return {
            "key": text_, "name": text_, "scene": text_, "split": text_, "cfa": text_,
            "black": pa.list_(number), "white": number, "ratio": number, "iso": number,
            "exposure_s": number, "shot": pa.list_(number), "read": pa.list_(number),
            "window": pa.list_(pa.int64()), "make": text_, "model": text_,
            "licence": text_, "redistribution": text_,
        }  # fmt: skip

    def close(self) -> None:
        """Finish the files that are open."""
        for file in self.open.values():
            file.close()


def _nested(array: NDArray[Any]) -> Any:
    """A column of nested lists of numbers."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for axis in range(array.ndim - 1, 0, -1):
        each, lists = array.shape[axis], int(np.prod(array.shape[:axis]))
        column = pa.ListArray.from_arrays(np.arange(lists + 1, dtype=np.int32) * each, column)
    return column


class Zarr:
    """A group a group, `SPLIT-SHAPE.zarr` (format 3): an array a kind of picture, a row a record.
    Attributes state licence and meaning; `facts` lists the facts of each row as JSON texts."""

    def __init__(self, folder: Path) -> None:
        import zarr  # noqa: F401, PLC0415 - an extra, missed at once

        self.folder = folder
        self.rows: dict[str, list[str]] = {}
        self.groups: dict[str, Any] = {}

    def add(self, record: Record) -> None:
        """Write the record as the next row of its group's arrays."""
        import zarr  # noqa: PLC0415 - an extra

        if record.group not in self.groups:
            path = str(self.folder / f"{record.group}.zarr")
            self.groups[record.group] = zarr.open_group(path, mode="w", zarr_format=3)
            attrs = {name: record.facts[name] for name in (*FROM_ROOT, "pictures")}
            self.groups[record.group].attrs.update(attrs)
        group, rows = self.groups[record.group], self.rows.setdefault(record.group, [])
        for name, array in record.arrays.items():
            if name not in group:
                tile = tuple(min(TILE, side) for side in array.shape[-2:])
                chunks = (*(1 for _ in array.shape[:-1]), *tile)[-array.ndim - 1 :]
                group.create_array(name, shape=(0, *array.shape), dtype=array.dtype, chunks=chunks)
            held = group[name]
            held.resize((len(rows) + 1, *array.shape))
            held[len(rows)] = array
        rows.append(text(record.facts))

    def close(self) -> None:
        """Write the facts of all rows."""
        for name, group in self.groups.items():
            group.attrs["facts"] = self.rows[name]
