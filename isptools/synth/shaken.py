"""Bursts of a shaking hand, drawn by code: moving things, and the clean scene beside them.

`clean.npz` beside a burst holds what no camera knows: the reference's mosaic without noise, where
something moved, and how each frame was held.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray
from scipy import ndimage

from isptools.frame import Frame
from isptools.raw import write_dng
from isptools.synth import scenes
from isptools.synth.camera import PHONE, Exposure, expected, expose

F32 = NDArray[np.float32]
HEIGHT, WIDTH = 384, 512
AROUND = 24  # pixels that the hand may bring into view
STEP = 7  # pixels that the moving thing goes from frame to frame
CROP = 8  # pixels that DefaultCrop leaves out on each side
POINTS = (13, 17)  # of the shading map
SECONDS = 0.05
DIM = 0.6  # exposed short of the scene's white
CODE = 3  # part of every seed


@dataclass(frozen=True)
class Shot:
    """How one burst was taken."""

    iso: float
    frames: int = 5
    reference: int = 0
    orientation: int = 1
    cropped: bool = False  # the final picture is cut by DefaultCrop
    zoomed: bool = False  # the final picture shows the middle only, as with digital zoom
    tagged: bool = True  # make and model are stated
    black: float = 64.0
    last: float = 1.0  # exposure of the last frame over that of the others
    model: str = ""  # another one than the phone's; such files state no noise
    damaged: bool = False  # shading maps of three planes, as once published


SHOTS = {
    "m001_20160101_101500_100": Shot(200.0, cropped=True),
    "m001_20160101_102210_313": Shot(200.0, frames=8, reference=1),
    "m001_20160102_183059_872": Shot(200.0, orientation=6, cropped=True),
    "m002_20160214_214500_023": Shot(1600.0, reference=2),
    "m002_20160214_214733_590": Shot(1600.0, black=63.75),
    "m002_20160215_080122_419": Shot(1600.0, orientation=8),
    "m003_19700101_000012_001": Shot(400.0, zoomed=True),
    "IMG_20160301_120000_777": Shot(400.0, frames=2, tagged=False),
    "m004_20141105_090000_250": Shot(100.0, frames=4, last=4.0, model="Miniature Nexus 5"),
    "m004_20150620_120000_400": Shot(400.0, frames=3, damaged=True),
}


OWN = tuple(SHOTS)[:4]  # of a user's folder


@dataclass(frozen=True, eq=False)
class Burst:
    """Frames as their files state them, and what no camera knows."""

    shot: Shot
    frames: tuple[Frame, ...]
    clean: NDArray[np.float64]  # the reference without noise, 1 is the white level
    noise: NDArray[np.float64]  # standard normal, for a picture merged from the burst
    held: NDArray[np.float64]  # (frames, 3), see _held


def burst(number: int, shot: Shot, seed: int = 0) -> Burst:
    """A burst; the same numbers give the same one."""
    rng = Generator(PCG64(SeedSequence((seed, CODE, number))))
    held, phone = _held(rng, shot), replace(PHONE, black=shot.black)
    size = (WIDTH, HEIGHT) if shot.orientation != 1 else (HEIGHT, WIDTH)
    painted = scenes.paint(rng, *(side + 2 * AROUND for side in size)).astype(np.float64)
    if shot.orientation != 1:
        painted = np.rot90(painted, {6: 1, 8: -1}[shot.orientation])
    gains = (2.125, 1.0, 1.75)
    exposure = Exposure(SECONDS, SECONDS / DIM, shot.iso, gains, shot.orientation)
    views = [_view(painted, k, held, shot) for k in range(shot.frames)]
    stated = []
    for k, view in enumerate(views):
        longer = shot.last if k == shot.frames - 1 else 1.0
        frame = expose(view, phone, replace(exposure, seconds=SECONDS * longer), rng)
        stated.append(_stated(frame, shot))
    clean = expected(views[shot.reference], phone, exposure)
    return Burst(shot, tuple(stated), clean, rng.standard_normal(clean.shape), held)


def frames(folder: Path, taken: Burst) -> Iterator[Path]:
    """Write the raw files of a burst."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, frame in enumerate(taken.frames):
        path = folder / f"payload_N{k:03d}.dng"
        write_dng(path, frame)
        yield path


