"""One painted scene through two cameras, with the mapping kept.

The DSLR's picture is the scene itself, a little toned. The phone's is coarser and goes through its
own optics: a known homography, radial distortion, a layer at another depth, blur, vignetting,
color, tone and noise. `truth.json` beside the files holds the mapping. Pixels come from OpenCV's
interpolation and JPEG encoder: the same bytes every time on one machine with one version of it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools.raw import write_dng
from isptools.synth import scenes
from isptools.synth.camera import PHONE as PHONE_CAMERA
from isptools.synth.camera import Exposure, expose
from isptools.synth.files import written

DSLR = (1125, 1500)  # height, width
PHONE = (825, 1100)  # more than the 1080 x 800 that a recipe brings it to, as released ones are
OWN = ("IMG_0012", "IMG_0015", "IMG_0019")  # of a user's folder
OWN_CODE = 14  # part of the seed
OWN_PHONE = replace(PHONE_CAMERA, model="Miniature phone", cfa="GRBG")
Light = NDArray[np.float32]
Points = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """How a phone saw what the DSLR's picture shows; pixel centers, x to the right, y down."""

    homography: list[list[float]]  # from straightened phone pixels to DSLR pixels, row by row
    distortion: float  # k of r * (1 + k r^2), r in half widths of the phone's picture
    layer: tuple[int, int, int, int]  # left, top, right, bottom in DSLR pixels, at another depth
    parallax: tuple[float, float]  # DSLR pixels that the layer is moved by

    def to_dslr(self, points: Points) -> Points:
        """Phone pixels to DSLR pixels, of what is not in the layer."""
        height, width = PHONE
        middle, half = np.array([(width - 1) / 2, (height - 1) / 2]), width / 2
        unit = (points - middle) / half
        straight = unit * (1 + self.distortion * (unit**2).sum(-1, keepdims=True)) * half + middle
        h = np.array(self.homography)
        mapped = straight @ h[:, :2].T + h[:, 2]
        return np.asarray(mapped[..., :2] / mapped[..., 2:])


def own_pairs(out: Path, seed: int = 0) -> list[Path]:
    """A raw file of the phone and the DSLR's picture of each scene, as a user lays them out."""
    files, truth = [], {}
    for number, name in enumerate(OWN):
        rng = generator(seed, OWN_CODE, number)
        picture = turned(scenes.paint(generator(seed, OWN_CODE, 100 + number), *DSLR), number)
        view, path = view_of(rng), f"phone/{name}.dng"
        truth[path] = view
        files += written([(f"dslr/{name}.jpg", jpeg(toned(picture), 95))], out)
        light = _shaded(_light(picture, view))[: PHONE[0] & ~1]
        exposure = Exposure(0.01, 0.01, 100.0, (1.9, 1.0, 1.6))
        files.append(out / path)
        files[-1].parent.mkdir(exist_ok=True)
        write_dng(files[-1], expose(light, OWN_PHONE, exposure, rng))
    return [*files, known(out, truth)]


def known(out: Path, truth: Mapping[str, View]) -> Path:
    """Write how the phone's pictures lie on the DSLR's, by their paths."""
    target = out / "truth.json"
    text = json.dumps({path: asdict(view) for path, view in truth.items()}, indent=1)
    target.write_text(text + "\n", encoding="utf-8")
    return target


