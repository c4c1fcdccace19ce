"""Bursts with a known clean scene, made from photographs: hand-shake, a moving thing, noise."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from isptools.frame import Capture, Frame, Space

BLACK, WHITE = 64, 1023
GAINS = (2.0, 1.0, 1.6)
BORDER = 40  # pixels around the picture that the hand may bring into view


@dataclass(frozen=True)
class Burst:
    frames: list[Frame]
    clean: NDArray[np.float32]  # the reference's mosaic without noise, DN above black
    moving: NDArray[np.bool_]  # where something moves in the reference or another frame
    shifts: list[tuple[float, float]]  # at the middle: what frame k saw moved, down and right
    turns: list[float]  # radians


def photograph(path: Path, shrink: int = 1, blur: float = 0.6) -> NDArray[np.float32]:
    """Linear RGB (H, W, 3) in [0, 1], area-averaged and blurred a little, as a lens does."""
    bgr = cv2.imread(str(path))
    light = (bgr[..., ::-1].astype(np.float32) / 255) ** 2.2
    if shrink > 1:
        size = (light.shape[1] // shrink, light.shape[0] // shrink)
        light = cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(light, (0, 0), blur), np.float32)


def burst(  # noqa: PLR0913, PLR0917 - one knob an argument
    scene: NDArray[np.float32], thing: NDArray[np.float32] | None, count: int = 8, seed: int = 0,
    shot: float = 4e-3, read: float = 6.0, cfa: str = "RGGB", exact: bool = True,
    full: float = 900.0,
) -> Burst:  # fmt: skip
    """`scene` linear RGB; `thing` a picture of which a disc moves across, 9 pixels a frame.

    `shot` is the variance a unit of full scale adds, `read` a deviation in DN. `exact` resamples
    with cubic splines, else with OpenCV's Lanczos kernel in steps of 1/32 pixel.
    """
    rng = np.random.default_rng(seed)
    height, width = (side - 2 * BORDER & ~1 for side in scene.shape[:2])
    walk = np.cumsum(rng.normal(0, 2.5, (count, 2)), 0)
    walk -= walk[0]
    turns = np.deg2rad(rng.normal(0, 0.05, count))
    turns[0] = 0
    mosaics, masks = [], []
    for k in range(count):
        seen = _seen(scene, (height, width), walk[k], turns[k], cfa, exact)
        if thing is not None:
            masks.append(_move(seen, thing, k, count, cfa))
        mosaics.append(seen * full)
    moving = np.logical_or.reduce(masks) if masks else np.zeros((height, width), bool)
    span = WHITE - BLACK
    sigmas = [np.sqrt(shot * span * np.maximum(m, 0) + read**2) for m in mosaics]
    capture = Capture(
        "bayer", cfa, (float(BLACK),) * 4, (BLACK,) * 4, WHITE, (*GAINS, 0.0), (*GAINS, 0.0),
        "made", "from photographs", noise_profile=((shot, (read**2 + 1 / 12) / span**2),),
        color_matrix_1=((0.6, -0.1, -0.05), (-0.3, 1.1, 0.2), (-0.05, 0.2, 0.6)), illuminant_1=21,
        exposure_s=0.05, iso=800.0,
    )  # fmt: skip
    frames = [
        Frame(
            np.clip(np.rint(m + s * rng.standard_normal(m.shape, np.float32) + BLACK), 0, WHITE)
            .astype(np.uint16),
            Space.SENSOR, capture,
        )
        for m, s in zip(mosaics, sigmas, strict=True)
    ]  # fmt: skip
    shifts = [(float(y), float(x)) for y, x in walk]
    return Burst(frames, mosaics[0].astype(np.float32), moving, shifts, turns.tolist())


def _seen(scene, size, shift, turn, cfa, exact):
    """The mosaic (H, W) in [0, 1]: pixel p shows the scene at R (p - c) + c - shift."""
    height, width = size
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    offset = middle - rotation @ middle - shift + BORDER
    out = np.empty(size, np.float32)
    for letter in "RGB":
        plane = scene[..., "RGB".index(letter)] / GAINS["RGB".index(letter)] * min(GAINS)
        if exact:
            part = ndimage.affine_transform(plane, rotation, offset, size, order=3)
        else:
            matrix = np.array([[rotation[1, 1], rotation[1, 0], offset[1]],
                               [rotation[0, 1], rotation[0, 0], offset[0]]])  # fmt: skip
            flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
            part = cv2.warpAffine(plane, matrix, (width, height), flags=flags)
        for i in range(4):
            if cfa[i] == letter:
                out[i // 2 :: 2, i % 2 :: 2] = part[i // 2 :: 2, i % 2 :: 2]
    return out


def _move(seen, thing, k, count, cfa):
    """Draw the disc into frame k; its place as a mask."""
    height, width = seen.shape
    radius = min(height, width, 2 * min(thing.shape[:2])) // 8
    top, left = height // 2 - radius, width // 2 - radius + 9 * (k - count // 2)
    y, x = np.mgrid[: 2 * radius, : 2 * radius]
    disc = (y - radius) ** 2 + (x - radius) ** 2 < radius**2
    patch = thing[20 : 20 + 2 * radius, 20 : 20 + 2 * radius]
    index = np.array(["RGB".index(letter) for letter in cfa]).reshape(2, 2)
    letters = index[(y + top) % 2, (x + left) % 2]
    values = np.take_along_axis(patch, letters[..., None], 2)[..., 0] / np.array(GAINS)[letters]
    area = seen[top : top + 2 * radius, left : left + 2 * radius]
    area[disc] = values[disc]
    mask = np.zeros(seen.shape, bool)
    mask[top : top + 2 * radius, left : left + 2 * radius] = disc
    return mask
