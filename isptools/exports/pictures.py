"""Writers of picture files: TIFF by tifffile, OpenEXR by OpenEXR."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from isptools.exports.records import TRUTHS, Record, text

CHANNELS = {"xyz": "XYZ"}  # of a station; others have RGB


class Tiff:
    """A file a picture in a folder of its split, `NAME.input.tif`, `TRUTH.restoration.tif`, ...:
    the integers as stored, truths once, facts as JSON in ImageDescription."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, record: Record) -> None:
        """Write a file a picture, integers as stored; a truth that is there stays."""
        for name, path in _places(self.folder, record, "tif"):
            array = record.arrays[name]
            color = array.ndim == 3
            tifffile.imwrite(
                path, np.moveaxis(array, 0, -1) if color else array,
                photometric="rgb" if color else "minisblack", compression="zlib",
                description=text(record.facts).encode(), metadata=None, software=False,
            )  # fmt: skip

    def close(self) -> None:
        """Nothing is open."""


class Exr:
    """The same as OpenEXR, in float32 and physical units: channel Y of inputs, X Y Z or R G B of
    truths, their licence and all facts in the header."""

    def __init__(self, folder: Path) -> None:
        import OpenEXR  # noqa: F401, PLC0415 - an extra, missed at once

        self.folder = folder

    def add(self, record: Record) -> None:
        """Write a file a picture, float32 in physical values; a truth that is there stays."""
        import OpenEXR  # noqa: PLC0415 - an extra

        sample = record.sample()
        header = {
            "compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage,
            "facts": text(record.facts), "licence": str(record.facts["licence"]),
        }  # fmt: skip
        for name, path in _places(self.folder, record, "exr"):
            if name == "shading":
                continue  # the input has been multiplied by it
            values = getattr(sample, name)
            parts = {
                letter: np.ascontiguousarray(plane, np.float32)
                for letter, plane in _planes(name, values, record.facts["pictures"])
            }
            OpenEXR.File(header, parts).write(str(path))

    def close(self) -> None:
        """Nothing is open."""


def _places(folder: Path, record: Record, end: str) -> list[tuple[str, Path]]:
    """Each picture that is not there yet, and its file."""
    place = folder / record.facts["split"]
    place.mkdir(exist_ok=True)
    found = []
    for name in record.arrays:
        whose = record.truth if name in (*TRUTHS, "weight") else record.name
        path = place / f"{whose}.{name}.{end}"
        if not path.exists():
            found.append((name, path))
    return found


def _planes(
    name: str, values: NDArray[Any], pictures: dict[str, Any]
) -> list[tuple[str, NDArray[Any]]]:
    if values.ndim == 2:
        return [("Y", values)]
    space = pictures[name]["space"] if name in pictures else ""
    return list(zip(CHANNELS.get(space, "RGB"), values, strict=True))
