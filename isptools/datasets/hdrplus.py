"""HDR+: bursts of Google's phones, with what Google's own pipeline made of them.

Hasinoff et al. 2016. The bucket has bursts/<id>/payload_N*.dng and results_*/<id>/. It keeps lens
shading and a color matrix outside of the frames: a map becomes GainMaps of the reference's facts,
which the step `shading` applies as it does those of the published merged.dng; the matrix serves a
raw that states none.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import cv2
import imageio.v3 as imageio
import msgspec
import numpy as np
from numpy.typing import NDArray

from isptools import sources
from isptools.datasets.bursts import Burst, Inputs, Looked, listing_of_bursts
from isptools.datasets.card import Card
from isptools.datasets.listing import Line, Listing, StatedError, excluded, root_with
from isptools.datasets.scene import Exposures, Scene, Sidecar
from isptools.datasets.small import of_code
from isptools.develop.chain import develop
from isptools.develop.orient import upright
from isptools.develop.steps import Balance, Demosaic, EncodeSrgb, Levels, Shading, ToXYZ
from isptools.frame import Capture, Frame, GainMap, Matrix, Space
from isptools.raw import write_dng
from isptools.raw.color import camera_to_srgb_of
from isptools.raw.opcodes import Window
from isptools.raw.places import active_window
from isptools.synth import shaken
from isptools.synth.camera import PHONE

PAYLOAD = re.compile(r"payload_N(\d+)\.dng", re.IGNORECASE)
RESULTS = ("results_20171023", "results_20161014")  # later ones first
MAPPED = "RgGB"  # what the planes of a map are for: g is the green of red's rows, G of blue's
ADDS_UP = 0.05  # by how much a row of rgb2rgb.txt may miss 1: white stays white
MERGED = 16  # steps of the miniature's merged.dng for a digital number


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which bursts a recipe takes, and which of their frames are inputs."""

    models: tuple[str, ...] = ()  # parts of the camera's name that files must state; () takes all
    inputs: Inputs = "reference"
    results: str = ""  # the folder of published results; "" takes the latest that a burst has
    exclude: tuple[str, ...] = ()  # names of exclusion lists of the data set


class Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What dataset.toml states for this room alone."""

    test_share: float = 0.0  # of the scenes


def find(card: Card, select: Select, place: Path) -> Listing:
    """A scene for each burst that has published results. BuildError if there is no burst."""
    root = root_with(card, place, "bursts/*/payload_N*.dng")
    folders = sorted(path for path in (root / "bursts").iterdir() if path.is_dir())
    looked = [_burst(root, folder, select.results) for folder in folders]
    dropped = excluded(card, select.exclude)

    def wanted(burst: Burst, camera: str) -> Line | None:
        name = camera.casefold()
        if not select.models or any(model.casefold() in name for model in select.models):
            return None
        asked = ", ".join(select.models)
        detail = f"{camera or 'no camera'} is stated, the recipe asks for {asked}"
        return burst.left_out("other-camera" if name else "untagged", detail)

    found = listing_of_bursts(
        card, root, looked, select.inputs, wanted, card.stated(Own).test_share
    )
    lines = [
        Line(scene.split or "", scene.name, path, "excluded", why.name, why.reason)
        for scene in found.scenes
        if (why := dropped.get(scene.name))
        for path in _paths(scene)
    ]
    scenes = tuple(scene for scene in found.scenes if scene.name not in dropped)
    return Listing(root, scenes, (*found.lines, *lines))


def _paths(scene: Scene) -> Iterator[str]:
    if isinstance(scene.shot, Exposures):
        shot = scene.shot
        files = (shot.truth, *shot.inputs, *shot.frames, shot.final)
        yield from dict.fromkeys(one.path for one in files if one)


def _burst(root: Path, folder: Path, asked: str) -> Looked:
    names = sorted(path.name for path in folder.iterdir() if PAYLOAD.fullmatch(path.name))
    burst = Burst(folder.name, tuple(f"bursts/{folder.name}/{name}" for name in names))
    if not names:
        return None, burst.left_out("no-frames", "the folder holds no payload_N*.dng")
    results = [asked] if asked else RESULTS
    places = (root / result / folder.name for result in results)
    result = next((place for place in places if place.is_dir()), None)
    if result is None:
        return None, burst.left_out("no-results", f"there is no {' or '.join(results)} for it")
    return _published(burst, result, root)


def _reference(folder: Path) -> str:
    """Which frame the others were merged onto."""
    if "reference_frame.txt" not in {path.name for path in folder.iterdir()}:
        raise sources.ContentError("it is not there")
    return sources.read(folder / "reference_frame.txt").decode("ascii").strip()


def _published(burst: Burst, folder: Path, root: Path) -> Looked:
    """With the published results; or what is wrong with them."""
    try:
        text = _reference(folder)
    except (sources.ContentError, UnicodeDecodeError):
        return None, burst.left_out("bad-reference", "reference_frame.txt can't be read")
    wanted = [i for i, path in enumerate(burst.frames) if _number(path) == text]
    if not wanted:
        detail = f"reference_frame.txt says {text[:20]!r}, which is none of its frames"
        return None, burst.left_out("bad-reference", detail)
    base, frame = folder.relative_to(root).as_posix(), PurePosixPath(burst.frames[wanted[0]])
    shading = frame.with_name(PAYLOAD.sub(r"lens_shading_map_N\1.tiff", frame.name))
    matrix = frame.with_name("rgb2rgb.txt")
    return replace(
        burst,
        reference=wanted[0],
        truth=f"{base}/merged.dng",
        final=f"{base}/final.jpg" if (folder / "final.jpg").is_file() else "",
        beside=(Sidecar("matrix", str(matrix), needed=False),),
        alone=(Sidecar("shading", str(shading), step="shading"),),
    ), None


def _number(path: str) -> str:
    found = PAYLOAD.search(path)
    return str(int(found[1])) if found else ""


# -- what stands beside a burst ------------------------------------------------------------------


def stated(capture: Capture, beside: Mapping[str, Path], shape: tuple[int, int]) -> Capture:
    """The facts with the map and the matrix beside a file of this shape."""
    if "shading" in beside:
        capture = with_shading(capture, beside["shading"], shape)
    return with_matrix(capture, beside["matrix"]) if "matrix" in beside else capture


def with_shading(facts: Capture, path: Path, shape: tuple[int, int]) -> Capture:
    """With the map of `path`, float (h, w, 4) gains of R, Gr, Gb, B over the active area.

    The outermost points lie on the area's edges. Maps in its OpcodeList2 are replaced. StatedError
    for any other shape (damaged maps of the data set have 3 planes) and for gains that are no
    positive numbers.
    """
    gains = _gains(path)
    active = active_window(facts.visible_origin, facts.active_area, shape)
    maps = tuple(
        _map(gains[..., MAPPED.index(color)], divmod(i, 2), active, shape)
        for i, color in enumerate(_colors(facts.cfa))
    )
    others = tuple(one for one in facts.gain_maps if one.opcode_list != 2)
    origins = (*facts.origins, ("gain_maps", path.name))
    return replace(facts, gain_maps=(*others, *maps), origins=origins)


def _gains(path: Path) -> NDArray[np.float64]:
    try:
        read = imageio.imread(sources.read(path), plugin="tifffile", extension=".tiff")
    except sources.FaultError:
        raise
    except Exception as error:  # the plugin has its own errors
        first = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise StatedError(f"{path.name} can't be read: {first[0]}") from None
    if read.dtype.kind != "f" or read.ndim != 3 or read.shape[2] != len(MAPPED):
        shape = " x ".join(map(str, read.shape))
        planes = float(read.shape[2]) if read.ndim == 3 else None
        text = f"{path.name} is {shape} {read.dtype}, no map of 4 planes of float gains"
        raise StatedError(f"{text} (damaged ones were published until December 2020)", planes)
    if not (np.isfinite(read).all() and read.min() > 0):
        raise StatedError(f"{path.name} holds gains that are no positive numbers")
    return np.asarray(read, np.float64)


def _colors(cfa: str) -> str:
    """The letters of a Bayer pattern with the green beside red as g."""
    red = cfa.index("R") // 2
    return "".join("g" if c == "G" and i // 2 == red else c for i, c in enumerate(cfa))


def _map(
    gains: NDArray[np.float64], at: tuple[int, int], active: Window, shape: tuple[int, ...]
) -> GainMap:
    """The gains of one CFA position, whose first pixel is `at`."""
    points = gains.shape
    area = (at[0] - active[0], at[1] - active[1], shape[0] - active[0], shape[1] - active[1])
    spacing = [1 / (count - 1) if count > 1 else 1.0 for count in points]
    return GainMap(2, area, 0, 1, 2, 2, points[0], points[1], spacing[0], spacing[1], 0.0, 0.0, 1,
                   tuple(gains.ravel().tolist()))  # fmt: skip


def with_matrix(facts: Capture, path: Path) -> Capture:
    """With the matrix of `path` (rgb2rgb.txt), if the facts have none of their own.

    3 x 3, row by row: balanced camera RGB to linear sRGB. StatedError for anything else.
    """
    if facts.camera_to_srgb is not None:
        return facts
    origins = (*facts.origins, ("camera_to_srgb", path.name))
    return replace(facts, camera_to_srgb=_matrix(path), origins=origins)


def _matrix(path: Path) -> Matrix:
    try:
        values = np.array([float(word) for word in sources.read(path).decode("ascii").split()])
    except ValueError:
        raise StatedError(f"{path.name} can't be read as numbers") from None
    if values.size != 9 or np.abs(values.reshape(-1, 3).sum(1) - 1).max() > ADDS_UP:
        raise StatedError(f"{path.name} is no 3 x 3 matrix whose rows add up to 1")
    rows = values.reshape(3, 3).tolist()
    return tuple(rows[0]), tuple(rows[1]), tuple(rows[2])


# -- the miniature -------------------------------------------------------------------------------


def small(card: Card) -> Card:
    """The facts of the miniature."""
    size = f"{len(shaken.SHOTS)} bursts of {shaken.WIDTH} x {shaken.HEIGHT} pixels"
    return of_code(card, size)


def miniature(_card: Card, out: Path, seed: int = 0) -> Iterator[Path]:
    """The bucket's folders and names; the pictures, and the bursts' ids, are ours."""
    for number, (name, shot) in enumerate(shaken.SHOTS.items()):
        burst = shaken.burst(number, shot, seed)
        folder, result = out / "bursts" / name, out / RESULTS[0] / name
        yield from shaken.frames(folder, burst)
        for k in range(shot.frames):
            planes = 3 if shot.damaged else 4
            yield _shading(folder / f"lens_shading_map_N{k:03d}.tiff", planes)
        yield shaken.known(folder / "clean.npz", burst)
        yield _rgb2rgb(folder / "rgb2rgb.txt")
        result.mkdir(parents=True, exist_ok=True)
        yield from _made_of(result, burst)


def _made_of(result: Path, burst: shaken.Burst) -> Iterator[Path]:
    merged = _merged(burst)
    write_dng(result / "merged.dng", merged)
    yield result / "merged.dng"
    yield _final(result / "final.jpg", merged, burst.shot)
    path = result / "reference_frame.txt"
    path.write_text(str(burst.shot.reference), encoding="ascii")  # as many of the real: no newline
    yield path


def _merged(burst: shaken.Burst) -> Frame:
    """What Google's pipeline might have published: finer steps, little noise, shading as a map."""
    facts = burst.frames[burst.shot.reference].capture
    black = tuple(level * MERGED for level in facts.black)
    light = burst.clean * PHONE.span * MERGED + burst.noise * MERGED + black[0]
    pixels = np.clip(np.rint(light), 0, facts.white * MERGED).astype(np.uint16)
    capture = replace(
        facts, black=black, black_libraw=tuple(int(level) for level in black),
        white=facts.white * MERGED, noise_profile=None, opcode_list_2=_opcodes(),
    )  # fmt: skip
    return Frame(pixels, Space.SENSOR, capture)


