"""What a build left out or found odd, as the page shows it: by reason, with pictures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2

from isptools.report.facts import uri
from isptools.report.pictures import Bytes, fit
from isptools.report.sheet import brightened
from isptools.shards.ledger import Group, Line

RANK = {"refused": 0, "missing": 1, "unlisted": 2, "noted": 3, "excluded": 4, "kept": 5}
LINES = 40  # of a reason that are shown
MOST, EACH = 48, 12  # lines with pictures from files, of all and of a reason
WIDTH = 200  # pixels of a picture
QUALITY = (cv2.IMWRITE_WEBP_QUALITY, 60)
GONE = {"missing", "kept"}  # there is nothing to see, or it is a sample

Look = Callable[[Line], Sequence[tuple[str, Bytes]]]  # a line's files as pictures, by name


@dataclass(frozen=True, slots=True)
class Entry:
    """One line."""

    file: str  # or the scene
    detail: str
    sample: int | None  # its place in the gallery
    pictures: tuple[tuple[str, str], ...]  # name of the file, data URI


@dataclass(frozen=True, slots=True)
class Left:
    """All lines of one reason; the first of them as entries."""

    kind: str
    reason: str
    count: int
    scenes: int
    entries: tuple[Entry, ...]


def left(
    groups: Sequence[Group], samples: Mapping[str, int], look: Look | None
) -> tuple[Left, ...]:
    """What was refused comes first.

    `samples` are places in the gallery by the file that a sample is of. Without `look` no file is
    opened.
    """
    room = MOST
    found = []
    for group in sorted(groups, key=lambda one: RANK.get(one.kind, 1)):
        seen = 0 if group.kind in GONE or look is None else min(EACH, room)
        entries = tuple(_entries(group, samples, look, seen))
        room -= sum(bool(one.pictures) for one in entries)
        found.append(Left(group.kind, group.reason, len(group.lines), group.scenes, entries))
    return tuple(found)


def _entries(
    group: Group, samples: Mapping[str, int], look: Look | None, most: int
) -> Iterator[Entry]:
    shown: set[str] = set()  # windows of one photograph are many lines
    for line in group.lines[:LINES]:
        sample = samples.get(line.file)
        file = line.file.partition("@")[0]
        pictures: tuple[tuple[str, str], ...] = ()
        if look and sample is None and file and file not in shown and len(shown) < most:
            shown.add(file)
            pictures = tuple((name, _small(picture)) for name, picture in look(line))
        yield Entry(line.file or line.scene, line.detail, sample, pictures)


def _small(picture: Bytes) -> str:
    shown, _ = brightened(fit(picture, min(WIDTH, picture.shape[1])))
    done, data = cv2.imencode(".webp", shown[..., ::-1], QUALITY)
    return uri(data.tobytes(), "webp") if done else ""
