"""Folders of shards that were cut, swapped, lost or added to, and outputs that two builds want."""

import os
import random
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from isptools.build import BuildError
from isptools.shards.check import check
from tests.build import tiny as tinies
from tests.build.tiny import make


def emptied(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True) if folder.exists() else ():
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def changed(dice: random.Random, place: Path) -> Iterator[str]:
    """`check` names it, and hangs at nothing."""
    tiny = make(place / "tiny")
    tiny.build()
    keep = place / "keep"
    shutil.copytree(tiny.out, keep)
    before = {(one.where, one.what) for one in check(tiny.out)}
    while True:
        way = dice.choice(WAYS)
        way(dice, sorted(tiny.out.glob("*.h5")))
        told = {(one.where, one.what) for one in check(tiny.out) if one.sure} - before
        yield "" if told else f"{way.__name__}: nothing said"
        shutil.rmtree(tiny.out)
        shutil.copytree(keep, tiny.out)


def _cut(dice: random.Random, shards: list[Path]) -> None:
    path = dice.choice(shards)
    os.truncate(path, dice.randrange(path.stat().st_size))


def _swapped(dice: random.Random, shards: list[Path]) -> None:
    one, other = dice.sample(shards, 2)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _missing(dice: random.Random, shards: list[Path]) -> None:
    dice.choice(shards).unlink()


def _extra(dice: random.Random, shards: list[Path]) -> None:
    path = dice.choice(shards)
    shutil.copy(path, path.with_name("tiny-train-64x80-0009.h5"))


def _pipe(dice: random.Random, shards: list[Path]) -> None:
    path = dice.choice(shards)
    path.unlink()
    os.mkfifo(path)


def _link(dice: random.Random, shards: list[Path]) -> None:
    path = dice.choice(shards)
    path.unlink()
    path.symlink_to("nowhere.h5")


def _padded(dice: random.Random, shards: list[Path]) -> None:
    with dice.choice(shards).open("ab") as file:
        file.write(bytes(dice.randrange(1, 5000)))


def _lost_table(dice: random.Random, shards: list[Path]) -> None:
    name = dice.choice(["ledger.jsonl", "index.json"])
    (shards[0].parent / name).unlink()


WAYS = (_cut, _swapped, _missing, _extra, _pipe, _link, _padded, _lost_table)


def vanishing(dice: random.Random, place: Path) -> Iterator[str]:
    """Two builds into one folder, or a folder that goes away under a build; then built again."""
    tiny = make(place / "tiny")
    tiny.build(tiny.folder / "whole")
    whole = tinies.listing(tiny.folder / "whole")
    while True:
        emptied(tiny.out)
        told: list[str] = []
        builds = dice.choice([1, 2])
        goes = dice.randrange(1, 5) if builds == 1 else 0
        threads = [threading.Thread(target=_built, args=(tiny, goes, told)) for _ in range(builds)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tiny.build()
        if tinies.listing(tiny.out) != whole:
            told.append("other bytes")
        yield "; ".join(told)


def _built(tiny: tinies.Tiny, goes: int, told: list[str]) -> None:
    """The folder goes away when so many units are done. One line is no wonder, or none."""
    left = [goes]

    def progress(stage: str, _done: int, _total: int) -> None:
        left[0] -= stage == "inputs"
        if left[0] == 0 and goes:
            shutil.rmtree(tiny.out, ignore_errors=True)

    try:
        tiny.build(progress=progress)
    except BuildError as error:
        told += [str(error)] if "\n" in str(error) else []
    except BaseException as error:
        told.append(f"{type(error).__name__}: {error}")
