"""ELD: sixteen raws a scene; each belongs to the nearest of four long exposures among them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
from numpy.random import PCG64, Generator, SeedSequence

from isptools.datasets.card import Card, Split
from isptools.datasets.listing import Line, Listing, root_with
from isptools.datasets.scene import Exposures, Named, Scene
from isptools.datasets.small import of_code
from isptools.datasets.splits import NotBelow0, divided, expect_share
from isptools.raw import SUFFIXES, write_dng
from isptools.synth import scenes
from isptools.synth.camera import SONY, Exposure, expose

REFERENCES = (1, 6, 11, 16)
Factor = Literal[1, 10, 100, 200]
FACTORS: tuple[Factor, ...] = (
    1,
    10,
    100,
    200,
)  # how much less light the four pictures behind a reference have
NUMBER = re.compile(r"IMG_(\d{4})", re.IGNORECASE)
PLACE = re.compile(r"scene-(\d+)")


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which pictures a recipe takes, and how places are split."""

    cameras: tuple[str, ...] = ()  # folders; () takes all
    factors: tuple[Factor, ...] = FACTORS
    shares: tuple[NotBelow0, NotBelow0, NotBelow0] = (0, 0, 1)  # train, val, test, by hash

    def __post_init__(self) -> None:
        expect_share(self.shares)


def find(card: Card, select: Select, place: Path) -> Listing:
    """A scene, camera/place/reference, for each reference with an input that is asked for.

    Pictures of one place share a split, whichever camera took them. BuildError if there is none.
    """
    root = root_with(card, place, "*/scene-*/IMG_*")
    folders = sorted(
        (path for path in root.glob("*/scene-*") if PLACE.fullmatch(path.name) and path.is_dir()),
        key=lambda path: (path.parent.name, int(path.name[6:])),
    )
    splits = divided([[name] for name in sorted({path.name for path in folders})], select.shares)
    found, lines = list[Scene](), list[Line]()
    for folder in folders:
        if not select.cameras or folder.parent.name in select.cameras:
            listed, told = _scenes(root, folder, splits[folder.name], select)
            found += listed
            lines += told
    return Listing(root, tuple(found), tuple(lines))


def _scenes(
    root: Path, folder: Path, split: Split, select: Select
) -> tuple[list[Scene], list[Line]]:
    """The scenes of one place and camera; a line for a number that is there twice or odd."""
    files: dict[int, Path] = {}
    lines = []
    for path in sorted(path for path in folder.iterdir() if path.suffix[1:].lower() in SUFFIXES):
        number = NUMBER.fullmatch(path.stem)
        if number and 1 <= int(number[1]) <= REFERENCES[-1] and int(number[1]) not in files:
            files[int(number[1])] = path
            continue
        name, detail = path.relative_to(root).as_posix(), "expected IMG_0001 to IMG_0016, once each"
        lines.append(Line(split, "", name, "unlisted", "other-name", detail))
    listed = []
    for reference in REFERENCES:
        asked = [n for n in files if _nearest(n) == reference and _factor(n) in select.factors]
        if asked:
            own = files.get(reference, folder / f"IMG_{reference:04d}{files[asked[0]].suffix}")
            inputs = tuple(_named(root, files[n]) for n in asked)
            name = f"{folder.relative_to(root).as_posix()}/{reference:02d}"
            listed.append(Scene(name, split, Exposures(_named(root, own), inputs), folder.name))
    return listed, lines


def _named(root: Path, path: Path) -> Named:
    return Named(path.relative_to(root).as_posix())


def _nearest(number: int) -> int:
    """The reference of a picture: that with the nearest number, the lower one of two."""
    return min(REFERENCES, key=lambda reference: abs(reference - number))


def _factor(number: int) -> int:
    """How much less light a picture has than the references; 0 for a reference."""
    return 0 if number in REFERENCES else FACTORS[(number - 2) % 5]


# -- the miniature -------------------------------------------------------------------------------

CODE = 31  # part of every seed
HEIGHT, WIDTH = 240, 320
PLACES = ("scene-1", "scene-2")
# less noise than the real ones have: pictures are too small to tell pairs in so little light else
CLEAN = replace(SONY, full_well=4_000_000.0)
CAMERAS = {"SonyA7S2": (CLEAN, "ARW"), "NikonD850": (replace(CLEAN, cfa="GBRG"), "nef")}
LONG, ISO = 2.0, (800.0, 1600.0, 3200.0)  # seconds at ISO 100; ISO of the dark pictures


def small(card: Card) -> Card:
    """The facts of the miniature."""
    return of_code(card, f"{len(CAMERAS)} cameras, {len(PLACES)} scenes of 16 raws each")


def miniature(_card: Card, out: Path, seed: int = 0) -> Iterator[Path]:
    """Folders and names are the data set's, the pictures are ours; all are DNGs by content."""
    for code, (name, (camera, suffix)) in enumerate(CAMERAS.items()):
        for place, folder in enumerate(PLACES):
            (out / name / folder).mkdir(parents=True, exist_ok=True)
            # both cameras stand before the same scene
            painted = scenes.paint(_generator(seed, place), HEIGHT, WIDTH)
            for number in range(1, REFERENCES[-1] + 1):
                path = out / name / folder / f"IMG_{number:04d}.{suffix}"
                rng = _generator(seed, code + 1, place, number)
                write_dng(path, expose(painted, camera, _exposure(number), rng))
                yield path


def _exposure(number: int) -> Exposure:
    """A reference at ISO 100; behind it the same light x gain, and 10, 100 and 200 times less."""
    iso = ISO[min((number - 2) // 5, 2)] if _factor(number) else 100.0
    saturating = LONG * 100 / iso  # seconds at this ISO
    return Exposure(saturating / (_factor(number) or 1), saturating, iso, (2.0, 1.0, 1.625))


def _generator(*integers: int) -> Generator:
    return Generator(PCG64(SeedSequence((CODE, *integers))))
