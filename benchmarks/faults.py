"""Faults, damaged files and hostile files, by class: how many were tried, held and failed.

    python benchmarks/faults.py [--minutes 20] [--seed 1] [--page docs/reliability.md] [--small]

Every class goes on until its share of the time is over; its seed is printed, and the same seed
tries the same. The table is written between the markers of the page.
"""

import argparse
import errno
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from isptools import apart as apart_  # noqa: E402 - the tests' data sets are found from here
from isptools import raw, sources  # noqa: E402
from isptools.apart import apart  # noqa: E402
from isptools.build import BuildError  # noqa: E402
from isptools.cli.build import WAITS  # noqa: E402
from isptools.datasets.card import load  # noqa: E402
from isptools.frame import Frame  # noqa: E402
from isptools.raw import listed  # noqa: E402
from isptools.recipe import Recipe  # noqa: E402
from isptools.shards import disk  # noqa: E402
from isptools.shards.check import check  # noqa: E402
from tests.build import tiny as tinies  # noqa: E402
from tests.build.tiny import Tiny, make  # noqa: E402
from tests.faults.machine import failing  # noqa: E402
from tests.faults.test_decoders import ROOM  # noqa: E402

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
MAIN = (sys.executable, "-c", "from isptools.cli import main; main()")
Tries = Callable[[random.Random, Path], Iterator[str]]  # yields "" for one that held, else why not


@dataclass(frozen=True)
class Row:
    name: str
    tried: int
    held: int
    failed: int


def build_line(tiny: Tiny, jobs: int = 1) -> list[str]:
    where = ("--source", str(tiny.source), "--out", str(tiny.out), "--jobs", str(jobs))
    return [*MAIN, "build", str(tiny.folder / "recipe.toml"), *where]


def run(line: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, env=env, capture_output=True, text=True, check=False)


def same(tiny: Tiny, whole: dict[str, bytes]) -> str:
    done = run(build_line(tiny))
    if done.returncode:
        return f"the rerun ends with {done.returncode}: {done.stderr[-200:]}"
    if tinies.listing(tiny.out) != whole:
        return "other bytes"
    if disk.stale(tiny.out) or disk.stale(tiny.out / ".journal"):
        return "strays"
    return ""


def of_tiny(place: Path) -> tuple[Tiny, dict[str, bytes]]:
    tiny = make(place / "tiny")
    tiny.build(tiny.folder / "whole")
    return tiny, tinies.listing(tiny.folder / "whole")


def emptied(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True) if folder.exists() else ():
        path.rmdir() if path.is_dir() else path.unlink()


