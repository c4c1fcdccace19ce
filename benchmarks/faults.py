"""Faults, damaged files and hostile files, by class: how many were tried, held and failed.

    python benchmarks/faults.py [--minutes 20] [--jobs 2] [--only WORD] [--seed 1] [--page PAGE]

Each class has its number of tries and its seed, which is printed: the same seed tries the same.
Classes run side by side, the long ones first; what is not tried within the minutes is told, and
makes the command fail as what did not hold does. The table is written between the markers of the
page, where `--only` sets the rows of its classes and leaves the others.
"""

import argparse
import errno
import multiprocessing
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from benchmarks import faults_disks, faults_files, faults_folders, faults_shards  # noqa: E402 - found from here
from benchmarks import faults_kills as kills  # noqa: E402
from benchmarks.faults_folders import emptied  # noqa: E402
from isptools.children import end_with_parent  # noqa: E402
from isptools.cli.build import WAITS  # noqa: E402
from isptools.shards.check import check  # noqa: E402
from tests.build import tiny as tinies  # noqa: E402
from tests.build.tiny import Tiny, make  # noqa: E402
from tests.faults.machine import failing, shim  # noqa: E402
from tests.faults.test_decoders import ROOM  # noqa: E402

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
MAIN = (sys.executable, "-c", "from isptools.cli import main; main()")
# what they yield is "" for a try that held, "skip: " and why, or why it did not hold
Tries = Callable[[random.Random, Path], Iterator[str]]


@dataclass(frozen=True)
class Class:
    tries: Tries
    count: int  # of tries
    weight: int = 1  # about how many seconds of a processor: the longest begin first


@dataclass(frozen=True)
class Row:
    name: str
    seed: int
    wanted: int
    tried: int
    held: int
    said: str = ""  # why it was not tried

    @property
    def failed(self) -> int:
        return self.tried - self.held

    def line(self) -> str:
        tried = f"{self.tried} of {self.wanted}" if self.tried < self.wanted else f"{self.tried}"
        said = f" ({self.said})" if self.said else ""
        return f"| {self.name}{said} | {self.seed} | {tried} | {self.held} | {self.failed} |"


def build_line(tiny: Tiny, jobs: int = 1) -> list[str]:
    where = ("--source", str(tiny.source), "--out", str(tiny.out), "--jobs", str(jobs))
    return [*MAIN, "build", str(tiny.folder / "recipe.toml"), *where]


def run(line: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, env=env, capture_output=True, text=True, check=False)


def machine(dice: random.Random, place: Path) -> Iterator[str]:
    """A source that fails: 75, the others are built, and the rerun gives the same bytes."""
    tiny = make(place / "tiny")
    tiny.build(tiny.folder / "whole")
    whole = tinies.listing(tiny.folder / "whole")
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
            tiny.build()
            yield "" if tinies.listing(tiny.out) == whole else "other bytes"


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
        wrong = [one for one in check(tiny.out) if one.sure]
        yield "" if good and not wrong else f"{word!r}: {rows}, {wrong}"
        path.write_bytes(held)


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


def killed(number: int, dice: random.Random, place: Path) -> Iterator[str]:
    _, of, moments = kills.SUBJECTS[number]
    yield from kills.kills(of(place), dice, moments)


