"""The Samsung S7 ISP data set: a folder a scene, named by the time it was taken."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import imageio.v3 as imageio
import msgspec
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools.datasets.card import Card, Split
from isptools.datasets.listing import BuildError, Line, Listing, missing
from isptools.datasets.scene import Exposures, Named, Scene
from isptools.datasets.small import of_code
from isptools.datasets.splits import NotBelow0, divided, expect_share
from isptools.develop.chain import develop
from isptools.develop.orient import upright
from isptools.develop.steps import Balance, Demosaic, EncodeSrgb, Levels, ToXYZ
from isptools.frame import Frame
from isptools.raw import write_dng
from isptools.raw.color import camera_to_srgb_of
from isptools.synth import scenes
from isptools.synth.camera import Camera, Exposure, expose

SCENE = re.compile(r"(\d{8}_\d{6})(_\d+)?")
FILE = re.compile(r"(medium|short)_exp[ou]sure1?\.(dng|jpg|jpeg)", re.IGNORECASE)
NAMES = {"medium.dng": "medium_exposure.dng", "short.dng": "short_exposure1.dng"}
STRONGER: tuple[Split, ...] = ("test", "val", "train")


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which raw of a scene is the input, and how scenes are split."""

    inputs: Literal["short", "medium"] = "short"  # the dark raw, or the well-lit one
    published: str = ""  # a published list of splits; what is not on it trains
    shares: tuple[NotBelow0, NotBelow0, NotBelow0] = (1, 0, 0)  # train, val, test without a list

    def __post_init__(self) -> None:
        expect_share(self.shares)


def find(card: Card, select: Select, place: Path) -> Listing:
    """A scene for each folder: the well-lit raw is the truth, its JPEG the picture.

    Scenes of one time stamp are near-duplicates and share a split. BuildError if there is none.
    """
    root = _root(card, place)
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    looked = {path.name: _files(root, path) for path in folders if SCENE.fullmatch(path.name)}
    files = {scene: found for scene, (found, _) in looked.items()}
    splits, lines = _splits(card, list(files), select)
    lines = [line for _, told in looked.values() for line in told] + lines
    listed: list[Scene] = []
    for scene, found in files.items():
        split, needed = splits[scene], ("medium.dng", f"{select.inputs}.dng")
        absent = [NAMES[name] for name in needed if name not in found]
        if absent:
            detail = f"the scene needs it; it has: {', '.join(sorted(found)) or 'nothing'}"
            lines.append(Line(split, scene, f"{scene}/{absent[0]}", "missing", "missing", detail))
            continue
        final = Named(found["medium.jpg"]) if "medium.jpg" in found else None
        own = Named(found[f"{select.inputs}.dng"])
        listed.append(Scene(scene, split, Exposures(Named(found["medium.dng"]), (own,), (), final)))
    return Listing(root, tuple(listed), tuple(lines))


def _root(card: Card, place: Path) -> Path:
    for name in card.roots:
        root = place / name
        for path in root.glob("*/*") if root.is_dir() else ():
            if SCENE.fullmatch(path.parent.name) and FILE.fullmatch(path.name):
                return root
    raise BuildError(missing(card, place))


