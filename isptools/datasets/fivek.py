"""MIT-Adobe FiveK: its index says which camera took what; its folders, where the files are."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import cv2
import imageio.v3 as imageio
import msgspec
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools.datasets.card import Card, SceneRow, Split
from isptools.datasets.listing import BuildError, Line, Listing, missing
from isptools.datasets.scene import Exposures, Named, Scene
from isptools.datasets.small import of_code
from isptools.datasets.splits import NotBelow0, by_hash, divided, expect_share
from isptools.develop import profile
from isptools.develop.chain import develop
from isptools.develop.orient import upright
from isptools.develop.steps import Balance, Demosaic, Levels, ToXYZ
from isptools.frame import Frame
from isptools.raw import write_dng
from isptools.raw.color import camera_to_srgb_of
from isptools.synth import scenes
from isptools.synth.camera import Camera, Exposure, expose

RAWS = ("raw_photos/*/photos/*", "dng/*")  # of the archive, and of files fetched one by one
ROTATED = "its sensor lies at 45 degrees: raw and picture have no pixel in common"


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which photographs a recipe takes, and how they are split."""

    cameras: tuple[str, ...] = ()  # "Make Model" as the index has it; () takes all
    published: str = ""  # a published list of the index: its scenes, and its splits
    # train, val, test of what no list settles, scaled to what there is: by the hash of the name
    shares: tuple[NotBelow0, NotBelow0, NotBelow0] = (1, 0, 0)
    each: Annotated[int, msgspec.Meta(gt=0)] | None = None  # scenes of a camera, by the same hash
    expert: Literal["a", "b", "c", "d", "e"] = "c"  # whose picture a scene's is

    def __post_init__(self) -> None:
        expect_share(self.shares)


class Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What dataset.toml states for this room alone."""

    rotated: tuple[str, ...] = ()  # cameras whose sensor lies at 45 degrees


def find(card: Card, select: Select, place: Path) -> Listing:
    """A scene for each photograph of the index that a recipe takes.

    A scene's raw is its input and, developed, its truth; the picture is the expert's. BuildError if
    there is no raw at all, or the recipe names a camera or list that the index has not.
    """
    raws, lines = _found(card, place, RAWS, ".dng")
    if not raws:
        raise BuildError(missing(card, place))
    pictures, twice = _found(card, place, (f"tiff16_{select.expert}/*",), ".tif")
    taken, rotated = _taken(card, select), card.stated(Own).rotated
    splits = _splits(taken, select)
    listed: list[Scene] = []
    for row in taken:
        split, stem = splits[row.scene], row.scene.casefold()
        path = raws.get(stem, f"{row.scene}.dng")
        if row.camera in rotated:
            why = f"{row.camera}: {ROTATED}"
            lines.append(Line(split, row.scene, path, "refused", "rotated-sensor", why))
        elif stem not in raws:
            detail = "the file is not there"
            lines.append(Line(split, row.scene, path, "missing", "missing", detail))
        else:
            final = Named(pictures[stem]) if stem in pictures else None
            shot = Exposures(Named(path), (Named(path),), final=final)
            listed.append(Scene(row.scene, split, shot))
    return Listing(place, tuple(listed), (*lines, *twice, *_unlisted(card, raws)))


def _found(
    card: Card, place: Path, patterns: Sequence[str], suffix: str
) -> tuple[dict[str, str], list[Line]]:
    """Files by stem in lower case, the first of each; and a line for each further one."""
    files: dict[str, str] = {}
    lines = []
    for root in card.roots:
        for pattern in patterns:
            for path in sorted((place / root).glob(pattern)):
                if path.suffix.casefold().rstrip("f") != suffix.rstrip("f") or not path.is_file():
                    continue
                name = path.relative_to(place).as_posix()
                first = files.setdefault(path.stem.casefold(), name)
                if first != name:
                    detail = f"{first} is taken"
                    lines.append(Line("", path.stem, name, "unlisted", "second-copy", detail))
    return files, lines


def _taken(card: Card, asked: Select) -> list[SceneRow]:
    """The scenes of the index with the cameras, on the list and as many as are asked for."""
    known = {row.camera for row in card.scenes}
    wrong = [camera for camera in asked.cameras if camera not in known]
    if wrong:
        cameras = ", ".join(sorted(known))
        raise BuildError(f"{card.name}: the index has no camera {wrong[0]!r}; it has: {cameras}")
    if asked.published and not any(asked.published in row.splits for row in card.scenes):
        raise BuildError(f"{card.name}: the index has no list {asked.published!r}")
    rows = [
        row
        for row in card.scenes
        if (not asked.cameras or row.camera in asked.cameras)
        and (not asked.published or asked.published in row.splits)
    ]
    if asked.each is None:
        return rows
    first = {
        scene
        for camera in {row.camera for row in rows}
        for scene in by_hash(row.scene for row in rows if row.camera == camera)[: asked.each]
    }
    return [row for row in rows if row.scene in first]


def _splits(taken: Sequence[SceneRow], asked: Select) -> dict[str, Split]:
    """By the published list, else by shares; of a list that has no validation scenes, as many of
    its training scenes become such as the shares of the two say."""
    if not asked.published:
        return divided([[row.scene] for row in taken], asked.shares)
    splits = {row.scene: row.splits[asked.published] for row in taken}
    train = [[scene] for scene, split in splits.items() if split == "train"]
    if asked.shares[1] and "val" not in splits.values():
        splits |= divided(train, (*asked.shares[:2], 0))
    return splits


def _unlisted(card: Card, raws: dict[str, str]) -> list[Line]:
    known = {row.scene.casefold() for row in card.scenes}
    detail = "the data set's index has no such photograph"
    return [
        Line("", "", path, "unlisted", "unlisted", detail)
        for stem, path in raws.items()
        if stem not in known
    ]


# -- the miniature -------------------------------------------------------------------------------

CODE = 4  # part of every seed
SECONDS, ISO, DIM = 1 / 60, 200.0, 0.7  # the cameras expose short of the scene's white
FOLDER = "fivek_dataset/raw_photos/HQa1to700/photos"  # all in one; the real set has several such
GAMMA = struct.pack(">4sIIH", b"curv", 0, 1, round(1.8 * 256))  # of ProPhoto's profile


@dataclass(frozen=True)
class Model:
    """A camera of the index: levels and color matrix of the real one, noise of our own."""

    cfa: str
    black: float
    white: int
    matrix: tuple[int, ...]  # XYZ to camera, in ten-thousandths
    size: tuple[int, int]
    crop: tuple[int, int] = (0, 0)  # top and left of DefaultCrop; as much is left out behind


D700 = Model(
    "RGGB", 0, 15892, (8139, -2171, -663, -8747, 16541, 2295, -1925, 2008, 8093), (288, 432), (4, 6)
)
MODELS = {
    "Nikon D700": D700,
    "Nikon D70": replace(D700, cfa="BGGR", white=4095, size=(270, 400), crop=(7, 15)),
    "Canon EOS 5D": Model(
        "RGGB", 127, 3692, (6347, -479, -972, -8297, 15954, 2480, -1968, 2131, 7649), (276, 414)
    ),
    "Canon EOS 40D": Model(
        "RGGB", 1021, 13600, (6071, -747, -856, -7653, 15365, 2441, -2025, 2553, 7315), (264, 396)
    ),
    "Sony DSLR-A900": Model(
        "RGGB", 520, 16383, (5209, -1072, -397, -8845, 16120, 2919, -1618, 1803, 8654), (300, 450)
    ),
    "Fujifilm S2Pro": replace(D700, white=4095, size=(264, 384)),
}


@dataclass(frozen=True)
class Shot:
    """One photograph: what the index says took it, how it was held, and how it was retouched."""

    model: str = "Nikon D700"
    orientation: int = 1
    experts: str = "c"
    tagged: bool = True  # the pictures embed their profile; else they are LZW without one
    straightened: bool = False  # by the expert, who turned and enlarged it
    rows: int = 0  # cut off by the expert


SHOTS = {
    "a0001-jmac_DSC1459": Shot("Nikon D70", orientation=8),
    "a0002-dgw_005": Shot(experts="abcde"),
    "a0003-NKIM_MG_8178": Shot("Canon EOS 40D"),
    "a0004-jmac_MG_1384": Shot("Canon EOS 5D", tagged=False),
    "a0009-kme_372": Shot("Fujifilm S2Pro"),
    "a0024-_DSC8932": Shot(),
    "a0035-dgw_048": Shot(tagged=False),
    "a0040-_DSC5693": Shot(orientation=6),
    "a0231-_DSC1319": Shot(),
    "a0608-_DGW6367": Shot(),
    "a0929-_DSC3185": Shot(straightened=True),
    "a1379-_DSC5348 (original)": Shot(orientation=8, tagged=False),
    "a3467-dgw_035": Shot(),
    "a4334-kme_00587": Shot("Sony DSLR-A900", orientation=6),
    "a4459-_DGW0329": Shot(rows=2),
}
STYLES = {"a": 1.1, "b": 1.3, "c": 1.5, "d": 1.6, "e": 1.8}  # how much an expert lifts shadows


def small(card: Card) -> Card:
    """The facts of the miniature."""
    known = tuple(row for row in card.scenes if row.scene in SHOTS)
    return of_code(
        card,
        f"{len(SHOTS)} raws of about 430 x 290 pixels, and {len(SHOTS) + 4} pictures",
        scenes=known,
    )


def miniature(_card: Card, out: Path, seed: int = 0) -> Iterator[Path]:
    """Raws under names of its index, and experts' pictures in ProPhoto RGB; the pictures are ours.

    Two experts did what can't be used: one straightened and enlarged a picture, one cut off two
    rows.
    """
    for number, (name, shot) in enumerate(SHOTS.items()):
        frame = _photograph(shot, Generator(PCG64(SeedSequence((seed, CODE, number)))))
        path = out / FOLDER / f"{name}.dng"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_dng(path, frame)
        yield path
        light = _light(frame)
        for expert in shot.experts:
            path = out / f"tiff16_{expert}" / f"{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            _save(path, _retouched(light, frame, shot, STYLES[expert]), shot.tagged)
            yield path


def _photograph(shot: Shot, rng: Generator) -> Frame:
    model = MODELS[shot.model]
    (height, width), (top, left) = model.size, model.crop
    if shot.orientation == 1:
        scene = scenes.paint(rng, height, width)
    else:
        turns = {6: 1, 8: -1}[shot.orientation]
        scene = np.ascontiguousarray(np.rot90(scenes.paint(rng, width, height), turns))
    matrix = np.array(model.matrix).reshape(3, 3) / 10000
    camera = Camera(
        make="isptools",
        model=f"Miniature {shot.model.split()[-1]}",
        kind="bayer",
        cfa=model.cfa,
        black=model.black,
        white=model.white,
        xyz_to_camera=tuple(tuple(float(value) for value in row) for row in matrix),
        full_well=60_000.0,
        read_electrons=4.0,
        read_dn=1.0,
    )
    exposure = Exposure(SECONDS, SECONDS / DIM, ISO, (2.0, 1.0, 1.5), shot.orientation)
    frame = expose(scene, camera, exposure, rng)
    crop = (float(top), float(left), float(height - 2 * top), float(width - 2 * left))
    return replace(frame, capture=replace(frame.capture, default_crop=crop))


def _light(frame: Frame) -> NDArray[np.float64]:
    """(H, W, 3) linear ProPhoto RGB of a raw, as it lies."""
    matrix = frame.capture.xyz_to_camera
    facts = replace(frame.capture, camera_to_srgb=matrix and camera_to_srgb_of(matrix))
    steps = (Levels(), Balance(), Demosaic("ppg"), ToXYZ())
    xyz = develop(replace(frame, capture=facts), steps).pixels
    back = np.linalg.inv(profile.d50_to_d65() @ profile.prophoto().to_xyz)
    return np.asarray(xyz.astype(np.float64) @ back.T)


def _retouched(
    light: NDArray[np.float64], frame: Frame, shot: Shot, style: float
) -> NDArray[np.uint16]:
    """Brighter in the shadows, cut by DefaultCrop, upright, ROMM encoded."""
    high, wide = frame.pixels.shape
    top, left = MODELS[shot.model].crop
    toned = np.clip(light[top : high - top, left : wide - left], 0, 1)
    toned = toned * (style - (style - 1) * toned)
    encoded = np.where(toned < profile.TOE, 16 * toned, toned ** (1 / 1.8))
    shown = np.rint(65535 * encoded).astype(np.uint16)
    if shot.straightened:
        size = (shown.shape[1], shown.shape[0])
        turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), 2.0, 1.08)
        shown = np.asarray(cv2.warpAffine(shown, turn, size, flags=cv2.INTER_LINEAR), np.uint16)
    return np.ascontiguousarray(upright(shown[: len(shown) - shot.rows], frame.capture.flip))


def _save(path: Path, picture: NDArray[np.uint16], tagged: bool) -> None:
    if tagged:
        options: dict[str, Any] = {"iccprofile": icc_profile(), "photometric": "rgb"}
        imageio.imwrite(path, picture, plugin="tifffile", extension=".tif", **options)
    elif not cv2.imwrite(str(path), picture[..., ::-1]):
        raise OSError(f"{path} can't be written")


def icc_profile(curve: bytes = GAMMA) -> bytes:
    """A display profile of ProPhoto's primaries with one curve tag for all channels (ICC 4)."""
    columns = profile.prophoto().to_xyz.T
    text = "isptools: ProPhoto primaries".encode("utf-16-be")
    named = struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(text), 28) + text
    tags = {b"desc": named, b"cprt": named, b"wtpt": _xyz(profile.D50)}
    tags |= {
        b"%cXYZ" % letter: _xyz(column) for letter, column in zip(b"rgb", columns, strict=True)
    }
    tags |= {b"%cTRC" % letter: curve for letter in b"rgb"}
    start, directory, body = 132 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        directory += struct.pack(">4sII", name, start + len(body), len(tag))
        body += tag + b"\0" * (-len(tag) % 4)
    size, white = start + len(body), _xyz(profile.D50)[8:]
    date = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    head = struct.pack(">I4xI4s4s4s", size, 0x04000000, b"mntr", b"RGB ", b"XYZ ")
    head += date + b"acsp" + bytes(28) + white + bytes(48)
    return head + struct.pack(">I", len(tags)) + directory + body


def _xyz(color: NDArray[np.float64]) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(float(value) * 65536) for value in color))
