"""What is known of a raw file that nobody decoded."""

from dataclasses import dataclass

from isptools.frame import Kind


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a raw file before a pixel is decoded."""

    height: int  # of the visible area, as in Frame.pixels
    width: int
    kind: Kind
    cfa: str  # as in Capture
    make: str
    model: str
    flip: int  # LibRaw's code, as in Capture
    iso: float | None = None  # from EXIF, where the file is TIFF-based
    exposure_s: float | None = None  # seconds
    taken: int | None = None  # seconds, by the camera's clock; only differences mean something
