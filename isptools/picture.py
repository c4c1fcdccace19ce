"""Finished pictures: one reader, one policy of colors, for builds, pairs and scores alike.

A picture stands upright, as its EXIF orientation says, and is sRGB: one with an embedded ICC
profile of another space is converted, to 16 bits; `colors` is the space of one without a profile.
Depth stays: 8 bits are uint8, 16 bits are uint16.
"""

import io
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from isptools.develop import profile
from isptools.frame import Array, UnsupportedError

Colors = Literal["srgb", "prophoto"]
SUFFIXES = frozenset({"jpg", "jpeg", "png", "tif", "tiff"})
NONE = "no picture that can be read (JPEG, PNG, TIFF, ... are)"
LARGE = "larger than pictures of one shot are"
DEEP = {"I", "I;16", "I;16B", "I;16L", "I;16N"}  # Pillow's names for what has more than 8 bits
COLOR = {"RGB", "RGBA", "YCbCr"}
BITS = 258  # TIFF's BitsPerSample
FLIPS = {2: (0, 1), 3: (0, 3), 4: (0, 2), 5: (1, 0), 6: (1, 1), 7: (1, 3), 8: (1, 2)}
# left alone, readers cut 16-bit color to 8 bits; tifffile lacks LZW
OPENCV: dict[str, Any] = {"plugin": "opencv", "flags": -1}  # cv2.IMREAD_UNCHANGED
READERS: dict[str, tuple[dict[str, Any], ...]] = {
    "PNG": (OPENCV,),
    "TIFF": ({"plugin": "tifffile"}, OPENCV),
}


def read(path: Path, colors: Colors = "srgb") -> Array:
    """(H, W, 3) uint8 or uint16 sRGB, upright.

    Gray is repeated, alpha left out, CMYK and palettes are converted. UnsupportedError in one line
    for a file that is no picture, is cut off, or holds floats. OSError if it can't be read at all.
    """
    return of_bytes(path.read_bytes(), str(path), colors)


def of_bytes(data: bytes, name: str, colors: Colors = "srgb", only_rgb: bool = False) -> Array:
    """As `read`. With `only_rgb`, what is to be a truth, pictures of other than three channels (and
    alpha) are refused."""
    opened = _opened(data, name)
    pixels = _pixels(opened, data, name, only_rgb)
    turn = opened.getexif().get(ExifTags.Base.Orientation, 1)
    return _upright(_in_srgb(pixels, opened, name, colors), turn)


def size(file: BinaryIO, name: str) -> tuple[int, int]:
    """Height and width as it stands upright, from its head alone.

    UnsupportedError in one line for a file that is no picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(file) as opened:
                turn = opened.getexif().get(ExifTags.Base.Orientation, 1)
                width, height = opened.size
    except UnidentifiedImageError:
        raise UnsupportedError(f"{name}: {NONE}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnsupportedError(f"{name}: {LARGE}") from None
    except (OSError, SyntaxError, ValueError, EOFError, Warning) as error:
        raise UnsupportedError(f"{name}: the picture is damaged ({error})") from None
    return (width, height) if FLIPS.get(turn, (0, 0))[0] else (height, width)


def linear(data: bytes, name: str) -> Array:
    """The numbers of an RGB picture of 16 bits as they are, (H, W, 3) uint16; alpha is left out.
    UnsupportedError for 8 bits, and for what is no picture."""
    pixels = _pixels(_opened(data, name), data, name, True)
    if pixels.dtype != np.uint16:
        raise UnsupportedError(f"{name} has 8 bits a channel; a linear truth needs 16")
    return np.ascontiguousarray(pixels)


def _imageio() -> Any:
    """Loaded by who reads a picture: it takes longer to load than most pictures to read."""
    import imageio.v3  # noqa: PLC0415 - see above

    return imageio.v3


def numbers(data: bytes, name: str) -> Array:
    """The numbers of a gray PNG as they are, (H, W) uint16: 8-bit files are not rescaled.

    Released raw patches hold 10-bit numbers in PNGs of 16 bits, or of 8 where all fit.
    UnsupportedError for anything else.
    """
    import cv2  # noqa: PLC0415 - takes long to load, and few pictures need it

    encoded = np.frombuffer(data, np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    if pixels is None or pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise UnsupportedError(f"{name}: no gray PNG of 8 or 16 bits, or it is damaged")
    return pixels.astype(np.uint16)


def _opened(data: bytes, name: str) -> Image.Image:
    """Decoded by Pillow, which verifies checksums and says what the file is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            opened = Image.open(io.BytesIO(data))
            opened.load()
    except UnidentifiedImageError:
        raise UnsupportedError(f"{name}: {NONE}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnsupportedError(f"{name}: {LARGE}") from None
    except (OSError, SyntaxError, ValueError, EOFError, Warning) as error:
        raise UnsupportedError(f"{name}: the picture is damaged or cut off ({error})") from None
    return opened


def _pixels(opened: Image.Image, data: bytes, name: str, only_rgb: bool) -> Array:
    if opened.mode == "F":
        raise UnsupportedError(f"{name}: a picture of floats; 8 or 16 bit integers are needed")
    deep = _is_deep(opened, data)
    if only_rgb and not deep and opened.mode not in COLOR:
        raise UnsupportedError(f"{name} is {opened.mode}, no RGB picture of 8 or 16 bits")
    pixels = _deep(data, name, str(opened.format)) if deep else np.asarray(opened.convert("RGB"))
    if pixels.ndim == 2 and not only_rgb:
        return np.repeat(pixels[..., None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] not in {3, 4}:
        raise UnsupportedError(f"{name} is {pixels.shape}, no RGB picture of 8 or 16 bits")
    return pixels[..., :3]


def _is_deep(opened: Image.Image, data: bytes) -> bool:
    """More than 8 bits a channel, which Pillow would cut off."""
    if opened.format == "PNG":
        return data[24] == 16
    bits = getattr(opened, "tag_v2", {}).get(BITS, (8,))
    return opened.mode in DEEP or max(bits if isinstance(bits, tuple) else (bits,)) > 8


def _deep(data: bytes, name: str, kind: str) -> Array:
    for reader in READERS.get(kind, ()):
        try:
            pixels = _imageio().imread(data, extension=f".{kind.lower()}", **reader)
        except Exception:  # every plugin has its own errors; the next one may do
            continue
        if pixels.dtype == np.uint16:
            return np.asarray(pixels)
    raise UnsupportedError(f"{name}: a depth that is not read; 8 or 16 bit integers are")


def _in_srgb(pixels: Array, opened: Image.Image, name: str, colors: Colors) -> Array:
    embedded = opened.info.get("icc_profile")
    try:
        own = profile.parse(embedded) if embedded else None
    except UnsupportedError as error:
        raise UnsupportedError(f"{name}: {error}") from None
    if not embedded and colors == "prophoto":
        own = profile.prophoto()
    return pixels if own is None or own.is_srgb() else profile.to_srgb(pixels, own)


def _upright(pixels: Array, turn: int) -> Array:
    """Undo an EXIF orientation: transpose, then mirror columns (bit 0) and rows (bit 1)."""
    transposed, mirrored = FLIPS.get(turn, (0, 0))
    pixels = pixels.swapaxes(0, 1) if transposed else pixels
    pixels = pixels[:, ::-1] if mirrored & 1 else pixels
    pixels = pixels[::-1] if mirrored & 2 else pixels
    return np.ascontiguousarray(pixels)
