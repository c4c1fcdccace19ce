"""The miniature of SIDD medium, raw: five phones, noisy and clean mosaics, metadata beside them.

Folders, names and variables are the data set's. Two phones keep the facts of their raw picture in a
sub-directory of the metadata, as a DNG with a preview does; one was held upside down, one upright.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools.raw import mat
from isptools.sample import scenes
from isptools.sample.camera import Camera, Exposure, expected, expose
from isptools.sample.files import written

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
SIZE = f"{len(INSTANCES)} instances of {WIDTH} x {HEIGHT} pixels"


def write(out: Path, seed: int = 0) -> list[Path]:
    """Write every instance and the list of them below `out`; returns the files."""
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
