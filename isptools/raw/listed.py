"""Raw files that a listing named: a fault of the machine is a FaultError here, never a RawError."""

from pathlib import Path

from isptools import sources
from isptools.frame import Frame
from isptools.raw import reading
from isptools.raw.error import RawError
from isptools.raw.headers import Header


def read(path: Path, larger: bool = False) -> Frame:
    """As `raw.read`. RawError, FaultError."""
    return reading.read_bytes(content(path), str(path), larger=larger)


def header(path: Path) -> Header:
    """As `raw.header`; LibRaw, which hides what the system says, is asked again with the bytes
    before a file is refused. RawError, FaultError."""
    try:
        return reading.header(path)
    except RawError:
        return reading.header_of_bytes(content(path), str(path))


def content(path: Path) -> bytes:
    """The bytes of a file. RawError, FaultError."""
    try:
        return sources.read(path)
    except sources.ContentError as error:
        raise RawError(str(path), str(error), "leave it out") from None