def below(pid: int) -> list[int]:
    """Processes that descend from one."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def kills(dice: random.Random, place: Path) -> Iterator[str]:
    """SIGKILL of a build at any moment: run again, the same bytes; and no child outlives it."""
    tiny, whole = of_tiny(place)
    began = time.monotonic()
    run(build_line(tiny))
    takes = time.monotonic() - began
    while True:
        emptied(tiny.out)
        running = subprocess.Popen(
            build_line(tiny, dice.choice([1, 2])), stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(dice.uniform(0.2, 1.1) * takes)
        children = below(running.pid)
        running.send_signal(signal.SIGKILL)
        running.wait()
        time.sleep(2)
        alive = [pid for pid in children if Path(f"/proc/{pid}").exists()]
        yield f"{len(alive)} children outlive it" if alive else same(tiny, whole)


def machine(dice: random.Random, place: Path) -> Iterator[str]:
    """A source that fails: 75, the others are built, and the rerun gives the same bytes."""
    tiny, whole = of_tiny(place)
    files = sorted(path.relative_to(tiny.source).as_posix() for path in tiny.source.rglob("*.dng"))
    numbers = [errno.EIO, errno.ESTALE, errno.EACCES, errno.ETIMEDOUT, errno.ENOENT]
    while True:
        emptied(tiny.out)
        name, number = dice.choice(files), dice.choice(numbers)
        environment = failing(name, number, dice.choice(["r", "o", "or"]))
        done = run(build_line(tiny, dice.choice([1, 2])), environment)
        built = len(list(tiny.out.glob("*.h5")))
        if done.returncode != WAITS or name not in done.stderr or built != 3:
            yield f"{name}, {number}: {done.returncode}, {built} shards, {done.stderr[-200:]}"
        else:
            yield same(tiny, whole)


def decoders(dice: random.Random, place: Path) -> Iterator[str]:
    """A raw that crashes, leaves, eats memory or hangs: one row, and every other unit."""
    tiny = make(place / "tiny")
    (tiny.folder / "manifest" / "room.py").write_text(ROOM)
    card = tiny.folder / "manifest" / "dataset.toml"
    card.write_text(card.read_text() + 'room = "room.py"\n')
    files = sorted(tiny.source.glob("short/*.dng"))
    while True:
        path = dice.choice(files)
        held = path.read_bytes()
        word = dice.choice([b"crash", b"killed", b"leave", b"hang", b"eat", b"odd"])
        path.write_bytes(word + held)
        emptied(tiny.out)
        summary = tiny.build(jobs=dice.choice([1, 2]), seconds=2.0)
        rows = [line["file"] for line in tinies.ledger(tiny.out)]
        good = rows == [f"short/{path.name}"] and len(summary.shards) == 4
        yield "" if good and not check(tiny.out) else f"{word!r}: {rows}"
        path.write_bytes(held)


def decoded(path: Path) -> str:
    """Whether a file is a frame, or refused in one line."""
    try:
        with apart_.time_limit(20):
            found = apart(listed.read, path)
    except (raw.RawError, sources.ContentError) as error:
        if "decoder died" in str(error) or "within" in str(error):
            return ""  # it costs one row; LibRaw's own faults are not ours to mend
        return "" if str(error).isprintable() else f"not one line: {error!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "" if isinstance(found, Frame) else "no frame"


def cut(dice: random.Random, place: Path) -> Iterator[str]:
    tiny = make(place / "tiny")
    data = tiny.file("long/a1_long.dng").read_bytes()
    while True:
        path = place / "cut.dng"
        path.write_bytes(data[: dice.randrange(len(data))])
        yield decoded(path)


def headers(dice: random.Random, place: Path) -> Iterator[str]:
    tiny = make(place / "tiny")
    data = tiny.file("long/a1_long.dng").read_bytes()
    while True:
        path = place / "mutated.dng"
        path.write_bytes(mutated(dice, data, 1000))
        yield decoded(path)


def mutated(dice: random.Random, data: bytes, within: int) -> bytes:
    out = bytearray(data)
    for _ in range(dice.choice([1, 2, 5, 20])):
        place = dice.randrange(min(within, len(out)))
        value = dice.choice([0, 0xFF, 0x7F, 0x80, dice.randrange(256)])
        width = dice.choice([1, 1, 2, 4])
        out[place : place + width] = bytes([value]) * width
    return bytes(out[: len(data)])


def tags(dice: random.Random, place: Path) -> Iterator[str]:
    """DNG tags mutated, in builds: whatever is built, `check` accepts."""
    tiny = make(place / "tiny")
    held = {path: path.read_bytes() for path in tiny.source.rglob("*.dng")}
    while True:
        for path, data in held.items():
            path.write_bytes(mutated(dice, data, 700) if dice.random() < 0.4 else data)
        emptied(tiny.out)
        try:
            summary = tiny.build(seconds=20.0)
        except BuildError as error:
            yield f"no build: {error}"
            continue
        wrong = [problem for problem in check(tiny.out) if problem.sure]
        yield str(wrong[0]) if wrong or summary.waits else ""


def tiffs(dice: random.Random, place: Path) -> Iterator[str]:
    """Directories that loop, chain without end, and count what is not there."""
    path = place / "a.dng"
    while True:
        kind = dice.choice(["loop", "chain", "count", "sub"])
        if kind == "loop":
            data = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 256, 4, 1, 5, 8)
        elif kind == "chain":
            count = dice.randrange(1000, 200_000)
            data = b"II*\0\x08\0\0\0" + b"".join(
                struct.pack("<HHHIII", 1, 256, 4, 1, 5, 8 + 18 * (i + 1)) for i in range(count)
            )
        else:
            tag = 330 if kind == "sub" else dice.choice([273, 279, 324, 51009, 50714, 34665])
            many = dice.choice([0, 1 << 16, 1 << 31, (1 << 32) - 1])
            entry = struct.pack("<HHII", tag, dice.choice([1, 3, 4, 5, 7]), many, 8)
            data = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)
        path.write_bytes(data)
        began = time.monotonic()
        why = decoded(path)
        yield why or ("over 20 s" if time.monotonic() - began > 20 else "")


def texts(dice: random.Random, place: Path) -> Iterator[str]:
    """Manifests and recipes of which bytes are others: read, or refused in one line."""
    tiny = make(place / "tiny")
    files = [tiny.folder / "recipe.toml", *sorted((tiny.folder / "manifest").iterdir())]
    held = {path: path.read_bytes() for path in files}
    while True:
        path = dice.choice(files)
        path.write_bytes(mutated(dice, held[path], 10_000))
        try:
            Recipe.load(tiny.folder / "recipe.toml")
            load("manifest", tiny.folder)
            yield ""
        except ValueError as error:
            yield "" if "\n" not in str(error) else f"more than one line: {error}"
        except Exception as error:
            yield f"{type(error).__name__}: {error}"
        path.write_bytes(held[path])


def tested(*files: str) -> Tries:
    """The cases of test files."""

    def tries(_: random.Random, __: Path) -> Iterator[str]:
        done = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA",
                    *(str(ROOT / "tests" / file) for file in files)])  # fmt: skip
        for line in done.stdout.splitlines():
            if line.startswith("PASSED"):
                yield ""
            elif line.startswith(("FAILED", "ERROR")):
                yield line

    return tries


CLASSES: dict[str, tuple[Tries, int]] = {  # shares of the time
    "SIGKILL of builds, 1 and 2 jobs, run again; no process left": (kills, 4),
    "sources that fail (EIO, ESTALE, EACCES, ETIMEDOUT, ENOENT), run again": (machine, 4),
    "raws that kill, hang or starve a decoder, 1 and 2 jobs": (decoders, 2),
    "raws cut anywhere": (cut, 1),
    "raw headers mutated": (headers, 2),
    "DNG tags mutated, built and checked": (tags, 3),
    "crafted TIFFs": (tiffs, 1),
    "manifests, tables and recipes mutated": (texts, 1),
    "names, texts, links (tests/faults/test_names.py)": (tested("faults/test_names.py"), 1),
    "downloads (tests/get)": (tested("get/test_hostile.py", "get/test_download.py"), 1),
    "full and read-only disks (tests/build/test_output.py)": (tested("build/test_output.py"), 1),
    "code beside data, every command (tests/faults/test_no_code.py)": (
        tested("faults/test_no_code.py"), 1,
    ),
}  # fmt: skip
FEW = {"raws cut anywhere", "raw headers mutated", "crafted TIFFs",
       "manifests, tables and recipes mutated"}  # fmt: skip


def tried(name: str, tries: Tries, seconds: float, seed: int) -> Row:
    print(f"{name}: seed {seed}", flush=True)
    end, held, failed = time.monotonic() + seconds, 0, 0
    with TemporaryDirectory(prefix="faults-") as place:
        for why in tries(random.Random(seed), Path(place)):
            held, failed = held + (not why), failed + bool(why)
            if why:
                print(f"  failed: {why}", flush=True)
            if time.monotonic() > end:
                break
    return Row(name, held + failed, held, failed)


def of_shards(share: float, seed: int) -> list[Row]:
    """What the strict reader of shards adds: a share of its full numbers."""
    from benchmarks import faults_shards

    return [Row(*each) for each in faults_shards.rows(share, seed)]


def written(page: Path, rows: list[Row], command: str) -> None:
    lines = ["| class | tried | held | failed |", "|---|---:|---:|---:|"]
    lines += [f"| {row.name} | {row.tried} | {row.held} | {row.failed} |" for row in rows]
    told = "\n".join([BEGIN, "", f"By `{command}`:", "", *lines, "", END])
    text = page.read_text()
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: told, text, flags=re.DOTALL))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=20.0)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--shards", type=float, default=0.1, help="share of the full numbers")
    options.add_argument("--page", type=Path)
    options.add_argument("--small", action="store_true", help="what needs no other process")
    given = options.parse_args()
    os.chdir(ROOT)
    chosen = {name: each for name, each in CLASSES.items() if not given.small or name in FEW}
    unit = given.minutes * 60 / (sum(share for _, share in chosen.values()) + 3)
    rows = [
        tried(name, tries, share * unit, given.seed + number)
        for number, (name, (tries, share)) in enumerate(chosen.items())
    ]
    if not given.small:
        rows += of_shards(given.shards, given.seed)
    for row in rows:
        print(f"{row.name}: {row.tried} tried, {row.held} held, {row.failed} failed")
    if given.page:
        command = f"python benchmarks/faults.py --minutes {given.minutes:g} --seed {given.seed}"
        written(given.page, rows, command)
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
