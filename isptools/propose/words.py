"""Short and long exposures, where words in names or folders say which is which.

What belongs together is told by names, digits included; EXIF times are asked where names say
nothing, and speak against names where the two contradict each other.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from isptools.propose.look import Seen
from isptools.propose.proposal import By

SHORT = ("short", "noisy", "dark", "input", "lowlight")
LONG = ("long", "clean", "gt", "truth", "groundtruth", "reference", "ref", "target")
WORD = re.compile(rf"(?<![a-z])({'|'.join((*SHORT, *LONG))})(?![a-z])", re.IGNORECASE)
EXPOSURE = re.compile(r"[_-]\d+(\.\d+)?s$", re.IGNORECASE)  # as in 00001_00_0.1s
PAUSE = 10.0  # seconds between a truth and its inputs
CLEARLY = 3.0  # times as far off is every other truth

Groups = list[tuple[str, list[Seen]]]


@dataclass(frozen=True, slots=True)
class Words:
    """Scenes by name, how they were told, or why they can't be."""

    groups: Groups
    how: str = ""
    doubt: str = ""


def by_words(raws: Sequence[Seen], by: By | None = None) -> Words:
    """Groups of one truth and its inputs; nothing where no name has such a word.

    `by` is the user's word on what holds where names and times contradict each other.
    """
    said = [one for one in raws if WORD.search(one.path)]
    if not {True, False} <= {is_long(one.path) for one in said}:
        return Words([])
    named, timed = by_names(said), by_times(said)
    if by != "time" and named:
        doubt = _reversed(named) or ("" if by else _clash(named, timed))
        how = "names or folders say short and long"
        return Words([], doubt=doubt) if doubt else Words(named, how)
    if by != "names" and timed:
        return Words(timed, "names say short and long, EXIF times say what belongs together")
    return Words([], doubt=_why_not(said, by))


def is_long(path: str) -> bool:
    """By the last such word of the path."""
    words = WORD.findall(path)
    return bool(words) and words[-1].casefold() in LONG


def by_names(said: Sequence[Seen]) -> Groups:
    """By whole names but for the word; else without the number at the end; else by the first word.

    The first way in which every file finds its group counts, else whole names if most do.
    """
    ways = [_grouped(said, key) for key in (_whole, _without_number, _first_word)]
    for groups in ways:
        if all(_one_truth(group) for _, group in groups):
            return groups
    most = [(name, group) for name, group in ways[0] if _one_truth(group)]
    return most if 2 * sum(len(group) for _, group in most) >= len(said) else []


def by_times(said: Sequence[Seen]) -> Groups:
    """Each input with the truth that was shot next to it; nothing unless that is clear for all."""
    truths = [one for one in said if is_long(one.path)]
    groups = {truth.path: [truth] for truth in truths}
    for one in said:
        if not is_long(one.path):
            truth = _nearest(one, truths)
            if truth is None:
                return []
            groups[truth.path].append(one)
    if any(len(group) == 1 for group in groups.values()):
        return []
    return [(PurePosixPath(path).stem, group) for path, group in groups.items()]


def _nearest(one: Seen, truths: Sequence[Seen]) -> Seen | None:
    apart = sorted((between(one, truth), truth.path, truth) for truth in truths)
    if apart[0][0] > PAUSE:
        return None
    clear = len(apart) == 1 or apart[1][0] > CLEARLY * max(apart[0][0], 1.0)
    return apart[0][2] if clear else None


def between(one: Seen, other: Seen) -> float:
    """Seconds from the end of the earlier exposure to the start of the later one."""
    if one.taken is None or other.taken is None:
        return float("inf")
    first, second = sorted((one, other), key=lambda each: each.taken or 0)
    return max(0.0, (second.taken or 0) - (first.taken or 0) - (first.exposure_s or 0))


def _grouped(said: Sequence[Seen], key: Callable[[str], str]) -> Groups:
    groups: dict[str, list[Seen]] = {}
    for one in said:
        groups.setdefault(key(one.path), []).append(one)
    return [(name.replace("/", "-") or "scene", group) for name, group in groups.items()]


def _bare(path: str) -> str:
    """The path without the word, the suffix and an exposure time at its end."""
    name = EXPOSURE.sub("", PurePosixPath(path).with_suffix("").as_posix())
    return re.sub(r"/+", "/", WORD.sub("", name))


def _whole(path: str) -> str:
    return re.sub(r"[_ -]*(/|$)[_ -]*", r"\1", _bare(path)).strip("/_- ")


def _without_number(path: str) -> str:
    return re.sub(r"[\W_]*\d*$", "", _bare(path)).strip("/_- ")


def _first_word(path: str) -> str:
    return re.split(r"[\W_]", PurePosixPath(_bare(path)).name)[0]


def _one_truth(group: Sequence[Seen]) -> bool:
    """One long exposure, or several that differ: the longest is the truth."""
    truths = [one for one in group if is_long(one.path)]
    times = {one.exposure_s for one in truths}
    alone = len(truths) == 1 or (len(times) == len(truths) and None not in times)
    return bool(truths) and alone and len(truths) < len(group)


def _clash(named: Groups, timed: Groups) -> str:
    """Where times speak for another truth than names do."""
    truth_by_time = {one.path: group[0] for _, group in timed for one in group}
    for _, group in named:
        truth = _truth(group)
        for one in group:
            other = truth_by_time.get(one.path, truth)
            if not is_long(one.path) and other is not truth:
                return (
                    f"by its name {one.path} belongs to {truth.path}, by its EXIF time to "
                    f"{other.path}; say which holds: --by names or --by time"
                )
    return ""


def _truth(group: Sequence[Seen]) -> Seen:
    return max((one for one in group if is_long(one.path)), key=lambda one: one.exposure_s or 0)


def _reversed(named: Groups) -> str:
    """Where the short exposure is the longer one."""
    for _, group in named:
        truth = _truth(group)
        for one in group:
            if not is_long(one.path) and (one.exposure_s or 0) > (truth.exposure_s or 9e9):
                return (
                    f"{one.path} is called short and states {one.exposure_s:g} s, "
                    f"{truth.path} is called long and states {truth.exposure_s:g} s"
                )
    return ""


def _why_not(said: Sequence[Seen], by: By | None) -> str:
    longs = [one.path for one in said if is_long(one.path)]
    shorts = [one.path for one in said if not is_long(one.path)]
    reasons = {
        "names": "names don't say which belong together",
        "time": "EXIF times don't say which belong together",
    }
    why = reasons[by] if by else f"{reasons['names']}, and {reasons['time']}"
    called = f"{len(shorts)} files are called short, as {shorts[0]}, and {len(longs)} long"
    return f"{called}, as {longs[0]}; {why}"