def _files(root: Path, folder: Path) -> tuple[dict[str, str], list[Line]]:
    """Paths below the root by what they are: `medium.dng`, `short.jpg`, ...; no second ones."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        match = FILE.fullmatch(path.name)
        if match and path.is_file():
            suffix = "dng" if match[2].casefold() == "dng" else "jpg"
            key = f"{match[1].casefold()}.{suffix}"
            found.setdefault(key, []).append(path.relative_to(root).as_posix())
    lines = []
    for names in found.values():
        if len(names) > 1:
            detail = f"two files for one key, keep one: {', '.join(names)}"
            lines.append(Line("", folder.name, names[1], "refused", "two-files", detail))
    return {key: names[0] for key, names in found.items() if len(names) == 1}, lines


def _splits(card: Card, scenes: list[str], asked: Select) -> tuple[dict[str, Split], list[Line]]:
    """By a published list, or by shares; scenes of one time stamp stay together.

    With a list, what is not on it trains; a group of which the list names a scene goes where the
    list has that one, to `test` before `val` where it names several.
    """
    groups: dict[str, list[str]] = {}
    for scene in scenes:
        groups.setdefault(scene[:15], []).append(scene)
    if not asked.published:
        return divided(list(groups.values()), asked.shares), []
    own = {
        row.scene: row.splits[asked.published]
        for row in card.scenes
        if asked.published in row.splits
    }
    if not own:
        raise BuildError(f"{card.name} has no published list {asked.published!r}")
    detail = "the published list names this scene"
    lines = [
        Line(own[scene], scene, scene, "missing", "missing", detail)
        for scene in own
        if scene not in scenes
    ]
    splits: dict[str, Split] = {}
    for members in groups.values():
        here = {own.get(scene, "train") for scene in members}
        together = next(split for split in STRONGER if split in here)
        for scene in members:
            splits[scene] = together
            if own.get(scene, "train") != together:
                detail = f"of the time of {members[0]}: kept with it, in {together}"
                lines.append(Line(together, scene, scene, "noted", "near-duplicate", detail))
    return splits, lines


# -- the miniature -------------------------------------------------------------------------------

CODE = 5  # part of every seed
HEIGHT, WIDTH = 288, 384
WELL_LIT, DARK = 1 / 30, 1 / 125  # seconds: a quarter, or the nearest the camera can
ISO, DIM = 100.0, 0.9
PHONE = Camera(
    make="isptools",
    model="Miniature S7",
    kind="bayer",
    cfa="GRBG",
    black=64,  # so that a recipe's choice of black shows; the real files' level is not known
    white=1023,
    xyz_to_camera=(
        (0.7834, -0.2431, -0.0886), (-0.3312, 1.1459, 0.2067), (-0.0521, 0.1614, 0.5503),
    ),
    full_well=12_000.0,
    read_electrons=2.5,
    read_dn=0.8,
)  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """How one scene was taken and stored."""

    portrait: bool = False  # the JPEGs stand upright
    told: bool = False  # and the raws say so, too
    word: str = "exposure"


SHOTS = {
    "20161107_234316": Shot(),  # CURL validates with it
    "20161108_181533": Shot(portrait=True),
    "20161108_190210": Shot(portrait=True, told=True, word="expusure"),
    "20161109_131033": Shot(),  # CURL tests with it
    "20161109_131033_1": Shot(),
    "20161109_224805_0": Shot(),
    "20161109_224805_1": Shot(),
}


def small(card: Card) -> Card:
    """The facts of the miniature."""
    known = tuple(row for row in card.scenes if row.scene in SHOTS)
    return of_code(card, f"{len(SHOTS)} scenes of {WIDTH} x {HEIGHT} pixels", scenes=known)


def miniature(_card: Card, out: Path, seed: int = 0) -> Iterator[Path]:
    """Folders and file names of the data set, misspelled ones included; the pictures are ours."""
    for number, (name, shot) in enumerate(SHOTS.items()):
        rng = Generator(PCG64(SeedSequence((seed, CODE, number))))
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        scene = _scene(rng, shot)
        orientation = 6 if shot.told else 1
        for start, seconds, mark in (("medium", WELL_LIT, ""), ("short", DARK, "1")):
            exposure = Exposure(seconds, WELL_LIT / DIM, ISO, (1.875, 1.0, 1.625), orientation, 1.7)
            frame = expose(scene, PHONE, exposure, rng)
            path = folder / f"{start}_{shot.word}{mark}.dng"
            write_dng(path, frame)
            yield path
            path = folder / f"{start}_{shot.word}.jpg"
            shown = upright(_shown(frame), 6 if shot.portrait else 0)
            imageio.imwrite(path, shown, plugin="pillow", extension=".jpg", quality=95)
            yield path


def _scene(rng: Generator, shot: Shot) -> NDArray[np.float32]:
    if not shot.portrait:
        return scenes.paint(rng, HEIGHT, WIDTH)
    return np.ascontiguousarray(np.rot90(scenes.paint(rng, WIDTH, HEIGHT)))


def _shown(frame: Frame) -> NDArray[np.uint8]:
    """A bright sRGB picture, as the sensor lies."""
    steps = (Levels(), Balance(), Demosaic("ppg"), ToXYZ(), EncodeSrgb())
    facts = replace(frame.capture, camera_to_srgb=camera_to_srgb_of(PHONE.xyz_to_camera))
    picture = develop(replace(frame, capture=facts), steps).pixels.astype(np.float64) / 65535
    return np.asarray(np.rint(255 * picture * (1.4 - 0.4 * picture)), np.uint8)
