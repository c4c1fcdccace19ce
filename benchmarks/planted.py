"""Does `isptools check` find what is wrong, name it, and say nothing of what is right?

    python benchmarks/planted.py [--shards DIR] [--only WORD ...]   # prints the tables
    python benchmarks/planted.py --write                            # puts them into docs/check.md

Builds the miniature of every shipped recipe, or takes DIR/RECIPE where it is there, checks each as
it is, then plants one fault after the other (tests/shards/faults.py) and checks again. Real raws
are taken from ISPTOOLS_DATA or ../shared/data, where they are.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from isptools.shards.check import examined
from tests.shards import reals
from tests.shards.faults import FAULTS
from tests.shards.planted import Fault, planted

HERE = Path(__file__).resolve().parents[1]
DOCUMENT = HERE / "docs" / "check.md"
MARKS = "<!-- benchmarks/planted.py -->", "<!-- end -->"


def built(recipe: str, folder: Path) -> Path:
    """The shards of a recipe's miniature."""
    out = folder / recipe
    if not (out / "index.json").is_file():
        words = [sys.executable, "-m", "isptools.cli", "build", recipe, "--sample", "--out", out]
        subprocess.run([str(word) for word in words], check=True, capture_output=True)
    return out


def honest(folder: Path, only: list[str]) -> Iterator[str]:
    """A row for each recipe: pairs, alarms, and the number that came closest to its limit."""
    yield "| shards | pairs | alarms | not sure | nearest to its limit |"
    yield "|---|---|---|---|---|"
    for path in sorted((HERE / "recipes").glob("*.toml")):
        if not only or path.stem in only:
            yield _honest(path.stem, built(path.stem, folder))
    data = reals.folder()
    if data and (not only or "real" in only):
        for name, shards in reals.built(data, folder / "real"):
            yield _honest(name, shards)


def _honest(name: str, folder: Path) -> str:
    found = examined(folder)
    wrong = [problem for problem in found.problems if problem.sure]
    numbers = [number for pair in found.seen for number in pair.numbers]
    worst = max(numbers, key=lambda number: number.share, default=None)
    told = f"{worst.kind}, {worst.share:.0%}" if worst else ""
    for problem in wrong:
        print("ALARM", name, problem, file=sys.stderr)
    unsure = len(found.problems) - len(wrong)
    return f"| {name} | {len(found.seen)} | {len(wrong)} | {unsure} | {told} |"


def faults(folder: Path, only: list[str]) -> Iterator[str]:
    """A row for each fault: in what it was planted, and by which words it was named."""
    yield "| planted | in | found as (pairs) |"
    yield "|---|---|---|"
    named = count = 0  # right where the word of most lines names it
    for fault in FAULTS:
        if only and not any(word in {fault.recipe, *fault.named} for word in only):
            continue
        found = _found(fault, built(fault.recipe, folder))
        right = bool(found) and max(found, key=lambda kind: found[kind]) in fault.named
        named, count = named + right, count + 1
        told = ", ".join(f"{kind} ({times})" for kind, times in found.most_common()) or "nothing"
        mark = "" if right else " **wrong**"
        yield f"| {fault.about} | `{fault.recipe}` | {told}{mark} |"
    yield ""
    yield f"{named} of {count} are found, and most pairs say what it is."


def _found(fault: Fault, shards: Path) -> Counter[str]:
    with tempfile.TemporaryDirectory() as folder:
        problems = planted(fault, Path(shutil.copytree(shards, Path(folder) / "shards")))
    found = Counter(problem.what for problem in problems if problem.sure)
    if not found or not set(found) <= set(fault.named):
        for problem in problems[:6]:
            print("  ", fault.about, problem, file=sys.stderr)
    return found


def tables(folder: Path, only: list[str]) -> Iterator[str]:
    yield from faults(folder, only)
    yield ""
    yield from honest(folder, only)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--shards", type=Path, help="folder of built miniatures, one a recipe")
    words.add_argument("--only", nargs="*", default=[], help="recipes, or words that name faults")
    words.add_argument("--write", action="store_true", help="put the tables into docs/check.md")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for line in tables(asked.shards or Path(folder), asked.only):
            print(line, flush=True)
            lines.append(line)
    if asked.write:
        text = DOCUMENT.read_text(encoding="utf-8")
        before, _, rest = text.partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        made = "\n".join((MARKS[0], "", *lines, "", MARKS[1]))
        DOCUMENT.write_text(before + made + after, encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
