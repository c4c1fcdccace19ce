"""The lines of files.tsv: hashes, and splits that keep together what looks alike."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from isptools import raw, sources
from isptools.apart import apart
from isptools.datasets.alike import bits_of, fingerprint, grouped, joined
from isptools.datasets.bursts import sharpest
from isptools.datasets.card import FileRow, Split
from isptools.datasets.splits import in_tenths
from isptools.propose.look import Seen
from isptools.propose.proposal import Kind, Shot
from isptools.raw import SUFFIXES as RAW
from isptools.sources import ContentError

BITS = 6  # of 64 by which near-duplicates differ, as a recipe's `alike`
AT_ONCE = 3.0  # seconds: shots of one camera that follow closer than that share a split
COLUMNS = ("split", "scene", "role", "path", "exposure_s", "iso", "sha256")


@dataclass(frozen=True, slots=True)
class Table:
    """What files.tsv holds, and which scenes were kept in one split because they look alike."""

    entries: tuple[FileRow, ...]
    together: tuple[tuple[str, ...], ...]
    unreadable: tuple[Seen, ...] = ()  # files whose pixels can't be read; their scenes are left out

    def scenes(self, split: Split) -> int:
        """How many scenes a split has."""
        return len({entry.scene for entry in self.entries if entry.split == split})


@dataclass(frozen=True, slots=True)
class _Read:
    """What is known of a file after it was read once."""

    sha256: str
    bits: int | None = None
    wrong: str = ""


def table(
    root: Path,
    kind: Kind,
    shots: Sequence[Shot],
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Table:
    """Read every file of the scenes once and divide them: same files, same table.

    Scenes whose truths differ in at most 6 of 64 bits of a difference hash, that share a file's
    content, or that one camera took within seconds, stand in one split. OSError if one can't be
    read.
    """
    if kind == "bursts":
        shots = [_with_reference(root, shot) for shot in shots]
    truths = {shot.truth.path for shot in shots}
    paths = list(dict.fromkeys(one.path for shot in shots for one in files_of(shot)))
    place = root.absolute()  # a decoder may have been started in another folder
    known: dict[str, _Read] = {}
    with ThreadPoolExecutor(jobs) as pool:  # each has a decoder of its own
        found = pool.map(lambda path: _known(place / path, path in truths), paths)
        for path, read in zip(paths, found, strict=True):
            progress(len(known), len(paths))
            known[path] = read
    progress(len(paths), len(paths))
    bad = [shot.truth for shot in shots if known[shot.truth.path].wrong]
    shots = [shot for shot in shots if shot.truth not in bad]
    groups = _groups(shots, known)
    splits = in_tenths(groups)
    entries = tuple(entry for shot in shots for entry in _entries(shot, splits[shot.name], known))
    together = tuple(tuple(group) for group in groups if len(group) > 1)
    unreadable = tuple(replace(one, wrong=known[one.path].wrong) for one in bad)
    return Table(entries, together, unreadable)


def text(found: Table) -> str:
    """files.tsv."""
    out = io.StringIO()
    lines = csv.writer(out, delimiter="\t", lineterminator="\n")
    lines.writerow(COLUMNS)
    for entry in found.entries:
        values = [getattr(entry, name) for name in COLUMNS]
        lines.writerow(
            [f"{value:.6g}" if isinstance(value, float) else value or "" for value in values]
        )
    return out.getvalue()


def _with_reference(root: Path, shot: Shot) -> Shot:
    """The sharpest of the first frames is what the others are fused onto."""
    best = shot.frames[sharpest([root / one.path for one in shot.frames])]
    rest = tuple(one for one in shot.frames if one is not best)
    return replace(shot, truth=best, inputs=(best,), frames=(best, *rest))


def files_of(shot: Shot) -> Iterator[Seen]:
    """Every file of a scene; one that plays two roles comes twice."""
    yield shot.truth
    yield from shot.inputs
    yield from shot.frames
    if shot.final:
        yield shot.final


def _known(path: Path, is_truth: bool) -> _Read:
    try:
        return apart(_read, path, is_truth)
    except ContentError as error:  # its decoder died, for one
        return _Read(_digest(path), None, str(error))


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(sources.read(path)).hexdigest()
    except ContentError:
        return ""


def _read(path: Path, is_truth: bool) -> _Read:
    data = sources.read(path)
    digest = hashlib.sha256(data).hexdigest()
    if not is_truth:
        return _Read(digest)
    if path.suffix[1:].lower() not in RAW:
        return _Read(digest, fingerprint(path))
    try:
        return _Read(digest, bits_of(raw.read_bytes(data, path.name).pixels))
    except raw.RawError as error:
        said = " ".join(str(error).split()).removeprefix(f"{path.name}: ")
        return _Read(digest, None, said)


def _groups(shots: Sequence[Shot], known: dict[str, _Read]) -> list[list[str]]:
    """Scenes that must stand in one split, in the order of the scenes."""
    prints = [(shot.name, known[shot.truth.path].bits) for shot in shots]
    links = [(scene, group.name) for scene, group in grouped(prints, BITS).items()]
    first_with: dict[str, str] = {}
    links += [
        (shot.name, first_with.setdefault(known[one.path].sha256, shot.name))
        for shot in shots
        for one in files_of(shot)
    ]
    links += _at_once(shots)
    return joined([shot.name for shot in shots], links)


def _at_once(shots: Sequence[Shot]) -> Iterator[tuple[str, str]]:
    timed = [shot for shot in shots if shot.truth.taken is not None]
    timed.sort(key=lambda shot: (shot.truth.camera, shot.truth.taken or 0))
    for one, other in pairwise(timed):
        between = (other.truth.taken or 0) - (one.truth.taken or 0)
        if one.truth.camera == other.truth.camera and between <= AT_ONCE:
            yield other.name, one.name


def _entries(shot: Shot, split: Split, known: dict[str, _Read]) -> Iterator[FileRow]:
    def entry(one: Seen, role: str) -> FileRow:
        digest = known[one.path].sha256
        return FileRow(split, shot.name, role, one.path, one.exposure_s, one.iso, digest)  # type: ignore[arg-type]  # one of its words

    yield entry(shot.truth, "truth")
    for one in shot.inputs:
        yield entry(one, "input")
    for one in shot.frames:
        yield entry(one, "frame")
    if shot.final:
        yield entry(shot.final, "final")
