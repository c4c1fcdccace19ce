"""Damaged and hostile shards, folders and weights: how many were tried, how many held.

Each function is a row of docs/reliability.md: it takes a number of tries and a seed and gives
(class, tried, held, failed). A damaged byte holds where what is read is right, or one line says
that it can't be read; a hostile shard likewise, in a process that may take a gigabyte and a minute.

python benchmarks/faults_shards.py [--share 0.1] [--seed 1]
"""

import argparse
import contextlib
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from isptools import shards
from isptools.cli import main as cli
from isptools.shards.check import check
from isptools.train import checkpoint, data
from isptools.train.intake import PACKED
from isptools.train.networks import built
from isptools.train.settings import Settings
from tests.build import tiny as tinies
from tests.shards import hostile

Row = tuple[str, int, int, int]
MEMORY, SECONDS = 1 << 20, 60  # kilobytes, and what a command may take
TRUTHS = ("restoration", "enhancement")


def counted(name: str, tries: Iterator[bool]) -> Row:
    found = list(tries)
    return name, len(found), sum(found), len(found) - sum(found)


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


def flips(tries: int, seed: int, way: str) -> Row:
    """One bit anywhere in a shard, then read in a way."""
    chance = random.Random(seed)

    def tried() -> Iterator[bool]:
        with made() as sound:
            image, read = sound.parent / "x.png", READERS[way]
            right = read(sound, image)
            for _ in range(tries):
                whole = flipped(sound, chance)
                try:
                    yield read(sound, image) == right
                except (ValueError, OSError):
                    yield True
                except Exception as error:
                    print(way, type(error), error)
                    yield False
                sound.write_bytes(whole)

    return counted(f"flips in a shard, read by `{way}`", tried())


@contextlib.contextmanager
def made() -> Iterator[Path]:
    """A sound shard in a folder that was built."""
    with tempfile.TemporaryDirectory() as folder:
        tiny = tinies.make(Path(folder) / "tiny")
        tiny.build()
        yield next(tiny.out.glob("tiny-train-*-0000.h5"))


# -- crafted shards -----------------------------------------------------------------------------

SCRIPT = """
import json, resource, sys
from hashlib import sha256
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[3]), int(sys.argv[3])))
sys.path.insert(0, sys.argv[1])
from benchmarks import faults_shards as rows
path = Path(sys.argv[2])
for way in sys.argv[4:]:
    try:
        if way == "check":
            code, _, clean = rows.invoked("check", path.parent)
            told = ",".join(sorted({one.what for one in rows.check(path.parent) if one.sure}))
            print(json.dumps([code if clean else 99, told]), flush=True)
        else:
            found = rows.READERS[way](path, path.parent / "x.png")
            print(json.dumps([0, sha256(b"".join(found)).hexdigest()]), flush=True)
    except (ValueError, OSError) as error:
        print(json.dumps([1 if str(error).strip() else 99, ""]), flush=True)
"""
WAYS = (*READERS, "check")


def in_process(path: Path) -> list[tuple[int, str]]:
    """For each way to read its exit status and a hash of what was read.

    -1 from where on it crashed or took more than a minute of the processor's time; and for all
    where it took more than a gigabyte.
    """
    root = str(Path(__file__).resolve().parents[1])
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    words = [sys.executable, "-c", SCRIPT, root, str(path), str(SECONDS), *WAYS]
    done = subprocess.run(words, capture_output=True, timeout=20 * SECONDS, check=False)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    told = [tuple(json.loads(line)) for line in done.stdout.splitlines()]
    if peak > max(before, MEMORY):
        return [(-1, f"{peak >> 10} MB")] * len(WAYS)
    return told + [(-1, done.stderr.decode()[-300:])] * (len(WAYS) - len(told))


def crafted(tries: int) -> Row:
    """Every crafted shard by each way to read."""

    def tried() -> Iterator[bool]:
        with made() as sound:
            right = in_process(hostile.crafted(sound, sound.parent / "c", "nothing"))
            for number, name in enumerate(list(hostile.CHANGES)[:tries]):
                path = hostile.crafted(sound, sound.parent / f"c{number}", name)
                for way, (code, digest), wanted in zip(WAYS, in_process(path), right, strict=True):
                    held = _held(name, way, code, digest == wanted[1])
                    if not held:
                        print(name, way, code, digest)
                    yield held
                shutil.rmtree(path.parents[1])

    count = min(tries, len(hostile.CHANGES))
    return counted(f"{count} crafted shards x {len(WAYS)} ways to read", tried())


