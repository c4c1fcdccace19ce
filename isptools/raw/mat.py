"""MATLAB's .MAT files: one variable in, one variable out.

Version 7.3 is HDF5 behind a header of 512 bytes, and lies column by column: HDF5 shows every array
transposed, and here it is turned back (a mosaic left transposed would have another phase: GRBG
would become GBRG). Older versions are scipy's to read.
"""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from isptools.raw.error import RawError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
HEAD = 512  # bytes before HDF5 begins
TEXT = 116  # bytes of a header that are free text
REMEDY = "copy it again from its source, or leave it out"
# how files made here introduce themselves; MATLAB writes the platform and the time there
BANNER = b"MATLAB %s MAT-file, written by isptools"
CLASSES = {"float32": b"single", "float64": b"double", "uint16": b"uint16"}


def _h5py() -> Any:
    """For who has such a file, as below."""
    import h5py  # noqa: PLC0415 - takes long to load

    return h5py


def _scipy() -> Any:
    """Its reader, for who has such a file: it takes long to load."""
    import scipy.io  # noqa: PLC0415 - see above

    return scipy.io


def array(data: bytes, name: str, variable: str) -> NDArray[Any]:
    """A variable of numbers as MATLAB has it, of any shape, rows first. RawError in one line."""
    with _read(name):
        if _is_hdf5(data):
            with _h5py().File(io.BytesIO(data), "r") as file:
                return np.asarray(_dataset(file, name, variable)[()]).T
        found = _scipy().loadmat(io.BytesIO(data), variable_names=[variable])
        _expect(variable in found, name, variable, _scipy().whosmat(io.BytesIO(data)))
        return np.asarray(found[variable])


def shape(file: BinaryIO, name: str, variable: str) -> tuple[int, ...]:
    """The size of a variable without its numbers. RawError in one line."""
    with _read(name):
        start = file.read(HEAD + len(SIGNATURE))
        file.seek(0)
        if _is_hdf5(start):
            with _h5py().File(file, "r") as opened:
                return tuple(_dataset(opened, name, variable).shape[::-1])
        known = _scipy().whosmat(file)
        _expect(variable in {each[0] for each in known}, name, variable, known)
        return next(tuple(each[1]) for each in known if each[0] == variable)


def record(data: bytes, name: str, variable: str) -> dict[str, Any]:
    """A struct (of a file before version 7.3) as nested dictionaries. RawError in one line."""
    with _read(name):
        if _is_hdf5(data):
            raise RawError(name, f"{variable} is kept in version 7.3", "save it with -v7")
        found = _scipy().loadmat(io.BytesIO(data), simplify_cells=True)
        _expect(variable in found, name, variable, _scipy().whosmat(io.BytesIO(data)))
        value = found[variable]
    if not isinstance(value, dict):
        raise RawError(name, f"{variable} is no struct", REMEDY)
    return value


def of_array(values: NDArray[Any], variable: str) -> bytes:
    """A version 7.3 file with one array of any shape; the same array gives the same bytes."""
    memory = io.BytesIO()
    with _h5py().File(memory, "w", userblock_size=HEAD, libver=("earliest", "v108")) as file:
        kept = file.create_dataset(variable, data=values.T, compression="gzip", shuffle=True)
        kept.attrs["MATLAB_class"] = np.bytes_(CLASSES[values.dtype.name])
    head = (BANNER % b"7.3").ljust(TEXT) + bytes(8) + struct.pack("<H", 0x0200) + b"IM"
    return head.ljust(HEAD, b"\0") + memory.getvalue()[HEAD:]


def of_record(values: dict[str, Any], variable: str) -> bytes:
    """A version 5 file with one struct; the same struct gives the same bytes."""
    memory = io.BytesIO()
    _scipy().savemat(memory, {variable: values})
    return (BANNER % b"5.0").ljust(TEXT) + memory.getvalue()[TEXT:]


def _is_hdf5(data: bytes) -> bool:
    return data.startswith(SIGNATURE) or data[HEAD : HEAD + len(SIGNATURE)] == SIGNATURE


def _dataset(file: Any, name: str, variable: str) -> Any:
    _expect(variable in file, name, variable, [(key,) for key in file])
    kept = file[variable]
    if not isinstance(kept, _h5py().Dataset):
        raise RawError(name, f"{variable} is no array", REMEDY)
    return kept


def _expect(there: bool, name: str, variable: str, known: Any) -> None:
    if not there:
        names = ", ".join(each[0] for each in known) or "nothing"
        raise RawError(name, f"it has no variable {variable!r}; it holds {names}", REMEDY)


@contextmanager
def _read(name: str) -> Iterator[None]:
    """Every way in which a file may be damaged, as one line."""
    try:
        yield
    except RawError:
        raise
    except Exception as error:  # scipy and h5py raise a dozen types on damaged files
        first = " ".join(str(error).split()) or type(error).__name__
        what = f"it can't be read as a .MAT file ({first[:120]})"
        raise RawError(name, what, REMEDY) from None
