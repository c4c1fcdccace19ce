"""Miniatures of phone/DSLR sets: one painted scene through two cameras, with the mapping kept.

The DSLR's picture is the scene itself, a little toned. The phone's is coarser and goes through its
own optics: a known homography, radial distortion, a layer at another depth, blur, vignetting,
color, tone and noise. `truth.json` beside the files holds the mapping. Pixels come from OpenCV's
interpolation and JPEG encoder: the same bytes every time on one machine with one version of it.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools.frame import Array
from isptools.raw import write_dng
from isptools.sample import scenes
from isptools.sample.camera import Exposure, expose
from isptools.sample.files import written
from isptools.sample.hdrplus import PHONE as PHONE_CAMERA

NAMES = ("dped", "dped-originals", "zurich", "pairs")
CODES = {"dped": 11, "dped-originals": 12, "zurich": 13, "pairs": 14}
DSLR = (1125, 1500)  # height, width
PHONE = (825, 1100)  # more than the 1080 x 800 that a recipe brings it to, as DPED's are
OWN = ("IMG_0012", "IMG_0015", "IMG_0019")  # of a user's folder
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


def write(name: str, out: Path, seed: int = 0) -> list[Path]:
    """Write the miniature `name` below `out` and return its files, pictures first."""
    truth: dict[str, object] = {}
    pictures = (
        _own(out, seed, truth) if name == "pairs" else written(_files(name, seed, truth), out)
    )
    target = out / "truth.json"
    target.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return [*pictures, target]


def _files(name: str, seed: int, truth: dict[str, object]) -> Iterator[tuple[str, bytes]]:
    if name == "dped-originals":
        yield from _photographs(seed, truth)
    elif name == "dped":
        yield from _dped(seed)
    else:
        yield from _zurich(seed)


def _own(out: Path, seed: int, truth: dict[str, object]) -> list[Path]:
    """A raw file of the phone and the DSLR's picture of each scene, as a user lays them out."""
    files = []
    for number, name in enumerate(OWN):
        rng = _rng(seed, "pairs", number)
        picture = _turned(scenes.paint(_rng(seed, "pairs", 100 + number), *DSLR), number)
        view, path = _view(rng), f"phone/{name}.dng"
        truth[path] = asdict(view)
        files += written([(f"dslr/{name}.jpg", _jpeg(_toned(picture), 95))], out)
        light = _shaded(_light(picture, view))[: PHONE[0] & ~1]
        exposure = Exposure(0.01, 0.01, 100.0, (1.9, 1.0, 1.6))
        files.append(out / path)
        files[-1].parent.mkdir(exist_ok=True)
        write_dng(files[-1], expose(light, OWN_PHONE, exposure, rng))
    return files


def _photographs(seed: int, truth: dict[str, object]) -> Iterator[tuple[str, bytes]]:
    """Eight scenes; the last is nearly the first."""
    for number in range(8):
        scene = number % 7
        rng = _rng(seed, "dped-originals", number)
        picture = _turned(scenes.paint(_rng(seed, "dped-originals", 100 + scene), *DSLR), scene)
        view = _view(rng)
        truth[f"iphone/phone/{number}.jpg"] = asdict(view)
        yield f"iphone/phone/{number}.jpg", _jpeg(seen(picture, view, rng), 92)
        yield f"iphone/canon/{number}.jpg", _jpeg(_toned(picture), 95)