LINES = len(faults_disks.LINES)
CLASSES: dict[str, Class] = {
    **{
        name: Class(partial(killed, number), moments, 2 * moments)
        for number, (name, _, moments) in enumerate(kills.SUBJECTS)
    },
    **{
        f"every command onto a disk {disk}": Class(
            partial(faults_disks.every_command, disk), 2 * LINES, 2 * LINES
        )
        for disk in faults_disks.DISKS
    },
    "sources that fail (EIO, ESTALE, EACCES, ETIMEDOUT, ENOENT), run again": Class(machine, 20, 90),
    "raws that kill, hang or starve a decoder, 1 and 2 jobs": Class(decoders, 20, 60),
    "two builds into one folder; a folder that vanishes under a build": Class(
        faults_folders.vanishing, 20, 20
    ),
    "raws cut at 10 to 99.9 %": Class(faults_files.cut, 300, 60),
    "raw headers mutated": Class(faults_files.headers, 700, 140),
    "DNG tags mutated, built and checked": Class(faults_files.tags, 200, 100),
    "crafted TIFFs": Class(faults_files.tiffs, 200, 20),
    "MAT files cut and mutated": Class(faults_files.mats, 200, 20),
    "manifests, tables and recipes mutated": Class(faults_files.texts, 400, 10),
    **{name: Class(*each) for name, each in faults_shards.CLASSES.items()},
    "shards cut, swapped, lost, added, pipes, links: `check`": Class(
        faults_folders.changed, 40, 20
    ),
    "names, texts, links (tests/faults/test_names.py)": Class(
        tested("faults/test_names.py"), 0, 15
    ),
    "downloads (tests/get)": Class(
        tested("get/test_hostile.py", "get/test_download.py"), 0, 20
    ),
    "code beside data, every command (tests/faults/test_no_code.py)": Class(
        tested("faults/test_no_code.py"), 0, 40
    ),
    "a child ends with its parent; markup and pickles (tests)": Class(
        tested("faults/test_decoders.py", "train/test_sealed.py"), 0, 30
    ),
}  # fmt: skip
FEW = ("raws cut at 10 to 99.9 %", "raw headers mutated", "crafted TIFFs",
       "MAT files cut and mutated", "manifests, tables and recipes mutated")  # fmt: skip


def tried(name: str, seed: int, share: float, end: float) -> Row:
    """One class. `end` is when no more is begun, by the system's clock."""
    which = CLASSES[name]
    wanted = max(1, round(which.count * share)) if which.count else 0
    print(f"{name}: seed {seed}", flush=True)
    count, held, said = 0, 0, ""
    with TemporaryDirectory(prefix="faults-") as place:
        for why in which.tries(random.Random(seed), Path(place).resolve()):
            if why.startswith("skip: "):
                said = why
                break
            count, held = count + 1, held + (not why)
            if why:
                print(f"  {name}: failed: {why}", flush=True)
            if count == wanted or time.time() > end:
                break
    return Row(name, seed, wanted or count, count, held, said)


def all_tried(names: list[str], jobs: int, seed: int, share: float, end: float) -> Iterator[Row]:
    order = sorted(names, key=lambda name: -CLASSES[name].weight)
    seeds = {name: seed + number for number, name in enumerate(CLASSES)}
    with suppress(BaseException):  # pytest's, where there is no compiler
        os.environ["LD_PRELOAD"] = shim()  # of all that is started from here: some calls fail
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawned, end_with_parent) as pool:
        left = [pool.submit(tried, name, seeds[name], share, end) for name in order]
        for done in as_completed(left):
            row = done.result()
            print(row.line(), flush=True)
            yield row


def written(page: Path, rows: list[Row], command: str) -> None:
    text = page.read_text()
    (between,) = re.findall(f"{BEGIN}(.*){END}", text, flags=re.DOTALL)
    lines = {line.split("|")[1].partition(" (skip")[0].strip(): line
             for line in between.splitlines() if line.startswith("| ")}  # fmt: skip
    lines |= {row.name: row.line() for row in rows}
    kept = [lines[name] for name in CLASSES if name in lines]
    head = ["| class | seed | tried | held | failed |", "|---|---:|---:|---:|---:|"]
    told = "\n".join([BEGIN, "", f"By `{command}`:", "", *head, *kept, "", END])
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: told, text, flags=re.DOTALL))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=20.0)
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--share", type=float, default=1.0, help="of the numbers of tries")
    options.add_argument("--only", default="", help="classes whose name has this expression")
    options.add_argument("--page", type=Path)
    options.add_argument("--small", action="store_true", help="what needs no other process")
    given = options.parse_args()
    os.chdir(ROOT)
    names = [
        name for name in CLASSES if re.search(given.only, name) and (not given.small or name in FEW)
    ]
    end = time.time() + 60 * given.minutes
    rows = []
    for row in all_tried(names, given.jobs, given.seed, given.share, end):
        rows.append(row)
        if given.page:
            written(given.page, rows, "make faults")
    return int(any(row.failed or row.tried < row.wanted for row in rows if not row.said))


if __name__ == "__main__":
    sys.exit(main())
