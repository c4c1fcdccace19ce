"""Real files of a picture, by Pillow: bytes to count, and the picture that a decoder gives back.

Every codec at a stated quality and chroma subsampling, everything else as the library has it.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

Bytes = NDArray[np.uint8]
Name = Literal["jpeg", "webp", "jpeg2000", "avif"]


@dataclass(frozen=True, slots=True)
class Codec:
    """A kind of file; `quality` is on the codec's own scale (dB for JPEG 2000)."""

    name: str = "jpeg"
    subsampling: str = "4:2:0"  # of JPEG and AVIF; WebP is always 4:2:0, JPEG 2000 has none here

    def encoded(self, picture: Bytes, quality: int) -> bytes:
        """The file of (H, W, 3) uint8."""
        form, words = FORMS[self.name]
        file = io.BytesIO()
        Image.fromarray(picture).save(file, form, **words(quality, self.subsampling))
        return file.getvalue()

    def through(self, picture: Bytes, quality: int) -> tuple[Bytes, int]:
        """The picture behind encoding and decoding, and the bytes of its file."""
        data = self.encoded(picture, quality)
        with Image.open(io.BytesIO(data)) as opened:
            return np.asarray(opened.convert("RGB")), len(data)

    def stated(self) -> dict[str, Any]:
        """What a table must say of it."""
        scale = "dB" if self.name == "jpeg2000" else "of the codec"
        chroma = {"webp": "4:2:0", "jpeg2000": "none"}.get(self.name, self.subsampling)
        return {"codec": self.name, "quality_scale": scale, "chroma_subsampling": chroma}


Words = Callable[[int, str], dict[str, Any]]
FORMS: dict[str, tuple[str, Words]] = {
    "jpeg": ("JPEG", lambda quality, chroma: {"quality": quality, "subsampling": chroma}),
    "webp": ("WEBP", lambda quality, _: {"quality": quality}),
    "jpeg2000": ("JPEG2000", lambda decibels, _: {
        "quality_mode": "dB", "quality_layers": [decibels], "irreversible": True}),
    "avif": ("AVIF", lambda quality, chroma: {"quality": quality, "subsampling": chroma}),
}  # fmt: skip
# where each has a rate like JPEG's from 80 to 96
QUALITIES: dict[str, tuple[int, ...]] = {
    "jpeg": tuple(range(80, 97, 2)), "webp": tuple(range(80, 97, 2)),
    "jpeg2000": tuple(range(34, 47, 2)), "avif": tuple(range(64, 97, 4)),
}  # fmt: skip
NEEDS = {"webp": "webp", "jpeg2000": "jpg_2000", "avif": "avif"}  # of a Pillow that was built with


def codec(name: str, subsampling: str = "4:2:0") -> Codec:
    """By name. ValueError in one line for one that is unknown, or that Pillow lacks here."""
    if name not in FORMS:
        raise ValueError(f"no codec {name!r}; there are {', '.join(FORMS)}")
    if name in NEEDS and not features.check(NEEDS[name]):
        raise ValueError(f"{name}: the Pillow that is installed was built without it")
    return Codec(name, subsampling)


def eight_bits(picture: NDArray[Any]) -> Bytes:
    """(H, W, 3) from 0 to 1 as encoders take it: clipped, rounded to 8 bits."""
    return np.asarray(np.rint(np.clip(picture, 0, 1) * 255), np.uint8)