def _turned(picture: Light, scene: int) -> Light:
    """Mirrored or moved round, so that scenes of one layout do not look alike."""
    picture = picture[:, ::-1] if scene & 1 else picture
    picture = picture[::-1] if scene & 2 else picture
    if scene & 4:
        picture = np.roll(picture, (DSLR[0] // 3, DSLR[1] // 2), (0, 1))
    return np.ascontiguousarray(picture, np.float32)


def _dped(seed: int) -> Iterator[tuple[str, bytes]]:
    """Patches that are aligned as well as the released ones are; one pair is black."""
    places = {"iphone/training_data/{}": range(40), "iphone/test_data/patches/{}": range(12)}
    for code, (folder, numbers) in enumerate(places.items()):
        picture = np.empty((0, 0, 3), np.float32)
        for number in numbers:
            rng = _rng(seed, "dped", code, number)
            if number % 8 == 0:
                picture = scenes.paint(_rng(seed, "dped", code, 1000 + number), 480, 640)
            top, left = int(rng.integers(60, 320)), int(rng.integers(60, 480))
            part = picture[top - 8 : top + 108, left - 8 : left + 108]
            moved = _moved(part, rng.uniform(-0.4, 0.4, 2))
            phone, canon = _phone_look(moved, rng), _toned(part)
            black = np.float32(0 if number == 7 else 1)
            for camera, whole in (("iphone", phone), ("canon", canon)):
                cut = np.ascontiguousarray(whole[8:108, 8:108]) * black
                yield f"{folder.format(camera)}/{number}.jpg", _jpeg(cut, 95)


def _zurich(seed: int) -> Iterator[tuple[str, bytes]]:
    """Raw patches of 10-bit numbers; where all fit into 8 bits they are written as such."""
    for code, (split, count) in enumerate((("train", 6), ("test", 2))):
        for number in range(count):
            rng = _rng(seed, "zurich", code, number)
            picture = scenes.paint(_rng(seed, "zurich", code, 1000 + number), 480, 480)
            picture = np.ascontiguousarray(picture[16:464, 16:464]) * np.float32(1.2)
            dark = np.float32(0.15 if number == 3 else 0.8)
            light = np.minimum(_moved(picture, rng.uniform(-0.8, 0.8, 2)), np.float32(1.2))
            raw = _mosaic(light * dark, rng)
            yield f"{split}/huawei_raw/{number}.png", _png(raw)
            yield f"{split}/canon/{number}.jpg", _jpeg(_toned(picture), 95)


def _mosaic(light: Light, rng: Generator) -> Array:
    """RGGB, black 63, white 1020, before white balance."""
    gains = np.array([0.5, 1.0, 0.6], np.float32)
    planes = np.clip(light * gains, 0, 1)
    flat = planes[..., 1].copy()
    flat[0::2, 0::2], flat[1::2, 1::2] = planes[0::2, 0::2, 0], planes[1::2, 1::2, 2]
    noisy = flat + rng.normal(0, 0.006, flat.shape) * np.sqrt(np.maximum(flat, 0.01))
    return np.asarray(np.clip(np.rint(63 + 957 * noisy), 0, 1023), np.uint16)


def _png(raw: Array) -> bytes:
    small: Array = raw.astype(np.uint8) if raw.max() <= 255 else raw
    return np.asarray(cv2.imencode(".png", small)[1]).tobytes()


def _view(rng: Generator) -> View:
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
    return _phone_look(_light(picture, view), rng)


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


def _phone_look(light: Light, rng: Generator) -> Light:
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


def _toned(light: Light) -> Light:
    """The DSLR's picture, encoded."""
    return np.asarray(np.clip(light * np.float32(1.4), 0, 1) ** np.float32(1 / 2.2), np.float32)


def _moved(picture: Light, by: NDArray[np.float64]) -> Light:
    return np.asarray(
        cv2.warpAffine(picture, _shift(*by)[:2], picture.shape[1::-1], flags=cv2.INTER_CUBIC,
                       borderMode=cv2.BORDER_REFLECT),
        np.float32,
    )  # fmt: skip


def _shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def _jpeg(shown: Light, quality: int) -> bytes:
    pixels = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)[..., ::-1]
    options = (cv2.IMWRITE_JPEG_QUALITY, quality)
    return np.asarray(cv2.imencode(".jpg", pixels, options)[1]).tobytes()


def _rng(seed: int, name: str, *numbers: int) -> Generator:
    return Generator(PCG64(SeedSequence((seed, CODES[name], *numbers))))
