"""Damaged and hostile files of strangers: raws, TIFF directories, DNG tags, MAT files, texts.

Each function goes on for ever, and yields "" for a try that held, else why it did not.
"""

import io
import os
import random
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from benchmarks.faults_folders import emptied
from isptools import apart as apart_
from isptools import raw, sources
from isptools.apart import apart
from isptools.build import BuildError
from isptools.datasets.card import load
from isptools.frame import Frame
from isptools.raw import listed, mosaic
from isptools.recipe import Recipe
from isptools.shards.check import check
from tests.build import tiny as tinies
from tests.build.tiny import make
from tests.conftest import SHARED

SECONDS = 20.0  # that a file may take
# what `check` says of pixels that it has compared
VERDICTS = {
    "black",
    "clipping",
    "curve",
    "hot pixels",
    "level",
    "light",
    "matrix",
    "noise",
    "pairing",
    "phase",
    "place",
    "plane",
    "same",
    "sharpness",
    "turned",
    "white",
    "white level",
}
HEAD = 2000  # bytes in which a header is changed


def decoded(path: Path, read: Callable[[Path], Frame] = listed.read) -> str:
    """ "" where a file is a frame, or refused in one line."""
    began = time.monotonic()
    try:
        with apart_.time_limit(SECONDS):
            found = apart(read, path)
    except (raw.RawError, sources.ContentError) as error:
        if "within" in str(error):
            return f"over {SECONDS:g} s of the clock"
        return "" if str(error).isprintable() else f"not one line: {error!r}"
    except MemoryError:
        return ""  # of its own process, under a limit: it costs one row
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if time.monotonic() - began > SECONDS:
        return f"over {SECONDS:g} s"
    return "" if isinstance(found, Frame) else "no frame"


def raws(place: Path) -> list[tuple[str, bytes]]:
    """Real ones where they are, and one made from code."""
    tiny = make(place / "tiny")
    path = tiny.file("long/a1_long.dng")
    found = sorted(SHARED.glob("raw/*/*")) if SHARED.is_dir() else []
    found = [one for one in found if one.suffix[1:].lower() in raw.SUFFIXES]
    return [(one.name, one.read_bytes()) for one in (path, *found)]


def mutated(dice: random.Random, data: bytes, within: int) -> bytes:
    out = bytearray(data)
    for _ in range(dice.choice([1, 2, 5, 20])):
        place = dice.randrange(min(within, len(out)))
        value = dice.choice([0, 0xFF, 0x7F, 0x80, dice.randrange(256)])
        width = dice.choice([1, 1, 2, 4])
        out[place : place + width] = bytes([value]) * width
    return bytes(out[: len(data)])


def cut(dice: random.Random, place: Path) -> Iterator[str]:
    """At 10 to 99.9 % of their length; the made one anywhere."""
    known = raws(place)
    while True:
        name, data = dice.choice(known)
        path = place / name
        share = dice.random() if path.suffix == ".dng" else dice.uniform(0.1, 0.999)
        path.write_bytes(data[: int(share * len(data))])
        yield decoded(path)


def headers(dice: random.Random, place: Path) -> Iterator[str]:
    known = raws(place)
    while True:
        name, data = dice.choice(known)
        (place / name).write_bytes(mutated(dice, data, HEAD))
        why = decoded(place / name)
        yield f"{name}: {why}" if why else ""


def tags(dice: random.Random, place: Path) -> Iterator[str]:
    """DNG tags mutated, in builds: whatever is built, `check` can read and compare.

    That the pixels of such a scene are not what its tags say is what it is there to find.
    """
    tiny = make(place / "tiny")
    held = {path: path.read_bytes() for path in tiny.source.rglob("*.dng")}
    while True:
        for path, data in held.items():
            path.write_bytes(mutated(dice, data, 700) if dice.random() < 0.4 else data)
        emptied(tiny.out)
        try:
            summary = tiny.build(seconds=SECONDS)
        except BuildError as error:
            yield f"no build: {error}"
            continue
        wrong = [one for one in check(tiny.out) if one.sure and one.what not in VERDICTS]
        yield str(wrong[0]) if wrong or summary.waits else ""


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def tiffs(dice: random.Random, place: Path) -> Iterator[str]:
    """Directories that loop, chain without end, nest, and count what is not there."""
    path = place / "a.dng"
    while True:
        path.write_bytes(b"II*\0\x08\0\0\0" + crafted(dice))
        began = time.process_time(), time.monotonic()
        why = decoded(path)
        if not why and time.monotonic() - began[1] > SECONDS:
            why = "slow"
        yield why


