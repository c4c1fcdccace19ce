"""SIDD: a folder for each scene instance, with noisy and clean mosaics and their metadata."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools import sources
from isptools.datasets.card import Card, Sensor, Split
from isptools.datasets.listing import BuildError, Line, Listing, StatedError, missing, root_with
from isptools.datasets.scene import Exposures, Named, Scene, Sidecar
from isptools.datasets.small import of_code
from isptools.datasets.splits import LISTED, hashed, listed_splits
from isptools.frame import Capture
from isptools.raw import RawError, mat, mosaic
from isptools.synth import scenes
from isptools.synth.camera import Camera, Exposure, expected, expose
from isptools.synth.files import written

DATA = "Data"
LISTS = ("Scene_Instances.txt", "Scene_Instance.txt")  # the read me names the second
INSTANCE = re.compile(r"(\d{4})_(\d{3})_([A-Z][A-Z0-9])_(\d{5})_(\d{5})_(\d{4})_([LNH])")
MOSAIC = re.compile(r"(?:(\d{4})_)?(GT|NOISY)_RAW_(\d{3})\.MAT", re.IGNORECASE)
FILTERS = {"GP": "BGGR", "IP": "RGGB", "S6": "GRBG", "N6": "BGGR", "G4": "BGGR"}


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose pictures a recipe takes."""

    parts: tuple[str, ...] = ()  # phones, as the names of instances say; () takes all


@dataclass(frozen=True, slots=True)
class Instance:
    """What the name of a folder says."""

    name: str
    number: str
    scene: str
    phone: str
    iso: float
    exposure_s: float  # the name holds the inverse
    kelvin: int
    light: str  # L low, N normal, H high

    @classmethod
    def of(cls, name: str) -> "Instance | None":
        """None for a name of another kind."""
        found = INSTANCE.fullmatch(name)
        if not found or not int(found[4]) or not int(found[5]):
            return None
        number, scene, phone, iso, shutter, kelvin, light = found.groups()
        exposure = 1 / int(shutter)
        return cls(name, number, scene, phone, float(iso), exposure, int(kelvin), light)


def find(card: Card, select: Select, place: Path) -> Listing:
    """A scene, instance/frame, for each clean and noisy mosaic below Data/.

    Splits are by SIDD's scene, so that no object stands in two: the user's splits.tsv (SIDD's scene
    number, tab, split) or the hash of the scene number. Color filters are the phone's, unless the
    metadata beside the mosaics states them. BuildError where there is nothing of it, or no such
    phone.
    """
    unknown = [phone for phone in select.parts if phone not in FILTERS]
    if unknown:
        raise BuildError(f"{card.name} has no phone {unknown[0]!r}; it has: {', '.join(FILTERS)}")
    root = root_with(card, place, f"{DATA}/*/*RAW_0*.[mM][aA][tT]")
    instances, lines = _instances(root)
    given = listed_splits(root / LISTED) if (root / LISTED).is_file() else None
    listed: list[Scene] = []
    for instance in instances:
        split = hashed(instance.scene) if given is None else given.get(instance.scene)
        folder = f"{DATA}/{instance.name}"
        if select.parts and instance.phone not in select.parts:
            detail = f"the recipe takes {', '.join(select.parts)} only"
            lines.append(Line("", instance.name, folder, "excluded", "other-phone", detail))
        elif split is None:
            detail = f"{LISTED} does not name scene {instance.scene}"
            lines.append(Line("", instance.name, folder, "excluded", "not-listed", detail))
        else:
            sensor = msgspec.structs.replace(card.sensor or Sensor(), cfa=FILTERS[instance.phone])
            found = _scenes(root / DATA, instance, split, sensor)
            listed += found
            lines += [] if found else [_empty(instance, split)]
    if not listed and not lines:
        raise BuildError(missing(card, place))
    return Listing(root, tuple(listed), tuple(lines))


def _instances(root: Path) -> tuple[list[Instance], list[Line]]:
    """Those that are there; and what is odd about the list or a name."""
    there = sorted(path.name for path in (root / DATA).iterdir() if path.is_dir())
    names = next((_names(root / one) for one in LISTS if (root / one).is_file()), None)
    detail = "the data set's list names it, but there is no such folder"
    lines = [
        Line("", name, f"{DATA}/{name}", "missing", "missing", detail)
        for name in sorted(set(names or ()) - set(there))
    ]
    found = []
    for name in there:
        instance = Instance.of(name)
        if instance is None or instance.phone not in FILTERS:
            detail = "expected instance_scene_phone_ISO_shutter_temperature_light"
            lines.append(Line("", name, f"{DATA}/{name}", "unlisted", "other-name", detail))
        elif names is not None and name not in names:
            detail = "the data set's list does not name it"
            lines.append(Line("", name, f"{DATA}/{name}", "unlisted", "unlisted", detail))
        else:
            found.append(instance)
    return found, lines


