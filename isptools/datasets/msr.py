"""MSR demosaicing: two cameras' folders, each with lists of the ids of its splits."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import msgspec
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from isptools import picture, sources
from isptools.apart import apart
from isptools.datasets.card import Card, Rule, Sensor, Split
from isptools.datasets.listing import BuildError, Line, Listing, missing, rules
from isptools.datasets.scene import Exposures, Named, Scene
from isptools.datasets.small import of_code
from isptools.frame import Array, Capture, UnsupportedError
from isptools.measure import phase
from isptools.raw import RawError, mosaic
from isptools.synth import scenes
from isptools.synth.files import written

LISTS: dict[str, Split] = {"train.txt": "train", "validation.txt": "val", "test.txt": "test"}
ID = re.compile(r"[\w-]+")
LOOKED_AT = 12  # pairs from which a phase that nobody states is found
CLEAR = 1.2  # the next phase leaves so many times the residual, or it can't be told
NONE = (0.0, 0.0, 0.0, 0.0)
PROTOCOL = "klatzer2016"  # how papers score it


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which cameras' folders a recipe takes."""

    parts: tuple[str, ...] = ()  # names of the data set's rules; () takes all


def find(card: Card, select: Select, place: Path) -> Listing:
    """A scene, part/id, for each mosaic that the lists of the recipe's parts name.

    Where the data set states no color filters of a part, they are found from its first pairs, and
    the ledger says so. BuildError if the parts are not at `place`, their lists contradict each
    other, or the filters can't be told.
    """
    chosen = rules(card, select.parts)
    roots = [place / name for name in card.roots]
    here = [root for root in roots if any((root / rule.input).is_dir() for rule in chosen)]
    if not here:
        raise BuildError(missing(card, place))
    listed: list[Scene] = []
    lines: list[Line] = []
    for rule in chosen:
        ids = _ids(here[0] / rule.input)
        sensor = rule.sensor or card.sensor or Sensor()
        if not sensor.cfa:
            sensor, told = _filters(here[0], rule, list(ids), sensor)
            lines.append(told)
        lines += _odd(here[0], rule, ids)
        listed += _scenes(rule, ids, sensor)
    return Listing(here[0], tuple(listed), tuple(lines))


def _ids(folder: Path) -> dict[str, Split]:
    """Ids in the order of the lists, which lie beside the folder of inputs."""
    ids: dict[str, Split] = {}
    there = [name for name in LISTS if (folder.parent / name).is_file()]
    if not there:
        raise BuildError(f"{folder.parent}: there is none of {', '.join(LISTS)}, the data set's "
                         "own lists of its splits")  # fmt: skip
    for name in there:
        path = folder.parent / name
        for number, line in enumerate(path.read_text("ascii", "replace").split("\n"), start=1):
            one = line.strip()
            if one and not ID.fullmatch(one):
                raise BuildError(f"{path}:{number}: expected the id of a picture, not {one!r}")
            if one and ids.setdefault(one, LISTS[name]) != LISTS[name]:
                raise BuildError(f"{path}:{number}: {one} stands in two splits")
    return ids


def _scenes(rule: Rule, ids: dict[str, Split], sensor: Sensor) -> Iterator[Scene]:
    for one, split in ids.items():
        own = Named(f"{rule.input}/{one}.png", sensor=sensor)
        truth = Named(f"{rule.truth}/{one}.png", sensor=sensor)
        yield Scene(f"{rule.name}/{one}", split, Exposures(truth, (own,)))


def _odd(root: Path, rule: Rule, ids: dict[str, Split]) -> Iterator[Line]:
    """Another number of pairs than was published, and pictures that no list names."""
    if rule.pairs is not None and len(ids) != rule.pairs:
        detail = f"its lists name {len(ids)} pairs, {rule.pairs} were published"
        yield Line("", "", rule.input, "noted", "other-count", detail, float(len(ids)))
    folder = root / rule.input
    for path in sorted(folder.glob("*.png")) if folder.is_dir() else ():
        if path.stem not in ids:
            where = str(PurePosixPath(rule.input) / path.name)
            yield Line("", "", where, "unlisted", "unlisted", "no list of the data set names it")


def _filters(root: Path, rule: Rule, ids: list[str], sensor: Sensor) -> tuple[Sensor, Line]:
    """The sensor with the phase that leaves the least residual over the first pairs."""
    totals = dict.fromkeys(phase.PHASES, 0.0)
    used = 0
    for one in ids:
        pair = _pair(root, rule, one, sensor) if used < LOOKED_AT else None
        if pair is None:
            continue
        used += 1
        for name, residual in phase.residuals_of_phases(*pair).items():
            totals[name] += residual
    best, second = sorted(totals, key=lambda name: totals[name])[:2]
    times = phase.residual_ratio(totals, second) if used else 0.0
    if times < CLEAR:
        raise BuildError(
            f"{root / rule.input}: the color filters can't be told from {used} pairs; state `cfa` "
            f"in the [rules.sensor] of a data set's folder of your own"
        )
    detail = f"color filters {best} from {used} pairs; the next leaves so many times the residual"
    line = Line("", "", rule.input, "noted", "phase", detail, round(times, 3))
    return msgspec.structs.replace(sensor, cfa=best), line


