"""Damaged and hostile shards, folders and weights.

Each function yields "" for a try that held, else why it did not. A damaged byte holds where what is
read is right, or one line says that it can't be read; a hostile shard likewise, in a process that
may take a gigabyte and a minute.
"""

import os
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from benchmarks.faults_kills import forks
from isptools import shards
from isptools.cli import main as cli
from isptools.shards.check import check
from isptools.train import checkpoint, data
from isptools.train.intake import PACKED
from isptools.train.networks import built
from isptools.train.settings import Settings
from tests.build import tiny as tinies
from tests.shards import hostile

MEMORY, SECONDS = 1 << 20, 60  # kilobytes, and what all ways to read one shard may take
TRUTHS = ("restoration", "enhancement")


def flipped(path: Path, chance: random.Random) -> bytes:
    """One bit of a file, which is changed on the disk; gives what it was."""
    whole = path.read_bytes()
    at = chance.randrange(len(whole))
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
    return whole


def invoked(*words: object) -> tuple[int, str, bool]:
    """Exit status, what was printed (no progress), and whether it ended as a command does."""
    done = CliRunner().invoke(cli, list(map(str, words)))
    clean = done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output if done.exit_code else done.stdout, clean


# -- what is read of a shard --------------------------------------------------------------------


def by_open(path: Path, _: Path) -> list[bytes]:
    with shards.open(path) as opened:
        return [
            part.tobytes()
            for sample in opened
            for part in (sample.input, sample.restoration, sample.enhancement)
            if part is not None
        ]


def by_train(path: Path, _: Path) -> list[bytes]:
    """Every cut that a few steps take, as the loader hands it over."""
    out = []
    with data.open_shards(path, "train", PACKED, TRUTHS) as source:
        cuts = data.Cuts(source, 48, 0, TRUTHS)
        rooms = {name: np.empty(shape, kind) for name, (shape, kind) in cuts.rooms().items()}
        for n in range(6):
            known = cuts.fill(n, rooms).facts
            out += [room.tobytes() for room in (*rooms.values(), *known.values())]
    return out


def by_command(*words: str) -> Callable[[Path, Path], list[bytes]]:
    def read(path: Path, image: Path) -> list[bytes]:
        image.unlink(missing_ok=True)
        more = ["--image", image] if words == ("inspect",) else []
        code, said, clean = invoked(*words, path, *more)
        if not clean:
            raise RuntimeError(said)
        if code:
            raise ValueError(said)
        shown = [line for line in said.splitlines() if not line.startswith(("checksums", "shard"))]
        return ["\n".join(shown).encode(), image.read_bytes() if more else b""]

    return read


READERS = {
    "open": by_open, "train": by_train, "stats": by_command("stats"),
    "inspect": by_command("inspect"),
}  # fmt: skip


def flips(way: str, dice: random.Random, place: Path) -> Iterator[str]:
    """One bit anywhere in a shard, then read in a way."""
    sound, read = made(place), READERS[way]
    image = sound.parent / "x.png"
    right = read(sound, image)
    while True:
        whole = flipped(sound, dice)
        try:
            yield "" if read(sound, image) == right else "other pixels"
        except (ValueError, OSError):
            yield ""
        except Exception as error:
            yield f"{type(error).__name__}: {error}"
        sound.write_bytes(whole)


def made(place: Path) -> Path:
    """A sound shard in a folder that was built."""
    tiny = tinies.make(place / "tiny")
    tiny.build()
    return next(tiny.out.glob("tiny-train-*-0000.h5"))


# -- crafted shards -----------------------------------------------------------------------------

WAYS = (*READERS, "check")
Found = list[tuple[int, str]]  # for each way its exit status and a hash of what was read


def crafted(_: random.Random, place: Path) -> Iterator[str]:
    """Every crafted shard by each way to read."""
    sound = made(place)
    right, _ = in_process(hostile.crafted(sound, place / "c", "nothing"))
    for number, name in enumerate(hostile.CHANGES):
        path = hostile.crafted(sound, place / f"c{number}", name)
        found, ended = in_process(path)
        for at, way in enumerate(WAYS):
            code, digest = found[at] if at < len(found) else (-1, ended)
            held = not ended and _held(name, way, code, digest == right[at][1])
            yield "" if held else f"{name}, {way}: {code} {digest} {ended}"
        shutil.rmtree(path.parents[1])


def in_process(path: Path) -> tuple[Found, str]:
    """What each way found, and what ended the process or took too much, "" where nothing."""
    ours, theirs = forks.Pipe()
    process = forks.Process(target=_read, args=(path, theirs))
    process.start()
    theirs.close()
    told: list[Any] = []
    try:
        while len(told) <= len(WAYS):
            if not ours.poll(SECONDS):
                process.kill()
                break
            told.append(ours.recv())
    except EOFError:
        pass
    process.join()
    if len(told) <= len(WAYS):
        return told, f"ended with {process.exitcode}"
    peak = told.pop()
    return told, f"{peak >> 10} MB" if peak > MEMORY else ""


