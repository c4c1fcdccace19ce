"""Compressed pixels that are damaged and may still decode: how often is it noticed?

A part of the second half of each real raw (ISPTOOLS_DATA, see tests/conftest.py) is zeroed, filled
with noise, or replaced by another part of the same file. A file is refused, comes out as it was
(the part held no pixels), or comes out otherwise without a word: what can't be known. And no sound
file may be refused for its rows.

python benchmarks/damage.py [--tries 20] [--seed 1]
"""

import argparse
import os
import random
import sys
from collections import Counter
from pathlib import Path
from tempfile import gettempdir

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from isptools import raw
from isptools.apart import apart
from isptools.raw import listed
from isptools.sources import ContentError
from tests.conftest import SHARED

WAYS = ("zeroed", "noise", "replaced")
SHARES = (0.01, 0.05, 0.2)  # of the file


def damaged(data: bytes, way: str, share: float, dice: random.Random) -> bytes:
    size = int(share * len(data))
    start = dice.randrange(len(data) // 2, len(data) - size)
    part = {
        "zeroed": bytes(size),
        "noise": dice.randbytes(size),
        "replaced": data[start - size : start],
    }[way]
    return data[:start] + part + data[start + size :]


def outcome(path: Path, before: np.ndarray) -> str:
    try:
        found = apart(listed.read, path, True).pixels
    except (raw.RawError, ContentError):
        return "refused"
    return "as it was" if np.array_equal(found, before) else "silent"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tries", type=int, default=20, help="for each file and way")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    dice, counted, sound, alarms = random.Random(given.seed), Counter[tuple[str, str]](), 0, 0
    scratch = Path(gettempdir()) / f"damage-{os.getpid()}"
    for path in sorted(SHARED.glob("raw*/**/*")):
        if path.suffix[1:].lower() not in raw.SUFFIXES or path.parent.name == "corrupt":
            continue
        sound += 1
        try:
            before = raw.read(path, larger=True).pixels
        except raw.RawError as error:
            alarms += "rows" in str(error)
            continue
        data = path.read_bytes()
        place = scratch.with_suffix(path.suffix)
        for way in WAYS:
            for number in range(given.tries):
                share = SHARES[number % len(SHARES)]
                place.write_bytes(damaged(data, way, share, dice))
                counted[way, outcome(place, before)] += 1
        place.unlink()
    print(f"{sound} sound files, {alarms} refused for their rows; seed {given.seed}")
    print("| damage | refused | as it was | silent |\n|---|---:|---:|---:|")
    for way in WAYS:
        print("|", " | ".join(map(str, (way, *(counted[way, what] for what in
              ("refused", "as it was", "silent"))))), "|")  # fmt: skip


if __name__ == "__main__":
    main()
