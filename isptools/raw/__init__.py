"""One raw file to one frame. `read` is the only door; nothing else opens a raw file.

Mosaics that are no camera raws, and state nothing, come through `raw.mosaic`.
"""

from isptools.raw.cameras import levels
from isptools.raw.dng_write import write_dng
from isptools.raw.error import RawError
from isptools.raw.libraw import version as libraw_version
from isptools.raw.reading import Header, header, read, read_bytes

__all__ = [
    "Header",
    "RawError",
    "header",
    "levels",
    "libraw_version",
    "read",
    "read_bytes",
    "write_dng",
]
