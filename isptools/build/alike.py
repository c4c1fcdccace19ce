"""Which photographs are nearly the same scene, by a perceptual hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from isptools import raw
from isptools.build.source import RAW
from isptools.frame import Array, UnsupportedError
from isptools.pair import picture


@dataclass(frozen=True, slots=True)
class Grouped:
    """The group that a scene belongs to, named by its first scene, and which scene it is like."""

    name: str
    like: str  # "" for a scene that is like no earlier one


def fingerprint(path: Path) -> int | None:
    """64 bits: whether each of 8 x 8 means is brighter than its right neighbor (dHash).

    None for a file that can't be read or shows nothing; it is like no other.
    """
    try:
        if path.suffix[1:].lower() in RAW:
            pixels = raw.read(path).pixels.astype(np.float32)
        else:
            pixels = picture.read(path).astype(np.float32)
    except (UnsupportedError, ValueError, OSError):
        return None  # the build itself says why
    return bits_of(pixels)


def bits_of(pixels: Array) -> int | None:
    """As `fingerprint`, of pixels (H, W) or (H, W, 3)."""
    pixels = pixels.astype(np.float32, copy=False)
    flat = pixels if pixels.ndim == 2 else pixels.mean(2)
    means = cv2.resize(flat, (9, 8), interpolation=cv2.INTER_AREA)
    if means.std() < 1e-3 * max(1.0, float(means.max())):
        return None
    bits = (means[:, 1:] > means[:, :-1]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def grouped(prints: Sequence[tuple[str, int | None]], most: int) -> dict[str, Grouped]:
    """Scenes of which any two pictures differ in at most `most` bits are one group."""
    scenes = list(dict.fromkeys(scene for scene, _ in prints))
    leader = {scene: scene for scene in scenes}
    like: dict[str, str] = {}

    def first(scene: str) -> str:
        while leader[scene] != scene:
            scene = leader[scene]
        return scene

    seen: list[tuple[str, int]] = []
    for scene, bits in prints:
        if bits is None:
            continue
        for other, known in seen:
            if other != scene and (bits ^ known).bit_count() <= most:
                like.setdefault(scene, other)
                one, two = sorted((first(scene), first(other)), key=scenes.index)
                leader[two] = one
        seen.append((scene, bits))
    return {scene: Grouped(first(scene), like.get(scene, "")) for scene in scenes}