def _pair(root: Path, rule: Rule, one: str, sensor: Sensor) -> tuple[Array, Array] | None:
    """Mosaic and truth, or None where one of them can't be read: the build says why."""
    facts = Capture("bayer", "RGGB", NONE, (0,) * 4, sensor.white, NONE, NONE)  # any filters do
    own, truth = (f"{folder}/{one}.png" for folder in (rule.input, rule.truth))
    if not all((root / name).is_file() for name in (own, truth)):
        return None
    try:
        numbers = apart(_numbers, root / own, own, facts)
        seen = apart(_linear, root / truth, truth)
    except (RawError, UnsupportedError, sources.ContentError):
        return None
    return (numbers, seen) if numbers.shape == seen.shape[:2] else None


def _numbers(path: Path, name: str, facts: Capture) -> Array:
    return mosaic.read(sources.read(path), name, facts).pixels


def _linear(path: Path, name: str) -> Array:
    return picture.linear(sources.read(path), name)


# -- the miniature -------------------------------------------------------------------------------

CODE = 21  # part of every seed
HEIGHT, WIDTH = 132, 220
DOWN = 2  # pictures are means of so many pixels a side, as the data set's are downscaled
FULL = 65535
BRIGHT = 0.8  # of full scale: a white card; lamps are cut off
SHOT, READ = 2e-4, 2.5e-5  # variance of the noise = SHOT x + READ
SIDES = {True: "Dataset_LINEAR_with_noise", False: "Dataset_LINEAR_without_noise"}
U16 = NDArray[np.uint16]


@dataclass(frozen=True)
class Part:
    """One camera's folder."""

    code: int
    cfa: str
    lists: dict[str, tuple[int, ...]]  # ids by list
    colors: tuple[tuple[float, float, float], ...]  # linear sRGB to the camera's; rows sum to 1


PARTS = {
    "bayer_panasonic": Part(
        0, "RGGB",
        {"train.txt": (1, 2, 3, 5, 8, 13), "validation.txt": (4, 9), "test.txt": (100, 104, 105)},
        ((0.7, 0.25, 0.05), (0.125, 0.75, 0.125), (0.05, 0.25, 0.7)),
    ),
    "bayer_canon": Part(
        1, "GBRG", {"train.txt": (), "validation.txt": (), "test.txt": (1, 2, 7)},
        ((0.625, 0.3, 0.075), (0.1, 0.8, 0.1), (0.025, 0.35, 0.625)),
    ),
}  # fmt: skip


def small(card: Card) -> Card:
    """The facts of the miniature."""
    size = f"14 pictures of {WIDTH} x {HEIGHT} pixels, with and without noise"
    return of_code(card, size)


def miniature(_card: Card, out: Path, seed: int = 0) -> list[Path]:
    """Folders, kinds of files and sizes are the data set's; the ids of its lists, the pictures and
    the phase of the Canon mosaics are ours."""
    return written(_files(seed), out)


def truth(name: str, number: int, seed: int = 0) -> U16:
    """The linear picture (HEIGHT, WIDTH, 3) of one id of a part."""
    rng = _rng(seed, PARTS[name].code, number)
    painted = scenes.paint(rng, HEIGHT * DOWN, WIDTH * DOWN).astype(np.float64)
    small = painted.reshape(HEIGHT, DOWN, WIDTH, DOWN, 3).mean((1, 3))
    color = sum(small[..., i, None] * np.array(PARTS[name].colors)[:, i] for i in range(3))
    return np.asarray(np.clip(np.rint(np.asarray(color) * BRIGHT * FULL), 0, FULL), np.uint16)


def mosaic_of(name: str, picture: U16) -> U16:
    """One color a pixel."""
    flat = np.empty(picture.shape[:2], np.uint16)
    for i, letter in enumerate(PARTS[name].cfa):
        at = slice(i // 2, None, 2), slice(i % 2, None, 2)
        flat[at] = picture[(*at, "RGB".index(letter))]
    return flat


def _files(seed: int) -> Iterator[tuple[str, bytes]]:
    for name, part in PARTS.items():
        for folder in SIDES.values():
            for path, ids in part.lists.items():
                yield f"{folder}/{name}/{path}", "".join(f"{one}\n" for one in ids).encode()
        for one in (each for ids in part.lists.values() for each in ids):
            picture = truth(name, one, seed)
            clean = mosaic_of(name, picture)
            noisy = _noisy(clean, _rng(seed, part.code, one, 1))
            whole = np.dstack([picture[..., ::-1], np.full(clean.shape, FULL, np.uint16)])
            for noise, folder in SIDES.items():
                yield f"{folder}/{name}/input/{one}.png", _png(noisy if noise else clean)
                yield f"{folder}/{name}/groundtruth/{one}.png", _png(whole)


def _noisy(clean: U16, rng: Generator) -> U16:
    light = clean / np.float64(FULL)
    moved = light + rng.standard_normal(light.shape) * np.sqrt(SHOT * light + READ)
    return np.asarray(np.clip(np.rint(moved * FULL), 0, FULL), np.uint16)


def _png(pixels: U16) -> bytes:
    return np.asarray(cv2.imencode(".png", pixels)[1]).tobytes()


def _rng(*integers: int) -> Generator:
    return Generator(PCG64(SeedSequence((CODE, *integers))))
