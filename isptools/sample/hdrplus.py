"""The miniature of HDR+: bursts of a shaking hand, moving things, and the clean scene beside them.

Folders and names are the bucket's; the pictures, and the burst ids, are ours. `clean.npz` beside a
burst holds what no camera knows: the reference's mosaic without noise, where something moved, and
how each frame was held.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import imageio.v3 as imageio
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray
from scipy import ndimage

from isptools.develop.chain import develop
from isptools.develop.orient import upright
from isptools.develop.steps import Balance, Demosaic, EncodeSrgb, Levels, Shading, ToXYZ
from isptools.frame import Frame, Space
from isptools.raw import write_dng
from isptools.raw.color import camera_to_srgb_of
from isptools.sample import scenes
from isptools.sample.camera import Camera, Exposure, expected, expose

F32 = NDArray[np.float32]
HEIGHT, WIDTH = 384, 512
AROUND = 24  # pixels that the hand may bring into view
STEP = 7  # pixels that the moving thing goes from frame to frame
CROP = 8  # pixels that DefaultCrop leaves out on each side
MERGED = 16  # steps of merged.dng for a digital number
POINTS = (13, 17)  # of the shading map
RESULTS = "results_20171023"
SECONDS = 0.05
DIM = 0.6  # HDR+ exposes short of the scene's white
CODE = 3  # part of every seed
PHONE = Camera(
    make="isptools",
    model="Miniature Nexus 6P",
    kind="bayer",
    cfa="RGGB",
    black=64,
    white=1023,
    xyz_to_camera=(
        (0.8421, -0.2712, -0.0987), (-0.3105, 1.1286, 0.2038), (-0.0412, 0.1533, 0.5261),
    ),
    full_well=9000.0,
    read_electrons=2.5,
    read_dn=0.8,
)  # fmt: skip


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
SIZE = f"{len(SHOTS)} bursts of {WIDTH} x {HEIGHT} pixels"
OWN_SIZE = f"{len(OWN)} bursts of {WIDTH} x {HEIGHT} pixels"


def write(out: Path, seed: int = 0) -> Iterator[Path]:
    """Write every burst below `out`; yields the files."""
    for number, (name, shot) in enumerate(SHOTS.items()):
        folder, result = out / "bursts" / name, out / RESULTS / name
        for place in (folder, result):
            place.mkdir(parents=True, exist_ok=True)
        yield from _burst(folder, result, shot, _generator(seed, CODE, number))


def write_own(out: Path, seed: int = 0) -> Iterator[Path]:
    """Some of the bursts as a user keeps them: a sub-folder each, nothing published beside it."""
    for number, name in enumerate(OWN):
        (out / name).mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as result:
            rng = _generator(seed, CODE, number)
            for path in _burst(out / name, Path(result), SHOTS[name], rng):
                if path.suffix == ".dng" and path.parent == out / name:
                    yield path
                elif path.name != "clean.npz":
                    path.unlink()


def _burst(folder: Path, result: Path, shot: Shot, rng: Generator) -> Iterator[Path]:
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
        yield _dng(folder / f"payload_N{k:03d}.dng", stated[-1])
        yield _shading(folder / f"lens_shading_map_N{k:03d}.tiff", 3 if shot.damaged else 4)
    clean = expected(views[shot.reference], phone, exposure)
    yield _known(folder / "clean.npz", clean, held, shot)
    yield _rgb2rgb(folder / "rgb2rgb.txt")
    noise = rng.standard_normal(clean.shape)
    merged = _merged(clean, noise, stated[shot.reference])
    yield _dng(result / "merged.dng", merged)
    yield _final(result / "final.jpg", merged, shot)
    path = result / "reference_frame.txt"
    path.write_text(str(shot.reference), encoding="ascii")  # no newline, as many of the real ones
    yield path


def _generator(*integers: int) -> Generator:
    return Generator(PCG64(SeedSequence(integers)))


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


def _gains() -> F32:
    """The shading map: 1 in the middle, 1.5 in the corners."""
    y, x = (np.linspace(-1, 1, count) for count in POINTS)
    return np.asarray(1 + 0.25 * (y[:, None] ** 2 + x**2), np.float32)


def _falloff() -> NDArray[np.float64]:
    """The map at every pixel, bilinear between its points as DNG's GainMap is."""
    gains = _gains().astype(np.float64)
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


