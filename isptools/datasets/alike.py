"""Which photographs are nearly the same scene, by a perceptual hash."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isptools import sources
from isptools.datasets.near import linked
from isptools.frame import Array, UnsupportedError
from isptools.raw import SUFFIXES as RAW


@dataclass(frozen=True, slots=True)
class Grouped:
    """The group that a scene belongs to, named by its first scene, and which scene it is like."""

    name: str
    like: str  # "" for a scene that is like no earlier one


def fingerprint(path: Path) -> int | None:
    """64 bits: whether each of 8 x 8 means is brighter than its right neighbor (dHash).

    None for a file that is damaged or shows nothing; it is like no other. FaultError.
    """
    from isptools import picture  # noqa: PLC0415 - loaded by who opens files
    from isptools.raw import listed  # noqa: PLC0415

    try:
        if path.suffix[1:].lower() in RAW:
            return bits_of(listed.read(path, larger=True).pixels)
        return bits_of(picture.of_bytes(sources.read(path), path.name))
    except (UnsupportedError, ValueError):
        return None  # the build itself says why


def bits_of(pixels: Array) -> int | None:
    """As `fingerprint`, of pixels (H, W) or (H, W, 3)."""
    import cv2  # noqa: PLC0415 - takes long to load, and whoever lists files may not need it

    pixels = pixels.astype(np.float32, copy=False)
    flat = pixels if pixels.ndim == 2 else pixels.mean(2)
    means = cv2.resize(flat, (9, 8), interpolation=cv2.INTER_AREA)
    if means.std() < 1e-3 * max(1.0, float(means.max())):
        return None
    bits = (means[:, 1:] > means[:, :-1]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def grouped(prints: Sequence[tuple[str, int | None]], most: int) -> dict[str, Grouped]:
    """Scenes of which any two pictures differ in at most `most` bits are one group."""
    names = _numbered(prints)
    seen = [(names[name], bits) for name, bits in prints if bits is not None]
    owners = np.array([owner for owner, _ in seen], np.int64)
    first, leaders = linked(np.array([bits for _, bits in seen], np.uint64), owners, most)
    scenes, like = list(names), dict[int, int]()
    for at in np.flatnonzero(first >= 0).tolist():
        like.setdefault(int(owners[at]), int(owners[first[at]]))
    leader = dict(enumerate(leaders.tolist()))
    return {
        scenes[one]: Grouped(scenes[leader.get(one, one)], scenes[like[one]] if one in like else "")
        for one in sorted(names.values(), key=lambda one: (leader.get(one, one), one))
    }


def earlier(prints: Sequence[tuple[str, int | None]], most: int) -> list[int | None]:
    """Of each picture the place of the first one before it that is alike, and of another name."""
    names = _numbered(prints)
    places = [at for at, (_, bits) in enumerate(prints) if bits is not None]
    owners = np.array([names[prints[at][0]] for at in places], np.int64)
    first, _ = linked(np.array([prints[at][1] for at in places], np.uint64), owners, most)
    found: list[int | None] = [None] * len(prints)
    for at, other in zip(places, first.tolist(), strict=True):
        found[at] = places[other] if other >= 0 else None
    return found


def _numbered(prints: Iterable[tuple[str, int | None]]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in prints))}


def joined(names: Iterable[str], links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Groups of names that links connect, in the order of the names."""
    leader = {name: name for name in names}

    def first(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]  # chains stay short
            name = leader[name]
        return name

    place = {name: number for number, name in enumerate(leader)}
    for one, other in links:
        low, high = sorted((first(one), first(other)), key=place.__getitem__)
        leader[high] = low
    groups: dict[str, list[str]] = {}
    for name in leader:
        groups.setdefault(first(name), []).append(name)
    return list(groups.values())