def turned(picture: Light, scene: int) -> Light:
    """Mirrored or moved round, so that scenes of one layout do not look alike."""
    picture = picture[:, ::-1] if scene & 1 else picture
    picture = picture[::-1] if scene & 2 else picture
    if scene & 4:
        picture = np.roll(picture, (DSLR[0] // 3, DSLR[1] // 2), (0, 1))
    return np.ascontiguousarray(picture, np.float32)


def view_of(rng: Generator) -> View:
    """Turned by up to 4 degrees, moved, slightly tilted, seen a little wider than the DSLR did."""
    scale, turn = 1.2 * rng.uniform(0.97, 1.03), np.deg2rad(rng.uniform(-4, 4))
    center = _shift(-(PHONE[1] - 1) / 2, -(PHONE[0] - 1) / 2)
    rotate = np.diag([scale, scale, 1.0]) @ np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    tilt = np.eye(3)
    tilt[2, :2] = rng.uniform(-2e-5, 2e-5, 2)
    back = _shift(*((np.array(DSLR[::-1]) - 1) / 2 + rng.uniform(-20, 20, 2)))
    h = back @ tilt @ rotate @ center
    left, top = int(rng.integers(200, 700)), int(rng.integers(150, 500))
    return View(
        (h / h[2, 2]).tolist(),
        float(rng.uniform(0.002, 0.006)),
        (left, top, left + 260, top + 220),
        (float(rng.uniform(2, 4)), float(rng.uniform(-1, 1))),
    )


def seen(picture: Light, view: View, rng: Generator) -> Light:
    """The scene as the phone shows it, encoded, (*PHONE, 3) float32 in [0, 1]."""
    return phone_look(_light(picture, view), rng)


def _light(picture: Light, view: View) -> Light:
    """What falls on the phone's sensor, (*PHONE, 3) linear."""
    moved = picture.copy()
    left, top, right, bottom = view.layer
    dx, dy = view.parallax
    shifted = cv2.warpAffine(
        picture, _shift(dx, dy)[:2], picture.shape[1::-1], flags=cv2.INTER_CUBIC
    )
    moved[top:bottom, left:right] = shifted[top:bottom, left:right]
    y, x = np.mgrid[: PHONE[0], : PHONE[1]].astype(np.float64)
    places = view.to_dslr(np.stack([x, y], -1)).astype(np.float32)
    soft = cv2.GaussianBlur(moved, (0, 0), 0.7)
    light = cv2.remap(
        soft, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(light, np.float32)


def phone_look(light: Light, rng: Generator) -> Light:
    """Softer, darker to the corners, other colors, more contrast, noisy."""
    light = _shaded(light)
    matrix = np.array([[0.92, 0.1, -0.02], [0.05, 0.85, 0.1], [0.0, 0.12, 0.95]])
    light = np.clip(light @ matrix.T * 1.2, 0, 1)
    noise = rng.standard_normal(light.shape) * 0.008
    shown = (light + noise * np.sqrt(np.maximum(light, 0.02))).clip(0, 1) ** (1 / 2.2)
    return np.asarray(shown + 0.08 * np.sin(2 * np.pi * shown) * -0.5, np.float32).clip(0, 1)


def _shaded(light: Light) -> NDArray[Any]:
    """Softer, and darker to the corners."""
    height, width = light.shape[:2]
    y, x = np.mgrid[:height, :width]
    square = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / (width / 2) ** 2
    return np.asarray(cv2.GaussianBlur(light, (0, 0), 0.5) * (1 - 0.18 * square)[..., None])


def toned(light: Light) -> Light:
    """The DSLR's picture, encoded."""
    return np.asarray(np.clip(light * np.float32(1.4), 0, 1) ** np.float32(1 / 2.2), np.float32)


def shifted(picture: Light, by: NDArray[np.float64]) -> Light:
    """A picture (H, W, 3) moved by (down, right) pixels, cubic, mirrored at its edges."""
    return np.asarray(
        cv2.warpAffine(picture, _shift(*by)[:2], picture.shape[1::-1], flags=cv2.INTER_CUBIC,
                       borderMode=cv2.BORDER_REFLECT),
        np.float32,
    )  # fmt: skip


def _shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def jpeg(shown: Light, quality: int) -> bytes:
    """sRGB in [0, 1], (H, W, 3), as a JPEG of 8 bits."""
    pixels = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)[..., ::-1]
    options = (cv2.IMWRITE_JPEG_QUALITY, quality)
    return np.asarray(cv2.imencode(".jpg", pixels, options)[1]).tobytes()


def generator(seed: int, code: int, *numbers: int) -> Generator:
    """NumPy's PCG64 for a seed and numbers that say what it is for."""
    return Generator(PCG64(SeedSequence((seed, code, *numbers))))
