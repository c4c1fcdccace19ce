"""Do the shipped recipes still give the bytes they gave? A refactoring shows that they do.

    python benchmarks/fingerprint.py [RECIPE ...]            # compare with fingerprint.tsv
    python benchmarks/fingerprint.py --write [RECIPE ...]    # after a change of bytes on purpose

Builds the miniature of each recipe and takes two hashes of each shard: of the file as it lies, and
of its data alone, which are all datasets and attributes but the recipe's text, the format's number
and the versions of the libraries. A change of notation alters the first, one of the data both. The
file's hash holds for the versions of constraints.txt.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - registers the decompression filter with HDF5

HERE = Path(__file__).parent
NOTATION = {"recipe", "recipe_sha256", "versions", "format"}
Row = tuple[str, str, str, str]  # recipe, file, hash of the file, hash of its data (or lines)


def data_hash(path: Path) -> str:
    """Of everything in a shard that is not notation."""
    total = hashlib.sha256()

    def attributes(of: Any) -> None:
        for key in sorted(set(of.attrs) - NOTATION):
            total.update(f"{key}={of.attrs[key]!r}".encode())

    def visit(name: str, found: Any) -> None:
        total.update(name.encode())
        if isinstance(found, h5py.Dataset):
            dtype = found.dtype.descr if found.dtype.names else found.dtype.str
            total.update(f"{dtype}{found.shape}{found.chunks}".encode())
            for i in range(len(found) if found.ndim else 0):
                value = found[i]
                total.update(value if isinstance(value, bytes) else value.tobytes())
        attributes(found)

    with h5py.File(path) as file:
        attributes(file)
        file.visititems(visit)
    return total.hexdigest()


def of_recipe(name: str) -> Iterator[Row]:
    """The rows of one recipe's miniature."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "isptools.cli", "build", name, "--sample", "--out", folder]
        subprocess.run(words, check=True, capture_output=True, text=True)
        for shard in sorted(Path(folder).glob("*.h5")):
            own = hashlib.sha256(shard.read_bytes()).hexdigest()
            yield name, shard.name, own, data_hash(shard)
        ledger = Path(folder, "ledger.jsonl").read_bytes()
        lines = len(ledger.splitlines())
        yield name, "ledger.jsonl", hashlib.sha256(ledger).hexdigest(), f"{lines} lines"


def saved(baseline: Path) -> list[Row]:
    lines = baseline.read_text().splitlines() if baseline.exists() else []
    return [tuple(line.split("\t")) for line in lines]  # type: ignore[misc]  # four of them


def difference(before: Row | None, now: Row | None) -> str:
    """What became of one file; an empty text if nothing did."""
    if before == now:
        return ""
    if before is None or now is None:
        return "is new" if before is None else "is gone"
    return "differs in its data" if before[3] != now[3] else "differs in notation alone"


def compare(names: list[str], before: list[Row], now: list[Row]) -> int:
    """Print what differs; the number of files that do."""
    was = {row[:2]: row for row in before if row[0] in names}
    here = {row[:2]: row for row in now}
    told = {key: difference(was.get(key), here.get(key)) for key in sorted({*was, *here})}
    for (recipe, file), text in told.items():
        if text:
            print(f"{recipe}: {file} {text}")
    same = sum(not text for text in told.values())
    print(f"{same} of {len(told)} files of {len(names)} recipes are as before")
    return len(told) - same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*")
    parser.add_argument("--write", action="store_true", help="take what is found as the baseline")
    parser.add_argument("--baseline", type=Path, default=HERE / "fingerprint.tsv")
    asked = parser.parse_args()
    names = asked.recipes or sorted(path.stem for path in (HERE.parent / "recipes").glob("*.toml"))
    now = []
    for name in names:
        now += list(of_recipe(name))
        print(f"{name}: {sum(row[0] == name for row in now)} files", flush=True)
    if asked.write:
        kept = {row for row in saved(asked.baseline) if row[0] not in names}
        rows = sorted(kept | set(now))
        asked.baseline.write_text("".join("\t".join(row) + "\n" for row in rows))
    else:
        raise SystemExit(bool(compare(names, saved(asked.baseline), now)))


if __name__ == "__main__":
    main()