def _names(path: Path) -> set[str]:
    text = path.read_text("ascii", "replace")
    return {line.strip() for line in text.splitlines() if line.strip()}


def _scenes(data: Path, instance: Instance, split: Split, sensor: Sensor) -> list[Scene]:
    """Each numbered frame: clean, noisy, and the metadata of both."""
    folder = data / instance.name
    sides: dict[str, dict[str, str]] = {}
    for path in sorted(folder.iterdir()):
        found = MOSAIC.fullmatch(path.name)
        if found and found[1] in {None, instance.number}:
            sides.setdefault(found[3], {})[found[2].upper()] = path.name

    def named(number: str, side: str) -> Named:
        """The file of one side, or the name it should have."""
        file = sides[number].get(side) or f"{instance.number}_{side}_RAW_{number}.MAT"
        facts = Sidecar("facts", f"{DATA}/{instance.name}/{_facts(folder, instance, number)}")
        path = f"{DATA}/{instance.name}/{file}"
        return Named(path, instance.exposure_s, instance.iso, "", sensor, (facts,))

    return [
        Scene(f"{instance.name}/{number}", split,
              Exposures(named(number, "GT"), (named(number, "NOISY"),)))
        for number in sorted(sides)
    ]  # fmt: skip


def _empty(instance: Instance, split: Split) -> Line:
    detail = "it holds no NOISY_RAW or GT_RAW file of its own number"
    place = f"{DATA}/{instance.name}"
    return Line(split, instance.name, place, "missing", "no-frames", detail)


def _facts(folder: Path, instance: Instance, number: str) -> str:
    """The frame's own metadata, else that of the instance's first frame."""
    for name in (f"METADATA_RAW_{number}.MAT", "METADATA_RAW_010.MAT"):
        for each in (f"{instance.number}_{name}", name):
            if (folder / each).is_file():
                return each
    return f"{instance.number}_METADATA_RAW_010.MAT"


def stated(capture: Capture, beside: Mapping[str, Path], shape: tuple[int, int]) -> Capture:
    """The facts of the phone's DNG, as MATLAB's imfinfo saved them beside the mosaics.

    StatedError for metadata that can't be read, and for a mosaic that lies transposed.
    """
    path = beside["facts"]
    try:
        data = sources.read(path)
        told = mosaic.with_record(capture, data, path.name)
        crop = mosaic.cropped_size(data, path.name)
    except (RawError, sources.ContentError) as error:
        raise StatedError(str(error)) from None
    if crop == shape[::-1] and crop[0] != crop[1]:
        what = f"it is {shape[0]} x {shape[1]}, its metadata's crop {crop[0]} x {crop[1]}"
        raise StatedError(f"{what}: it lies transposed; turn it back, or leave it out")
    return told


# -- the miniature -------------------------------------------------------------------------------

CODE = 22  # part of every seed
HEIGHT, WIDTH = 240, 320
FRAMES = ("010", "011")
CLEAN = 150  # exposures that a clean picture is the mean of, as the paper's are
GAINS = (2.0, 1.0, 1.625)
WARM = ((1.05, -0.3, -0.15), (-0.4, 1.25, 0.15), (-0.05, 0.2, 0.45))  # under illuminant A
TURNS = {1: 0, 3: 2, 6: 1}  # quarter turns that a picture lies turned by, by EXIF orientation
MATRIX = ((0.84, -0.27, -0.1), (-0.31, 1.13, 0.2), (-0.04, 0.15, 0.53))
Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Phone:
    """Which filters, levels and facts the phone's files have."""

    cfa: str
    black: float = 64.0
    nested: bool = False  # the raw picture's facts stand under SubIFDs
    triple: bool = False  # NoiseProfile has a pair a color

    def camera(self, code: str) -> Camera:
        """The sensor that the miniature draws for it."""
        return Camera("isptools", f"Miniature {code}", "bayer", self.cfa, self.black, 1023, MATRIX,
                      6000.0, 2.5, 0.8)  # fmt: skip


PHONES = {
    "S6": Phone("GRBG", black=0.0),
    "N6": Phone("BGGR"),
    "IP": Phone("RGGB", nested=True),
    "G4": Phone("BGGR", triple=True),
    "GP": Phone("BGGR", nested=True),
}
INSTANCES = {  # and the EXIF orientation
    "0001_001_S6_00100_00060_3200_L": 3,
    "0054_003_N6_00100_00160_5500_N": 1,
    "0101_004_IP_00400_00100_4400_N": 6,
    "0120_005_G4_00800_00200_3200_L": 1,
    "0155_007_GP_00100_00100_5500_N": 1,
    "0199_010_GP_00800_01600_5500_N": 1,
}


def small(card: Card) -> Card:
    """The facts of the miniature."""
    return of_code(card, f"{len(INSTANCES)} instances of {WIDTH} x {HEIGHT} pixels")