def _read(path: Path, pipe: Any) -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    for way in WAYS:
        try:
            if way == "check":
                code, _, clean = invoked("check", path.parent)
                told = ",".join(sorted({one.what for one in check(path.parent) if one.sure}))
                pipe.send((code if clean else 99, told))
            else:
                found = READERS[way](path, path.parent / "x.png")
                pipe.send((0, sha256(b"".join(found)).hexdigest()))
        except (ValueError, OSError) as error:
            pipe.send((1 if str(error).strip() else 99, ""))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))


def _held(name: str, way: str, code: int, same: bool) -> bool:
    """One line, or what a sound shard gives; `check` names more than it does of a sound one."""
    if way == "check":
        return code in {0, 1} and same == (name in hostile.WHOLE)
    right = code == 0 and (same or way == "inspect")
    return right if name in hostile.WHOLE else code == 1 or (right and name in hostile.READABLE)


# -- folders and weights ------------------------------------------------------------------------


def flips_beside(pattern: str, dice: random.Random, place: Path) -> Iterator[str]:
    """One bit in a file of the output folder: `check` says so, the next build makes it whole."""
    tiny = tinies.make(place / "tiny")
    raw = tiny.file("short/a1_0.dng")
    raw.write_bytes(raw.read_bytes()[:2000])  # so that the ledger has a line
    tiny.build()
    whole = {path: path.read_bytes() for path in tiny.out.rglob("*.*") if path.is_file()}
    before = set(check(tiny.out))
    while True:
        flipped(dice.choice(sorted(tiny.out.glob(pattern))), dice)
        said = any(one.sure for one in set(check(tiny.out)) - before)
        tiny.build()
        other = [one.name for one, held in whole.items() if one.read_bytes() != held]
        yield f"not mended: {other}" if other else "" if said else "not seen"
        for one, held in whole.items():
            one.write_bytes(held)


def rot(dice: random.Random, place: Path) -> Iterator[str]:
    """One bit in a shard: `build --verify` makes it anew."""
    tiny = tinies.make(place / "tiny")
    tiny.build()
    while True:
        path = dice.choice(sorted(tiny.out.glob("*.h5")))
        whole = flipped(path, dice)
        said = any(one.what == "sha256" for one in check(tiny.out))
        tiny.build(verify=True)
        yield "" if said and path.read_bytes() == whole else f"{path.name}: seen {said}"


def seen(dice: random.Random, place: Path) -> Iterator[str]:
    """One bit in a shard: `check` is sure of it."""
    path = hostile.crafted(made(place), place / "c", "nothing")
    before = {(one.where, one.what) for one in check(path.parent)}
    while True:
        whole = flipped(path, dice)
        told = {(one.where, one.what) for one in check(path.parent) if one.sure}
        yield "" if told - before else "not seen"
        path.write_bytes(whole)


def weights(dice: random.Random, place: Path) -> Iterator[str]:
    path = place / "model.safetensors"
    words = {"title": "t", "network": {"name": "srcnn"}, "patch": 32, "batch": 1,
             "stages": [{"train": "whole", "steps": 1, "rate": 1e-3}]}  # fmt: skip
    settings = Settings.of(words)
    camera, _ = built(settings.network)
    checkpoint.save(path, {"settings": settings.to_json(), "model": camera.state_dict()})
    while True:
        whole = flipped(path, dice)
        try:
            checkpoint.model(place)
            yield "used"
        except checkpoint.TrainError as error:
            yield "" if "\n" not in str(error) else f"more than one line: {error}"
        path.write_bytes(whole)


BESIDE = (".journal/*.json", "index.json", "ledger.jsonl")
Tries = Callable[[random.Random, Path], Iterator[str]]
CLASSES: dict[str, tuple[Tries, int, int]] = {  # how many are tried, and about how many seconds
    **{f"flips in a shard, read by `{way}`": (partial(flips, way), count, seconds)
       for way, count, seconds in (("open", 1000, 60), ("train", 1000, 60), ("stats", 1000, 90),
                                   ("inspect", 1000, 90))},
    "flips in a shard: seen by `check`": (seen, 1000, 60),
    f"{len(hostile.CHANGES)} crafted shards x {len(WAYS)} ways to read": (
        crafted, len(hostile.CHANGES) * len(WAYS), 60,
    ),
    **{f"flips in {pattern}: seen by `check`, mended by `build`": (
        partial(flips_beside, pattern), 100, 60) for pattern in BESIDE},
    "flips in shards: seen by `check`, healed by `build --verify`": (rot, 50, 40),
    "flips in weights": (weights, 100, 5),
}  # fmt: skip
