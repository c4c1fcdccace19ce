"""Rows of a table held by columns: what many rows state alike is held once, and a row is made when
it is asked for.

A row as an object takes one to two kilobytes, in every process that reads. By columns the rows of
one camera take what differs between them: keys, names of files, hashes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from isptools.shards.schema import FusionRow, InputRow, PairRow, TruthRow, plain

R = TypeVar("R", InputRow, TruthRow, PairRow, FusionRow)
FEWER = 2  # so many times fewer values than rows, and they are numbered


@dataclass(frozen=True, slots=True)
class Column:
    """One column: one value for all rows; its different values, numbered; or all as stored."""

    values: Sequence[Any] = ()
    which: NDArray[Any] | None = None  # of the values, for each row
    stored: Any = None  # instead, an array, where most rows have their own

    def __getitem__(self, i: int) -> Any:
        return plain(self.stored[i]) if self.which is None else self.values[self.which[i]]


class Rows(Sequence[R], Generic[R]):
    """The rows of one table, in their order. What nobody stated is None in them."""

    __slots__ = ("_kind", "_last", "_length", "_own", "_same")

    def __init__(self, kind: type[R], records: NDArray[Any]) -> None:
        """Columns that this version does not know, from a later one, are passed over; those that
        an earlier one did not have are at their default."""
        here = records.dtype.names or ()
        known = [
            one.name for one in fields(kind) if one.name in here or "later" not in one.metadata
        ]
        self._kind: Any = kind
        self._length = len(records)
        columns = {name: _column(records[name]) for name in known} if self._length else {}
        self._same = {name: one.values[0] for name, one in columns.items() if len(one.values) == 1}
        self._own = {name: one for name, one in columns.items() if name not in self._same}
        self._last: tuple[int, R] | None = None  # who reads a cut asks for its row several times

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, i: int) -> R: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[R, ...]: ...
    def __getitem__(self, i: int | slice) -> R | tuple[R, ...]:
        if isinstance(i, slice):
            return tuple(self[one] for one in range(self._length)[i])
        at = range(self._length)[i]  # IndexError, and places counted from the end
        last = self._last
        if last is None or last[0] != at:
            own = {name: column[at] for name, column in self._own.items()}
            self._last = last = at, self._kind(**self._same, **own)
        return last[1]

    def __iter__(self) -> Iterator[R]:
        return (self[i] for i in range(self._length))


def _column(records: NDArray[Any]) -> Column:
    stored = np.ascontiguousarray(records)
    data = stored.reshape(len(stored), -1).view(np.uint8)
    if (data == data[0]).all():
        return Column((plain(stored[0]),))
    if stored.ndim == 1 and stored.dtype.kind in "iuf":
        return Column(stored=stored)  # as small as a number
    _, first, which = np.unique(data, axis=0, return_index=True, return_inverse=True)
    if len(first) * FEWER > len(stored):
        return Column(stored=stored)
    small = np.uint16 if len(first) <= np.iinfo(np.uint16).max else np.intp
    return Column(tuple(plain(stored[i]) for i in first), which.reshape(-1).astype(small))