def miniature(_card: Card, out: Path, seed: int = 0) -> list[Path]:
    """Five phones: folders, names and variables are the data set's.

    Two phones keep the facts of their raw picture in a sub-directory of the metadata, as a DNG with
    a preview does; one was held upside down, one upright.
    """
    return written(_files(seed), out)


def _files(seed: int) -> Iterator[tuple[str, bytes]]:
    for name, orientation in INSTANCES.items():
        number, _, code, iso, shutter, _, _ = name.split("_")
        phone, seconds = PHONES[code], 1 / int(shutter)
        rng = _rng(seed, int(number))
        painted = _painted(rng, orientation)
        shot = Exposure(seconds, seconds * 1.25, float(iso), GAINS, orientation)
        for frame in FRAMES:
            clean, noisy = _pair(painted, phone.camera(code), shot, rng)
            yield f"Data/{name}/{number}_GT_RAW_{frame}.MAT", mat.of_array(clean, "x")
            yield f"Data/{name}/{number}_NOISY_RAW_{frame}.MAT", mat.of_array(noisy, "x")
        info = _info(phone, phone.camera(code), shot)
        yield f"Data/{name}/{number}_METADATA_RAW_010.MAT", mat.of_record(info, "metadata")
    yield "Scene_Instances.txt", "".join(f"{name}\n" for name in INSTANCES).encode()


def _painted(rng: Generator, orientation: int) -> NDArray[np.float32]:
    """What falls on the sensor, (HEIGHT, WIDTH, 3): turned so that it is shown upright."""
    turns = TURNS[orientation]
    size = (WIDTH, HEIGHT) if turns % 2 else (HEIGHT, WIDTH)
    return np.ascontiguousarray(np.rot90(scenes.paint(rng, *size), turns))


def _pair(
    painted: NDArray[np.float32], camera: Camera, shot: Exposure, rng: Generator
) -> tuple[Numbers, Numbers]:
    """Clean and noisy numbers: black taken out, normalized, cut to [0, 1] as the authors do."""
    noisy = (expose(painted, camera, shot, rng).pixels - camera.black) / camera.span
    light = np.minimum(expected(painted, camera, shot), 1)
    shot_noise, read_noise = camera.noise_profile(shot.iso)
    spread = np.sqrt((shot_noise * light + read_noise) / CLEAN)
    clean = light + rng.standard_normal(light.shape) * spread
    cut = [np.clip(each, 0, 1).astype(np.float32) for each in (clean, noisy)]
    return cut[0], cut[1]


def _info(phone: Phone, camera: Camera, shot: Exposure) -> dict[str, Any]:
    """What imfinfo would say of the phone's DNG, which was cropped by 8 pixels on each side."""
    profile = camera.noise_profile(shot.iso) * (3 if phone.triple else 1)
    raw = {
        "Width": WIDTH + 16.0, "Height": HEIGHT + 16.0, "BitDepth": 16.0,
        "BlackLevel": np.full((1, 4), phone.black), "WhiteLevel": float(camera.white),
        "ActiveArea": np.array([[0.0, 0.0, HEIGHT + 16.0, WIDTH + 16.0]]),
        "DefaultCropOrigin": np.array([[8.0, 8.0]]),
        "DefaultCropSize": np.array([[float(WIDTH), float(HEIGHT)]]),
        "UnknownTags": _tags({33421: (2, 2), 33422: ["RGB".index(c) for c in camera.cfa]}),
    }  # fmt: skip
    color = {
        "Make": camera.make, "Model": camera.model, "Orientation": float(shot.orientation),
        "ColorMatrix1": _row(WARM), "ColorMatrix2": _row(camera.xyz_to_camera),
        "CalibrationIlluminant1": 17.0, "CalibrationIlluminant2": 21.0,
        "AsShotNeutral": _row([[1 / gain for gain in shot.gains]]),
    }  # fmt: skip
    noise = {51041: profile}
    if phone.nested:
        preview = {"Width": WIDTH / 8, "Height": HEIGHT / 8, "BitDepth": 24.0}
        return {**preview, **color, "UnknownTags": _tags(noise), "SubIFDs": _cell(raw)}
    own = {33421: (2, 2), 33422: ["RGB".index(c) for c in camera.cfa], **noise}
    return {**raw, **color, "UnknownTags": _tags(own)}


def _tags(values: dict[int, Any]) -> NDArray[Any]:
    """A column of structs with number, place and value."""
    column = np.zeros((len(values), 1), [("ID", "O"), ("Offset", "O"), ("Value", "O")])
    for row, (number, value) in enumerate(values.items()):
        column[row, 0] = (float(number), 0.0, _row([list(value)]))
    return column


def _cell(value: dict[str, Any]) -> NDArray[Any]:
    cell = np.empty((1, 1), object)
    cell[0, 0] = value
    return cell


def _row(values: Any) -> NDArray[np.float64]:
    return np.asarray(values, np.float64).reshape(1, -1)


def _rng(*integers: int) -> Generator:
    return Generator(PCG64(SeedSequence((CODE, *integers))))
