"""What is done with one file in a decoder's process; `isptools.apart` calls these.

All raise Refusal where the file is at fault, and FaultError where the machine is.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from isptools import picture, raw, sources
from isptools.datasets import room_of
from isptools.datasets.alike import fingerprint
from isptools.decode import frames
from isptools.decode.refusal import judged
from isptools.decode.told import Told
from isptools.develop.binning import SIDES
from isptools.frame import Array, Capture, Frame


def load() -> None:
    """Nothing: who calls it has this module, and what it needs, loaded in its process."""


def header(path: Path, told: Told, beside: Mapping[str, Path], bins: bool) -> raw.Header:
    """With `bins` that of the Bayer frame that the step `bin` makes."""
    with judged(path, told.name, told.size):
        found = frames.header(path, told.named, told.card, room_of(told.card), beside)
        return frames.binned(found) if bins and found.kind in SIDES else found


def size(path: Path, name: str) -> tuple[int, int]:
    """Height and width of a finished picture."""
    with judged(path, name):
        return sources.part(path, lambda file: picture.size(file, name))


def frame(path: Path, told: Told, linear: bool, bins: bool) -> tuple[str, Frame]:
    """sha256 of the file, and its frame; `linear` is a truth as it comes, and with `bins` Quad and
    Nona Bayer raws come as Bayer."""
    with judged(path, told.name, told.size):
        data = sources.read(path)
        sensor = told.named.sensor or told.card.sensor
        if linear and sensor:
            made = frames.linear(data, told.named, told.name, sensor)
        else:
            room = room_of(told.card)
            made = frames.frame(data, told.named, told.name, told.card, room, bins)
        return hashlib.sha256(data).hexdigest(), made


def stated(
    path: Path, told: Told, capture: Capture, beside: Mapping[str, Path], shape: tuple[int, int]
) -> Capture:
    """With what stands beside a file whose frame has this shape."""
    with judged(path, told.name):
        return frames.beside_stated(capture, room_of(told.card), beside, shape)


def shown(path: Path, name: str, colors: picture.Colors, only_rgb: bool) -> tuple[str, Array]:
    """sha256 of a finished picture, and its pixels as sRGB, (H, W, 3) uint8 or uint16. Refusal."""
    with judged(path, name):
        data = sources.read(path)
        return hashlib.sha256(data).hexdigest(), picture.of_bytes(data, name, colors, only_rgb)


def numbers(path: Path, name: str) -> tuple[str, Array]:
    """sha256 of a gray PNG, and its numbers, (H, W) uint16. Refusal."""
    with judged(path, name):
        data = sources.read(path)
        return hashlib.sha256(data).hexdigest(), picture.numbers(data, name)


def side(path: Path, name: str) -> tuple[str, Frame | Array]:
    """sha256 of one file of a pair; its frame where it is a raw file, else (H, W, 3). Refusal."""
    with judged(path, name):
        data = sources.read(path)
        digest = hashlib.sha256(data).hexdigest()
        if path.suffix[1:].lower() in raw.SUFFIXES:
            return digest, raw.read_bytes(data, name)
        return digest, picture.of_bytes(data, name)


def print_of(path: Path, name: str) -> int | None:
    """What near-duplicates have in common; None where the file shows nothing."""
    with judged(path, name):
        return fingerprint(path)