def _merged(clean: NDArray[np.float64], noise: NDArray[np.float64], like: Frame) -> Frame:
    """What Google's pipeline might have published: finer steps, little noise, shading as a map."""
    facts = like.capture
    black = tuple(level * MERGED for level in facts.black)
    light = clean * PHONE.span * MERGED + noise * MERGED + black[0]
    pixels = np.clip(np.rint(light), 0, facts.white * MERGED).astype(np.uint16)
    capture = replace(
        facts, black=black, black_libraw=tuple(int(level) for level in black),
        white=facts.white * MERGED, noise_profile=None, opcode_list_2=_opcodes(),
    )  # fmt: skip
    return Frame(pixels, Space.SENSOR, capture)


def _opcodes() -> bytes:
    """OpcodeList2 with one GainMap over all pixels (DNG 1.7, opcode 9; big-endian)."""
    gains, (rows, columns) = _gains(), POINTS
    area = struct.pack(">10I", 0, 0, HEIGHT, WIDTH, 0, 1, 1, 1, rows, columns)
    grid = struct.pack(">4dI", 1 / (rows - 1), 1 / (columns - 1), 0.0, 0.0, 1)
    body = area + grid + gains.astype(">f4").tobytes()
    return struct.pack(">IIIII", 1, 9, 0x01030000, 0, len(body)) + body


def _dng(path: Path, frame: Frame) -> Path:
    write_dng(path, frame)
    return path


def _shading(path: Path, planes: int) -> Path:
    """(h, w, 4) float32 gains in the order R, Gr, Gb, B."""
    gains = np.repeat(_gains()[..., None], planes, axis=2)
    imageio.imwrite(path, gains, plugin="tifffile", extension=".tiff")
    return path


def _rgb2rgb(path: Path) -> Path:
    matrix = np.array(camera_to_srgb_of(PHONE.xyz_to_camera))
    path.write_text("\n".join(" ".join(f"{v:.6f}" for v in row) for row in matrix) + "\n")
    return path


def _known(path: Path, clean: NDArray[np.float64], held: NDArray[np.float64], shot: Shot) -> Path:
    moving = np.zeros(clean.shape, bool)
    for k in range(shot.frames):
        top, left = _thing(k, shot)
        moving[top - 4 : top + 44, left - 4 : left + 60] = True
    np.savez(
        path, clean=np.asarray(clean * PHONE.span, np.float32), moving=moving,
        shifts=held[:, :2], turns=held[:, 2], reference=shot.reference,
    )  # fmt: skip
    return path


def _final(path: Path, merged: Frame, shot: Shot) -> Path:
    """A bright, upright sRGB picture of the merged frame."""
    steps = (Levels(), Balance(), Shading(), Demosaic("ppg"), ToXYZ(), EncodeSrgb())
    facts = replace(merged.capture, camera_to_srgb=camera_to_srgb_of(PHONE.xyz_to_camera),
                    gain_maps=())  # fmt: skip
    picture = np.asarray(develop(replace(merged, capture=facts), steps).pixels, np.float64) / 65535
    toned = picture * (1.5 - 0.5 * picture)
    if shot.cropped:
        toned = toned[CROP:-CROP, CROP:-CROP]
    shown = np.rint(toned * 255).astype(np.uint8)
    if shot.zoomed:
        middle = shown[HEIGHT // 12 : -HEIGHT // 12, WIDTH // 12 : -WIDTH // 12]
        shown = np.asarray(cv2.resize(middle, (WIDTH, HEIGHT)), np.uint8)
    turned = np.ascontiguousarray(upright(shown, merged.capture.flip))
    imageio.imwrite(path, turned, plugin="pillow", extension=".jpg", quality=95)
    return path
