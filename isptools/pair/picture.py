"""Read a picture that is no raw file: 8 or 16 bit, upright, as RGB."""

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from isptools.frame import Array, UnsupportedError

DEEP = {"I", "I;16", "I;16B", "I;16L", "I;16N"}  # Pillow's names for what has more than 8 bits
BITS = 258  # TIFF's BitsPerSample
FLIPS = {2: (0, 1), 3: (0, 3), 4: (0, 2), 5: (1, 0), 6: (1, 1), 7: (1, 3), 8: (1, 2)}


def read(path: Path) -> Array:
    """(H, W, 3) uint8 or uint16, turned upright by its EXIF orientation.

    Gray is repeated, alpha left out, CMYK and palettes are converted; color profiles are not
    looked at. UnsupportedError in one line for a file that is no picture, is cut off, or holds
    floats. OSError if it can't be read at all.
    """
    data = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            opened = Image.open(io.BytesIO(data))
            opened.load()
    except (UnidentifiedImageError, Image.DecompressionBombWarning) as error:
        raise UnsupportedError(f"{path}: {_why(error)}") from None
    except (OSError, SyntaxError, ValueError, EOFError, Warning) as error:
        raise UnsupportedError(f"{path}: the picture is damaged or cut off ({error})") from None
    if opened.mode == "F":
        raise UnsupportedError(f"{path}: a picture of floats; 8 or 16 bit integers are needed")
    turn = opened.getexif().get(ExifTags.Base.Orientation, 1)
    pixels = _deep(data, path) if _is_deep(opened, data) else np.asarray(opened.convert("RGB"))
    return _upright(pixels, turn)


def read_deep(path: Path) -> Array:
    """The numbers of a gray PNG as they are, (H, W) uint16: 8-bit files are not rescaled.

    Zurich's raw patches hold 10-bit numbers in PNGs of 16 bits, or of 8 where all fit.
    """
    data = path.read_bytes()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise UnsupportedError(f"{path}: no gray PNG of 8 or 16 bits, or it is damaged")
    return pixels.astype(np.uint16)


def _why(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no picture that can be read (JPEG, PNG, TIFF, ... are)"
    return "larger than pictures of one shot are"


def _is_deep(opened: Image.Image, data: bytes) -> bool:
    """More than 8 bits a channel, which Pillow would cut off."""
    if opened.format == "PNG":
        return data[24] == 16
    bits = getattr(opened, "tag_v2", {}).get(BITS, (8,))
    return opened.mode in DEEP or max(bits if isinstance(bits, tuple) else (bits,)) > 8


def _deep(data: bytes, path: Path) -> Array:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise UnsupportedError(f"{path}: a depth that is not read; 8 or 16 bit integers are")
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels[..., 2::-1])


def _upright(pixels: Array, turn: int) -> Array:
    """Undo an EXIF orientation: transpose, then mirror columns (bit 0) and rows (bit 1)."""
    transposed, mirrored = FLIPS.get(turn, (0, 0))
    pixels = pixels.swapaxes(0, 1) if transposed else pixels
    pixels = pixels[:, ::-1] if mirrored & 1 else pixels
    pixels = pixels[::-1] if mirrored & 2 else pixels
    return np.ascontiguousarray(pixels)
