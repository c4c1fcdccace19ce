"""How fast builds and the loader are, in two checkouts by turns: what a change costs.

    git worktree add ../before COMMIT
    python benchmarks/rates.py ../before [--rounds 5]

Both build the same 12 MP raws, made from code, and read crops of the same shards, in processes of
their own, one after the other and beginning with each in turn. Seconds of a build are of the
processor, of a process and all that it started, and of the clock; those of crops are what reading
them took, once the shards are open and a fifth has been read. The medians of the rounds are
compared.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - behind the path

from tests.build import tiny as tinies  # noqa: E402

SHAPE = (3000, 4000)
BUILD = """
import sys
from pathlib import Path
from isptools.cli import main
folder, out = sys.argv[1:]
main(["build", folder + "/recipe.toml", "--source", folder + "/raw", "--out", out])
"""
LOAD = """
import sys
from pathlib import Path
from benchmarks.loader import rate
side, count = map(int, sys.argv[2:])
clock, processor = rate(Path(sys.argv[1]), side, 0, count)
print(count * side**2 / 1e6 / clock, count * side**2 / 1e6 / processor)
"""
CROPS = {512: 800, 1024: 250}  # of a side, and how many are read in a round


def spent(tree: Path, code: str, *words: object) -> tuple[float, float]:
    """Seconds of the clock and of the processor of one process, or those that it prints."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], env=environment, cwd=tree,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{tree}: {said[-500:]}")
    if code == LOAD:
        clock, processor = map(float, said.split()[-2:])
        return clock, processor
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime


def made(place: Path) -> tinies.Tiny:
    """Two scenes of three raws of 12 MP each, in tiles of the usual size."""
    tiny = tinies.make(place / "tiny")
    recipe = tiny.folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("tile = 36", "tile = 252"))
    small = SHAPE[0] // 8 * 8, SHAPE[1] // 8 * 8
    lines = (tiny.folder / "manifest" / "files.tsv").read_text().splitlines()
    kept = [line for line in lines if line.split("\t")[1] in {"scene", "a1", "b2"}]
    (tiny.folder / "manifest" / "files.tsv").write_text("\n".join(kept) + "\n")
    for path in sorted(tiny.source.rglob("*.dng")):
        if path.name[:2] not in {"a1", "b2"}:
            path.unlink()
            continue
        gain = 1.0 if path.parent.name == "long" else 0.01
        seed = int(np.frombuffer(path.name[:2].encode(), "<u2")[0])
        frame = tinies.frame(seed, gain, small, exposure_s=10.0 * gain)
        tinies.write(tiny, path.relative_to(tiny.source).as_posix(), frame)
    return tiny


def rounds(trees: dict[str, Path], jobs: dict[str, tuple[object, ...]], count: int) -> None:
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(count + 1):
        for job, words in jobs.items():
            for name in sorted(trees, reverse=bool(number % 2)):
                took = spent(trees[name], *(str(word).replace("TREE", name) for word in words))
                if number:  # the first compiles kernels
                    found.setdefault((job, name), []).append(took)
    print("| what | before, s of the processor | now | change | clock before, s | now |")
    print("|---|---:|---:|---:|---:|---:|")
    for job in jobs:
        (wall, cpu), (wall_now, cpu_now) = (
            [median(column) for column in zip(*found[job, name], strict=True)]
            for name in ("before", "now")
        )
        print(f"| {job} | {cpu:.2f} | {cpu_now:.2f} | {cpu_now / cpu - 1:+.1%} "
              f"| {wall:.2f} | {wall_now:.2f} |", flush=True)  # fmt: skip
    print(f"medians of {count} rounds; load {Path('/proc/loadavg').read_text()[:14]}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("before", type=Path, help="another checkout")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--only", default="", help="jobs whose name holds this")
    given = options.parse_args()
    trees = {"before": given.before.resolve(), "now": ROOT}
    with TemporaryDirectory() as place:
        tiny = made(Path(place).resolve())
        shards = tiny.folder / "shards"
        for name, tree in trees.items():
            spent(tree, BUILD, tiny.folder, f"{shards}-{name}")
        jobs: dict[str, tuple[object, ...]] = {
            "build of 6 raws of 12 MP": (
                f"import shutil; shutil.rmtree({str(tiny.folder / 'out-TREE')!r}, True)\n" + BUILD,
                tiny.folder, tiny.folder / "out-TREE",
            ),
            **{f"{count} crops of {side} pixels": (LOAD, f"{shards}-TREE", side, count)
               for side, count in CROPS.items()},
        }  # fmt: skip
        jobs = {name: words for name, words in jobs.items() if given.only in name}
        rounds(trees, jobs, given.rounds)


if __name__ == "__main__":
    main()
