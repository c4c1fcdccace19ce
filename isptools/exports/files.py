"""Writers whose files need no other library than NumPy: .npz, and tars for WebDataset."""

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isptools.exports.records import Record, text

TAR = 1 << 30  # bytes after which a new tar begins
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can state


class Npz:
    """A file a record, `NAME.npz` in a folder of its split: arrays, and `facts` as JSON text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, record: Record) -> None:
        """Write the record's file; the same record gives the same bytes."""
        place = self.folder / record.facts["split"]
        place.mkdir(exist_ok=True)
        parts = {**record.arrays, "facts": np.array(text(record.facts))}
        with zipfile.ZipFile(place / f"{record.name}.npz", "w") as file:
            for name, array in parts.items():
                # np.savez states the time
                info = zipfile.ZipInfo(f"{name}.npy", EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                file.writestr(info, npy(array))

    def close(self) -> None:
        """Nothing is open."""


class WebDataset:
    """Tars of up to 1 GiB, `SPLIT-SHAPE-000000.tar`: of each record `NAME.input.npy`,
    `NAME.restoration.npy`, ... and `NAME.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open: dict[str, tarfile.TarFile] = {}
        self.number: dict[str, int] = {}

    def add(self, record: Record) -> None:
        """Write the record's members behind those of its group."""
        tar = self._tar(record.group)
        parts = {f"{name}.npy": npy(array) for name, array in record.arrays.items()}
        parts["json"] = text(record.facts).encode()
        for end, data in parts.items():
            member = tarfile.TarInfo(f"{record.name}.{end}")  # of user 0, at time 0
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))

    def _tar(self, group: str) -> tarfile.TarFile:
        found = self.open.get(group)
        if found and found.offset < TAR:
            return found
        if found:
            found.close()
        number = self.number[group] = self.number.get(group, -1) + 1
        path = self.folder / f"{group}-{number:06d}.tar"
        self.open[group] = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        return self.open[group]

    def close(self) -> None:
        """Finish the tars that are open."""
        for tar in self.open.values():
            tar.close()


def npy(array: NDArray[Any]) -> bytes:
    """An array of any shape as a .npy file."""
    data = io.BytesIO()
    np.lib.format.write_array(data, np.asarray(array, order="C"), allow_pickle=False)
    return data.getvalue()
