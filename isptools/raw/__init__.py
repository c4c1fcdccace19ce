"""One raw file to one frame. `read` is the only door; nothing else opens a raw file."""

from pathlib import Path

from isptools.frame import Frame
from isptools.raw import libraw


def read(path: str | Path) -> Frame:
    """The visible pixels of a raw file and what the file says about them."""
    with libraw.open_raw(Path(path)) as raw:
        return libraw.frame_of(raw)
