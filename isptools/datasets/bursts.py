"""The room of bursts: a sub-folder each, their raw files in the order of their names."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from isptools import raw
from isptools.apart import apart
from isptools.burst.reference import FIRST, sharpness
from isptools.datasets.card import Card, Split
from isptools.datasets.listing import BuildError, Line, Listing, missing, root_with
from isptools.datasets.scene import Exposures, Named, Scene, Sidecar
from isptools.datasets.small import of_code
from isptools.datasets.splits import LISTED, by_hash, listed_splits
from isptools.develop.steps import as_bayer
from isptools.frame import UnsupportedError
from isptools.raw import SUFFIXES as RAW
from isptools.raw import listed
from isptools.sources import ContentError
from isptools.synth import shaken

STOPS_FROM = 50.0  # ISO: strata of the split are octaves from here
Inputs = Literal["reference", "burst"]  # a burst's reference frame, or all of its frames


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which frames of a burst are inputs."""

    inputs: Inputs = "reference"


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst as its folder shows it; paths below the root."""

    scene: str
    frames: tuple[str, ...]
    reference: int = 0
    truth: str = ""  # published raw
    final: str = ""  # published picture
    beside: tuple[Sidecar, ...] = ()  # of every frame and of the published raw
    alone: tuple[Sidecar, ...] = ()  # of the frame that the others are fused onto
    iso: float | None = None

    def left_out(self, reason: str, detail: str) -> Line:
        """The line of the ledger that says why this burst is not taken."""
        file = self.frames[0] if self.frames else self.scene
        return Line("", self.scene, file, "excluded", reason, detail)


Looked = tuple[Burst | None, Line | None]  # the burst, or why it is left out


def find(card: Card, select: Select, place: Path) -> Listing:
    """A scene for each sub-folder of two or more raw files; its sharpest early frame is the
    reference. BuildError if there is no sub-folder with a file."""
    root = root_with(card, place, "*/*")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    return listing_of_bursts(
        card, root, [_burst(root, folder) for folder in folders], select.inputs
    )


def _burst(root: Path, folder: Path) -> Looked:
    names = sorted(path.name for path in folder.iterdir() if path.suffix[1:].lower() in RAW)
    burst = Burst(folder.name, tuple(f"{folder.name}/{name}" for name in names))
    if len(names) < 2:
        count = f"a burst needs at least two raw files, the folder holds {len(names)}"
        return None, burst.left_out("no-burst", count)
    return replace(burst, reference=sharpest([root / path for path in burst.frames])), None


def sharpest(paths: Sequence[Path]) -> int:
    """Of the first frames; one that can't be used is passed over."""
    scores: dict[int, float] = {}
    for index, path in enumerate(paths[:FIRST]):
        try:
            frame = as_bayer(apart(listed.read, path, True))
        except (raw.RawError, UnsupportedError, ContentError):
            continue
        if frame.capture.kind == "bayer":
            scores[index] = sharpness(frame)
    return max(scores, key=lambda index: scores[index], default=0)


def listing_of_bursts(
    card: Card,
    root: Path,
    looked: Sequence[Looked],
    inputs: Inputs,
    wanted: Callable[[Burst, str], Line | None] = lambda _burst, _camera: None,
    test_share: float = 0.0,
) -> Listing:
    """The scenes of bursts, and what is left out.

    `wanted` says of a burst and its camera why it is not taken. Splits come from the user's
    `splits.tsv` at the root; else scenes are put in strata by octave of their ISO, ordered in each
    by the hash of their name, and the first of them, as many as `test_share` says, are test scenes.
    BuildError where there is no burst.
    """
    lines = [line for _, line in looked if line]
    taken = []
    for burst, _ in looked:
        if burst:
            known, camera = _stated(root, burst)
            why = wanted(known, camera) if camera is not None else None
            lines += [why] if why else []
            taken += [] if why else [known]
    splits = _splits(root, taken, test_share)
    detail = f"{LISTED} does not name this scene"
    lines += [one.left_out("not-listed", detail) for one in taken if one.scene not in splits]
    scenes = tuple(
        Scene(burst.scene, splits[burst.scene], _shot(burst, inputs))
        for burst in taken
        if burst.scene in splits
    )
    if not scenes and not lines:
        raise BuildError(missing(card, root))
    return Listing(root, scenes, tuple(lines))


def _stated(root: Path, burst: Burst) -> tuple[Burst, str | None]:
    """With the ISO that the reference states; and its camera, None if it can't be read."""
    try:
        header = apart(listed.header, root / burst.frames[burst.reference])
    except (raw.RawError, ContentError):
        return burst, None  # the plan says why
    return replace(burst, iso=header.iso), f"{header.make} {header.model}".strip()


def _shot(burst: Burst, inputs: Inputs) -> Exposures[Named]:
    named = [Named(path, iso=burst.iso or None, beside=burst.beside) for path in burst.frames]
    own = named[burst.reference]
    fused_onto = replace(own, beside=(*burst.beside, *burst.alone))
    return Exposures(
        Named(burst.truth, iso=burst.iso or None, beside=burst.beside) if burst.truth else None,
        tuple(named) if inputs == "burst" else (own,),
        (fused_onto, *(one for one in named if one is not own)),
        Named(burst.final) if burst.final else None,
    )


def _splits(root: Path, bursts: Sequence[Burst], share: float) -> dict[str, Split]:
    if (root / LISTED).is_file():
        return listed_splits(root / LISTED)
    strata: dict[int, list[str]] = {}
    for burst in bursts:
        stop = math.floor(math.log2(burst.iso / STOPS_FROM) + 0.5) if burst.iso else -99
        strata.setdefault(stop, []).append(burst.scene)
    splits: dict[str, Split] = {burst.scene: "train" for burst in bursts}
    for scenes in strata.values():
        for scene in by_hash(scenes)[: round(len(scenes) * share)]:
            splits[scene] = "test"
    return splits


def small(card: Card) -> Card:
    """The facts of the miniature."""
    return of_code(card, f"{len(shaken.OWN)} bursts of {shaken.WIDTH} x {shaken.HEIGHT} pixels")


def miniature(_card: Card, out: Path, seed: int = 0) -> Iterator[Path]:
    """Bursts as a user keeps them; `clean.npz` beside each holds what no camera knows."""
    for number, name in enumerate(shaken.OWN):
        burst = shaken.burst(number, shaken.SHOTS[name], seed)
        yield from shaken.frames(out / name, burst)
        yield shaken.known(out / name / "clean.npz", burst)