def _opcodes() -> bytes:
    """OpcodeList2 with one GainMap over all pixels (DNG 1.7, opcode 9; big-endian)."""
    gains, (rows, columns) = shaken.gains_map(), shaken.POINTS
    area = struct.pack(">10I", 0, 0, shaken.HEIGHT, shaken.WIDTH, 0, 1, 1, 1, rows, columns)
    grid = struct.pack(">4dI", 1 / (rows - 1), 1 / (columns - 1), 0.0, 0.0, 1)
    body = area + grid + gains.astype(">f4").tobytes()
    return struct.pack(">IIIII", 1, 9, 0x01030000, 0, len(body)) + body


def _shading(path: Path, planes: int) -> Path:
    """(h, w, 4) float32 gains in the order R, Gr, Gb, B."""
    gains = np.repeat(shaken.gains_map()[..., None], planes, axis=2)
    imageio.imwrite(path, gains, plugin="tifffile", extension=".tiff")
    return path


def _rgb2rgb(path: Path) -> Path:
    matrix = np.array(camera_to_srgb_of(PHONE.xyz_to_camera))
    path.write_text("\n".join(" ".join(f"{v:.6f}" for v in row) for row in matrix) + "\n")
    return path


def _final(path: Path, merged: Frame, shot: shaken.Shot) -> Path:
    """A bright, upright sRGB picture of the merged frame."""
    steps = (Levels(), Balance(), Shading(), Demosaic("ppg"), ToXYZ(), EncodeSrgb())
    facts = replace(merged.capture, camera_to_srgb=camera_to_srgb_of(PHONE.xyz_to_camera),
                    gain_maps=())  # fmt: skip
    picture = np.asarray(develop(replace(merged, capture=facts), steps).pixels, np.float64) / 65535
    toned = picture * (1.5 - 0.5 * picture)
    if shot.cropped:
        toned = toned[shaken.CROP : -shaken.CROP, shaken.CROP : -shaken.CROP]
    shown = np.rint(toned * 255).astype(np.uint8)
    if shot.zoomed:
        middle = shown[
            shaken.HEIGHT // 12 : -shaken.HEIGHT // 12, shaken.WIDTH // 12 : -shaken.WIDTH // 12
        ]
        shown = np.asarray(cv2.resize(middle, (shaken.WIDTH, shaken.HEIGHT)), np.uint8)
    turned = np.ascontiguousarray(upright(shown, merged.capture.flip))
    imageio.imwrite(path, turned, plugin="pillow", extension=".jpg", quality=95)
    return path