def _held(name: str, way: str, code: int, same: bool) -> bool:
    """One line, or what a sound shard gives; `check` names more than it does of a sound one."""
    if way == "check":
        return code in {0, 1} and same == (name in hostile.WHOLE)
    right = code == 0 and (same or way == "inspect")
    return right if name in hostile.WHOLE else code == 1 or (right and name in hostile.READABLE)


# -- folders and weights ------------------------------------------------------------------------


def flips_beside(tries: int, seed: int, pattern: str) -> Row:
    """One bit in a file of the output folder: `check` says so, the next build makes it whole."""
    chance = random.Random(seed)

    def tried() -> Iterator[bool]:
        with tempfile.TemporaryDirectory() as folder:
            tiny = tinies.make(Path(folder) / "tiny")
            raw = tiny.file("short/a1_0.dng")
            raw.write_bytes(raw.read_bytes()[:2000])  # so that the ledger has a line
            tiny.build()
            whole = {path: path.read_bytes() for path in tiny.out.rglob("*.*") if path.is_file()}
            before = set(check(tiny.out))
            for _ in range(tries):
                path = chance.choice(sorted(tiny.out.glob(pattern)))
                flipped(path, chance)
                said = any(one.sure for one in set(check(tiny.out)) - before)
                tiny.build()
                mended = all(one.read_bytes() == held for one, held in whole.items())
                yield said and mended
                for one, held in whole.items():
                    one.write_bytes(held)

    return counted(f"flips in {pattern}: seen by `check`, mended by `build`", tried())


def rot(tries: int, seed: int) -> Row:
    """One bit in a shard: `build --verify` makes it anew."""
    chance = random.Random(seed)

    def tried() -> Iterator[bool]:
        with tempfile.TemporaryDirectory() as folder:
            tiny = tinies.make(Path(folder) / "tiny")
            tiny.build()
            for _ in range(tries):
                path = chance.choice(sorted(tiny.out.glob("*.h5")))
                whole = flipped(path, chance)
                said = any(one.what == "sha256" for one in check(tiny.out))
                tiny.build(verify=True)
                yield said and path.read_bytes() == whole

    return counted("flips in shards: seen by `check`, healed by `build --verify`", tried())


def weights(tries: int, seed: int) -> Row:
    chance = random.Random(seed)

    def tried() -> Iterator[bool]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            words = {"title": "t", "network": {"name": "srcnn"}, "patch": 32, "batch": 1,
                     "stages": [{"train": "whole", "steps": 1, "rate": 1e-3}]}  # fmt: skip
            settings = Settings.of(words)
            camera, _ = built(settings.network)
            held = {"settings": settings.to_json(), "model": camera.state_dict()}
            checkpoint.save(path, held)
            for _ in range(tries):
                whole = flipped(path, chance)
                try:
                    checkpoint.model(Path(folder))
                    yield False
                except checkpoint.TrainError as error:
                    yield "\n" not in str(error)
                path.write_bytes(whole)

    return counted("flips in weights", tried())


def rows(share: float = 1.0, seed: int = 1) -> Iterator[Row]:
    """Every row; `share` of the full numbers."""

    def some(number: int) -> int:
        return max(1, round(number * share))

    for way in READERS:
        yield flips(some(1000 if way == "open" else 300), seed, way)
    yield crafted(some(len(hostile.CHANGES)))
    for pattern in (".journal/*.json", "index.json", "ledger.jsonl"):
        yield flips_beside(some(100), seed, pattern)
    yield rot(some(50), seed)
    yield weights(some(100), seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the full numbers")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    print(f"| class (seed {chosen.seed}) | tried | held | failed |\n|---|---|---|---|", flush=True)
    for row in rows(chosen.share, chosen.seed):
        print("| {} | {} | {} | {} |".format(*row), flush=True)


if __name__ == "__main__":
    main()
