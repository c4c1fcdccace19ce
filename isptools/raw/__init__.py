"""One raw file to one frame. `read` is the only door; nothing else opens a raw file."""

from pathlib import Path

from isptools.frame import Frame
from isptools.raw import libraw
from isptools.raw.dng_write import write_dng

__all__ = ["read", "write_dng"]


def read(path: str | Path) -> Frame:
    """The visible pixels of a raw file and what the file says about them."""
    with libraw.open_raw(Path(path)) as raw:
        return libraw.frame_of(raw)
