"""Every command onto disks that are full, read-only, without inodes, that fail or vanish.

Each runs in a process forked from one that has imported everything, with a file system of its own
mounted (a user may do so in a namespace of their own), or below a layer that makes calls into the
system fail (tests/faults/eio.c). It holds where the command ends in one line and 1 (or 75), or did
all it had to; and where every file that has its name is what it is on a good disk.
"""

import ctypes
import errno
import os
import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults_kills import _train, forks
from isptools.cli import main as cli
from tests.build.tiny import Tiny, make

NEWNS, NEWUSER = 0x00020000, 0x10000000
RDONLY, REMOUNT = 1, 32
CODES = {0, 1, 3, 75}
PLACE = "DISK"  # in a command's words: where the disk is
# what tells of the moment or the machine, or is added to line by line
OTHERWISE = ("log.csv", "log.txt", "tensorboard", "settings.json", "samples", ".lock", "page.html")
LINES: tuple[tuple[str, ...], ...] = (
    ("build", "recipe.toml", "--source", "raw", "--out", "DISK/out"),
    ("build", "recipe.toml", "--source", "raw", "--out", "DISK/out", "--jobs", "2"),
    ("inspect", "SHARD", "--image", "DISK/shard.png"),
    ("inspect", "raw/long/a1_long.dng", "--image", "DISK/raw.png"),
    ("render", "raw/long/a1_long.dng", "--out", "DISK/a.png"),
    ("render", "raw/long/a1_long.dng", "--out", "DISK/a.tif"),
    ("align", "a.png", "b.png", "--out", "DISK/aligned", "--report", "DISK/aligned.html"),
    ("fuse", "raw/short/a1_0.dng", "raw/short/a1_1.dng", "--out", "DISK/fused.dng",
     "--weights", "DISK/w.tif", "--report", "DISK/r.json", "--image", "DISK/f.png"),
    ("bad-pixels", "raw/short/a1_0.dng", "raw/short/a1_1.dng", "--out", "DISK/bad.toml"),
    ("init", "raw", "--out", "DISK/proposed"),
    ("manifest", "raw", "--out", "DISK/files.tsv"),
    ("sample", "sid", "--out", "DISK/miniature"),
    ("train", "srcnn", "out", "--preset", "tiny", "--out", "DISK/run", "--set", "batch=1",
     "--set", "patch=32", "--set", 'stages=[{train="whole",steps=2,rate=1e-3}]'),
    ("eval", "run", "out", "--out", "DISK/scores.csv"),
    ("report", "out", "--out", "DISK/page.html"),
    ("develop", "run", "raw/short/a1_0.dng", "--out", "DISK/c.png"),
    ("export", "run", "--onnx", "DISK/c.onnx", "--size", "64", "64"),
    ("check", "out", "--log", "DISK/log.txt"), ("stats", "out"), ("show", "recipe.toml"),
    ("recipes",), ("models", "srcnn"), ("get", "manifest"), ("ledger", "out"),
)  # fmt: skip
DISKS = ("full", "read-only", "without inodes", "that fails (EIO)", "that vanishes (ENODEV)")


@dataclass(frozen=True)
class Ended:
    code: int | None
    said: str


def every_command(disk: str, dice: random.Random, place: Path) -> Iterator[str]:
    """ "" for each command that held. The first yields "skip" where nothing can be mounted."""
    mounted = not disk.startswith("that")
    if mounted and ended(_mounts, place).code:
        yield "skip: no file system can be mounted here"
        return
    if not mounted and "LD_PRELOAD" not in os.environ:
        yield "skip: no C compiler to make calls fail with"
        return
    tiny = prepared(place)
    while True:
        for words in LINES:
            wanted = on_a_good_disk(tiny, words, place / "good")
            how = size_of(disk, dice)
            shutil.rmtree(place / "disk", ignore_errors=True)
            (place / "disk").mkdir()
            found = ended(_on, place, Try(tiny, words, disk, how, place / "kept"))
            yield judged(words, found, place / "kept", wanted, strict=mounted)


def prepared(place: Path) -> Tiny:
    """Inputs of every command, made once on a good disk."""
    tiny = make(place / "tiny")
    tiny.build()
    _train(tiny.out, tiny.folder / "run", 1)
    for name, raw in (("a", "long/a1_long.dng"), ("b", "long/b2_long.dng")):
        words = ["render", str(tiny.file(raw)), "--out", str(tiny.folder / f"{name}.png")]
        cli(words, standalone_mode=False)
    return tiny


