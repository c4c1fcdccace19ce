"""The user's own retouched pictures as enhancement truths, laid onto the sensor."""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import cv2
import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from isptools.build.folder import BuildError
from isptools.build.journal import Source
from isptools.build.source import Found, source
from isptools.develop import profile
from isptools.develop.orient import onto_sensor
from isptools.frame import Array, UnsupportedError

Colors = Literal["srgb", "prophoto"]
# how imageio reads what: left alone, it cuts 16-bit color PNGs to 8 bits without a word
OPENCV: dict[str, Any] = {"plugin": "opencv", "flags": cv2.IMREAD_UNCHANGED}
TIFF: tuple[dict[str, Any], ...] = ({"plugin": "tifffile"}, OPENCV)  # the first lacks LZW
JPEG: tuple[dict[str, Any], ...] = ({"plugin": "pillow"},)
READERS = {".png": (OPENCV,), ".tif": TIFF, ".tiff": TIFF, ".jpg": JPEG, ".jpeg": JPEG}
BLOCKS = 16  # pictures are compared in so many blocks a side where their size does not decide


@dataclass(frozen=True, slots=True)
class Enhanced:
    """(H, W, 3) uint8 or uint16 in the sensor's orientation, and where it came from."""

    pixels: Array
    sha256: str
    turned: bool  # the file was upright


def listed(folder: Path) -> list[Source]:
    """The pictures of a folder."""
    if not folder.is_dir():
        raise BuildError(f"{folder}: no such folder; --enhanced names the folder of your pictures")
    return [
        source(folder, path)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in READERS and path.is_file()
    ]


def match(files: list[Source], scene: str, truth: str) -> Found:
    """The picture of a scene: its stem equals the truth's, or is or begins with the scene's name.

    After the scene's name must follow no letter or digit, so that scene 1 is not scene 10.
    """
    stems = [(Path(file.path).stem, file) for file in files]
    exact = [file for stem, file in stems if stem == truth]
    found = exact or [file for stem, file in stems if _begins(stem, scene)]
    if not found:
        return Found(None, "enhanced-missing", f"no picture named {scene}* or {truth}.* there")
    if len(found) > 1:
        names = ", ".join(file.path for file in found)
        return Found(
            None, "enhanced-two-files", f"two pictures for scene {scene}, keep one: {names}"
        )
    return Found(found[0])


def _begins(stem: str, scene: str) -> bool:
    rest = stem.removeprefix(scene)
    return stem.startswith(scene) and not rest[:1].isalnum()


def read(path: Path, developed: Array, flip: int) -> Enhanced:
    """Read a picture and turn it onto the sensor.

    `developed` is the developed truth (H, W, 3) in the sensor's orientation, and `flip` LibRaw's
    code of what turns it upright. A picture of a size that fits both ways lies as it agrees better
    with `developed`. UnsupportedError with the reason if it is no such picture.
    """
    data, pixels = picture_of(path)
    ways = {turned: onto_sensor(pixels, flip if turned else 0) for turned in (False, True)}
    fitting = {turned: way for turned, way in ways.items() if way.shape == developed.shape}
    if not fitting:
        raise UnsupportedError(
            f"{path.name} is {pixels.shape[0]} x {pixels.shape[1]} (height x width), the developed "
            f"truth {developed.shape[0]} x {developed.shape[1]}"
        )
    turned = max(fitting, key=lambda way: (_likeness(fitting[way], developed), way))
    return Enhanced(fitting[turned], hashlib.sha256(data).hexdigest(), turned and flip != 0)


def picture_of(path: Path, colors: Colors = "srgb") -> tuple[bytes, Array]:
    """A file's bytes and its pixels, (H, W, 3) uint8 or uint16 sRGB.

    A picture with an embedded ICC profile of another space is converted, to uint16; `colors` is the
    space of one without a profile. UnsupportedError with the reason if it is no such picture.
    """
    try:
        data = path.read_bytes()
        return data, _in_srgb(decoded(data, path), _profile(data, colors))
    except UnsupportedError as error:
        name = path.name
        raise UnsupportedError(str(error) if name in str(error) else f"{name}: {error}") from None
    except OSError as error:
        raise UnsupportedError(f"{path.name} can't be read: {error.strerror or error}") from None


def decoded(data: bytes, path: Path) -> Array:
    """(H, W, 3) uint8 or uint16; the alpha of a PNG is left out. UnsupportedError."""
    suffix = path.suffix.lower()
    pixels, said = None, ""
    for reader in READERS[suffix]:
        try:
            pixels = imageio.imread(data, extension=suffix, **reader)
            break
        except Exception as error:  # every plugin has its own errors
            said = said or next(iter(str(error).strip().splitlines()), type(error).__name__)
    if pixels is None:
        raise UnsupportedError(f"{path.name} can't be read: {said}")
    channels = {3, 4} if suffix == ".png" else {3}  # a fourth one may be black ink elsewhere
    fits = pixels.ndim == 3 and pixels.shape[2] in channels
    if not fits or pixels.dtype not in (np.uint8, np.uint16):
        found = f"{pixels.shape} {pixels.dtype}"
        raise UnsupportedError(f"{path.name} is {found}, no RGB picture of 8 or 16 bits")
    return pixels[..., :3]


def _profile(data: bytes, colors: Colors) -> profile.Profile | None:
    """None for plain sRGB."""
    try:
        with Image.open(BytesIO(data)) as opened:  # looks at the header only
            embedded = opened.info.get("icc_profile")
    except UnidentifiedImageError:  # imageio reads it all the same
        embedded = None
    except Exception as error:  # every format has its own errors
        raise UnsupportedError(f"its color profile can't be looked at: {error}") from None
    if embedded:
        return profile.parse(embedded)
    return profile.prophoto() if colors == "prophoto" else None


def _in_srgb(pixels: Array, own: profile.Profile | None) -> Array:
    return pixels if own is None or own.is_srgb() else profile.to_srgb(pixels, own)


def _likeness(one: Array, other: Array) -> float:
    """Correlation of block means of the green plane; 0 for a flat picture."""
    a, b = _blocks(one), _blocks(other)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _blocks(picture: Array) -> NDArray[np.float64]:
    rows, columns = (max(1, side // BLOCKS) for side in picture.shape[:2])
    green = picture[: rows * BLOCKS, : columns * BLOCKS, 1]
    blocks = green[: len(green) // rows * rows, : green.shape[1] // columns * columns]
    shaped = blocks.reshape(len(blocks) // rows, rows, blocks.shape[1] // columns, columns)
    means: NDArray[np.float64] = shaped.mean((1, 3))
    return means.ravel()
