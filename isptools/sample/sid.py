"""The miniatures of SID: which scenes and files, and how each is set up.

The names are a subset of the official lists; the pictures are ours.
"""

from dataclasses import dataclass

from isptools.sample.camera import FUJI, SONY, Camera

STREET = (2.03125, 1.0, 2.4375)  # as-shot gains of two lights, within the range of SID's own
LAMP = (1.71875, 1.0, 3.0625)


@dataclass(frozen=True)
class Setup:
    """One scene: the short exposures taken of it, its light, and how the camera was held."""

    shorts: tuple[str, ...]  # "00_0.1": frame and nominal exposure, as in the file names
    gains: tuple[float, float, float] = STREET
    orientation: int = 1
    long_s: int = 10  # the long exposure, seconds


@dataclass(frozen=True)
class Miniature:
    code: int  # part of every seed, so that the two miniatures differ
    camera: Camera
    height: int
    width: int
    folder: str
    suffix: str
    scenes: dict[str, Setup]


MINIATURES = {
    "sid": Miniature(1, SONY, 384, 512, "Sony", "ARW", {
        "00001": Setup(("00_0.04", "00_0.1", "01_0.1")),
        "00102": Setup(("00_0.1", "01_0.1"), LAMP, long_s=30),
        "00179": Setup(("00_0.033", "00_0.04", "00_0.1"), LAMP, orientation=8),
        "20007": Setup(("00_0.04", "00_0.1", "01_0.04")),
        "10003": Setup(("00_0.04", "00_0.1"), LAMP),
        "10034": Setup(("00_0.04", "00_0.1")),
    }),
    # LibRaw's X-Trans interpolation refuses pictures with a side below 512
    "sid-fuji": Miniature(2, FUJI, 516, 612, "Fuji", "RAF", {
        "00002": Setup(("00_0.1", "01_0.1")),
        "00021": Setup(("00_0.033", "00_0.1", "01_0.033"), LAMP, orientation=6),
        "00101": Setup(("00_0.04", "00_0.1")),
        "20018": Setup(("00_0.033", "00_0.1"), LAMP),
        "10019": Setup(("00_0.033", "00_0.1")),
        "10172": Setup(("00_0.033", "00_0.04", "00_0.1"), LAMP),
    }),
}  # fmt: skip


def miniature(name: str) -> Miniature:
    """Raises ValueError with one line that names the known miniatures."""
    if name not in MINIATURES:
        raise ValueError(f"there is no miniature of {name!r}; there is: {', '.join(MINIATURES)}")
    return MINIATURES[name]
