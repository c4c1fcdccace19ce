"""One raw file to one frame. `read` is the only door; nothing else opens a raw file.

Mosaics that are no camera raws, and state nothing, come through `raw.mosaic`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from isptools.raw.error import RawError
from isptools.raw.headers import Header

if TYPE_CHECKING:
    from isptools.raw.cameras import levels
    from isptools.raw.dng_write import write_dng
    from isptools.raw.libraw import version as libraw_version
    from isptools.raw.reading import header, header_of_bytes, read, read_bytes

# Extensions of raw files. A file beside a listed one with the same stem is a second file for one
# key if it is a raw file; sidecars and previews (.xmp, .jpg) are not.
SUFFIXES = frozenset(
    {
        *("3fr", "ari", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "iiq", "k25"),
        *("kdc", "mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "qtk", "raf", "raw", "rw2"),
        *("rwl", "sr2", "srf", "srw", "x3f"),
    }
)

__all__ = [
    "SUFFIXES",
    "Header",
    "RawError",
    "header",
    "header_of_bytes",
    "levels",
    "libraw_version",
    "read",
    "read_bytes",
    "write_dng",
]

_PLACES = {
    "levels": ("cameras", "levels"),
    "libraw_version": ("libraw", "version"),
    "write_dng": ("dng_write", "write_dng"),
}


def __getattr__(name: str) -> Any:
    """Loaded by who opens a raw: LibRaw takes longer to load than what needs a matrix alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own = _PLACES.get(name, ("reading", name))
    return getattr(import_module(f"{__name__}.{module}"), own)