def crafted(dice: random.Random) -> bytes:
    kind = dice.choice(["loop", "chain", "count", "sub", "nest", "strips"])
    if kind == "loop":
        return struct.pack("<H", 1) + entry(256, 4, 1, 5) + struct.pack("<I", 8)
    if kind == "chain":
        places = range(1, dice.randrange(1000, 200_000))
        return b"".join(
            struct.pack("<H", 1) + entry(256, 4, 1, 5) + struct.pack("<I", 8 + 18 * i)
            for i in places
        )
    if kind == "nest":
        places = range(1, dice.randrange(10, 5000))
        return b"".join(
            struct.pack("<H", 1) + entry(330, 4, 1, 8 + 18 * i) + bytes(4) for i in places
        )
    many = dice.choice([0, 1 << 16, 1 << 31, (1 << 32) - 1])
    if kind == "strips":
        size = [entry(tag, 4, 1, dice.choice([0, 1, 4000, 1 << 31])) for tag in (256, 257, 278)]
        parts = [entry(50706, 1, 4, 0x401), *size, entry(273, 4, many, 8), entry(279, 4, many, 8)]
        return struct.pack("<H", len(parts)) + b"".join(sorted(parts)) + bytes(4)
    tag = 330 if kind == "sub" else dice.choice([273, 279, 324, 51009, 50714, 34665])
    return struct.pack("<H", 1) + entry(tag, dice.choice([1, 3, 4, 5, 7]), many, 8) + bytes(4)


@dataclass(frozen=True)
class Mat:
    """What reads a .mat file in another process."""

    stated: tinies.Capture

    def __call__(self, path: Path) -> Frame:
        return mosaic.read(path.read_bytes(), path.name, self.stated, "")


def mats(dice: random.Random, place: Path) -> Iterator[str]:
    """Both kinds of MAT files, cut, mutated, and with shapes and types of another kind."""
    frame = tinies.frame(0)
    light = np.asarray(frame.pixels, np.float32) / 4095
    old, new = io.BytesIO(), place / "new.mat"
    scipy.io.savemat(old, {"x": light})
    with h5py.File(new, "w", userblock_size=512) as file:
        file["x"] = light.T
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    whole = new.read_bytes()
    known = [old.getvalue(), head + whole[len(head) :]]
    path, read = place / "a.mat", Mat(frame.capture)
    while True:
        data = dice.choice(known)
        if dice.random() < 0.3:
            data = data[: dice.randrange(len(data))]
        else:
            data = mutated(dice, data, dice.choice([200, 1000, len(data)]))
        path.write_bytes(data)
        yield decoded(path, read)


def texts(dice: random.Random, place: Path) -> Iterator[str]:
    """Manifests, tables and recipes of which bytes are others: read, or refused in one line."""
    tiny = make(place / "tiny")
    files = [tiny.folder / "recipe.toml", *sorted((tiny.folder / "manifest").iterdir())]
    held = {path: path.read_bytes() for path in files}
    long = (b"x" * 200_000, b"[" * 5_000, b"\0", b"\xff\xfe", b"\x1b[2J", os.urandom(8))
    while True:
        path = dice.choice(files)
        data = mutated(dice, held[path], 10_000)
        if dice.random() < 0.2:
            at = dice.randrange(len(data))
            data = data[:at] + dice.choice(long) + data[at:]
        path.write_bytes(data)
        try:
            Recipe.load(tiny.folder / "recipe.toml")
            load("manifest", tiny.folder)
            yield ""
        except ValueError as error:
            yield "" if "\n" not in str(error) else f"more than one line: {error}"
        except Exception as error:
            yield f"{type(error).__name__}: {error}"
        path.write_bytes(held[path])
