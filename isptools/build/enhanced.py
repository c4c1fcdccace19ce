"""The user's own retouched pictures as enhancement truths, laid onto the sensor."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isptools.apart import apart
from isptools.datasets.files import Found, source_of
from isptools.datasets.listing import BuildError
from isptools.datasets.scene import Source
from isptools.decode.refusal import Refusal
from isptools.decode.told import FILES
from isptools.develop.orient import onto_sensor
from isptools.frame import Array, UnsupportedError
from isptools.serving import Elsewhere
from isptools.sources import ContentError

if TYPE_CHECKING:
    from isptools import picture

BLOCKS = 16  # pictures are compared in so many blocks a side where their size does not decide


@dataclass(frozen=True, slots=True)
class Enhanced:
    """(H, W, 3) uint8 or uint16 in the sensor's orientation, and where it came from."""

    pixels: Array
    sha256: str
    turned: bool  # the file was upright


def listed(folder: Path) -> list[Source]:
    """The pictures of a folder. BuildError where there is none."""
    from isptools import picture  # noqa: PLC0415 - takes long to load

    if not folder.is_dir():
        raise BuildError(f"{folder}: no such folder; --enhanced names the folder of your pictures")
    return [
        source_of(folder, path)
        for path in sorted(folder.iterdir())
        if path.suffix[1:].lower() in picture.SUFFIXES and path.is_file()
    ]


def match(files: Sequence[Source], scene: str, truth: str) -> Found:
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


def hash_and_picture(path: Path, colors: "picture.Colors" = "srgb") -> tuple[str, Array]:
    """A file's sha256, and its pixels as sRGB, (H, W, 3) uint8 or uint16.

    UnsupportedError with the reason if it is none; FaultError.
    """
    try:
        found: tuple[str, Array] = apart(Elsewhere(FILES, "shown"), path, path.name, colors, True)
    except Refusal as refusal:
        raise UnsupportedError(refusal.detail) from None
    except ContentError as error:
        raise UnsupportedError(f"{path.name}: {error}") from None
    return found


def _begins(stem: str, scene: str) -> bool:
    rest = stem.removeprefix(scene)
    return stem.startswith(scene) and not rest[:1].isalnum()


def own_picture(path: Path, developed: Array, flip: int) -> Enhanced:
    """Read a picture and turn it onto the sensor.

    `developed` is the developed truth (H, W, 3) in the sensor's orientation, and `flip` LibRaw's
    code of what turns it upright. A picture of a size that fits both ways lies as it agrees better
    with `developed`. UnsupportedError with the reason if it is no such picture.
    """
    digest, pixels = hash_and_picture(path)
    ways = {turned: onto_sensor(pixels, flip if turned else 0) for turned in (False, True)}
    fitting = {turned: way for turned, way in ways.items() if way.shape == developed.shape}
    if not fitting:
        raise UnsupportedError(
            f"{path.name} is {pixels.shape[0]} x {pixels.shape[1]} (height x width), the developed "
            f"truth {developed.shape[0]} x {developed.shape[1]}"
        )
    turned = max(fitting, key=lambda way: (_likeness(fitting[way], developed), way))
    return Enhanced(fitting[turned], digest, turned and flip != 0)


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