def size_of(disk: str, dice: random.Random) -> str:
    """How much of a disk there is, or how many calls go well before it fails."""
    return {
        "full": f"size={dice.choice([4, 8, 16, 32, 64])}k",
        "without inodes": f"nr_inodes={dice.randrange(1, 6)}",
        "read-only": "size=1m",
    }.get(disk) or str(dice.choice([0, 0, 1, 2, 3, 5, 8, 13]))


def on_a_good_disk(tiny: Tiny, words: Sequence[str], place: Path) -> dict[str, bytes]:
    """What a command writes where there is room: path below the disk and content."""
    key = place / "-".join(words).replace("/", "_")[:100]
    if not key.exists():
        (place / "disk").mkdir(parents=True, exist_ok=True)
        found = ended(_on, place, Try(tiny, words, "", "", key))
        if found.code not in {0, 2, 3}:
            raise RuntimeError(f"{words} on a good disk: {found}")
        shutil.rmtree(place / "disk")
    return contents(key)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


def judged(
    words: Sequence[str], found: Ended, kept: Path, wanted: dict[str, bytes], strict: bool
) -> str:
    """Why it did not hold; `strict` where the disk still lets files be removed."""
    told = f"{' '.join(words)}: {found.code}: {found.said[-300:]}"
    errors = [line for line in found.said.splitlines() if line.startswith("Error: ")]
    if "Traceback" in found.said or "Exception ignored" in found.said:
        return f"traceback: {told}"
    if found.code not in CODES | ({2} if words[0] == "align" else set()):
        return told
    if found.code in {1, 75} and len(errors) != 1:
        return f"{len(errors)} lines: {told}"
    if not strict:
        return ""
    for name, data in contents(kept).items():
        if any(word in name for word in OTHERWISE) or name == "stdout":
            continue
        if name not in wanted or data != wanted[name]:
            return f"{name} is half, or a stray: {told}"
    return ""


# -- in the process that is forked ----------------------------------------------------------------


def ended(function: object, place: Path, *given: object) -> Ended:
    said = place / "said"
    process = forks.Process(target=function, args=(said, place / "disk", *given))  # type: ignore[arg-type]  # each takes these
    process.start()
    process.join(300)
    if process.is_alive():
        process.kill()
        process.join()
        return Ended(None, "it hangs")
    return Ended(process.exitcode, said.read_text(errors="replace") if said.exists() else "")


def _mounts(_said: Path, disk: Path) -> None:
    disk.mkdir(exist_ok=True)
    mount(disk, "size=1m")


@dataclass(frozen=True)
class Try:
    tiny: Tiny
    words: Sequence[str]
    kind: str  # of the disk; "" for a good one
    how: str
    kept: Path


def _on(said: Path, disk: Path, given: Try) -> None:
    """The command; what it left on the disk is copied to `kept` before that goes."""
    tiny, kind, how, kept = given.tiny, given.kind, given.how, given.kept
    errors = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(errors, 2)
    if kind and not kind.startswith("that"):
        mount(disk, how)
    output = os.open(disk / "stdout", os.O_WRONLY | os.O_CREAT) if how != "nr_inodes=1" else 2
    os.dup2(output, 1)
    if kind == "read-only":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.close(output)
        mount(disk, how, REMOUNT | RDONLY)
    if kind.startswith("that"):
        os.environ["FAULT_ERRNO"] = str(errno.ENODEV if "vanishes" in kind else errno.EIO)
        os.environ["FAULT_AFTER"], os.environ["FAULT_UNDER"] = how, str(disk)
    os.chdir(tiny.folder)
    shard = str(next(tiny.out.glob("*.h5")))
    words = [word.replace(PLACE, str(disk)).replace("SHARD", shard) for word in given.words]
    code = 0
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115 - as a new process has them
    try:
        cli(words)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    finally:
        sys.stdout = sys.stderr  # what a disk did not take has been told, and is not tried again
        os.environ.pop("FAULT_UNDER", None)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(disk, kept, symlinks=True, ignore_dangling_symlinks=True)
    sys.exit(code)


def mount(place: Path, options: str, flags: int = 0) -> None:
    """A tmpfs in a namespace of this process alone. OSError where that is forbidden."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if not flags:
        if libc.unshare(NEWUSER | NEWNS):
            raise OSError(ctypes.get_errno(), "no namespace")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    if libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", flags, options.encode()):
        raise OSError(ctypes.get_errno(), "no mount")