def known(path: Path, taken: Burst) -> Path:
    """Write what no camera knows."""
    moving = np.zeros(taken.clean.shape, bool)
    for k in range(taken.shot.frames):
        top, left = _thing(k, taken.shot)
        moving[top - 4 : top + 44, left - 4 : left + 60] = True
    np.savez(
        path, clean=np.asarray(taken.clean * PHONE.span, np.float32), moving=moving,
        shifts=taken.held[:, :2], turns=taken.held[:, 2], reference=taken.shot.reference,
    )  # fmt: skip
    return path


def _held(rng: Generator, shot: Shot) -> NDArray[np.float64]:
    """(frames, 3): shift down and right in pixels, turn in radians, relative to the reference."""
    walk = np.cumsum(rng.uniform(-3.0, 3.0, (shot.frames, 2)), axis=0)
    turn = rng.uniform(-0.0015, 0.0015, (shot.frames, 1))
    held = np.hstack([walk, turn])
    return np.asarray(held - held[shot.reference])


def _view(painted: NDArray[np.float64], k: int, held: NDArray[np.float64], shot: Shot) -> F32:
    """What falls on the sensor in frame k: linear sRGB (HEIGHT, WIDTH, 3), dimmer to the corners.

    The scene lies shifted and turned as the hand was; a lens spreads each point a little.
    """
    canvas = painted.copy()
    top, left = _thing(k, shot)
    box = scenes.Box(top + AROUND, left + AROUND, 40, 56)
    scenes.fill(canvas, box, (0.6, 0.07, 0.05))
    inner = scenes.Box(top + AROUND + 8, left + AROUND + 8, 10, 30)
    scenes.fill(canvas, inner, (0.05, 0.25, 0.5))
    for _ in range(4):
        canvas = _spread(canvas)
    down, right, turn = held[k]
    sine, cosine = turn - turn**3 / 6, 1 - turn**2 / 2
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    middle = np.array([(HEIGHT - 1) / 2, (WIDTH - 1) / 2])
    offset = middle - matrix @ middle - (down, right) + AROUND
    seen = [
        ndimage.affine_transform(canvas[..., c], matrix, offset, (HEIGHT, WIDTH), order=3)
        for c in range(3)
    ]
    return np.asarray(np.maximum(np.stack(seen, -1), 0) / _falloff()[..., None], np.float32)


def _spread(canvas: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1, 2, 1) / 4 along both sides."""
    for axis in (0, 1):
        canvas = (np.roll(canvas, 1, axis) + 2 * canvas + np.roll(canvas, -1, axis)) / 4
    return canvas


def _thing(k: int, shot: Shot) -> tuple[int, int]:
    """Top left corner of the moving thing in frame k, on the reference's sensor."""
    return HEIGHT // 3, WIDTH // 3 + STEP * (k - shot.reference)


def gains_map() -> F32:
    """The shading map, POINTS of it: 1 in the middle, 1.5 in the corners."""
    y, x = (np.linspace(-1, 1, count) for count in POINTS)
    return np.asarray(1 + 0.25 * (y[:, None] ** 2 + x**2), np.float32)


def _falloff() -> NDArray[np.float64]:
    """The map at every pixel, bilinear between its points as DNG's GainMap is."""
    gains = gains_map().astype(np.float64)
    for axis, side in ((0, HEIGHT), (1, WIDTH)):
        place = (np.arange(side) + 0.5) / side * (gains.shape[axis] - 1)
        low = np.minimum(place.astype(int), gains.shape[axis] - 2)
        part = (place - low).reshape((-1, 1) if axis == 0 else (1, -1))
        gains = gains.take(low, axis) * (1 - part) + gains.take(low + 1, axis) * part
    return gains


def _stated(frame: Frame, shot: Shot) -> Frame:
    """With the facts that this burst's files state."""
    facts = frame.capture
    if shot.cropped:
        crop = (float(CROP), float(CROP), float(HEIGHT - 2 * CROP), float(WIDTH - 2 * CROP))
        facts = replace(facts, default_crop=crop, active_area=None)
    if not shot.tagged:
        facts = replace(facts, make="", model="")
    if shot.model:
        facts = replace(facts, model=shot.model, noise_profile=None)
    return replace(frame, capture=facts)
